"""KSWIN: do the newest values come from another distribution than those before?"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence, part, units
from flyball.monitoring import losses, rates, stage

TEXTBOOK = 0.005


class Kswin(stage.Detector):
    """Alarms when the newest values differ in distribution from as many drawn of those before, and lie higher.

    Of the last `window` values the newest `newest` are held against as many drawn without replacement from the others:
    a two-sample Kolmogorov-Smirnov test of equal sizes at level `alpha`, exact, and a distance above `apart`.  When
    they differ the older values are forgotten, and it is an alarm when the newest have the higher mean.  The draw
    follows from `seed` and the number of the value, so a resumed stream draws the same.  An `alpha` of None is settled
    on the test rows so that at most `false_alarms` come `per` period (until then it is .005, the paper's).  A value
    that is no number changes nothing.

    Source: Raab, Heusinger and Schleif, Reactive Soft Prototype Computing for Concept Drift Streams, Neurocomputing
    416 (2020); the exact test after Gnedenko and Korolyuk (1951).

    >>> detector = Kswin("absolute_error")
    >>> state, alarms = detector.start(), []
    >>> for at in range(300):
    ...     state, alarm = detector.update(state, at, at * 7 % 11 + (5.0 if at >= 200 else 0.0))
    ...     alarms += [alarm.at] if alarm else []
    >>> 200 < alarms[0] < 230
    True
    """

    metric: str
    alpha: float | None = None
    window: int = 100
    newest: int = 30
    apart: float = 0.1
    seed: int = 0
    false_alarms: float = 1.0
    per: units.Duration | units.Count = units.YEAR

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"seen": 0, "values": [], "at": [], "statistic": 0.0}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        import random

        if not math.isfinite(value):
            return state, None
        seen = state["seen"] + 1
        values = [*state["values"], value][-self.window :]
        moments = [*state["at"], at][-self.newest :]
        if len(values) < self.window:
            return {"seen": seen, "values": values, "at": moments, "statistic": 0.0}, None
        new, old = values[-self.newest :], values[: -self.newest]
        # Mixed by a multiplier so that neighbouring numbers give unlike draws.
        drawn = random.Random((self.seed << 32) ^ (seen * 2654435761)).sample(old, self.newest)
        steps = _steps(new, drawn)
        sure = -_log_p(self.newest, steps) if steps > self.apart * self.newest else 0.0
        rise = sum(new) > sum(drawn)
        limit = -math.log(TEXTBOOK if self.alpha is None else self.alpha)
        if sure < limit:
            return {"seen": seen, "values": values, "at": moments, "statistic": sure if rise else 0.0}, None
        after = {"seen": seen, "values": new, "at": moments, "statistic": 0.0}
        if not rise:
            return after, None
        mean, before = sum(new) / len(new), sum(old) / len(old)
        why = f"the last {len(new)} values of {self.metric} lie at {mean:.4g}, those before at {before:.4g}"
        name = f"Kswin({self.metric})"
        alarm = evidence.Alarm(name, at, sure, limit, why=why, since=moments[0])
        return after, alarm

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return how sure the test was, as ln(1 / p)."""
        return float(state["statistic"])

    def threshold(self) -> float | None:
        """Return ln(1 / alpha)."""
        return None if self.alpha is None else -math.log(max(self.alpha, 1e-300))

    def settled(self, statistic: float) -> Kswin:
        """Return the detector with an alpha just below what this statistic has."""
        return part.replace(self, alpha=math.exp(-min(statistic, 700.0)) * (1 - 1e-9))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have, and settings that could not work."""
        yield from losses.problems(page, self.metric)
        yield from rates.problems(page, self)
        if self.alpha is not None and not 0 < self.alpha < 1:
            yield errors.Problem("alpha", f"{self.alpha} is no level of a test", "give one within 0 and 1")
        if not 0 < self.newest <= self.window // 2:
            what = f"{self.newest} of {self.window} values are held against as many of the others"
            yield errors.Problem("newest", what, "give at least 1 and at most half of the window")


def _steps(one: list[float], two: list[float]) -> int:
    """Return the Kolmogorov-Smirnov distance of two samples of n values, times n."""
    a, b = sorted(one), sorted(two)
    n, i, j, most = len(a), 0, 0, 0
    while i < n and j < n:
        here = a[i] if a[i] <= b[j] else b[j]
        while i < n and a[i] <= here:
            i += 1
        while j < n and b[j] <= here:
            j += 1
        most = max(most, i - j, j - i)
    return most


@functools.cache
def _log_p(n: int, steps: int) -> float:
    """Return ln p of a distance of at least `steps` / n between two samples of n values, exact without ties."""
    if steps <= 0:
        return 0.0
    found = sum(
        (1 if k % 2 else -1) * math.comb(2 * n, n - k * steps) for k in range(1, n // steps + 1)
    )  # exact: integers
    return min(0.0, math.log(2) + math.log(found) - math.log(math.comb(2 * n, n)))
