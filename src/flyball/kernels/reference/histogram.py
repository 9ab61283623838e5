"""Counts of values in bins, and what two rows of counts differ by, one value at a time."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["count", "js", "kl", "psi", "shares"]


def count(values: NDArray[np.floating], edges: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    """Add to the bins of each column what its values are: see `flyball.kernels.histogram`.

    >>> import numpy as np
    >>> counts = np.zeros((1, 4), np.int64)
    >>> count(np.array([[0.5], [1.0], [9.0], [np.nan]]), np.array([[1.0, 2.0]]), counts)
    >>> counts
    array([[1, 1, 1, 1]])
    """
    for column, row, into in zip(values.T, edges.tolist(), counts, strict=True):
        own = [edge for edge in row if not math.isnan(edge)]
        for value in column.tolist():
            into[-1 if math.isnan(value) else bisect.bisect_right(own, value)] += 1


def shares(counts: Sequence[float], floor: float) -> list[float]:
    """Return the counts as shares, `floor` added to each of them before they are made to add up to one again."""
    total = sum(counts)
    lifted = [(count / total if total else 0.0) + floor for count in counts]
    return [share / sum(lifted) for share in lifted]


def psi(reference: Sequence[float], current: Sequence[float], floor: float) -> float:
    """Return the population stability index of two rows of counts, by its definition."""
    pairs = zip(shares(reference, floor), shares(current, floor), strict=True)
    return sum((q - p) * math.log(q / p) for p, q in pairs)


def kl(reference: Sequence[float], current: Sequence[float], floor: float) -> float:
    """Return the Kullback-Leibler divergence of the current counts from those of the reference."""
    pairs = zip(shares(reference, floor), shares(current, floor), strict=True)
    return sum(q * math.log(q / p) for p, q in pairs)


def js(reference: Sequence[float], current: Sequence[float], floor: float) -> float:
    """Return the Jensen-Shannon divergence of two rows of counts, in nats."""
    pairs = list(zip(shares(reference, floor), shares(current, floor), strict=True))
    middle = [(p + q) / 2 for p, q in pairs]
    both = zip(pairs, middle, strict=True)
    return sum(p * math.log(p / m) + q * math.log(q / m) for (p, q), m in both) / 2
