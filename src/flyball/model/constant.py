"""The least anybody can say: the same answer for every row, from the training answers alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Prior(Learner):
    """Answers with the training rate of the event, the class shares, or the mean of the quantity.

    What does not beat this has learned nothing.

    >>> Prior().accepts()[0].__name__
    'Probability'
    """

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability, labels.Classes, labels.Quantity)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the constant answer."""
        return Constant(overall(y, kind))


class Constant(Predictor):
    """One answer, (1,), (k,) or (3,), for every row."""

    def __init__(self, answer: Any) -> None:
        self.answer = [float(value) for value in answer]

    def predict(self, x: features.Matrix) -> Array:
        """Return the answer for every row."""
        import numpy as np

        rows = np.tile(np.array(self.answer), (len(x), 1))
        return rows[:, 0] if len(self.answer) == 1 else rows

    def pack(self) -> Packed:
        """Return the answer."""
        return Packed("prior", {"answer": self.answer})

    @staticmethod
    def unpack(packed: Packed) -> Constant:
        """Return the predictor that was packed."""
        return Constant(packed.settings["answer"])


def overall(y: labels.Answers, kind: labels.Kind) -> list[float]:
    """Return the weighted mean answer: [rate], class shares (k,), or [mean] three times."""
    import numpy as np

    if isinstance(kind, labels.Classes):
        count = np.bincount(y.value.astype(np.int64), weights=y.weight, minlength=len(kind.names))
        return [float(share) for share in (count + 1e-9) / (count + 1e-9).sum()]
    mean = float(np.average(y.value, weights=y.weight)) if len(y) else 0.0
    return [mean] * 3 if isinstance(kind, labels.Quantity) else [mean]
