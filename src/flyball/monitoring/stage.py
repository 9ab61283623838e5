"""Stage 7, monitoring: whether the model and its data still hold, and when to train again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import evidence, part
from flyball.features import stage as features
from flyball.monitoring.performance import Performance

if TYPE_CHECKING:
    from flyball.data.stage import Array


@dataclass(frozen=True)
class Reference:
    """What a detector holds of the training data: plain JSON settings, small enough to travel in a release."""

    detector: str
    settings: Mapping[str, Any]


class DriftDetector(part.Part):
    """Abstract: compares what comes in with what was trained on, inside a budget of false alarms."""

    def reference(self, x: features.Matrix, answers: Array | None, seed: int) -> Reference:
        """Return what must be kept of the training rows (columns and answers), thresholds included."""
        raise NotImplementedError

    def watch(self, reference: Reference, x: features.Matrix, answers: Array | None) -> tuple[Watched, ...]:
        """Return one row per column and window: the statistics, the limit, and whether it alarms."""
        raise NotImplementedError


@dataclass(frozen=True)
class Watched:
    """One column in one window: the statistics that are shown, the one that is judged, and its limit."""

    column: str
    since: int
    until: int
    n: int
    statistic: float
    limit: float
    shown: Mapping[str, float]
    alarm: bool


class Detector(part.Part):
    """Abstract: watches a stream of values (losses, errors) for a rise; state goes in and comes out, JSON.

    A detector has a `metric`, the loss whose stream it watches, and a threshold of its own; where that is None it is
    settled on losses of test rows, so that at most `false_alarms` come `per` period in which nothing happens.
    """

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        raise NotImplementedError

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        raise NotImplementedError

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return what the threshold is held against after the last value: more is worse."""
        raise NotImplementedError

    def threshold(self) -> float | None:
        """Return the statistic above which it alarms; None when that is to be settled on a reference."""
        raise NotImplementedError

    def settled(self, statistic: float) -> Detector:
        """Return the detector that alarms above that statistic."""
        raise NotImplementedError


class Trigger(part.Part):
    """Abstract: says when to train again."""

    def due(
        self, now: int, trained: int | None, alarms: tuple[evidence.Alarm, ...], labelled: int = 0
    ) -> str:
        """Return the reason to train now, or "" for none.

        `trained` is the cut of the last training; `labelled` how many answers became known since.
        """
        raise NotImplementedError


class Watch(part.Part):
    """Whether it still holds: drift of the data, drift of the concept, who got worse, and when to train again."""

    drift: DriftDetector | None = None
    concept: tuple[Detector, ...] = ()
    retrain: tuple[Trigger, ...] = ()
    performance: Performance = Performance()
