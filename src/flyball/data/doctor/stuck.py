"""Stretches in which a value that usually changes stands still: a sensor that hangs, a logger that repeats itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flyball.data.stage import Codes, Flags, Floats, Ints

#: A stretch counts from so many rows on, and from so many times what nearly all stretches have.
LEAST, TIMES, NEARLY = 20, 10, 0.95
#: A column with fewer different values stands still by nature; so does a value that is this common elsewhere.
DIFFERENT, USUAL = 20, 0.05


class Stuck(NamedTuple):
    """Where a column stands still: stretches, rows in them, and of the longest its first row, length and value."""

    stretches: int
    rows: int
    first: int
    longest: int
    value: float


def find(values: Floats, order: Ints | None = None, machines: Codes | None = None) -> Stuck | None:
    """Return where a column (n,) stands still, None for nowhere; what is missing (NaN) is passed over, as a channel
    that speaks in every tenth row stands still over its own rows.

    `order` is that of the rows in time, `machines` their machines: a stretch is one machine's.  `first` is a place in
    the column as it was given.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=500); x[100:160] = x[100]
    >>> find(x)[:4]
    (1, 60, 100, 60)
    """
    import numpy as np

    rows = np.arange(len(values)) if order is None else np.asarray(order)
    rows = rows[np.isfinite(values[rows])]
    if len(rows) < 2 * LEAST:
        return None
    values = values[rows]
    same = values[1:] == values[:-1]
    if machines is not None:
        same &= machines[rows][1:] == machines[rows][:-1]
    starts = np.concatenate([[0], np.flatnonzero(~same) + 1])
    lengths = np.diff(np.append(starts, len(values)))
    least = max(LEAST, TIMES * float(np.quantile(lengths, NEARLY)))
    if lengths.max() < least or len(np.unique(values[:10_000])) < DIFFERENT:
        return None
    found = _unusual(values, starts, lengths, lengths >= least)
    if not found.any():
        return None
    place = int(np.argmax(np.where(found, lengths, 0)))
    first = int(starts[place])
    return Stuck(
        int(found.sum()),
        int(lengths[found].sum()),
        int(rows[first]),
        int(lengths[place]),
        float(values[first]),
    )


def _unusual(values: Floats, starts: Ints, lengths: Ints, long: Flags) -> Flags:
    """Return which of the long stretches are of a value that is rare outside of them."""
    import numpy as np

    rest = max(1, len(values) - int(lengths[long].sum()))
    found = long.copy()
    for value in np.unique(values[starts[long]]):
        mine = long & (values[starts] == value)
        elsewhere = int((values == value).sum()) - int(lengths[mine].sum())
        if elsewhere > USUAL * rest:
            found &= ~mine
    return found
