"""Page-Hinkley: has the mean of a stream (of losses) risen?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence, part, units
from flyball.monitoring import losses, rates, stage

#: What the literature takes where nothing is known of the stream.
TEXTBOOK = 50.0


class PageHinkley(stage.Detector):
    """Alarms when the cumulated rise of a metric over its running mean exceeds `limit`.

    `metric` names the loss whose stream is watched, see `flyball.monitoring.losses`; `delta` is the rise that is
    tolerated, `wait` how many values are seen before it may alarm.  A `limit` of None is settled on the losses of the
    test rows so that at most `false_alarms` come `per` period; until then it is 50, the textbook's, which is blind to
    losses that are small.  After an alarm it starts again.  A value that is no number changes nothing.

    Source: Page, Biometrika 41 (1954); Hinkley, Biometrika 58 (1971).

    >>> detector = PageHinkley("log_loss", limit=2.0, wait=5)
    >>> state, alarms = detector.start(), []
    >>> for at, value in enumerate([0.1] * 50 + [1.0] * 10):
    ...     state, alarm = detector.update(state, at, value)
    ...     alarms += [alarm.at] if alarm else []
    >>> alarms[0]
    52
    """

    metric: str
    limit: float | None = None
    delta: float = 0.005
    wait: int = 30
    false_alarms: float = 1.0
    per: units.Duration | units.Count = units.YEAR

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"n": 0, "mean": 0.0, "sum": 0.0, "least": 0.0, "since": None}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        if not math.isfinite(value):
            return state, None
        n = state["n"] + 1
        mean = state["mean"] + (value - state["mean"]) / n
        total = state["sum"] + value - mean - self.delta
        least, since = state["least"], state["since"]
        if total <= least:
            least, since = total, None
        elif since is None:
            since = at  # the first value after the least: there the rise began
        limit = TEXTBOOK if self.limit is None else self.limit
        if n < self.wait or total - least <= limit:
            return {"n": n, "mean": mean, "sum": total, "least": least, "since": since}, None
        why = f"mean {self.metric} rose to {mean:.4g} over {n} values"
        name = f"PageHinkley({self.metric})"
        alarm = evidence.Alarm(name, at, total - least, limit, why=why, since=since)
        return self.start(), alarm

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return the cumulated rise since its least."""
        return float(state["sum"] - state["least"]) if state["n"] >= self.wait else 0.0

    def threshold(self) -> float | None:
        """Return the limit."""
        return self.limit

    def settled(self, statistic: float) -> PageHinkley:
        """Return the detector with that limit."""
        return part.replace(self, limit=max(statistic, 1e-9))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have, and limits that could not work."""
        yield from losses.problems(page, self.metric)
        yield from rates.problems(page, self)
        if self.limit is not None and not self.limit > 0:
            yield errors.Problem(
                "limit", f"a limit of {self.limit} would always alarm", "give a number above 0"
            )
        if not self.delta >= 0:
            yield errors.Problem("delta", f"a tolerated rise of {self.delta}", "give 0 or more")
        if self.wait < 1:
            yield errors.Problem("wait", f"waits for {self.wait} values", "give 1 or more")
