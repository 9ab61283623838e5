"""Quantiles of moving windows, one window at a time."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["moving_quantile"]


def moving_quantile(values: NDArray[Any], window: int, min_count: int, q: float | None) -> NDArray[Any]:
    """Return the quantile of each window of one series, the median where q is None.

    >>> import numpy as np
    >>> moving_quantile(np.array([1.0, 9.0, 2.0, 4.0]), window=3, min_count=2, q=None)
    array([nan, 5., 2., 4.])
    """
    import numpy as np

    made = np.full(len(values), np.nan, values.dtype)
    series = values.tolist()
    ordered: list[float] = []
    for row, value in enumerate(series):
        if row >= window and not math.isnan(gone := series[row - window]):
            del ordered[bisect.bisect_left(ordered, gone)]
        if not math.isnan(value):
            bisect.insort(ordered, value)
        if len(ordered) >= min_count:
            made[row] = (_median(ordered) if q is None else _quantile(ordered, q)) + 0.0
    return made


def _median(ordered: list[float]) -> float:
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    middle = (low + high) / 2
    return middle if math.isfinite(middle) else low / 2 + high / 2


def _quantile(ordered: list[float], q: float) -> float:
    place = q * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    if low == high:
        return low
    part, along = place - math.floor(place), high - low
    return low + along * part if part < 0.5 else high - along * (1 - part)
