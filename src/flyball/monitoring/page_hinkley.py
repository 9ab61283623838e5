"""Page-Hinkley: has the mean of a stream (of losses) risen?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence
from flyball.monitoring import losses, stage


class PageHinkley(stage.Detector):
    """Alarms when the cumulated rise of a metric over its running mean exceeds `limit`.

    `metric` names the loss whose stream is watched, one value per outcome, see `flyball.monitoring.losses`;
    `delta` is the rise that is tolerated, `wait` how many values are seen before it may alarm.  After an alarm it
    starts again.  A value that is no number changes nothing.

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
    limit: float = 50.0
    delta: float = 0.005
    wait: int = 30

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"n": 0, "mean": 0.0, "sum": 0.0, "least": 0.0}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        if not math.isfinite(value):
            return state, None
        n = state["n"] + 1
        mean = state["mean"] + (value - state["mean"]) / n
        total = state["sum"] + value - mean - self.delta
        least = min(state["least"], total)
        if n < self.wait or total - least <= self.limit:
            return {"n": n, "mean": mean, "sum": total, "least": least}, None
        why = f"mean {self.metric} rose to {mean:.4g} over {n} values"
        alarm = evidence.Alarm(f"PageHinkley({self.metric})", at, total - least, self.limit, why=why)
        return self.start(), alarm

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have, and limits that could not work."""
        known = losses.names(page.labels.kind())
        if self.metric not in known:
            what = f"no loss {self.metric!r} of {type(page.labels.kind()).__name__}"
            yield errors.Problem("metric", what, errors.did_you_mean(self.metric, known))
        if not self.limit > 0:
            yield errors.Problem(
                "limit", f"a limit of {self.limit} would always alarm", "give a number above 0"
            )
        if not self.delta >= 0:
            yield errors.Problem("delta", f"a tolerated rise of {self.delta}", "give 0 or more")
        if self.wait < 1:
            yield errors.Problem("wait", f"waits for {self.wait} values", "give 1 or more")
