"""How often a detector would alarm for nothing, and the threshold at which that is as often as is allowed.

A stream in which nothing happened is drawn from the losses of test rows: spans of time in one piece (a block bootstrap,
as neighbouring losses are alike: labels with a horizon overlap), and in each of them the machines with replacement, as
few machines carry most of the loss.  It is as long as six false alarms of the budget take, within reason.  The
detector runs over it as it would run, starting again after each alarm, and the threshold is the least at which the
alarms are no more than the budget.  Where it cannot be long enough for two of them, the largest statistics of its
pieces are taken, and the tail is that of a Gumbel distribution fitted to them: alarms at a rate r leave a stretch of
length t without any with probability exp(-r t).

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

#: So many false alarms of the budget the drawn stream is long, within these bounds on its values.
ALARMS, SHORTEST, LONGEST = 6, 2_000, 40_000
#: With fewer alarms than this to be expected the tail is fitted, on so many pieces.
COUNTED, PIECES = 2, 40
#: So often the threshold is halved in.
HALVINGS = 9
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
    >>> round(found.detector.limit, 1), found.expected
    (2.7, 1.0)
    """
    per = getattr(detector, "per", units.YEAR)
    budget = float(getattr(detector, "false_alarms", 1.0))
    moments, _ = reference.stream()
    if len(moments) < LEAST_VALUES:
        why = f"{len(moments)} moments of known truth settle nothing: the textbook's threshold"
        return Settled(detector, math.nan, int(per), len(moments), why)
    drawn, each = _drawn(reference, per, budget, horizon, seed)
    # So many alarms are allowed in the drawn stream.
    allowed = budget * len(drawn) * each / int(per)
    threshold = detector.threshold()
    if threshold is None:
        detector = detector.settled(_threshold(detector, drawn, allowed))
        return Settled(detector, budget, int(per), len(moments))
    found = float(_alarms(detector, drawn))
    if not found and threshold > 0:
        found = min(_rate(_highest(detector, drawn), threshold) * PIECES, 1.0)
    return Settled(detector, found * budget / allowed, int(per), len(moments))


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


def _drawn(reference: Losses, per: Any, budget: float, horizon: int, seed: int) -> tuple[Floats, float]:
    """Return a stream (values,) in which nothing happened, and how long one value lasts.

    A period in steps counts values; one in time is spread over the moments as the reference has them.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    moments, place = np.unique(reference.at, return_inverse=True)
    steps = isinstance(per, units.Count)
    each = 1.0 if steps else max(float(moments[-1] - moments[0]) / (len(moments) - 1), 1.0)
    length = int(min(max(ALARMS * int(per) / budget / each, SHORTEST), LONGEST))
    alike = MOST_BLOCKS if steps else int(len(moments) * each // max(2 * horizon, 1))
    size = max(len(moments) // min(max(alike, 1), MOST_BLOCKS), 1)
    _, machine = np.unique(reference.machine, return_inverse=True)
    many = int(machine.max()) + 1
    sums = _table(place, machine, reference.value, len(moments), many)
    counts = _table(place, machine, np.ones(len(reference)), len(moments), many)
    out, begin = np.empty(length), 0
    while begin < length:
        start = int(rng.integers(0, len(moments) - size + 1))
        span = slice(start, start + size)
        weight = rng.poisson(1.0, many) if many > 1 else np.ones(1)
        held, total = counts[span] @ weight, sums[span] @ weight
        found = (total[held > 0] / held[held > 0])[: length - begin]
        out[begin : begin + len(found)] = found
        begin += len(found)
    return out, each


def _table(place: Ints, machine: Ints, value: Floats, moments: int, many: int) -> Any:
    from flyball import extras

    sparse = extras.need("scipy.sparse", "lab", "to settle a detector's threshold")
    return sparse.csr_array((value, (place, machine)), shape=(moments, many))


def _threshold(detector: stage.Detector, drawn: Floats, allowed: float) -> float:
    """Return the least threshold that lets no more alarms through than are allowed."""
    highest = _highest(detector, drawn)
    high = float(highest.max())
    if allowed < COUNTED:
        place, spread = _gumbel(highest)
        return max(place - spread * math.log(allowed / PIECES), high)
    low = min(float(highest.min()), 0.0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _alarms(detector.settled(middle), drawn, allowed) <= allowed:
            high = middle
        else:
            low = middle
    return high


def _highest(detector: stage.Detector, values: Floats) -> Floats:
    """Return the largest statistic in every piece of a stream, alarms switched off."""
    import numpy as np

    quiet = detector.settled(math.inf)
    state, path = quiet.start(), np.empty(len(values))
    for at, value in enumerate(values.tolist()):
        state, _ = quiet.update(state, at, value)
        path[at] = quiet.statistic(state)
    return np.array([piece.max() for piece in np.array_split(path, PIECES)])


def _alarms(detector: stage.Detector, values: Floats, enough: float = math.inf) -> int:
    """Return how often it alarms, starting again after each; no further than to more than enough."""
    state: Mapping[str, Any] = detector.start()
    found = 0
    for at, value in enumerate(values.tolist()):
        state, alarm = detector.update(state, at, value)
        found += alarm is not None
        if found > enough:
            break
    return found


def _rate(highest: Floats, threshold: float) -> float:
    """Return how many alarms are to be expected in one piece, from the tail of the largest statistics."""
    place, spread = _gumbel(highest)
    return math.exp(-(threshold - place) / spread) if spread > 0 else 0.0


def _gumbel(highest: Floats) -> tuple[float, float]:
    """Return place and spread of the Gumbel distribution with the mean and deviation of these maxima."""
    spread = float(highest.std()) * math.sqrt(6) / math.pi
    return float(highest.mean()) - 0.5772156649015329 * spread, spread
