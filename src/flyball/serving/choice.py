"""Decisions on classes and quantities: name the class when certain enough, act before the life runs out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.serving import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Review(stage.Decision):
    """Name the class by itself, and send the least certain share of answers to a person.

    >>> import numpy as np
    >>> moments = features.Moments.of(["a", "b"], [0, 0])
    >>> [a.key for a in Review(share=0.5).decide(np.array([[0.9, 0.1], [0.5, 0.5]]), moments, 0.8)]
    ['b']
    """

    share: float

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        return (labels.Classes,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        import numpy as np

        return float(np.quantile(answers.max(axis=1), self.share)) if len(answers) else 0.0

    def decide(self, answers: Array, moments: features.Moments, threshold: float) -> tuple[evidence.Alert, ...]:
        import numpy as np

        certain = answers.max(axis=1)
        rows = np.flatnonzero(certain < threshold)
        rows = rows[np.lexsort((certain[rows], moments.at[rows]))]
        return tuple(
            evidence.Alert(moments.keys[moments.codes[row]], int(moments.at[row]), float(certain[row]), rank)
            for rank, row in enumerate(rows.tolist(), start=1)
        )

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not 0 <= self.share <= 1:
            yield errors.Problem("share", f"{self.share} is no share", "give a number from 0 to 1")


class Below(stage.Decision):
    """Alert when the low end of a quantity's interval falls below a limit (remaining life, margin).

    >>> import numpy as np
    >>> moments = features.Moments.of(["a", "b"], [0, 0])
    >>> [a.key for a in Below(20).decide(np.array([[30.0, 15.0, 45.0], [90.0, 70.0, 110.0]]), moments, 20)]
    ['a']
    """

    limit: float

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        return (labels.Quantity,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        return self.limit

    def decide(self, answers: Array, moments: features.Moments, threshold: float) -> tuple[evidence.Alert, ...]:
        import numpy as np

        rows = np.flatnonzero(answers[:, 1] < threshold)
        rows = rows[np.lexsort((answers[rows, 1], moments.at[rows]))]
        return tuple(
            evidence.Alert(moments.keys[moments.codes[row]], int(moments.at[row]), float(answers[row, 1]), rank)
            for rank, row in enumerate(rows.tolist(), start=1)
        )
