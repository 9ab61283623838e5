"""Units mixed within one column: two clumps of values that lie apart by what one unit is of another.

A column is cut at the widest gap between its values; two clumps count where their medians differ as two units do
(a thousand, inches and millimetres, Celsius and Kelvin) and nothing lies between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flyball.data.stage import Codes, Flags, Floats

#: What one unit is of another that people write for it.
FACTORS = {
    "a thousand (as in mm and µm, W and kW)": 1e3, "a million": 1e6, "a hundred (a share and percent)": 1e2,
    "sixty (as in seconds and minutes)": 60.0, "3600 (as in seconds and hours)": 3600.0, "25.4 (inches and mm)": 25.4,
    "6.895 (kPa and psi)": 6.895, "14.5 (psi and bar)": 14.504, "133.3 (Pa and torr)": 133.32,
    "3.6 (m/s and km/h)": 3.6,
}  # fmt: skip
#: The share of a clump; so many values of one; rows looked at.
LEAST, VALUES, ROWS = 0.01, 10, 100_000
#: A clump has at least so many different values.
DIFFERENT = 5
#: The gap is so many times wider than a clump, or parts whole machines.
WIDE, PURE = 2.0, 0.95
#: How far the medians may be from a factor: a large one that parts whole machines, another large one, a small one, as
#: by which machines of two kinds differ too.
LARGE, LOOSE, NEAR, CLOSE = 30.0, 0.2, 0.08, 0.02
TEMPERATURES = ("°C", "°F", "K")


class Mixed(NamedTuple):
    """Two clumps: the factor in words, the share and middle of the higher one, and the machines of the smaller one."""

    factor: str
    share: float
    low: float
    high: float
    machines: tuple[str, ...]


def find(
    values: Floats, unit: str = "", machines: Codes | None = None, names: Sequence[str] = ()
) -> Mixed | None:
    """Return the mixture of units that a column (n,) shows, None for none; NaN is missing.

    >>> import numpy as np
    >>> metres = np.random.default_rng(0).normal(2.0, 0.1, 500)
    >>> find(np.concatenate([metres, 1000 * metres[:100]])).factor
    'a thousand (as in mm and µm, W and kW)'
    >>> find(metres)
    """
    import numpy as np

    every = max(1, len(values) // ROWS)
    values = values[::every]
    machines = None if machines is None else machines[::every]
    if unit in TEMPERATURES and (found := _temperatures(values, machines, names)):
        return found
    keep = np.isfinite(values) & (values != 0)
    signs = np.sign(values[keep])
    if keep.sum() < 2 * VALUES or abs(float(signs.mean())) < 0.99:
        return None
    size = np.log10(np.abs(values[keep]))
    cut = _cut(size)
    if cut is None:
        return None
    high = size > cut
    if min(len(np.unique(part)) for part in (size[high], size[~high])) < DIFFERENT:
        return None  # a clump of one value is a state or a mark, and no measurement in another unit
    low, up = float(np.median(size[~high])), float(np.median(size[high]))
    ratio = 10 ** (up - low)
    owners = () if machines is None else _owners(machines[keep], high, names)
    loose = LOOSE if owners else NEAR
    factor = next(
        (told for told, one in FACTORS.items() if abs(ratio / one - 1) <= (loose if one > LARGE else CLOSE)),
        "",
    )
    if not factor or not ((owners and ratio > LARGE) or _apart(size, high)):
        return None
    return Mixed(factor, float(high.mean()), 10**low, 10**up, owners)


def told(found: Mixed) -> str:
    """Return a mixture in words."""
    of = f" (all of {', '.join(found.machines[:4])})" if found.machines else ""
    return (
        f"{found.share:.1%} of its values{of} lie around {found.high:.4g}, the others around {found.low:.4g}, apart by "
        f"{found.factor}: perhaps two units"
    )


def _cut(values: Floats) -> float | None:
    """Return the middle of the widest gap that leaves enough on both sides."""
    import numpy as np

    ordered = np.sort(values)
    least = max(VALUES, int(LEAST * len(ordered)))
    inner = ordered[least - 1 : len(ordered) - least + 1]
    if len(inner) < 2:
        return None
    gaps = np.diff(inner)
    widest = int(np.argmax(gaps))
    return float(inner[widest] + gaps[widest] / 2) if gaps[widest] > 0 else None


def _apart(values: Floats, high: Flags) -> bool:
    """Say whether the gap between two clumps is wider than they are."""
    import numpy as np

    low, up = values[~high], values[high]
    widest = max(float(np.subtract(*np.quantile(part, (0.95, 0.05)))) for part in (low, up))
    return float(up.min() - low.max()) > WIDE * widest


def _owners(machines: Codes, high: Flags, names: Sequence[str]) -> tuple[str, ...]:
    """Return the machines of the smaller clump where it parts the machines, () where it does not."""
    import numpy as np

    if float(high.mean()) > 0.5:
        high = ~high
    known = machines >= 0
    many = int(machines.max(initial=-1)) + 1
    if many < 3:
        return ()
    counts = np.bincount(machines[known], minlength=many)
    share = np.bincount(machines[known], high[known].astype(float), minlength=many) / np.maximum(counts, 1)
    there = counts > 0
    pure = ((share >= PURE) | (share <= 1 - PURE))[there]
    mine = np.flatnonzero(there & (share >= PURE))
    return tuple(names[place] for place in mine.tolist()) if pure.mean() >= PURE and len(mine) else ()


def _temperatures(values: Floats, machines: Codes | None, names: Sequence[str]) -> Mixed | None:
    """Return a mixture of Celsius with Kelvin or Fahrenheit."""
    import numpy as np

    keep = np.isfinite(values)
    there = values[keep]
    cut = _cut(there) if len(there) >= 2 * VALUES else None
    if cut is None:
        return None
    high = there > cut
    low, up = float(np.median(there[~high])), float(np.median(there[high]))
    wanted: Mapping[str, tuple[float, float]] = {
        "273.15 (°C and K)": (low + 273.15, 5.0), "9/5 and 32 (°C and °F)": (1.8 * low + 32, 5.0),
    }  # fmt: skip
    factor = next((told for told, (at, loose) in wanted.items() if abs(up - at) <= loose), "")
    owners = () if machines is None else _owners(machines[keep], high, names)
    if not factor or not (owners or _apart(there, high)):
        return None
    return Mixed(factor, float(high.mean()), low, up, owners)
