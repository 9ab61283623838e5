"""Data drift inside a budget of false alarms: every column and the answer, in windows, against the training rows.

Sensor series are autocorrelated and machines differ from one another, so the textbook bands of the population
stability index (.1, .2) alarm on most weeks in which nothing happened.  Here the limits come from the training
rows themselves, see `flyball.monitoring.null`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.features import stage as features
from flyball.monitoring import bins, null, stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints


class Drift(stage.DriftDetector):
    """Compare each window `over` with the training rows; at most `false_alarms` episodes `per` period.

    The judged statistic is the population stability index over deciles of the reference, and that of the share of
    missing or new values, told as a column of its own with ": missing" behind its name; the Kullback-Leibler and
    Jensen-Shannon divergences, the Kolmogorov-Smirnov distance over the bins and the shift of the median are shown
    beside it.  Windows count back from the newest moment; with a counter they are the newest steps of every
    machine.  A window with too few rows to be judged is shown, its limit is infinite.  A column that is no longer
    computed counts as missing in every row.

    Source of the statistic: Siddiqi, Credit Risk Scorecards, 2006.

    >>> round(Drift(over=units.days(7), false_alarms=2, per=units.YEAR).share(), 4)  # of windows, for nothing
    0.0384
    """

    over: units.Duration | units.Count
    false_alarms: float = 2.0
    per: units.Duration | units.Count = units.YEAR

    def share(self) -> float:
        """Return the share of windows that may alarm although nothing happened."""
        return self.false_alarms * int(self.over) / int(self.per)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a window or a budget that cannot be held."""
        yield from features.span_problems(page, self.over, "over")
        if type(self.over) is not type(self.per):
            what = f"windows of {self.over!r} cannot be counted per {self.per!r}"
            yield errors.Problem("per", what, "give both in time, or both in steps")
        elif self.per <= 0:
            yield errors.Problem("per", f"{self.per!r} is no period", "give a span above 0")
        elif self.over > 0 and not 0 < self.share() <= 0.5:
            what = f"{self.share():.2f} of the windows may alarm for nothing"
            yield errors.Problem("false_alarms", what, "give more than none and fewer, or a longer period")

    def reference(self, x: features.Matrix, answers: Array | None, seed: int) -> stage.Reference:
        """Return the bins and shares of every column and the limits that hold the budget, plain JSON."""
        found = bins.watched(x, answers)
        told = {name: bins.describe(values) for name, values in found.items()}
        settings: dict[str, Any] = {"columns": told, "limits": []}
        if len(x):
            codes = {name: bins.codes(told[name], values) for name, values in found.items()}
            window = self._windows(x.moments)
            settings["limits"] = null.limits(codes, told, x.moments.codes, window, self.share(), seed)
        return stage.Reference("drift", settings)

    def watch(
        self, reference: stage.Reference, x: features.Matrix, answers: Array | None
    ) -> tuple[stage.Watched, ...]:
        """Return one row per column and window, oldest window first, columns as in the reference."""
        import numpy as np

        if len(x) == 0:
            return ()
        columns: Mapping[str, Any] = reference.settings["columns"]
        found = bins.watched(x, answers)
        over, last = int(self.over), int(x.moments.at.max())
        window = self._windows(x.moments)
        out: list[stage.Watched] = []
        for number in np.unique(window)[::-1].tolist():
            rows = np.flatnonzero(window == number)
            until = last - number * over
            limits = null.chosen(reference.settings["limits"], len(rows))
            for name, told in columns.items():
                here = found[name][rows] if name in found else None
                out += _judge(name, told, here, (until - over, until, len(rows)), limits)
        return tuple(out)

    def _windows(self, moments: features.Moments) -> Ints:
        """Return the number of every row's window, 0 for the newest."""
        import numpy as np

        if not isinstance(self.over, units.Count):
            return np.asarray((moments.at.max() - moments.at) // int(self.over))
        newest = np.full(len(moments.keys), np.iinfo(np.int64).min)
        np.maximum.at(newest, moments.codes, moments.at)
        return np.asarray((newest[moments.codes] - moments.at) // int(self.over))


def _judge(
    name: str, told: Mapping[str, Any], values: Any, when: tuple[int, int, int], limits: Mapping[str, float]
) -> Iterator[stage.Watched]:
    """Yield how the values of a column lie in a window, and what is missing in it (when anything is or was)."""
    import numpy as np

    count = len(told["shares"])
    if values is None:
        shares = np.eye(count)[-1]
    else:
        shares = np.bincount(bins.codes(told, values), minlength=count) / max(len(values), 1)
    expected, found = bins.parted(np.array(told["shares"])), bins.parted(shares)
    for suffix, reference, current in zip(("", bins.MISSING), expected, found, strict=True):
        if (suffix and current[1] == reference[1] == 0) or (
            not suffix and (current.sum() == 0 or reference.sum() == 0)
        ):
            continue
        shown = bins.divergences(reference, current)
        if suffix:
            shown["share"] = float(current[1])
        elif told["kind"] == "number" and values is not None:
            shown["median_shift"] = float(np.median(values[np.isfinite(values)])) - told["median"]
        psi, limit = shown["psi"], limits.get(name + suffix, math.inf)
        yield stage.Watched(name + suffix, when[0], when[1], when[2], psi, limit, shown, bool(psi > limit))
