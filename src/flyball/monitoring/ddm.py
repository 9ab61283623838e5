"""DDM: has the error rate risen far above the least it has been?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence, part, units
from flyball.monitoring import losses, rates, stage

TEXTBOOK = 3.0


class Ddm(stage.Detector):
    """Alarms when an error rate lies more than `limit` standard deviations above the least it has been.

    The drift detection method: with p the error rate of n values and s = sqrt(p (1 - p) / n), it keeps the p and s at
    which p + s was least and alarms when p + s exceeds that p by more than `limit` times that s.  Values lie within 0
    and 1: 1 for a wrong answer, 0 for a right one.  `wait` is how many values are seen first; a least rate counts only
    once there was an error, as nothing can be said of the spread of a rate of zero.  A `limit` of None is settled on
    the test rows so that at most `false_alarms` come `per` period (until then it is 3, the paper's).  After an alarm
    it starts again.  A value that is no number changes nothing.

    Raises DataError for a value outside 0 and 1.

    Source: Gama, Medas, Castillo and Rodrigues, Learning with Drift Detection, SBIA 2004.

    >>> detector = Ddm("error", limit=3.0)
    >>> state, alarms = detector.start(), []
    >>> for at in range(400):
    ...     state, alarm = detector.update(state, at, float(at % (10 if at < 300 else 2) == 0))
    ...     alarms += [alarm.at] if alarm else []
    >>> alarms
    [326]
    """

    metric: str
    limit: float | None = None
    wait: int = 30
    false_alarms: float = 1.0
    per: units.Duration | units.Count = units.YEAR

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"n": 0, "p": 0.0, "least": None, "spread": None, "since": None, "statistic": 0.0}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it."""
        if not math.isfinite(value):
            return state, None
        if not 0 <= value <= 1:
            raise errors.DataError(
                f"Ddm({self.metric}): {value} is no error rate: watch values within 0 and 1"
            )
        n = state["n"] + 1
        p = state["p"] + (value - state["p"]) / n
        least, spread, since, statistic = state["least"], state["spread"], state["since"], 0.0
        if n > self.wait:
            s = math.sqrt(max(p * (1 - p), 0.0) / n)
            if s > 0 and (least is None or p + s <= least + spread):
                least, spread, since = p, s, None
            elif since is None:
                since = at  # the first value after the least
            if least is not None:
                statistic = (p + s - least) / spread
        limit = TEXTBOOK if self.limit is None else self.limit
        if statistic <= limit:
            told = {"n": n, "p": p, "least": least, "spread": spread, "since": since, "statistic": statistic}
            return told, None
        why = f"{self.metric} rose from {least:.4g} to {p:.4g} over {n} values"
        name = f"Ddm({self.metric})"
        return self.start(), evidence.Alarm(name, at, statistic, limit, why=why, since=since)

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return by how many standard deviations the rate lies above its least."""
        return float(state["statistic"])

    def threshold(self) -> float | None:
        """Return the limit."""
        return self.limit

    def settled(self, statistic: float) -> Ddm:
        """Return the detector with that limit."""
        return part.replace(self, limit=max(statistic, 1e-9))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have or that is no rate, and limits that could not work."""
        yield from losses.problems(page, self.metric)
        yield from rates.problems(page, self)
        if self.metric in ("log_loss", "absolute_error"):
            yield errors.Problem("metric", f"{self.metric!r} is no rate within 0 and 1", "name 'error'")
        if self.limit is not None and not self.limit > 0:
            yield errors.Problem(
                "limit", f"a limit of {self.limit} would always alarm", "give a number above 0"
            )
        if self.wait < 1:
            yield errors.Problem("wait", f"waits for {self.wait} values", "give 1 or more")
