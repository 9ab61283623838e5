"""Stage 7, monitoring: whether the model and its data still hold, and when to train again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flyball import evidence, part
from flyball.features import stage as features
from flyball.monitoring.performance import Performance

if TYPE_CHECKING:
    from flyball.data import stage as data
    from flyball.data.stage import Array, Floats
    from flyball.monitoring.standard import Standard

#: By machine: the moments at which its own baseline begins anew.
Resets = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Reference:
    """What a detector holds of the training data: plain JSON settings, small enough to travel in a release."""

    detector: str
    settings: Mapping[str, Any]


class DriftDetector(part.Part):
    """Abstract: compares what comes in with what was trained on, inside a budget of false alarms."""

    def reference(
        self, x: features.Matrix, answers: Array | None, seed: int, resets: Resets | None = None
    ) -> Reference:
        """Return what must be kept of the training rows (columns and answers), thresholds included."""
        raise NotImplementedError

    def watch(
        self,
        reference: Reference,
        x: features.Matrix,
        answers: Array | None,
        resets: Resets | None = None,
    ) -> tuple[Watched, ...]:
        """Return one row per column and window of the fleet, and one per alarmed column and window of a machine."""
        raise NotImplementedError

    def beside(
        self, fleet: data.Fleet, tables: data.Tables, moments: features.Moments
    ) -> Mapping[str, Array]:
        """Return columns (n,) that are watched beside the features, at some moments; none unless a part says so."""
        return {}

    def resets(self, tables: data.Tables) -> Resets:
        """Return when each machine's own baseline began anew, by its name; nothing resets unless a part says so."""
        return {}


@dataclass(frozen=True)
class Watched:
    """One column in one window: the statistics that are shown, the one that is judged, and its limit.

    `machine` is "" for the fleet as a whole; `machines` name whom a fleet's alarm comes from, worst first.  An alarm
    says when it `began`, how `sure` it is (the chance that anything watched in this window shows as much although
    nothing happened), its `cause` and `kind`; `series` (at, value, low, high: lists) is what to draw of the column.
    Where `column` is a figure of many columns, `columns` are those that take part most.
    """

    column: str
    since: int
    until: int
    n: int
    statistic: float
    limit: float
    shown: Mapping[str, float]
    alarm: bool
    machine: str = ""
    machines: tuple[str, ...] = ()
    began: int | None = None
    sure: float | None = None
    cause: str = ""
    kind: str = ""
    series: Mapping[str, Any] = field(default_factory=dict)
    columns: tuple[str, ...] = ()


class Multivariate(part.Part):
    """Abstract: tells of every window of a machine, in a few figures, how its columns go together."""

    def learn(self, rows: Standard, seed: int) -> Mapping[str, Any]:
        """Return what must be kept of the reference's rows: plain JSON; {} where nothing can be told."""
        raise NotImplementedError

    def told(self, kept: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Return {name of a figure: the columns it is of}, in the order of `figures`."""
        raise NotImplementedError

    def figures(self, kept: Mapping[str, Any], rows: Standard) -> Floats:
        """Return (cells, figures), NaN where nothing can be told: more, or less, than usual is a change."""
        raise NotImplementedError

    def behind(self, kept: Mapping[str, Any], rows: Standard, cell: int) -> tuple[str, ...]:
        """Return the columns that most take part in what a figure of all columns shows in a cell, the first most."""
        return ()


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
