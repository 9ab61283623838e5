"""A smaller net that learns what the larger one answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.stage import Compressor, Learner, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: A class that the teacher gives less than this is left out: hardly any weight, and a row of work.
LEAST = 0.02


class Distilled(Compressor):
    """A student, any learner, fitted on the teacher's answers to the training rows (Hinton et al. 2015).

    Probabilities are learned as they are, not as the class that leads: each row stands once for every class that the
    teacher gives a share, weighted by the share, which is the cross-entropy to the teacher for any learner that
    minds weights.  The student sees the rows as the page's features give them and replaces the whole predictor; the
    rows' true answers are not looked at.  `rows` limits how many are learned from.

    >>> from flyball.model.linear import Logistic
    >>> Distilled(Logistic()).title()
    'Distilled'
    """

    student: Learner
    seed: int = 0
    rows: int | None = None

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the student; None when it cannot learn such answers."""
        told = predictor.predict(calibration)
        kind = _kind(told, predictor)
        if not isinstance(kind, self.student.accepts()):
            return None
        rows, value, weight = lessons(told, kind)
        return self.student.fit(calibration.take(rows), _answers(value, weight), kind, self.seed)

    def wants(self) -> int | None:
        """Return how many rows are learned from at most; None: all."""
        return self.rows


def lessons(told: Array, kind: labels.Kind) -> tuple[Ints, Floats, Floats | None]:
    """Return which row stands for which answer with which weight, such that learning them is learning what was told.

    >>> import numpy as np
    >>> rows, value, weight = lessons(np.array([0.25, 1.0]), labels.Probability())
    >>> rows.tolist(), value.tolist(), weight.tolist()
    ([0, 0, 1], [0.0, 1.0, 1.0], [0.75, 0.25, 1.0])
    """
    import numpy as np

    if isinstance(kind, labels.Quantity):
        return np.arange(len(told)), np.asarray(told[:, 0], np.float64), None
    shares = np.stack([1 - told, told], axis=1) if told.ndim == 1 else told
    rows, value = np.nonzero(shares >= LEAST)
    return rows, value.astype(np.float64), np.asarray(shares[rows, value], np.float64)


def _answers(value: Floats, weight: Floats | None) -> labels.Answers:
    import numpy as np

    from flyball import data

    nothing = data.Words(np.full(len(value), -1, dtype=np.int32), ())
    return labels.Answers(value, np.ones(len(value), dtype=bool), nothing, weight)


def _kind(told: Array, predictor: Predictor) -> labels.Kind:
    """Return the kind of answers that were told; the names of classes and bounds are those of the packed model."""
    import numpy as np

    if told.ndim == 1:
        return labels.Probability()
    settings = _settings(predictor)
    shares = np.allclose(told.sum(axis=1), 1.0)
    if settings.get("kind", "classes" if shares else "quantity") == "quantity":
        return labels.Quantity(low=settings.get("low"), high=settings.get("high"))
    return labels.Classes(tuple(settings.get("classes") or (f"class {n}" for n in range(told.shape[1]))))


def _settings(predictor: Predictor) -> dict[str, Any]:
    """Return the settings of the first model inside that tells of its kind."""
    waiting = [predictor.pack()]
    while waiting:
        packed = waiting.pop(0)
        if "kind" in packed.settings:
            return dict(packed.settings)
        waiting += packed.inner
    return {}
