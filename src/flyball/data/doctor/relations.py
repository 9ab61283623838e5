"""Columns of numbers that are one and the same up to scale and offset: the same sensor twice, another unit, a sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Array, Floats

#: Candidates are told by so many rows and held to all; at most so many columns are compared.
ROWS, COLUMNS = 5_000, 1_000
#: Candidates correlate this closely; what is left of them must be rounding, or this share of the range.
CLOSE, FLOAT = 1e-6, 1e-6
#: Values are rounded to at most so many decimals, where they are rounded.
DECIMALS = 9
#: With fewer different values two columns agree by chance.
DIFFERENT = 5


def exact(frame: pl.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return columns that are an earlier one times `scale` plus `offset`, up to rounding; equal ones are left out.

    >>> import numpy as np, polars as pl
    >>> x = np.random.default_rng(0).normal(20, 5, 200)
    >>> frame = pl.DataFrame({"celsius": x, "fahrenheit": 1.8 * x + 32, "noise": x[::-1]})
    >>> [(told["column"], told["of"], round(told["scale"], 3)) for told in exact(frame, frame.columns)]
    [('fahrenheit', 'celsius', 1.8)]
    """
    import polars as pl

    numbers = [name for name in names if frame[name].dtype.is_numeric()][:COLUMNS]
    groups: dict[Any, list[str]] = {}
    few = frame.gather_every(max(1, frame.height // ROWS)).head(ROWS)
    for name in numbers:
        column = few[name].cast(float).fill_nan(None)
        if column.n_unique() > DIFFERENT:
            missing = column.is_null()
            groups.setdefault(missing.to_numpy().tobytes(), []).append(name)
    out: list[dict[str, Any]] = []
    for members in groups.values():
        if len(members) < 2:
            continue
        values = few.select(members).cast(pl.Float64).fill_nan(None).drop_nulls().to_numpy()
        for later, first in _candidates(values):
            told = _held(frame, members[later], members[first])
            if told is not None and not any(one["column"] == told["column"] for one in out):
                out.append(told)
    order = {name: place for place, name in enumerate(names)}
    return sorted(out, key=lambda told: order[told["column"]])


def _candidates(values: Array) -> list[tuple[int, int]]:
    """Return (later, first) pairs of columns of values whose correlation is one or minus one."""
    import numpy as np

    if len(values) < DIFFERENT:
        return []
    finite = np.isfinite(values).all(axis=0)
    with np.errstate(all="ignore"):
        apart = values - values.mean(axis=0)
        unit = np.where(finite, apart / np.sqrt((apart**2).sum(axis=0)), 0.0)
    near = np.abs(np.nan_to_num(unit.T @ unit)) > 1 - CLOSE
    return [(int(later), int(first)) for first, later in zip(*np.nonzero(np.triu(near, 1)), strict=True)]


def _held(frame: pl.DataFrame, later: str, first: str) -> dict[str, Any] | None:
    """Return how one column follows from another in all rows, None where it does not, or equals it."""
    import numpy as np
    import polars as pl

    pair = frame.select(later, first).cast(pl.Float64).fill_nan(None)
    if pair[later].null_count() != pair[first].null_count():
        return None
    y, x = pair.drop_nulls().to_numpy().T
    both = np.isfinite(y) & np.isfinite(x)
    y, x = y[both], x[both]
    if len(y) < DIFFERENT or np.array_equal(x, y):
        return None
    apart, follows = x - x.mean(), y - y.mean()
    size = float(np.sqrt((apart @ apart) * (follows @ follows)))
    if not size or abs(float(apart @ follows) / size) < 1 - CLOSE:
        return None
    scale = float(apart @ follows) / float(apart @ apart)
    offset = float(y.mean() - scale * x.mean())
    left = float(np.abs(y - scale * x - offset).max())
    if left > _step(y) + abs(scale) * _step(x) + FLOAT * float(np.ptp(y)):
        return None
    return {"column": later, "of": first, "scale": scale, "offset": offset}


def _step(values: Floats) -> float:
    """Return what values are rounded to, 0 for those that are not."""
    import numpy as np

    few = values[:: max(1, len(values) // ROWS)]
    for decimals in range(DECIMALS + 1):
        if np.allclose(few, np.round(few, decimals), rtol=1e-12, atol=10.0 ** -(decimals + 3)):
            return float(10.0**-decimals)
    return 0.0
