"""Which rows a moment may see: of its machine, happened and seen by then, and not yet corrected.

Why: this is where a leak would be.  A row holds in [seen, until), so the rows of the window (m - over, m]
that a moment m may use are those with seen <= m < until.  Nearly always they lie side by side in the sorted
table and a pair of indices names them; only where a late or corrected row lies between are they picked out
one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.data import stage as data
from flyball.features import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Ints

#: So many picked rows are held in memory at once.
_AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Piece:
    """Windows of some of the moments: half-open index ranges into the table, or into the rows picked from it.

    `index` (k,) says which moments; `take` is None, or the rows picked, in order of the table; window i is
    `lo[i]:hi[i]`.
    """

    index: Ints
    take: Ints | None
    lo: Ints
    hi: Ints

    def of(self, values: Array) -> Array:
        """Return the values into which `lo` and `hi` point."""
        return values if self.take is None else values[self.take]

    def rows(self) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Yield (moments, windows' sizes, rows of the table) with every row of every window written out."""
        import numpy as np

        for part in _chunks(self.hi - self.lo):
            rows, _ = _spread(self.lo[part], self.hi[part])
            sizes = self.hi[part] - self.lo[part]
            yield self.index[part], sizes, rows if self.take is None else np.asarray(self.take[rows])


class View:
    """The rows of one table as each of the moments sees them.

    `begin:end` (m,) are the machine's rows with at <= m; those from `settled` on are not all seen by m.
    """

    def __init__(self, rows: data.Rows, moments: stage.Moments) -> None:
        self.rows, self.moments = rows, moments
        self.segments, known = machines(rows, moments)
        self.begin = rows.starts[self.segments] if len(rows.keys) else self.segments
        self.end = after(rows.at, rows, moments.at, self.segments)
        self.end[~known] = self.begin[~known]

    @functools.cached_property
    def settled(self) -> Ints:
        """Return (m,) the end of the rows of which every one was seen by the moment."""
        import numpy as np

        running = _running_greatest(self.rows)
        return np.minimum(self.end, after(running, self.rows, self.moments.at, self.segments))

    @functools.cached_property
    def plain(self) -> Flags:
        """Return (m,) whether no row between `settled` and `end` was seen by the moment."""
        import numpy as np

        plain = self.settled >= self.end
        open_ = np.flatnonzero(~plain)
        least = _least(self.rows.seen, self.settled[open_], self.end[open_])
        plain[open_] = least > self.moments.at[open_]
        return plain

    def after(self, when: Ints) -> Ints:
        """Return (m,) the first row of the moment's machine with at > when, at most `end`."""
        import numpy as np

        place = np.minimum(self.end, after(self.rows.at, self.rows, when, self.segments))
        return np.maximum(self.begin, place)

    def sees(self, row: Ints, moment: Ints) -> Flags:
        """Say for pairs (row, moment) of one machine whether the row holds at the moment."""
        now = self.moments.at[moment]
        return (self.rows.seen[row] <= now) & (self.rows.until[row] > now)

    def last(self, valid: Flags | None = None, before: Ints | None = None) -> Ints:
        """Return (m,) the last row that the moment sees, -1 for none.

        Only rows where `valid` (n,) count, and only those with at <= `before` (m,).
        """
        import numpy as np

        end = self.end if before is None else self.after(before)
        row = np.where(self.plain, np.minimum(end, self.settled), end) - 1
        return self._step_back(row, valid)

    def previous(self, row: Ints, valid: Flags | None = None) -> Ints:
        """Return (m,) the row that the moment sees before that row, -1 for none."""
        import numpy as np

        return self._step_back(np.where(row < 0, -1, row - 1), valid)

    def first(self, valid: Flags | None = None) -> Ints:
        """Return (m,) the first row that the moment sees, -1 for none."""
        import numpy as np

        n = len(self.rows)
        onward = np.arange(n + 1)
        if valid is not None:
            onward = np.minimum.accumulate(np.where(np.append(valid, True), onward, n)[::-1])[::-1]
        row = onward[self.begin]
        out = np.full(len(row), -1, dtype=np.int64)
        still = np.flatnonzero(row < self.end)
        while len(still):
            here = row[still]
            seen = self.sees(here, still)
            out[still[seen]] = here[seen]
            still = still[~seen]
            row[still] = onward[row[still] + 1]
            still = still[row[still] < self.end[still]]
        return out

    def windows(self, span: int | None) -> Iterator[Piece]:
        """Yield the rows in (m - span, m] that each moment sees, all moments once (None: without bound)."""
        import numpy as np

        lo = self.begin if span is None else self.after(self.moments.at - int(span))
        hi = np.maximum(lo, self.settled)
        clean = self.plain & self._uncorrected(lo, hi)
        index = np.flatnonzero(clean)
        yield Piece(index, None, lo[index], hi[index])
        rest = np.flatnonzero(~clean)
        for part in _chunks(self.end[rest] - lo[rest]):
            index = rest[part]
            rows, moment = _spread(lo[index], self.end[index])
            seen = self.sees(rows, index[moment])
            sizes = np.bincount(moment[seen], minlength=len(index))
            ends = np.cumsum(sizes)
            yield Piece(index, rows[seen], ends - sizes, ends)

    def _uncorrected(self, lo: Ints, hi: Ints) -> Flags:
        import numpy as np

        corrected = np.append(0, np.cumsum(self.rows.until < data.FOREVER))
        clean = corrected[hi] == corrected[lo]
        open_ = np.flatnonzero(~clean)
        clean[open_] = _least(self.rows.until, lo[open_], hi[open_]) > self.moments.at[open_]
        return np.asarray(clean)

    def _step_back(self, row: Ints, valid: Flags | None) -> Ints:
        import numpy as np

        n = len(self.rows)
        back = np.arange(n)
        if valid is not None:
            back = np.maximum.accumulate(np.where(valid, back, -1))
        out = np.full(len(row), -1, dtype=np.int64)
        still = np.flatnonzero(row >= self.begin)
        row = row.copy()
        while len(still):
            here = back[row[still]]
            inside = here >= self.begin[still]
            still, here = still[inside], here[inside]
            seen = self.sees(here, still)
            out[still[seen]] = here[seen]
            still, here = still[~seen], here[~seen]
            row[still] = here - 1
            still = still[row[still] >= self.begin[still]]
        return out


def machines(rows: data.Rows, moments: stage.Moments) -> tuple[Ints, Flags]:
    """Return (m,) the place of each moment's machine in `rows.keys`, 0 for none, and whether it is there."""
    import numpy as np

    if moments.keys == rows.keys:
        return moments.codes.astype(np.int64), np.ones(len(moments), dtype=bool)
    index = {key: place for place, key in enumerate(rows.keys)}
    table = np.array([index.get(key, -1) for key in moments.keys], dtype=np.int64)
    place = table[moments.codes] if len(table) else np.zeros(len(moments), dtype=np.int64)
    known = place >= 0
    return np.where(known, place, 0), known


def after(times: Ints, rows: data.Rows, when: Ints, segments: Ints) -> Ints:
    """Return (m,) the first row of its machine with time > when, the machine's end when there is none."""
    import numpy as np

    from flyball import kernels

    if not len(rows.keys):
        return np.zeros(len(when), dtype=np.int64)
    place = kernels.asof(times, rows.starts, when, segments)
    return np.where(place < 0, rows.starts[segments], place + 1)


def _running_greatest(rows: data.Rows) -> Ints:
    """Return (n,) the latest `seen` among a machine's rows up to each."""
    import numpy as np

    falls = np.diff(rows.seen) < 0
    edges = rows.starts[1:-1]
    falls[edges[(edges > 0) & (edges < len(rows))] - 1] = False
    if not falls.any():
        return rows.seen
    out = rows.seen.copy()
    for machine in np.unique(np.searchsorted(rows.starts, np.flatnonzero(falls), side="right") - 1):
        low, high = rows.starts[machine], rows.starts[machine + 1]
        np.maximum.accumulate(out[low:high], out=out[low:high])
    return out


def _least(values: Ints, lo: Ints, hi: Ints) -> Ints:
    """Return (k,) the least value of each range; FOREVER for an empty one."""
    import numpy as np

    out = np.full(len(lo), data.FOREVER, dtype=np.int64)
    filled = np.flatnonzero(hi > lo)
    if len(filled):
        pairs = np.column_stack((lo[filled], hi[filled])).ravel()
        out[filled] = np.minimum.reduceat(np.append(values, data.FOREVER), pairs)[::2]
    return out


def _spread(lo: Ints, hi: Ints) -> tuple[Ints, Ints]:
    """Return every index of every range, and which range it is from."""
    import numpy as np

    sizes = hi - lo
    owner = np.repeat(np.arange(len(lo)), sizes)
    offsets = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum()), dtype=np.int64) + (lo - offsets)[owner], owner


def _chunks(sizes: Ints) -> Iterator[slice]:
    """Yield slices of neighbours whose sizes together stay near the bound."""
    import numpy as np

    if not len(sizes):
        return
    total = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        spent = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, spent + _AT_ONCE, side="right")))
        yield slice(start, stop)
        start = stop
