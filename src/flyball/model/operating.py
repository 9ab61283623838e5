"""What alerts come to at a stated rate of false alarms: events found, lead time, right orders, money saved.

The operating point is the threshold that finds most events among those whose false alarms stay within the rate; a
resample chooses its own, so that an interval holds the doubt about the threshold as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.features import stage as features
from flyball.model import costs, events, figures

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints
    from flyball.model.catalogue import Judged

#: Families of metrics by what they tell of the operating point.
NAMES = (
    "event_recall",
    "order_precision",
    "median_lead_hours",
    "low_lead_hours",
    "share_a_day_ahead",
    "net_saving",
)
#: The shares of leads that are shorter than the median, and than the low lead.
LEADS = {"median_lead_hours": 0.5, "low_lead_hours": 0.1}

_PATTERN = re.compile(rf"({'|'.join(NAMES)})_at_(\d+(?:\.\d+)?)_per_machine_year")


def parsed(name: str) -> tuple[str, float] | None:
    """Return what a metric's name tells, and its rate of false alarms per machine-year; None for other names.

    >>> parsed("net_saving_at_6_per_machine_year")
    ('net_saving', 6.0)
    """
    found = _PATTERN.fullmatch(name)
    return (found[1], float(found[2])) if found else None


def prepared(what: str, limit: float) -> Callable[[Judged], figures.Figure]:
    """Return how that figure at that rate is prepared; raises GateError where it needs costs and none were given."""

    def prepare(j: Judged) -> figures.Figure:
        j.at()
        assert j.moments is not None
        if what == "net_saving" and j.context.costs is None:
            raise errors.GateError(f"{what} needs prices: give the contest model.Costs(...)")
        return Operating.of(j.moments, j.truth, j.answers, limit, what, j.context.until, j.context.costs)

    return prepare


@dataclass(frozen=True, eq=False)
class Operating(figures.Figure):
    """One figure at the best threshold within `limit` false alarms per machine-year.

    For every threshold (t, falling) and row (n): events `found`, `false` alarms and hours of `lead` (NaN where
    nothing was found); by row `events` and machine-`years`.
    """

    found: Floats
    false: Floats
    lead: Floats
    events: Floats
    years: Floats
    limit: float
    what: str = "event_recall"
    prices: costs.Costs | None = None

    @staticmethod
    def of(
        moments: features.Moments, truth: Any, score: Any, limit: float, what: str = "event_recall",
        until: Any = None, prices: costs.Costs | None = None, lockout: int = units.WEEK,
    ) -> Operating:  # fmt: skip
        """Issue the alerts of every threshold once; resampling only counts them again."""
        import numpy as np

        positive = np.asarray(truth) > 0.5
        numbers, last, ends = events.runs(moments, positive, until)
        happened = np.zeros(len(moments))
        happened[last] = 1.0
        thresholds = events.thresholds(score, 64)
        found, false = np.zeros((len(thresholds), len(moments))), np.zeros((len(thresholds), len(moments)))
        lead = np.full(found.shape, np.nan)
        for place, threshold in enumerate(thresholds):
            alerts = events.issued(moments, score, threshold, lockout)
            hits = alerts[positive[alerts]]
            which, first = np.unique(numbers[hits], return_index=True)
            found[place, hits[first]] = 1.0
            lead[place, hits[first]] = (ends[which] - moments.at[hits[first]]) / 3.6e9
            false[place, alerts[~positive[alerts]]] = 1.0
        years = events.watched(moments)
        return Operating(found, false, lead, happened, years, limit, what, prices)

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        import numpy as np

        def totals(by_row: Floats) -> Array:
            return counts @ np.bincount(clusters, weights=by_row, minlength=counts.shape[1])

        happened, years = totals(self.events), totals(self.years)
        within = np.ones(len(counts), dtype=bool)
        hits, alarms = np.zeros(len(counts)), np.zeros(len(counts))
        chosen = np.full(len(counts), -1)
        for place, (found, false) in enumerate(zip(self.found, self.false, strict=True)):
            wrong = totals(false)
            within &= wrong <= self.limit * years
            if not within.any():  # nobody comes back within them
                break
            right = totals(found)
            better = within & (right > hits)
            hits, alarms = np.where(better, right, hits), np.where(better, wrong, alarms)
            chosen = np.where(better, place, chosen)
        if self.what in LEADS or self.what == "share_a_day_ahead":
            return self._leads(chosen, clusters, counts)
        if self.what == "net_saving":
            assert self.prices is not None
            saved = hits * self.prices.saved() - alarms * self.prices.inspect
            return figures.share(saved, years)
        return figures.share(hits, happened if self.what == "event_recall" else hits + alarms)

    def _leads(self, chosen: Ints, clusters: Ints, counts: Array) -> Floats:
        """Return the weighted quantile of the leads (or the share of a day and more), threshold by threshold."""
        import numpy as np

        out = np.full(len(counts), np.nan)
        for place in np.unique(chosen[chosen >= 0]):
            mine, rows = np.flatnonzero(chosen == place), np.flatnonzero(self.found[place])
            rows = rows[np.argsort(self.lead[place, rows], kind="stable")]
            hours, weight = self.lead[place, rows], counts[mine][:, clusters[rows]]
            if self.what == "share_a_day_ahead":
                out[mine] = figures.share(weight @ (hours >= 24.0), weight.sum(axis=1))
                continue
            reached = np.cumsum(weight, axis=1) >= LEADS[self.what] * weight.sum(axis=1, keepdims=True)
            out[mine] = hours[np.argmax(reached, axis=1)]
        return out
