"""ADWIN: is there a cut in the recent past after which the mean is another?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from flyball import errors, evidence, part, units
from flyball.monitoring import losses, rates, stage

TEXTBOOK = 0.002
#: What the statistic is before anything was looked at: surely no rise.
NOTHING = -99.0
#: So many buckets of one size are kept before the two oldest of them are merged (M of the paper).
BUCKETS = 5


class Adwin(stage.Detector):
    """Alarms when the mean after some cut in an adaptive window exceeds the mean before it.

    The window grows as long as no cut parts it; values lie in buckets of 1, 2, 4 ... (at most 5 of a size), so n
    values cost memory of order log n.  Every `clock` values each boundary of buckets is tried as a cut: where the means
    differ by more than the bound that holds with confidence 1 - `delta`, the oldest bucket is dropped, until no cut
    parts the window any more.  A fall shortens the window, too, and is no alarm.  `wait` is how many values lie on
    both sides of a cut at least.  A `delta` of None is settled on the test rows so that at most `false_alarms` come
    `per` period (until then it is .002, the paper's).  The bound is made for values within 0 and 1 of any spread: for a
    steadier stream it is so careful that a settled delta may lie above 1.  A value that is no number changes nothing.

    Source: Bifet and Gavaldà, Learning from Time-Changing Data with Adaptive Windowing, SDM 2007 (ADWIN2); the
    variance of buckets after Babcock et al., PODS 2003.

    >>> detector = Adwin("log_loss")
    >>> state, alarms = detector.start(), []
    >>> for at in range(600):
    ...     state, alarm = detector.update(state, at, at % 2 * 0.1 + (1.0 if at >= 400 else 0.0))
    ...     alarms += [alarm.at] if alarm else []
    >>> alarms[0]
    415
    """

    metric: str
    delta: float | None = None
    clock: int = 32
    wait: int = 5
    false_alarms: float = 1.0
    per: units.Duration | units.Count = units.YEAR

    def start(self) -> Mapping[str, Any]:
        """Return the state before any value."""
        return {"seen": 0, "n": 0, "sum": 0.0, "squares": 0.0, "rows": [[]], "statistic": NOTHING}

    def update(
        self, state: Mapping[str, Any], at: int, value: float
    ) -> tuple[Mapping[str, Any], evidence.Alarm | None]:
        """Return the new state and an alarm if the value tips it; `rows` hold [sum, squares, first] of buckets."""
        if not math.isfinite(value):
            return state, None
        n, total, squares = state["n"] + 1, state["sum"] + value, state["squares"]
        if n > 1:
            squares += (n - 1) / n * (value - state["sum"] / (n - 1)) ** 2
        rows = _merged([[*state["rows"][0], [value, 0.0, at]], *state["rows"][1:]])
        seen, statistic = state["seen"] + 1, state["statistic"]
        if seen % self.clock:
            return _state(seen, n, total, squares, rows, statistic), None
        least = -math.log(TEXTBOOK if self.delta is None else self.delta)
        before, highest, statistic, since = total / n, NOTHING, NOTHING, at
        while n >= 2 * self.wait:
            rise, fall, first = self._parted(n, total, squares, rows)
            if rise > highest:
                statistic, highest, since = rise, rise, first
            if max(rise, fall) <= least:
                break
            n, total, squares, rows = _without_oldest(n, total, squares, rows)
        after = _state(seen, n, total, squares, rows, statistic)
        if highest <= least:
            return after, None
        why = f"mean {self.metric} rose from {before:.4g} to {total / n:.4g}, the last {n} values"
        name = f"Adwin({self.metric})"
        return after, evidence.Alarm(name, at, highest, least, why=why, since=since)

    def _parted(
        self, n: int, total: float, squares: float, rows: list[list[list[float]]]
    ) -> tuple[float, float, int]:
        """Return ln(1 / delta) of the surest rise and of the surest fall, and when that rise began."""
        spread = max(squares, 0.0) / n
        log_n = math.log(2 * math.log(n))
        rise = fall = NOTHING
        older, held, first, rising = 0, 0.0, 0.0, False
        for power in range(len(rows) - 1, -1, -1):
            for bucket in rows[power]:
                if rising:  # the cut before this bucket is the surest so far
                    first, rising = bucket[2], False
                older += 1 << power
                held += bucket[0]
                newer = n - older
                if newer < self.wait:
                    return rise, fall, int(first)
                if older < self.wait:
                    continue
                apart = (total - held) / newer - held / older
                # The bound sqrt(2 m s^2 L) + 2/3 m L, with 1/m the harmonic mean, solved for L where it is met.
                m = 1 / older + 1 / newer
                a, b = math.sqrt(2 * m * spread), 2 / 3 * m
                sure = ((math.sqrt(a * a + 4 * b * abs(apart)) - a) / (2 * b)) ** 2 - log_n
                if apart > 0 and sure > rise:
                    rise, rising = sure, True
                elif apart > 0:
                    continue
                else:
                    fall = max(fall, sure)
        return rise, fall, int(first)

    def statistic(self, state: Mapping[str, Any]) -> float:
        """Return how sure the surest cut with a rise was at the last look, as ln(1 / delta)."""
        return float(state["statistic"])

    def threshold(self) -> float | None:
        """Return ln(1 / delta)."""
        return None if self.delta is None else -math.log(max(self.delta, 1e-300))

    def settled(self, statistic: float) -> Adwin:
        """Return the detector with the delta that this is."""
        return part.replace(self, delta=math.exp(-min(max(statistic, NOTHING), 700.0)))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a loss that this page's answers do not have, and settings that could not work."""
        yield from losses.problems(page, self.metric)
        yield from rates.problems(page, self)
        if self.delta is not None and not self.delta > 0:
            yield errors.Problem(
                "delta", f"a delta of {self.delta} would never alarm", "give a number above 0"
            )
        for name in ("clock", "wait"):
            if getattr(self, name) < 1:
                yield errors.Problem(name, f"every {getattr(self, name)} values", "give 1 or more")


def _state(
    seen: int, n: int, total: float, squares: float, rows: list[list[list[float]]], statistic: float
) -> Mapping[str, Any]:
    return {"seen": seen, "n": n, "sum": total, "squares": squares, "rows": rows, "statistic": statistic}


def _merged(rows: list[list[list[float]]]) -> list[list[list[float]]]:
    """Merge the two oldest buckets of a size where there are more than BUCKETS, and so on upwards."""
    for power in range(len(rows)):
        if len(rows[power]) <= BUCKETS:
            break
        (one, one_squares, first), (two, two_squares, _) = rows[power][:2]
        size = 1 << power
        merged = [one + two, one_squares + two_squares + (one - two) ** 2 / size / 2, first]
        rows[power] = rows[power][2:]
        if power + 1 == len(rows):
            rows.append([merged])
        else:
            rows[power + 1] = [*rows[power + 1], merged]
    return rows


def _without_oldest(
    n: int, total: float, squares: float, rows: list[list[list[float]]]
) -> tuple[int, float, float, list[list[list[float]]]]:
    size = 1 << (len(rows) - 1)
    (held, inside, _), left = rows[-1][0], rows[-1][1:]
    rest = n - size
    between = (held / size - (total - held) / rest) ** 2 * size * rest / n if rest else 0.0
    rows = [*rows[:-1], left]
    while len(rows) > 1 and not rows[-1]:
        rows = rows[:-1]
    return rest, total - held, max(squares - inside - between, 0.0), rows
