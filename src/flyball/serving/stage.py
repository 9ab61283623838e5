"""Stage 5, serving: what is done with the answer, and how a release gets there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, part
from flyball.features import stage as features
from flyball.labels import stage as labels

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Decision(part.Part):
    """Abstract: turns answers into something done.  Its threshold is settled in `choose` and frozen in the release."""

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can decide on."""
        raise NotImplementedError

    def settle(self, answers: Array, moments: features.Moments) -> float:
        """Return the threshold that holds the declared budget on these (out-of-fold) answers."""
        raise NotImplementedError

    def decide(self, answers: Array, moments: features.Moments, threshold: float) -> tuple[evidence.Alert, ...]:
        """Return the alerts, in order of time then rank, holding the budget whatever the threshold lets through."""
        raise NotImplementedError


class Rollout(part.Part):
    """Abstract: how a release is staged over the machines."""


class Edge(part.Part):
    """What is done with the answer: the decision, the rollout, and who answers when the model cannot."""

    decide: Decision
    rollout: Rollout | None = None
    fallback: str = "baseline"

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        kind = page.labels.kind()
        if not isinstance(kind, self.decide.accepts()):
            can = ", ".join(sorted(accepted.__name__ for accepted in self.decide.accepts()))
            what = f"{type(self.decide).__name__} cannot decide on {type(kind).__name__}"
            yield errors.Problem("decide", what, f"it decides on {can}")
        if self.fallback != "baseline":
            yield errors.Problem("fallback", f"no fallback {self.fallback!r}", "give 'baseline'")
