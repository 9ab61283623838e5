"""One machine in one window, column by column: where its values lie, how wide, how often they stand still or lack.

A cell is what a machine told in one window.  Everything that is judged machine by machine is judged on cells: they are
small (four figures a column), machine and time stay known, and values of one window stay together, so that whatever is
drawn from them keeps the autocorrelation inside a window.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import data

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints
    from flyball.features import stage as features

#: What is told of a column in a cell.  LEVEL in the column's unit; SPREAD as a logarithm; TIES, how often in a row the
#: same value came again at most, as a logarithm (base 2, of one more); MISSING as the arcsine of the root of a share,
#: which evens out its spread.
LEVEL, SPREAD, TIES, MISSING = range(4)
FAMILIES = ("level", "spread", "ties", "missing")
#: A spread is told as no less than this share of the column's usual one: below, quiet is quiet.
LEAST_SPREAD = 0.05
#: A cell with less than this share of the usual rows is not judged.
WHOLE = 0.5

Resets = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """K cells, by machine and then by time.

    `keys` are machines' names, `unit` (K,) indexes them; `window` (K,) counts back from the newest, 0; `first` and
    `stop` (K,) the rows; `part` (K,) counts a machine's baselines (its resets so far), `mixed` (K,) whether a reset
    lies inside; `stats` (K, columns, 4), NaN where nothing can be told.
    """

    keys: tuple[str, ...]
    unit: Ints
    window: Ints
    first: Ints
    stop: Ints
    part: Ints
    mixed: Array
    stats: Floats

    @property
    def whole(self) -> Array:
        """Return which cells have rows enough to be judged, (K,)."""
        import numpy as np

        size = self.stop - self.first
        return np.asarray(size >= WHOLE * np.median(size)) if len(size) else self.mixed


def scales(found: Mapping[str, Any]) -> list[float]:
    """Return the usual spread of each column: the standard deviation of its finite values; 0 of a category."""
    import numpy as np

    out = []
    for values in found.values():
        finite = None if isinstance(values, data.Words) else values[np.isfinite(values)].astype(np.float64)
        spread = 0.0 if finite is None or not len(finite) else float(finite.std())
        out.append(spread if math.isfinite(spread) else 0.0)
    return out


def of(
    found: Mapping[str, Any], told: Mapping[str, Any], usual: Sequence[float], moments: features.Moments,
    window: Ints, resets: Resets,
) -> Cells:  # fmt: skip
    """Return the cells of some columns; `told` and `usual` are the bins and usual spreads of the reference's.

    A column of the reference that is not `found` is missing everywhere.
    """
    import numpy as np

    codes, at = moments.codes, moments.at
    fresh = np.flatnonzero(np.r_[True, (np.diff(codes) != 0) | (np.diff(window) != 0)]) if len(at) else at
    stop = np.append(fresh[1:], len(at)).astype(np.int64)
    part, mixed = _parts(moments, fresh, stop, resets)
    stats = np.full((len(fresh), len(told), len(FAMILIES)), np.nan)
    for place, name in enumerate(told):
        values = found.get(name)
        if values is None:
            stats[:, place, MISSING] = math.pi / 2
        elif len(fresh):
            _tell(stats[:, place], values, told[name], usual[place], fresh, stop)
    # Two levels in one window are neither a level nor a spread.
    stats[mixed, :, : SPREAD + 1] = np.nan
    return Cells(moments.keys, codes[fresh].astype(np.int64), window[fresh], fresh, stop, part, mixed, stats)


def _tell(out: Floats, values: Any, told: Mapping[str, Any], usual: float, first: Ints, stop: Ints) -> None:
    import numpy as np

    many = (stop - first).astype(np.float64)
    if isinstance(values, data.Words) or told["kind"] == "category":
        known = (
            values.relabel(tuple(told["labels"])).codes >= 0
            if isinstance(values, data.Words) and told["kind"] == "category"
            else np.zeros(len(values), dtype=bool)
        )
        out[:, MISSING] = _angle(1 - np.add.reduceat(known.astype(np.float64), first) / many)
        return
    there = np.isfinite(values)
    count = np.add.reduceat(there.astype(np.float64), first)
    # About the reference's middle, so that squares of small spreads do not drown in those of large levels.
    middle = told["median"] or 0.0
    plain = np.where(there, values, middle).astype(np.float64) - middle
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = np.add.reduceat(plain, first) / count
        square = np.add.reduceat(plain * plain, first) / count
        spread = np.sqrt(np.maximum(square - mean * mean, 0.0) * count / np.maximum(count - 1, 1))
        out[:, LEVEL] = mean + middle
        out[:, SPREAD] = np.where(count > 1, np.log(spread + max(LEAST_SPREAD * usual, 1e-12)), np.nan)
    out[:, TIES] = np.log2(1 + np.maximum.reduceat(_still(plain, there, first), first))
    out[:, MISSING] = _angle(1 - count / many)


def _still(values: Floats, there: Array, first: Ints) -> Ints:
    """Return for how many rows each value has stood still, 0 where it differs from the one before; within cells."""
    import numpy as np

    same = np.zeros(len(values), dtype=bool)
    same[1:] = there[1:] & there[:-1] & (values[1:] == values[:-1])
    same[first] = False
    place = np.arange(len(values))
    return np.asarray(place - np.maximum.accumulate(np.where(same, 0, place)))


def _angle(share: Floats) -> Floats:
    import numpy as np

    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))))


def share(angle: float) -> float:
    """Return the share that was told as an angle.

    >>> share(math.pi / 2)
    1.0
    """
    return math.sin(angle) ** 2


def _parts(moments: features.Moments, first: Ints, stop: Ints, resets: Resets) -> tuple[Ints, Array]:
    """Return how many resets of its machine lie before each cell's last row, and whether one lies inside it."""
    import numpy as np

    part, mixed = np.zeros(len(first), dtype=np.int64), np.zeros(len(first), dtype=bool)
    unit = moments.codes[first] if len(first) else first
    for number, key in enumerate(moments.keys):
        when = np.sort(np.asarray(resets.get(key, ()), dtype=np.int64))
        mine = np.flatnonzero(unit == number)
        if len(when) and len(mine):
            part[mine] = np.searchsorted(when, moments.at[stop[mine] - 1], side="right")
            mixed[mine] = part[mine] > np.searchsorted(when, moments.at[first[mine]], side="left")
    return part, mixed


def joined(cells: Cells, figures: Sequence[Floats]) -> Cells:
    """Return cells with figures (K, m) more, each as the level of a column behind the others."""
    import numpy as np

    if not figures:
        return cells
    more = np.full((len(cells.unit), sum(one.shape[1] for one in figures), len(FAMILIES)), np.nan)
    more[:, :, LEVEL] = np.concatenate(figures, axis=1)
    return dataclasses.replace(cells, stats=np.concatenate([cells.stats, more], axis=1))


def machines(cells: Cells) -> Iterator[tuple[int, Ints]]:
    """Yield (unit, cells) of every machine: its whole cells, oldest first."""
    import numpy as np

    whole = np.flatnonzero(cells.whole)
    for mine in np.split(whole, np.flatnonzero(np.diff(cells.unit[whole])) + 1):
        if len(mine):
            yield int(cells.unit[mine[0]]), mine


def runs(cells: Cells, mine: Ints) -> Iterator[Ints]:
    """Yield the cells of one machine between two resets, those with a reset inside left out."""
    import numpy as np

    plain = mine[~cells.mixed[mine]]
    for run in np.split(plain, np.flatnonzero(np.diff(cells.part[plain])) + 1):
        if len(run):
            yield run
