"""Stage 5, serving: what is done with the answer, and how a release gets there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, part
from flyball.features import stage as features
from flyball.labels import stage as labels

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Decision(part.Part):
    """Abstract: turns answers into something done; its threshold is settled in `choose`, frozen in the release.

    State goes in and comes out, plain JSON: what is decided day by day is what would be decided in one go.
    """

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can decide on."""
        raise NotImplementedError

    def settle(self, answers: Array, moments: features.Moments) -> float:
        """Return the threshold that holds the declared budget on these (out-of-fold) answers."""
        raise NotImplementedError

    def start(self) -> Mapping[str, Any]:
        """Return the state before any answer."""
        return {}

    def step(
        self, state: Mapping[str, Any], answers: Array, moments: features.Moments, threshold: float
    ) -> tuple[Mapping[str, Any], tuple[evidence.Alert, ...]]:
        """Return the new state and the alerts of some later answers, in order of time then rank.

        What is declared (a budget, a lockout) holds whatever the threshold lets through.
        """
        raise NotImplementedError

    def decide(
        self, answers: Array, moments: features.Moments, threshold: float
    ) -> tuple[evidence.Alert, ...]:
        """Return the alerts of all answers in one go, in order of time then rank."""
        return self.step(self.start(), answers, moments, threshold)[1]


class Rollout(part.Part):
    """Abstract: how a release is staged over the machines, from what they tell; state in and out is plain JSON."""

    def groups(self, page: str, machines: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Return the machines of the canary and of each wave; `machines` maps a machine to its kind."""
        raise NotImplementedError

    def stages(self) -> tuple[str, ...]:
        """Return the stages in their order."""
        raise NotImplementedError

    def start(self, now: int) -> Mapping[str, Any]:
        """Return the state of a rollout that begins at `now` (microseconds)."""
        raise NotImplementedError

    def next(
        self,
        state: Mapping[str, Any],
        exposures: Iterable[evidence.Exposure],
        due: Mapping[str, str],
        now: int,
    ) -> tuple[Mapping[str, Any], evidence.Step]:
        """Return the new state and what to do, after what machines told of the candidate since the last call."""
        raise NotImplementedError


class Edge(part.Part):
    """What is done with the answer: the decision, the rollout, and who answers when the model cannot."""

    decide: Decision
    rollout: Rollout | None = None
    fallback: str = "baseline"

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a decision that does not fit the kind of answer, and an unknown fallback."""
        kind = page.labels.kind()
        if not isinstance(kind, self.decide.accepts()):
            can = ", ".join(sorted(accepted.__name__ for accepted in self.decide.accepts()))
            what = f"{type(self.decide).__name__} cannot decide on {type(kind).__name__}"
            yield errors.Problem("decide", what, f"it decides on {can}")
        if self.fallback != "baseline":
            yield errors.Problem("fallback", f"no fallback {self.fallback!r}", "give 'baseline'")
