"""Page-Hinkley: has the mean of a stream (of losses) risen?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball import evidence
from flyball.monitoring import stage


class PageHinkley(stage.Detector):
    """Alarms when the cumulated rise of a metric over its running mean exceeds `limit`.

    `metric` names the loss whose stream is watched (one value per outcome or per day of outcomes); `delta` is the
    rise that is tolerated, `wait` how many values are seen before it may alarm.  After an alarm it starts again.

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
        return {"n": 0, "mean": 0.0, "sum": 0.0, "least": 0.0}

    def update(self, state: Mapping[str, Any], at: int, value: float) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        n = state["n"] + 1
        mean = state["mean"] + (value - state["mean"]) / n
        total = state["sum"] + value - mean - self.delta
        least = min(state["least"], total)
        if n < self.wait or total - least <= self.limit:
            return {"n": n, "mean": mean, "sum": total, "least": least}, None
        why = f"mean {self.metric} rose to {mean:.4g} over {n} values"
        return self.start(), evidence.Alarm(f"PageHinkley({self.metric})", at, total - least, self.limit, why=why)
