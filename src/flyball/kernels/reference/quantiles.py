"""Quantiles of moving windows, one window at a time."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["QuantileStream", "moving_quantile"]


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


class QuantileStream:
    """The last window - 1 rows, behind which the next ones are put.

    >>> import numpy as np
    >>> stream, made = QuantileStream(np.array([1.0, 9.0]), window=3, min_count=3, q=0.5, median=True), np.empty(2)
    >>> stream.push(np.array([2.0, 4.0]), made), made
    (True, array([2., 4.]))
    """

    def __init__(self, rows: NDArray[Any], window: int, min_count: int, q: float, median: bool) -> None:
        self._rows, self._window, self._min_count = rows, window, min_count
        self._q = None if median else q

    def push(self, chunk: NDArray[Any], made: NDArray[Any]) -> bool:
        """Write the quantile at every row of the chunk; return False for one that is not as the rows kept."""
        import numpy as np

        if chunk.dtype != self._rows.dtype or not chunk.ndim or chunk.shape[1:] != self._rows.shape[1:]:
            return False
        known, joined = len(self._rows), np.concatenate((self._rows, chunk))
        self._rows = joined[max(0, len(joined) - self._window + 1) :].copy()
        for channel, one in zip(np.atleast_2d(joined.T), np.atleast_2d(made.T), strict=True):
            one[:] = moving_quantile(channel, self._window, self._min_count, self._q)[known:]
        return True

    def state(self) -> bytes:
        """Return the rows that are kept."""
        return self._rows.tobytes()


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
