"""What an alarmed column looks like: since when, in which known pattern, and so from what: a sensor, or the data.

One channel of one machine that shows what it cannot is a broken sensor; several machines at once, or many channels of
one that move together, are a process that has changed.  What follows from the data (the concept) is watched elsewhere.

Source of the change point: Page, Biometrika 41 (1954), for cumulated sums.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flyball.monitoring import cells as cells_

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints

SENSOR, DATA, CONCEPT = "sensor", "data", "concept"
#: What somebody else's unit is of the house's, both ways: thousands and other decimals, minutes, hours, degrees.
FACTORS = (10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e9, 60.0, 3600.0, 3.6, 25.4, 6.894757, 1.8, math.pi / 180)
#: And what is a factor and an offset: kelvin and degrees Celsius, Fahrenheit and Celsius, both ways.
OFFSETS = ((1.0, 273.15), (1.0, -273.15), (1.8, 32.0), (1 / 1.8, -32 / 1.8))
#: A column that leaves its relation to the others, though level and spread are as ever.
RELATION = "relation"
#: A clock that no longer tells the time at which things happen.
CLOCK = "clock"
#: A count of events of which many came.
BURST = "burst"
#: Patterns that no process makes.
IMPOSSIBLE = ("flatline", "unit", "swap", "spikes", "missing", "clipping", CLOCK)
#: So many of the newest values are looked at by themselves: what has just begun is few rows of a window.
NEWEST = 5
#: More channels of one machine than this at once are no broken sensor.
FEW = 2


def began(at: Ints, values: Any, family: int, base: float) -> int:
    """Return the moment at which a column began to differ: where the cumulated sum bends the most.

    >>> import numpy as np
    >>> began(np.arange(10), np.r_[np.zeros(6), np.ones(4)], cells_.LEVEL, 0.0)
    6
    """
    import numpy as np

    there = np.isfinite(values)
    if family == cells_.MISSING:
        figures, when = (~there).astype(np.float64), at
    else:
        figures, when = values[there].astype(np.float64), at[there]
        if family == cells_.TIES:
            figures = np.r_[0.0, (np.diff(figures) == 0).astype(np.float64)] if len(figures) else figures
        elif family == cells_.SPREAD:
            figures = np.abs(figures - np.median(figures)) if len(figures) else figures
    if len(figures) < 2:
        return int(at[0])
    # Ranks where the level is meant would lose the size; single wild values are held to a few spreads instead.
    middle, width = np.median(figures), np.subtract(*np.quantile(figures, (0.9, 0.1))) or 1.0
    bent = np.cumsum(np.clip((figures - middle) / width, -3, 3))
    bent -= bent[-1] * np.arange(1, len(bent) + 1) / len(bent)
    place = int(np.argmax(np.abs(bent[:-1]))) + 1
    return int(when[place])


def kind(values: Floats, since: Floats, base: Floats, apart: Floats) -> str:
    """Return the pattern of a window's values, of which those `since` it began are the last.

    `base` and `apart` are the four figures' baseline and distances.

    >>> import numpy as np
    >>> usual = np.array([5.0, 0.0, 0.0, 0.0])
    >>> kind(np.full(9, 5000.0), np.full(9, 5000.0), usual, np.array([900.0, 1.0, 1.0, 0.0]))
    'unit'
    """
    import numpy as np

    figures = np.nan_to_num(np.abs(apart), nan=0.0)
    there = values[np.isfinite(values)].astype(np.float64)
    if figures.argmax() == cells_.MISSING or not len(there):
        return "missing"
    level, spread = float(base[cells_.LEVEL]), float(np.exp(base[cells_.SPREAD]))
    if not math.isfinite(spread):
        spread = max(float(there.std()), 1e-12)
    middle = float(np.median(there))
    new = since[np.isfinite(since)]
    late = float(np.median(new)) if len(new) else middle
    if _counted(there, level, spread) and max(middle, late, float(there.mean())) > level:
        return BURST
    if any(_other_unit(some, level, spread) for some in (there, new, there[-NEWEST:])):
        return "unit"
    if figures.argmax() == cells_.TIES:
        return "clipping" if _clipped(there) else "flatline"
    out = np.abs(there - middle) > 5 * spread
    if 0 < out.mean() < 0.3 and abs(middle - level) < 2 * spread and figures.argmax() == cells_.SPREAD:
        return "spikes"
    if figures.argmax() == cells_.SPREAD and abs(late - level) < 2 * spread:
        return "noise"
    third = max(len(there) // 3, 1)
    rises = abs(np.median(there[-third:]) - np.median(there[:third]))
    bends = abs(np.median(there[third:-third]) - (np.median(there[-third:]) + np.median(there[:third])) / 2)
    return "ramp" if len(there) > 8 and rises > spread and bends < 0.5 * rises else "shift"


def _other_unit(values: Floats, level: float, spread: float) -> bool:
    """Whether values are the usual ones in another unit, and far from them.

    A unit scales the spread with the level, or, where it is an offset, leaves it as it is: a count that rises from
    nearly none to many is no other unit, whatever it is a multiple of.
    """
    import numpy as np

    if not len(values):
        return False
    value, width = float(np.median(values)), 1.4826 * float(np.median(np.abs(values - np.median(values))))

    few = len(values) <= NEWEST

    def wide(factor: float) -> bool:
        # A few values have no width to speak of: they must lie where a ramp does not lead.
        if few:
            return factor >= 60 or factor <= 1 / 60 or factor == 1.0
        return spread * factor / 3 <= width <= 3 * spread * factor

    factors = (*FACTORS, *(1 / factor for factor in FACTORS))
    # What lies about zero stays there in every unit: only how widely it lies tells.
    if (
        not few
        and abs(level) < spread
        and any(abs(width / (spread * f) - 1) < 0.25 for f in factors if f >= 100 or f <= 0.01)
    ):
        return True
    if abs(value - level) < 8 * spread:
        return False
    # What is left of the move in the other unit is noise, and little of it.
    near, little = 0.02 * abs(value), 0.25 * abs(value - level)
    if level and any(
        abs(value - level * f) <= min(max(near, 4 * spread * f), little) and wide(f)
        for f in factors
        if value / level > 0
    ):
        return True
    return any(
        abs(value - (level * f + offset)) <= min(4 * spread * f, little) and wide(f) for f, offset in OFFSETS
    )


def _counted(values: Floats, level: float, spread: float) -> bool:
    """Whether values are counts of what happens by chance: whole, none below 0, and as scattered as that makes them.

    `level` and `spread` are those of the baseline, which must be one of counts too: a pressure of 1.013 that is told in
    another unit as 1013 is none.  What hardly ever happens shows no scatter in most windows, and may be told as a rate.
    """
    import numpy as np

    if not len(values) or np.any(values < 0):
        return False
    if np.all(values == np.rint(values)) and 0 <= 0.3 * level <= spread**2:
        return True
    step = float(np.min(np.diff(np.unique(np.append(values, 0.0))), initial=1.0))
    whole = np.allclose(values / step, np.rint(values / step), atol=1e-3)
    rare = 0 <= level < 0.3 * step and spread**2 >= 0.003 * level * step
    return bool(whole and rare)


def _clipped(there: Floats) -> bool:
    """Whether the values that stand still are the largest, or the smallest."""
    import numpy as np

    still = there[1:][np.diff(there) == 0]
    return (
        bool(len(still))
        and (float(np.mean(still == there.max())) > 0.9 or float(np.mean(still == there.min())) > 0.9)
        and len(np.unique(there)) > 0.2 * len(there)
    )


def swapped(place: int, levels: Floats, base: Floats, spread: Floats, apart: Floats) -> int:
    """Return which column's place another one has taken and given its own for, -1 for none.

    `levels`, `base` and `spread` (columns,) are what a machine's columns show, used to show, and how widely; `apart`
    (columns,) how far they lie from their own baselines, in limits: both lie beyond half of one.

    >>> import numpy as np
    >>> swapped(0, np.array([24.0, 38.0]), np.array([38.0, 24.0]), np.ones(2), np.full(2, 9.0))
    1
    """
    import numpy as np

    with np.errstate(invalid="ignore"):
        theirs = np.abs(levels[place] - base) <= 2 * (spread + spread[place])
        mine = np.abs(levels - base[place]) <= 2 * (spread + spread[place])
        own = np.abs(levels[place] - base[place]), np.abs(levels - base)
        nearer = np.maximum(np.abs(levels[place] - base), np.abs(levels - base[place])) < 0.5 * np.minimum(
            *own
        )
    found = np.flatnonzero(theirs & mine & nearer & (np.abs(apart) > 0.5))
    found = found[found != place]
    return int(found[np.argmax(np.abs(apart[found]))]) if len(found) else -1


def cause(pattern: str, columns: int, machines: int) -> str:
    """Return from what so many columns of so many machines show a pattern.

    >>> cause("flatline", 1, 1), cause("shift", 9, 1), cause("missing", 1, 12), cause("burst", 1, 1)
    ('sensor', 'data', 'data', 'data')
    """
    if machines > 1 or pattern == BURST:
        return DATA
    return SENSOR if pattern in IMPOSSIBLE or columns <= FEW else DATA
