"""Decisions on classes and quantities: name the class when certain enough, act before the life runs out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.serving import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags


class Review(stage.Decision):
    """Name the class by itself, and send the least certain share of answers to a person.

    An answer that is no number is the least certain of all.

    >>> import numpy as np
    >>> moments = features.Moments.of(["a", "b"], [0, 0])
    >>> [a.key for a in Review(share=0.5).decide(np.array([[0.9, 0.1], [0.5, 0.5]]), moments, 0.8)]
    ['b']
    """

    share: float

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can decide on."""
        return (labels.Classes,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        """Return the certainty below which the declared share of these answers lies."""
        import numpy as np

        return float(np.quantile(_certainty(answers), self.share)) if len(answers) else 0.0

    def step(
        self, state: Mapping[str, Any], answers: Array, moments: features.Moments, threshold: float
    ) -> tuple[Mapping[str, Any], tuple[evidence.Alert, ...]]:
        """Return the answers that a person should look at, least certain first within a moment."""
        certain = _certainty(answers)
        return state, _ranked(certain, certain < threshold, moments)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a share that is none."""
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
        """Return the kinds of answer it can decide on."""
        return (labels.Quantity,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        """Return the declared limit."""
        return float(self.limit)

    def step(
        self, state: Mapping[str, Any], answers: Array, moments: features.Moments, threshold: float
    ) -> tuple[Mapping[str, Any], tuple[evidence.Alert, ...]]:
        """Return the machines whose low end lies below the limit, lowest first within a moment."""
        return state, _ranked(answers[:, 1], answers[:, 1] < threshold, moments)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a limit that no answer could fall below."""
        kind = page.labels.kind()
        if not math.isfinite(self.limit):
            yield errors.Problem("limit", f"{self.limit} is no limit", "give a number")
        elif isinstance(kind, labels.Quantity) and kind.low is not None and self.limit <= kind.low:
            what = f"no answer falls below {self.limit}: the least there is is {kind.low}"
            yield errors.Problem("limit", what, "give a larger limit")


def _certainty(answers: Array) -> Array:
    import numpy as np

    return np.asarray(np.nan_to_num(answers.max(axis=1), nan=0.0))


def _ranked(score: Array, chosen: Flags, moments: features.Moments) -> tuple[evidence.Alert, ...]:
    """Return an alert per chosen row, in order of time then score, ranked within each moment."""
    import numpy as np

    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((moments.codes[rows], score[rows], moments.at[rows]))]
    out: list[evidence.Alert] = []
    for row in rows.tolist():
        at = int(moments.at[row])
        rank = out[-1].rank + 1 if out and out[-1].moment == at else 1
        out.append(evidence.Alert(moments.keys[moments.codes[row]], at, float(score[row]), rank))
    return tuple(out)
