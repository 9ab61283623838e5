"""How often a detector would alarm for nothing, and the threshold at which that is as often as is allowed.

Streams in which nothing happened are drawn from the losses of test rows: spans of time in one piece (a block bootstrap,
as neighbouring losses are alike: labels with a horizon overlap), and in each of them the machines with replacement, as
few machines carry most of the loss.  The detector runs over each with its alarms switched off, and the largest
statistic of each is kept.  Alarms that come at a rate r leave a stretch of length t without any with probability
exp(-r t); so the threshold is the quantile of these largest statistics at that probability.  Where the budget asks
for more than the drawn streams can show, the tail is that of a Gumbel distribution fitted to them.

Source: Künsch, Annals of Statistics 17 (1989), for blocks; Gumbel, Statistics of Extremes, 1958.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import data, errors, units
from flyball.monitoring import stage

if TYPE_CHECKING:
    from flyball.data.stage import Codes, Floats, Ints

#: So many values all drawn streams have together, and one of them at most; and how many streams are drawn at least.
VALUES, LONGEST, LEAST_STREAMS = 20_000, 1500, 40
#: A reference of fewer values (moments) settles nothing.
LEAST_VALUES = 5
MOST_BLOCKS = 20


@dataclass(frozen=True, eq=False)
class Losses:
    """Losses of rows whose truth is known: `at` (n,), `machine` (n,) numbers, `value` (n,)."""

    at: Ints
    machine: Codes
    value: Floats

    def __len__(self) -> int:
        return len(self.at)

    def stream(self) -> tuple[Ints, Floats]:
        """Return what detectors are given: every moment in order, and the mean loss of its rows.

        Why a mean: rows of one moment have no order, and what came of them is alike across machines.

        >>> import numpy as np
        >>> one = Losses(np.array([5, 3, 5]), np.array([0, 0, 1]), np.array([1.0, 4.0, 3.0]))
        >>> [column.tolist() for column in one.stream()]
        [[3, 5], [4.0, 2.0]]
        """
        import numpy as np

        moments, place, count = np.unique(self.at, return_inverse=True, return_counts=True)
        return moments, np.bincount(place, weights=self.value) / count


@dataclass(frozen=True)
class Settled:
    """A detector with its threshold, and what is known of its false alarms.

    `expected` is how many the reference lets expect per period (NaN when too little is known), `period` that
    period in microseconds or steps.
    """

    detector: stage.Detector
    expected: float
    period: int
    values: int
    why: str = ""


def settle(detector: stage.Detector, reference: Losses, horizon: int, seed: int) -> Settled:
    """Return the detector with the threshold that keeps its budget on the reference.

    `horizon` is how long labels overlap: blocks are at least twice as long.  A threshold that is declared stays, and
    its rate is told.  The same seed settles the same.

    >>> import numpy as np
    >>> from flyball.monitoring import PageHinkley
    >>> rng = np.random.default_rng(0)
    >>> days = np.arange(100) * int(units.DAY)
    >>> losses = Losses(np.repeat(days, 5), np.tile(np.arange(5), 100), rng.random(500))
    >>> found = settle(PageHinkley("log_loss"), losses, int(units.DAY), seed=0)
    >>> 0.3 < found.detector.limit < 3, found.expected
    (True, 1.0)
    """
    import numpy as np

    per = getattr(detector, "per", units.YEAR)
    budget = float(getattr(detector, "false_alarms", 1.0))
    moments, _ = reference.stream()
    if len(moments) < LEAST_VALUES:
        why = f"{len(moments)} moments of known truth settle nothing: the textbook's threshold"
        return Settled(detector, math.nan, int(per), len(moments), why)
    drawn, each = _drawn(reference, per, horizon, seed)
    # In one stream so many alarms are allowed.
    allowed = budget * drawn.shape[1] * each / int(per)
    threshold = detector.threshold()
    if not hasattr(detector, "per"):
        alarms = sum(_alarms(detector, row) for row in drawn[: LEAST_STREAMS // 2])
        shown = min(len(drawn), LEAST_STREAMS // 2) * drawn.shape[1] * each
        return Settled(detector, alarms * int(per) / shown, int(per), len(moments))
    highest = np.array([_highest(detector, row) for row in drawn])
    if threshold is not None:
        return Settled(detector, _rate(highest, threshold) * budget / allowed, int(per), len(moments))
    return Settled(detector.settled(_quantile(highest, allowed)), budget, int(per), len(moments))


def problems(page: Any, detector: Any) -> Iterator[errors.Problem]:
    """Yield a budget of false alarms that cannot be kept."""
    if not detector.false_alarms > 0:
        what = f"{detector.false_alarms} false alarms: nothing would ever alarm"
        yield errors.Problem("false_alarms", what, "give a number above 0")
    if not detector.per > 0:
        yield errors.Problem("per", f"{detector.per!r} is no period", "give a span above 0")
    wall = isinstance(page.data.clock, data.WallClock)
    if detector.threshold() is None and not wall and not isinstance(detector.per, units.Count):
        what = f"a budget per {detector.per!r} on a page without a wall clock"
        yield errors.Problem("per", what, "count outcomes: per=units.steps(10_000)")


def _drawn(reference: Losses, per: Any, horizon: int, seed: int) -> tuple[Floats, float]:
    """Return (streams, values) streams in which nothing happened, and how long one value lasts.

    A period in steps counts values; one in time is spread over the moments as the reference has them.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    moments, place = np.unique(reference.at, return_inverse=True)
    steps = isinstance(per, units.Count)
    each = 1.0 if steps else max(float(moments[-1] - moments[0]) / (len(moments) - 1), 1.0)
    length = int(min(max(int(per) / each, 2 * LEAST_VALUES), LONGEST))
    streams = max(LEAST_STREAMS, VALUES // length)
    blocks = min(
        max(int(len(moments) * each // max(2 * horizon, 1)) if not steps else MOST_BLOCKS, 1), MOST_BLOCKS
    )
    size = max(len(moments) // blocks, 1)
    _, machine = np.unique(reference.machine, return_inverse=True)
    many = int(machine.max()) + 1
    sums = _table(place, machine, reference.value, len(moments), many)
    counts = _table(place, machine, np.ones(len(reference)), len(moments), many)
    out = np.empty((streams, length))
    last = len(moments) - size
    for row in out:
        begin = 0
        while begin < length:
            start = int(rng.integers(0, last + 1))
            span = slice(start, start + size)
            weight = rng.poisson(1.0, many) if many > 1 else np.ones(1)
            held, total = counts[span] @ weight, sums[span] @ weight
            found = (total[held > 0] / held[held > 0])[: length - begin]
            row[begin : begin + len(found)] = found
            begin += len(found)
    return out, each


def _table(place: Ints, machine: Ints, value: Floats, moments: int, many: int) -> Any:
    from flyball import extras

    sparse = extras.need("scipy.sparse", "lab", "to settle a detector's threshold")
    return sparse.csr_array((value, (place, machine)), shape=(moments, many))


def _highest(detector: stage.Detector, values: Floats) -> float:
    """Return the largest statistic of a stream, alarms switched off."""
    quiet = detector.settled(math.inf)
    state, most = quiet.start(), -math.inf
    for at, value in enumerate(values.tolist()):
        state, _ = quiet.update(state, at, value)
        most = max(most, quiet.statistic(state))
    return most


def _alarms(detector: stage.Detector, values: Floats) -> int:
    state: Mapping[str, Any] = detector.start()
    found = 0
    for at, value in enumerate(values.tolist()):
        state, alarm = detector.update(state, at, value)
        found += alarm is not None
    return found


def _quantile(highest: Floats, allowed: float) -> float:
    """Return the threshold above which `allowed` alarms are to be expected in one stream."""
    import numpy as np

    enough = 3 / len(highest)
    if allowed >= enough:
        return float(np.quantile(highest, math.exp(-allowed), method="higher"))
    place, spread = _gumbel(highest)
    return max(place - spread * math.log(allowed), float(highest.max()))


def _rate(highest: Floats, threshold: float) -> float:
    """Return how many alarms are to be expected in one stream."""
    import numpy as np

    quiet = float(np.mean(highest <= threshold))
    if 0 < quiet <= 1 - 3 / len(highest):
        return -math.log(quiet)
    if quiet == 0:
        return math.log(len(highest))
    place, spread = _gumbel(highest)
    return min(math.exp(-(threshold - place) / spread), 3 / len(highest)) if spread > 0 else 0.0


def _gumbel(highest: Floats) -> tuple[float, float]:
    """Return place and spread of the Gumbel distribution with the mean and deviation of these maxima."""
    spread = float(highest.std()) * math.sqrt(6) / math.pi
    return float(highest.mean()) - 0.5772156649015329 * spread, spread
