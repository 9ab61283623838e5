"""A rate baseline: how often it happened among rows that were like this one in a single column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, constant, inputs
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints


class Rate(Learner):
    """The training rate (class shares, mean) per bin of one column, or per category, smoothed toward the whole.

    What maintenance by age does: the column is an age, and every bin of it has its own event rate.  Numbers are cut
    at training quantiles into `bins`; missing values have a bin of their own.  `prior` rows of the overall answer
    are added to every bin, so that a bin of three rows says little (additive smoothing).

    >>> Rate("age_days", bins=5).accepts()[0].__name__
    'Probability'
    """

    by: str
    bins: int = 10
    prior: float = 20.0

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability, labels.Classes, labels.Quantity)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the rate of every bin."""
        import numpy as np

        column = inputs.pick(x, self.by)
        if not inputs.is_flat(column):
            raise errors.DataError(f"column {self.by!r} is no single number or category per row")
        texts = tuple(sorted(set(column.labels))) if isinstance(column, data.Words) else None
        edges = np.zeros(0)
        if texts is None:
            values = np.asarray(column, dtype=np.float64)
            known = values[np.isfinite(values)]
            if len(known):
                edges = np.unique(np.quantile(known, np.linspace(0, 1, self.bins + 1)[1:-1]))
        places = _places(column, edges, texts)
        whole = np.array(constant.overall(y, kind))
        answers = np.tile(whole, (1 + (len(edges) + 1 if texts is None else len(texts)), 1))
        heavy = np.ones(len(y)) if y.weight is None else y.weight
        for place in np.unique(places):
            here = np.flatnonzero(places == place)
            mine = np.array(constant.overall(y.take(here), kind))
            weight = float(heavy[here].sum())
            answers[place] = (mine * weight + whole * self.prior) / (weight + self.prior)
        return Rates(self.by, edges, texts, answers)


class Rates(Predictor):
    """The answer of every bin; bin 0 is for what is missing or was never seen."""

    def __init__(self, by: str, edges: Floats, texts: tuple[str, ...] | None, answers: Floats) -> None:
        self.by, self.edges, self.texts, self.answers = by, edges, texts, answers

    def predict(self, x: features.Matrix) -> Array:
        """Return the answer of each row's bin."""
        rows: Array = self.answers[_places(inputs.pick(x, self.by), self.edges, self.texts)]
        return rows[:, 0] if rows.shape[1] == 1 else rows

    def influence(self) -> Mapping[str, float]:
        """Return the one column."""
        return {self.by: 1.0}

    def pack(self) -> Packed:
        """Return the bins and their answers."""
        settings = {"by": self.by, "texts": None if self.texts is None else list(self.texts)}
        return Packed(
            "rate", settings, {"edges.npy": arrays.dump(self.edges), "answers.npy": arrays.dump(self.answers)}
        )

    @staticmethod
    def unpack(packed: Packed) -> Rates:
        """Return the predictor that was packed."""
        texts = packed.settings["texts"]
        edges, answers = (arrays.load(packed.files[name]) for name in ("edges.npy", "answers.npy"))
        return Rates(packed.settings["by"], edges, None if texts is None else tuple(texts), answers)


def _places(column: Any, edges: Floats, texts: tuple[str, ...] | None) -> Ints:
    """Return (n,) the bin of every row: 0 missing, then the bins or categories in order."""
    import numpy as np

    if texts is not None:
        if not isinstance(column, data.Words):
            if np.isnan(column).all():  # the feature was stopped
                return np.zeros(len(column), dtype=np.int64)
            raise errors.DataError("a category of training is none here")
        return column.relabel(texts).codes.astype(np.int64) + 1
    values = np.asarray(column, dtype=np.float64)
    return np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="right") + 1).astype(np.int64)
