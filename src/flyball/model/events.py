"""Events and alarms: what a planner sees, instead of rows.

An event is a run of moments of one machine at which the truth is 1; where it is known when events came (`until`, of
labels that follow machines), moments belong together that lie before the same one.

An alert is issued where the score reaches the
threshold and the machine's lockout is over; one inside an event's run finds it, any other is a false alarm.  Figures
are event recall, false-alarm episodes per machine-year and the lead time of the events found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import units
from flyball.features import stage as features

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats, Ints


@dataclass(frozen=True)
class Episodes:
    """What one threshold gives: events found of all, false alarms, over how many machine-years, and lead times.

    `lead` (found,) microseconds from the first alert to the event or, where it is not known when that came, to the
    last moment at which it still lay ahead, a lower bound.
    """

    events: int
    found: int
    false_alarms: int
    machine_years: float
    lead: Ints

    def recall(self) -> float:
        """Return the share of events found; NaN without events."""
        return self.found / self.events if self.events else float("nan")

    def false_alarm_rate(self) -> float:
        """Return false-alarm episodes per machine-year; NaN where no time was watched."""
        return self.false_alarms / self.machine_years if self.machine_years else float("nan")

    def leads(self) -> dict[str, float]:
        """Return lead time in hours: median, the 10 % that had least, and the share of a day or more."""
        import numpy as np

        if not len(self.lead):
            return {"median_hours": float("nan"), "low_hours": float("nan"), "share_a_day": float("nan")}
        hours = self.lead / 3.6e9
        low, median = np.quantile(hours, (0.1, 0.5))
        return {
            "median_hours": float(median),
            "low_hours": float(low),
            "share_a_day": float((hours >= 24).mean()),
        }


def issued(moments: features.Moments, score: Any, threshold: float, lockout: int = units.WEEK) -> Ints:
    """Return the rows at which an alert is issued: score reached, and no alert of the machine within the lockout.

    >>> moments = features.Moments.of(["a"] * 4, [0, 1, 2, 3])
    >>> issued(moments, [1, 1, 0, 1], threshold=1, lockout=2).tolist()
    [0, 3]
    """
    import numpy as np

    over = np.flatnonzero(np.asarray(score) >= threshold)
    over = over[np.lexsort((moments.at[over], moments.codes[over]))]
    kept, last_machine, free = [], -1, 0
    for row, machine, at in zip(
        over.tolist(), moments.codes[over].tolist(), moments.at[over].tolist(), strict=True
    ):
        if machine != last_machine or at >= free:
            kept.append(row)
            last_machine, free = machine, at + int(lockout)
    return np.array(kept, dtype=np.int64)


def episodes(
    moments: features.Moments, truth: Any, score: Any, threshold: float, lockout: int = units.WEEK,
    until: Any = None,
) -> Episodes:  # fmt: skip
    """Return what alerts at that threshold would have found, missed and cost.

    >>> moments = features.Moments.of(["a"] * 4, [0, 1, 2, 3])
    >>> found = episodes(moments, [0, 0, 1, 1], [1, 0, 1, 1], threshold=1, lockout=1)
    >>> found.recall(), found.false_alarms, found.lead.tolist()
    (1.0, 1, [1])
    """
    import numpy as np

    positive = np.asarray(truth) > 0.5
    alerts = issued(moments, score, threshold, lockout)
    numbers, last, ends = runs(moments, positive, until)
    hits = alerts[positive[alerts]]
    which, first = np.unique(numbers[hits], return_index=True)
    lead = ends[which] - moments.at[hits[first]]
    years = float(watched(moments).sum())
    return Episodes(len(last), len(which), int((~positive[alerts]).sum()), years, lead.astype(np.int64))


def curve(
    moments: features.Moments, truth: Any, score: Any, lockout: int = units.WEEK, points: int = 64,
    until: Any = None,
) -> list[Any]:  # fmt: skip
    """Return (threshold, Episodes) for thresholds from the highest score down, to draw recall against false alarms."""
    return [(t, episodes(moments, truth, score, t, lockout, until)) for t in thresholds(score, points)]


def thresholds(score: Any, points: int) -> list[float]:
    """Return distinct scores from the highest down, closer together at the top, where budgets lie."""
    import numpy as np

    ordered = np.sort(np.unique(np.asarray(score, dtype=np.float64)))[::-1]
    if len(ordered) <= points:
        return [float(value) for value in ordered]
    ranks = np.unique(np.geomspace(1, len(ordered), points).astype(np.int64) - 1)
    return [float(value) for value in ordered[ranks]]


def runs(moments: features.Moments, positive: Flags, until: Any = None) -> tuple[Ints, Ints, Ints]:
    """Return (n,) the number of the event a row belongs to (-1: none), (events,) its last row and when it came.

    Rows may come in any order, as those of pooled folds do.  Without `until` (n,) two events whose moments follow
    one another without one between them count as one, and came at their last moment.
    """
    import numpy as np

    order = np.lexsort((moments.at, moments.codes))
    codes, here = moments.codes[order], positive[order]
    same = np.append(False, codes[1:] == codes[:-1])
    if until is not None:
        came = np.asarray(until)[order]
        same &= np.append(False, came[1:] == came[:-1])
    begins = here & ~(same & np.append(False, here[:-1]))
    ends = here & ~np.append(same[1:] & here[1:], False)
    numbers = np.full(len(codes), -1, dtype=np.int64)
    numbers[order] = np.where(here, np.cumsum(begins) - 1, -1)
    last = order[np.flatnonzero(ends)].astype(np.int64)
    return numbers, last, (moments.at if until is None else np.asarray(until))[last]


def watched(moments: features.Moments) -> Floats:
    """Return (n,) years that each moment stands for: the usual step between two of a machine."""
    import numpy as np

    order = np.lexsort((moments.at, moments.codes))
    step = np.diff(moments.at[order])
    step = step[(np.diff(moments.codes[order]) == 0) & (step > 0)]
    usual = float(np.median(step)) if len(step) else float(units.DAY)
    return np.full(len(moments), usual / float(units.YEAR))
