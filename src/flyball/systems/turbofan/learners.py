"""How the turbofan page learns: every engine alike, one net read in two ways, an interval from held-out flights."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import data, errors, features, labels, part
from flyball.model import chain, conformal, machines, onnx
from flyball.model.stage import Learner, Predictor
from flyball.systems.turbofan import conditions

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: What was fitted last, by learner, rows and seed: two readings of one net train it once.
_FITTED: OrderedDict[str, Predictor] = OrderedDict()
_KEPT = 6


class Engines(Learner):
    """Fits a learner so that every engine weighs the same, on rows with at least `seen` cycles of history.

    An engine whose history began anew (a spliced record, see `Windows`) is learned from only after that.  With `cut`,
    the target is the remaining life cut at that many cycles, and so is the answer.  `history` names the column with
    the number of cycles.  The same rows, seed and learner are fitted once.

    >>> from flyball.model import Ridge
    >>> Engines(Ridge(), cut=125.0)
    turbofan.Engines(learner=model.Ridge(), cut=125.0)
    """

    learner: Learner
    seen: int = 5
    cut: float | None = None
    history: str = "cycles.history"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the one kind it learns: a remaining life."""
        return (labels.Quantity,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return what the learner makes of the rows that count."""
        import numpy as np

        key = _key(self, x, y, seed)
        if key in _FITTED:
            _FITTED.move_to_end(key)
            return _FITTED[key]
        assert isinstance(kind, labels.Quantity)
        rows = whole(x, self.history, self.seen)
        if not len(rows):
            what = f"no row with {self.seen} cycles of history"
            raise errors.DataError(f"{what}: the engines are too young to learn from")
        codes = x.moments.codes[rows]
        weight = 1.0 / np.bincount(codes)[codes]
        value = y.value[rows] if self.cut is None else np.minimum(y.value[rows], self.cut)
        chosen = dataclasses.replace(y.take(rows), value=value, weight=weight / weight.mean())
        kind = kind if self.cut is None else part.replace(kind, high=self.cut)
        _FITTED[key] = self.learner.fit(x.take(rows), chosen, kind, seed)
        while len(_FITTED) > _KEPT:
            _FITTED.popitem(last=False)
        return _FITTED[key]

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.cut is not None and self.cut <= 0:
            yield errors.Problem("cut", f"{self.cut} cuts every life away", "give a number above 0")


class Reading(Learner):
    """Another reading of a net with several heads: their sum weighted by `mix`, at most `high`.

    >>> from flyball.model import Dense
    >>> Reading(Dense(caps=(125.0, None)), mix=(0.5, 0.5)).mix
    (0.5, 0.5)
    """

    learner: Learner
    mix: tuple[float, ...]
    high: float | None = None

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the one kind whose nets have several heads."""
        return (labels.Quantity,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted net, read so."""
        return self._read(self.learner.fit(x, y, kind, seed))

    def _read(self, predictor: Predictor) -> Predictor:
        if isinstance(predictor, chain.Chained):
            return chain.Chained(predictor.steps, self._read(predictor.last))
        if not isinstance(predictor, onnx.OnnxPredictor):
            raise errors.DeclarationError(f"a {type(predictor).__name__} has no heads to read: give one net")
        told = {**predictor.settings, "mix": list(self.mix), "high": self.high}
        return onnx.OnnxPredictor(predictor.model, told)


class Calibrated(Learner):
    """A learner with an interval that covers the remaining life, cut at `cut`, in about `coverage` of the answers.

    A `share` of the flights (twins together) is held out; their errors, at answers asked anywhere from a share `low`
    of the life on and after `seen` cycles, give for every range of answers the half width that covers.  Each engine
    weighs the same.  Then the learner learns from all engines (split conformal prediction, Papadopoulos et al. 2002,
    by flight and range of the answer; the last step makes the guarantee approximate).
    """

    learner: Learner
    coverage: float = 0.9
    share: float = 0.2
    cut: float | None = None
    low: float = 0.3
    seen: int = 20
    bins: int = 10
    sequence: str = "last"
    history: str = "cycles.history"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the one kind that has intervals."""
        return (labels.Quantity,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the predictor with its interval."""
        import numpy as np

        assert isinstance(kind, labels.Quantity)
        fold = machines.ByMachine(share=self.share, seed=seed).split(self._flights(x), {})[0]
        part_ = self.learner.fit(x.take(fold.train), y.take(fold.train), kind, seed)
        held = fold.test[np.isin(fold.test, whole(x, self.history, self.seen))]
        left, now = y.value[held], x.moments.at[held]
        held = held[(left >= 1) & (now >= self.low * (now + left))]
        if not len(held):
            raise errors.DataError(
                "no inspection of the held-out engines is left for the interval: hold out more"
            )
        truth = y.value[held] if self.cut is None else np.minimum(y.value[held], self.cut)
        answer = part_.predict(x.take(held))[:, 0]
        codes = x.moments.codes[held]
        weight = 1.0 / np.bincount(codes)[codes]
        knots, widths = half_widths(answer, np.abs(truth - answer), weight, self.coverage, self.bins)
        inner = self.learner.fit(x, y, kind, seed)
        high = kind.high if self.cut is None else self.cut
        return conformal.Interval(inner, knots, widths, (kind.low, high))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for name in ("coverage", "share"):
            if not 0 < getattr(self, name) < 1:
                yield errors.Problem(name, f"{getattr(self, name)} is none", "give one between 0 and 1")

    def _flights(self, x: features.Matrix) -> features.Moments:
        """Return the moments with each row's flight in place of its engine: twins carry the settings of one flight."""
        import numpy as np

        steps = np.asarray(x.columns[self.sequence])[:, :, -len(conditions.SCALE) :]
        history = np.asarray(x.columns[self.history])
        names = list(x.moments.keys)
        # At an engine's first row with five cycles the sequence still holds them all.
        for row in np.flatnonzero((history >= 5) & (history <= steps.shape[1]))[::-1].tolist():
            first = steps[row, steps.shape[1] - int(history[row]) :][:5, :2]
            names[x.moments.codes[row]] = (np.round(first.astype(np.float64), 4) + 0.0).tobytes().hex()
        words = data.Words.of(names)
        return features.Moments(words.labels, words.codes[x.moments.codes], x.moments.at)


def whole(x: features.Matrix, history: str, seen: int) -> Ints:
    """Return the rows with enough cycles of a history that did not begin anew later."""
    import numpy as np

    count = np.asarray(x.columns[history])
    began = x.moments.at - count
    latest = np.full(len(x.moments.keys), -np.inf)
    np.maximum.at(latest, x.moments.codes, began)
    return np.flatnonzero((count >= seen) & (began == latest[x.moments.codes]))


def half_widths(
    answer: Floats, error: Floats, weight: Floats, coverage: float, bins: int
) -> tuple[Floats, Floats]:
    """Return knots (answers, ascending) and the half width at each that covers the errors of its range.

    >>> import numpy as np
    >>> knots, widths = half_widths(np.arange(100.0), np.ones(100), np.ones(100), 0.9, 2)
    >>> knots.tolist(), widths.tolist()
    ([24.5, 74.5], [1.0, 1.0])
    """
    import numpy as np

    pieces = [piece for piece in np.array_split(np.argsort(answer, kind="stable"), bins) if len(piece)]
    knots = np.array([np.average(answer[piece], weights=weight[piece]) for piece in pieces])
    widths = np.array([_quantile(error[piece], weight[piece], coverage) for piece in pieces])
    knots, first = np.unique(knots, return_index=True)
    return knots, np.maximum(widths[first], 1e-9)


def _quantile(error: Array, weight: Array, coverage: float) -> float:
    """Return the weighted quantile, the next error counting as one more row."""
    import numpy as np

    order = np.argsort(error)
    reached = np.cumsum(weight[order]) / (weight.sum() + weight.max())
    return float(error[order[min(int(np.searchsorted(reached, coverage)), len(order) - 1)]])


def _key(learner: Learner, x: features.Matrix, y: labels.Answers, seed: int) -> str:
    """Return what tells a fit apart: the learner, every row's question, columns and answer, and the seed."""
    import hashlib
    import zlib

    import numpy as np

    told = hashlib.sha256(f"{part.canonical(learner)} {seed} {x.moments.keys}".encode())
    plain = {"codes": x.moments.codes, "at": x.moments.at, "value": y.value}
    for name, column in {**plain, **x.columns}.items():
        values = column.codes if isinstance(column, data.Words) else column
        if isinstance(values, np.ndarray):
            content = np.ascontiguousarray(values)
            told.update(f"{name} {content.shape} {zlib.crc32(content.tobytes())}".encode())
    return told.hexdigest()
