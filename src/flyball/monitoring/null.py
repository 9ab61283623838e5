"""How far windows in which nothing happened lie from the reference, and the limits that follow.

Two kinds of such windows are taken from the reference itself, each compared with what it leaves of it:

- drawn ones: every machine contributes one of its own spans of time, chosen at random (a block bootstrap within
  machines), so that the machines' own levels are no drift and their autocorrelation is kept;
- the windows as they were: they hold what moved the whole fleet at once.

A window and its neighbours in time are left out of what it is compared with: a new window is compared with a
reference that does not contain it.  One budget holds over all columns: each is studentised by its own drawn windows
and the largest is judged, as in the max-T procedure.

Source: Künsch, Annals of Statistics 17 (1989), for blocks; Westfall and Young, Resampling-Based Multiple Testing,
1993, for max-T.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball.monitoring import bins

if TYPE_CHECKING:
    from flyball.data.stage import Array, Codes, Floats, Ints

RESAMPLES = 400
#: More machines than this are dealt into so many groups, which then are drawn as one.
MOST_UNITS = 400
#: Windows from whole ones down to these fractions of the machines have limits of their own.
SIZES = (1.0, 0.25, 0.0625)
#: The least spread that a column is given: shares closer than this are the same for all anybody cares.
LEAST_SPREAD = 2e-3

#: With fewer whole windows than this nobody knows how the fleet as a whole moves from one window to the next: there the
#: usual band of the population stability index is the least limit.
LEAST_WINDOWS, BAND = 4, 0.2

Limits = Sequence[Mapping[str, Any]]


def limits(
    codes: Mapping[str, Ints], told: Mapping[str, Any], machines: Codes, window: Ints, share: float, seed: int
) -> list[dict[str, Any]]:
    """Return [{"rows", "limit": {name: psi}}], largest windows first; empty when nothing can be compared.

    A name is a column, for its values, or a column with `bins.MISSING`, for what is missing or new in it.

    `codes` (n,) are the bins of every column, `machines` and `window` (n,) tell the blocks; `share` of the windows
    may alarm for nothing.  The same seed gives the same limits.
    """
    import numpy as np

    blocks = _Blocks(machines, window)
    if blocks.units * blocks.windows < 2:
        return []
    rng = np.random.default_rng(seed)
    draws = {size: blocks.draw(rng, size) for size in SIZES}
    found: dict[float, list[Floats]] = {size: [] for size in SIZES}
    whole: list[Floats] = []
    for name, description in told.items():
        counts = blocks.counts(codes[name], len(description["shares"]))
        for size, drawn in draws.items():
            found[size] += blocks.drawn(counts, drawn)
        whole += blocks.whole(counts)
    names = [name + suffix for name in told for suffix in ("", bins.MISSING)]
    as_it_was = np.stack(whole, axis=1)
    out: list[dict[str, Any]] = []
    for size in SIZES:
        null = np.stack(found[size], axis=1)
        mean, spread = null.mean(axis=0), np.maximum(null.std(axis=0), LEAST_SPREAD)
        most = _quantile(null, mean, spread, share)
        if len(as_it_was):
            # Few windows: the next one lies beyond k of n with probability (n + 1 - k) / (n + 1), so take that k.
            n = len(as_it_was)
            most = max(most, _quantile(as_it_was, mean, spread, share * (n + 1) / n - 1 / n))
        limit = np.maximum(mean + most * spread, BAND if len(as_it_was) < LEAST_WINDOWS else 0.0)
        out.append({"rows": blocks.rows * size, "limit": dict(zip(names, limit.tolist(), strict=True))})
    return out


def chosen(found: Limits, rows: int) -> Mapping[str, float]:
    """Return the limits of the largest windows that have no more rows (a tenth fewer will do); else none.

    >>> told = [{"rows": 100, "limit": {"x": 0.1}}, {"rows": 25, "limit": {"x": 0.3}}]
    >>> chosen(told, 95)["x"], chosen(told, 60)["x"], chosen(told, 10)
    (0.1, 0.3, {})
    """
    return next((one["limit"] for one in found if rows >= 0.9 * one["rows"]), {})


def _quantile(null: Floats, mean: Floats, spread: Floats, share: float) -> float:
    import numpy as np

    worst = ((null - mean) / spread).max(axis=1)
    return float(np.quantile(worst, min(max(1 - share, 0.0), 1.0), method="higher"))


class _Blocks:
    """The reference in blocks: one unit (a machine, or a group of many) in one window."""

    def __init__(self, machines: Codes, window: Ints) -> None:
        import numpy as np

        _, unit = np.unique(machines, return_inverse=True)
        self.unit = unit if unit.max() < MOST_UNITS else (unit * 2654435761 % 2**32) % MOST_UNITS
        # Windows that hold less than half of the usual rows (the oldest one, a gap) are no whole windows.
        _, number, size = np.unique(window, return_inverse=True, return_counts=True)
        self.number, self.usual = number, size >= 0.5 * np.median(size)
        self.units, self.windows = int(self.unit.max()) + 1, len(size)
        self.rows = float(np.median(size[self.usual]))
        self.block = self.unit * self.windows + number
        self.filled = np.bincount(self.block, minlength=self.units * self.windows).reshape(self.units, -1) > 0

    def counts(self, codes: Ints, width: int) -> Floats:
        """Return (units, windows, bins) how often each bin was met."""
        import numpy as np

        flat = np.bincount(self.block * width + codes, minlength=self.units * self.windows * width)
        return flat.reshape(self.units, self.windows, width).astype(np.float64)

    def draw(self, rng: Any, size: float) -> Array:
        """Return (resamples, units) which window each unit contributes, -1 for none."""
        import numpy as np

        usable = self.filled & self.usual[None, :]
        usable[~usable.any(axis=1)] = self.filled[~usable.any(axis=1)]
        out = np.empty((RESAMPLES, self.units), dtype=np.int64)
        for unit in range(self.units):
            there = np.flatnonzero(usable[unit])
            out[:, unit] = rng.choice(there, RESAMPLES) if len(there) else -1
        # A unit is not always there: it takes part as often as it has rows, and as the size of the window says.
        present = np.where(self.windows > 1, usable.sum(axis=1) / max(int(self.usual.sum()), 1), 0.5) * size
        absent = rng.random(out.shape) >= present
        absent[np.arange(RESAMPLES), rng.integers(0, self.units, RESAMPLES)] = False
        return np.where(absent, -1, out)

    def drawn(self, counts: Floats, draws: Array) -> tuple[Floats, Floats]:
        """Return (resamples,) twice: how drawn windows differ from what they leave, in values and in missing."""
        import numpy as np

        total = counts.sum(axis=(0, 1))
        near = self._near(counts)
        out = []
        place = np.arange(self.units)
        for chunk in _chunks(draws, 2_000_000 // max(1, self.units * counts.shape[2])):
            taken = (chunk >= 0)[:, :, None]
            window = (counts[place, chunk] * taken).sum(axis=1)
            rest = total - (near[place, chunk] * taken).sum(axis=1)
            out.append(_apart(rest, window, total))
        return np.concatenate([one for one, _ in out]), np.concatenate([one for _, one in out])

    def whole(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return how every whole window differs from the others, its neighbours left out, in values and missing."""
        import numpy as np

        fleet = counts.sum(axis=0, keepdims=True)
        if self.usual.sum() < 2:
            return np.empty(0), np.empty(0)
        total = fleet.sum(axis=(0, 1))
        values, missing = _apart(total - self._near(fleet)[0], fleet[0], total)
        return values[self.usual], missing[self.usual]

    def _near(self, counts: Floats) -> Floats:
        """Return the counts of every block with its neighbours in time, where there are windows enough."""
        if counts.shape[1] < 4:
            return counts
        near = counts.copy()
        near[:, 1:] += counts[:, :-1]
        near[:, :-1] += counts[:, 1:]
        return near


def _chunks(draws: Array, size: int) -> Iterator[Array]:
    for begin in range(0, len(draws), max(1, size)):
        yield draws[begin : begin + max(1, size)]


def _apart(rest: Floats, window: Floats, total: Floats) -> tuple[Floats, Floats]:
    pairs = zip(bins.parted(_shares(rest, total)), bins.parted(_shares(window, total)), strict=True)
    values, missing = (bins.stability(reference, current) for reference, current in pairs)
    return values, missing


def _shares(counts: Floats, total: Floats) -> Floats:
    """Return rows of counts as shares; a row without any is as the whole reference was."""
    import numpy as np

    size = counts.sum(axis=-1, keepdims=True)
    return np.where(size > 0, counts / np.maximum(size, 1), total / max(float(total.sum()), 1))
