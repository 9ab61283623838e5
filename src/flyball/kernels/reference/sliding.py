"""Statistics over given windows, one window at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["windows"]


def windows(
    values: NDArray[np.float64],
    lo: NDArray[np.int64],
    hi: NDArray[np.int64],
    by: tuple[str, ...],
    positions: NDArray[np.float64] | None,
) -> dict[str, NDArray[np.float64]]:
    """Return each statistic over each window, one window at a time: see `flyball.kernels.windows`.

    >>> import numpy as np
    >>> windows(np.array([3.0, np.nan, 1.0]), np.array([0, 1]), np.array([3, 2]), ("max", "first"), None)
    {'max': array([ 3., nan]), 'first': array([ 3., nan])}
    """
    import numpy as np

    made = {name: np.full(len(lo), 0.0 if name == "count" else np.nan) for name in by}
    series = values.tolist()
    places = None if positions is None else positions.tolist()
    for window, (start, stop) in enumerate(zip(lo.tolist(), hi.tolist(), strict=True)):
        present = [row for row in range(start, stop) if not math.isnan(series[row])]
        xs = [series[row] for row in present]
        for name in by:
            if not xs:
                continue
            if name == "slope" and places is not None:
                made[name][window] = _slope(xs, [places[row] for row in present])
            else:
                made[name][window] = _OF_ONE[name](xs)
    return made


def _sum(xs: list[float]) -> float:
    try:
        return math.fsum(xs)
    except (OverflowError, ValueError):
        return sum(xs)  # infinite, or inf - inf


def _mean(xs: list[float]) -> float:
    return _sum(xs) / len(xs)


def _std(xs: list[float]) -> float:
    mean = _mean(xs)
    if not math.isfinite(mean):
        return math.nan
    away = [x - mean for x in xs]
    # The mean is rounded: take out what that left, which matters for small changes on a large level.
    return math.sqrt(max(0.0, _sum([a * a for a in away]) - _sum(away) ** 2 / len(xs)) / len(xs))


def _median(xs: list[float]) -> float:
    ordered = sorted(xs)
    low, high = ordered[(len(xs) - 1) // 2], ordered[len(xs) // 2]
    if low == high:
        return low + 0.0
    middle = (low + high) / 2
    spilt = math.isinf(middle) and math.isfinite(low) and math.isfinite(high)
    return (low / 2 + high / 2 if spilt else middle) + 0.0


def _slope(xs: list[float], ts: list[float]) -> float:
    ts = [t - ts[0] for t in ts]
    mean_x, mean_t = _mean(xs), _mean(ts)
    along = _sum([(t - mean_t) ** 2 for t in ts])
    if along == 0 or not math.isfinite(mean_x):
        return math.nan
    return _sum([(t - mean_t) * (x - mean_x) for t, x in zip(ts, xs, strict=True)]) / along


_OF_ONE: dict[str, Callable[[list[float]], float]] = {
    "count": lambda xs: float(len(xs)),
    "sum": _sum,
    "mean": _mean,
    "std": _std,
    "min": lambda xs: min(xs) + 0.0,
    "max": lambda xs: max(xs) + 0.0,
    "median": _median,
    "first": lambda xs: xs[0],
    "last": lambda xs: xs[-1],
}
