"""Kolmogorov-Smirnov and Wasserstein distances of two samples, by their definitions."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["apart", "sort_columns"]


def sort_columns(
    values: NDArray[np.floating], sorted_: NDArray[np.float64], counts: NDArray[np.int64]
) -> None:
    """Write what is there of each column, sorted, into the rows of `sorted_`, and how much it is."""
    for number, column in enumerate(values.T.tolist()):
        made = sorted(value + 0.0 for value in column if not math.isnan(value))
        sorted_[number, : len(made)] = made
        counts[number] = len(made)


def apart(
    reference: NDArray[np.float64],
    lengths: NDArray[np.int64],
    values: NDArray[np.floating],
    out: NDArray[np.float64],
) -> None:
    """Write (3, columns) the two distances and the rows that are there: see `flyball.kernels.SortedReference`."""
    for number, column in enumerate(values.T.tolist()):
        left = reference[number, : lengths[number]].tolist()
        right = sorted(value + 0.0 for value in column if not math.isnan(value))
        out[:, number] = *_distances(left, right), len(right)


def _distances(left: list[float], right: list[float]) -> tuple[float, float]:
    """Return both, of sorted numbers.

    >>> _distances([0.0, 1.0], [0.0, 2.0])  # half of both, then a half that lies 1 further
    (0.5, 0.5)
    """
    if not left or not right:
        return math.nan, math.nan
    values = sorted({*left, *right})
    gaps = [
        abs(bisect.bisect_right(left, value) * len(right) - bisect.bisect_right(right, value) * len(left))
        for value in values
    ]
    areas = [
        gap * (after - value)
        for gap, value, after in zip(gaps[:-1], values[:-1], values[1:], strict=True)
        if gap
    ]
    area = math.inf if math.inf in areas else math.fsum(areas)
    both = len(left) * len(right)
    return max(gaps) / both, area / both
