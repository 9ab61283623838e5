"""A rule baseline: a few columns that should be low, added or the largest taken, as an engineer would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import inputs, linear
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats


class Threshold(Learner):
    """The sum (or largest) of some columns, higher is worse, as a probability that keeps that order exactly.

    Such as reallocated plus pending sectors of a drive.  Missing counts as zero and negatives as zero.  Only the
    probability scale is learned: a logistic curve over log(1 + score) with a slope that never falls (Platt 1999),
    so equal scores stay equal and no other two change places.

    >>> Threshold(columns=("smart_5", "smart_197")).accepts()
    (<class 'flyball.labels.stage.Probability'>,)
    """

    columns: tuple[str, ...]
    by: str = "sum"

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the rule with its probability scale."""
        import numpy as np

        score = np.log1p(_score(x, self.columns, self.by))
        spread = float(score.std()) or 1.0
        slope, start = linear.logistic((score / spread)[:, None], y.value, y.weight, l2=1e-3)
        return Rule(self.columns, self.by, max(float(slope[0]) / spread, 1e-6), start)


class Rule(Predictor):
    """A score of some columns on a probability scale."""

    def __init__(self, columns: tuple[str, ...], by: str, slope: float, start: float) -> None:
        self.columns, self.by, self.slope, self.start = columns, by, slope, start

    def predict(self, x: features.Matrix) -> Array:
        """Return the probability of every row."""
        import numpy as np

        return linear.sigmoid(self.slope * np.log1p(_score(x, self.columns, self.by)) + self.start)

    def influence(self) -> Mapping[str, float]:
        """Return its columns, all alike."""
        return dict.fromkeys(self.columns, 1.0)

    def pack(self) -> Packed:
        """Return the rule."""
        settings = {"columns": list(self.columns), "by": self.by, "slope": self.slope, "start": self.start}
        return Packed("rule", settings)

    @staticmethod
    def unpack(packed: Packed) -> Rule:
        """Return the rule that was packed."""
        told = packed.settings
        return Rule(tuple(told["columns"]), told["by"], float(told["slope"]), float(told["start"]))


def _score(x: features.Matrix, columns: tuple[str, ...], by: str) -> Floats:
    import numpy as np

    dense = np.stack([np.asarray(inputs.pick(x, name), dtype=np.float64) for name in columns], axis=1)
    low = np.clip(np.nan_to_num(dense, nan=0.0, posinf=1e300, neginf=0.0), 0.0, 1e300)
    return np.asarray(low.max(axis=1) if by == "max" else low.sum(axis=1))
