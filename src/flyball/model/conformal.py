"""An interval around a quantity that holds as often as it says, whatever the learner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs, machines
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats


class Conformal(Learner):
    """A learner of a quantity with an interval that covers the truth in about `coverage` of the answers.

    Residuals of machines that the predictor did not learn from are divided by their usual size at that answer, and
    the interval is that size times their quantile (normalised conformal prediction: Lei et al. 2018; by machine,
    since rows of one machine err together).  `share` of the machines is held out for it (split conformal), or with
    `folds` every machine once, and the predictor then learns from all of them (cross-conformal, Vovk 2015: no rows
    are given up, the guarantee is approximate).  `by` names a category column instead where machines are no
    independent evidence: its groups (twins, lots) are held out together.

    >>> from flyball.model.linear import Ridge
    >>> Conformal(Ridge(), coverage=0.9, folds=5)
    model.Conformal(learner=model.Ridge(), folds=5)
    """

    learner: Learner
    coverage: float = 0.9
    share: float = 0.2
    folds: int | None = None
    by: str = "machine"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the one kind that has intervals."""
        return (labels.Quantity,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the predictor with its interval."""
        import numpy as np

        assert isinstance(kind, labels.Quantity)
        split = machines.ByMachine(self.folds or 2, share=None if self.folds else self.share, seed=seed)
        groups = _groups(x, self.by)
        told, truth, heavy, number = [], [], [], []
        inner: Predictor | None = None
        for index, fold in enumerate(split.split(groups, {})):
            inner = self.learner.fit(x.take(fold.train), y.take(fold.train), kind, seed)
            told.append(inner.predict(x.take(fold.test))[:, 0])
            truth.append(y.value[fold.test])
            heavy.append(np.ones(len(fold.test)) if y.weight is None else y.weight[fold.test])
            # With one fold, its machines in two halves: one finds the usual size, the other the quantile.
            halves = _halves(groups[fold.test], seed) if not self.folds else np.full(len(fold.test), index)
            number.append(halves)
        if self.folds or inner is None:
            inner = self.learner.fit(x, y, kind, seed)
        answer, weight = np.concatenate(told), np.concatenate(heavy)
        error = np.abs(np.concatenate(truth) - answer)
        factor = _factor(answer, error, weight, np.concatenate(number), self.coverage)
        knots, sizes = _usual_size(answer, error, weight)
        return Interval(inner, knots, sizes * factor, (kind.low, kind.high))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not 0 < self.coverage < 1:
            yield errors.Problem("coverage", f"{self.coverage} cannot be reached", "give one between 0 and 1")
        if labels.Quantity not in self.learner.accepts():
            yield errors.Problem(
                "learner", f"{type(self.learner).__name__} answers with no quantity", "take one that does"
            )


class Interval(Predictor):
    """A predictor of a quantity and half the interval's width as a function of its answer."""

    def __init__(
        self, inner: Predictor, knots: Floats, widths: Floats, bounds: tuple[float | None, float | None]
    ) -> None:
        self.inner, self.knots, self.widths, self.bounds = inner, knots, widths, bounds

    def predict(self, x: features.Matrix) -> Array:
        """Return (n, 3) value, low, high."""
        import numpy as np

        value = self.inner.predict(x)[:, 0]
        half = np.interp(value, self.knots, self.widths)
        low, high = (
            edge if edge is not None else sign * np.inf
            for edge, sign in zip(self.bounds, (-1, 1), strict=True)
        )
        return np.stack([value, np.clip(value - half, low, high), np.clip(value + half, low, high)], axis=1)

    def influence(self) -> Mapping[str, float]:
        """Return that of the predictor inside."""
        return self.inner.influence()

    def pack(self) -> Packed:
        """Return the predictor inside and the widths."""
        files = {"knots.npy": arrays.dump(self.knots), "widths.npy": arrays.dump(self.widths)}
        return Packed("conformal", {"bounds": list(self.bounds)}, files, inner=(self.inner.pack(),))

    @staticmethod
    def unpack(packed: Packed) -> Interval:
        """Return the predictor that was packed."""
        from flyball.model import unpack

        knots, widths = (arrays.load(packed.files[name]) for name in ("knots.npy", "widths.npy"))
        low, high = packed.settings["bounds"]
        return Interval(unpack.unpack(packed.inner[0]), knots, widths, (low, high))


def _groups(x: features.Matrix, by: str) -> features.Moments:
    """Return the moments with each row's group in place of its machine."""
    if by == "machine":
        return x.moments
    column = inputs.pick(x, by)
    if not isinstance(column, data.Words) or (column.codes < 0).any():
        raise errors.DataError(
            f"column {by!r} does not name a group for every row: hold out by machine, or fill it"
        )
    return features.Moments(column.labels, column.codes, x.moments.at)


def _halves(moments: features.Moments, seed: int) -> Any:
    """Return (n,) 0 or 1: which half of the held-out machines a row's machine is in."""
    import numpy as np

    there = sorted({moments.keys[code] for code in np.unique(moments.codes).tolist()})
    if len(there) < 2:
        raise errors.DataError(
            "one machine is held out for the interval: two are needed, take a larger share"
        )
    half = {name: index % 2 for index, name in enumerate(machines.shuffled(there, seed + 1))}
    return np.array([half.get(name, -1) for name in moments.keys])[moments.codes]


def _factor(answer: Floats, error: Floats, weight: Floats, number: Any, coverage: float) -> float:
    """Return the quantile of errors over their usual size, which is found on other machines than it is used on."""
    import numpy as np

    scores = np.empty(len(error))
    for each in np.unique(number):
        mine = number == each
        knots, sizes = _usual_size(answer[~mine], error[~mine], weight[~mine])
        scores[mine] = error[mine] / np.interp(answer[mine], knots, sizes)
    order = np.argsort(scores)
    reached = np.cumsum(weight[order]) / (weight.sum() + weight.max())  # the next row counts as one more
    at = int(np.searchsorted(reached, coverage))
    return float(scores[order[min(at, len(order) - 1)]])


def _usual_size(answer: Floats, error: Floats, weight: Floats, bins: int = 12) -> tuple[Floats, Floats]:
    """Return knots and the usual error at each: its weighted mean in bins of equally many answers, never zero."""
    import numpy as np

    order = np.argsort(answer, kind="stable")
    pieces = [piece for piece in np.array_split(order, min(bins, max(1, len(order) // 20))) if len(piece)]
    whole = max(float(np.average(error, weights=weight)), 1e-9)
    knots = np.array([np.average(answer[piece], weights=weight[piece]) for piece in pieces])
    sizes = np.array([np.average(error[piece], weights=weight[piece]) for piece in pieces])
    knots, first = np.unique(knots, return_index=True)
    # A tenth of the overall error is drawn in: a bin without any error so far is not certain either.
    return knots, 0.9 * sizes[first] + 0.1 * whole
