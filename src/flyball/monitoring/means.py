"""Means of losses with intervals that know that rows of one machine, or of one time, are no independent evidence.

The variance of a mean is that of a ratio over clusters (machines), and once more over spans of time; the larger of the
two counts, so that neither a few bad machines nor one bad day is taken for many rows.

Source: Cochran, Sampling Techniques, 1977, ch. 6 (ratio estimator); Cameron and Miller, A Practitioner's Guide to
Cluster-Robust Inference, 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import evidence, extras

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: With fewer clusters than this nothing can be said of a spread.
LEAST = 3


@dataclass(frozen=True)
class Mean:
    """A mean of n rows, its variance (NaN when it cannot be told) and its degrees of freedom."""

    value: float
    variance: float
    freedom: float
    n: int

    def measured(self, name: str) -> evidence.Measurement:
        """Return it with its 95 % interval; without a known variance the interval is without bound."""
        reach = _reach(self)
        return evidence.Measurement(name, self.value, self.value - reach, self.value + reach, n=self.n)


def of(value: Any, machine: Array, span: Ints, weight: Floats | None = None) -> Mean:
    """Return the (weighted) mean of rows (n,) whose machine and span of time are numbered (n,).

    >>> import numpy as np
    >>> one = of(np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4), np.zeros(4, dtype=int))
    >>> one.value, round(one.variance, 3), one.freedom
    (2.5, 0.417, 3)
    """
    import numpy as np

    value = np.asarray(value, dtype=np.float64)
    if not len(value):
        return Mean(math.nan, math.nan, 0, 0)
    heavy = np.ones(len(value)) if weight is None else weight
    total = float(heavy.sum())
    mean = float((heavy * value).sum()) / total
    found = [_clustered(value - mean, heavy, total, cluster) for cluster in (machine, span)]
    known = [one for one in found if not math.isnan(one[0])]
    variance, freedom = max(known, default=(math.nan, 0))
    return Mean(mean, variance, freedom, len(value))


def less(one: Mean, other: Mean) -> Mean:
    """Return the difference of two means of different rows."""
    variance = one.variance + other.variance
    # Welch and Satterthwaite; the smaller of the two where one has no spread.
    parts = [
        (m.variance**2 / m.freedom) for m in (one, other) if m.freedom > 0 and not math.isnan(m.variance)
    ]
    freedom = variance**2 / sum(parts) if parts and sum(parts) > 0 else min(one.freedom, other.freedom)
    return Mean(one.value - other.value, variance, freedom, one.n)


def above(mean: Mean) -> float:
    """Return how likely a mean at least this high is although the truth is zero (one-sided; 1 when nobody knows).

    >>> round(above(Mean(2.0, 1.0, 1000, 5)), 3), above(Mean(2.0, math.nan, 0, 5))
    (0.023, 1.0)
    """
    if math.isnan(mean.variance) or mean.freedom < 1:
        return 1.0
    if mean.variance <= 0:
        return 0.0 if mean.value > 0 else 1.0
    stats = extras.need("scipy.stats", "lab", "to judge losses")
    return float(stats.t.sf(mean.value / math.sqrt(mean.variance), mean.freedom))


def _clustered(apart: Floats, heavy: Floats, total: float, cluster: Array) -> tuple[float, int]:
    import numpy as np

    _, number = np.unique(cluster, return_inverse=True)
    many = int(number.max()) + 1
    if many < LEAST:
        return math.nan, 0
    sums = np.bincount(number, weights=heavy * apart)
    return float((sums**2).sum()) * many / (many - 1) / total**2, many - 1


def _reach(mean: Mean) -> float:
    if math.isnan(mean.variance) or mean.freedom < 1:
        return math.inf
    stats = extras.need("scipy.stats", "lab", "to judge losses")
    return float(stats.t.ppf(0.975, mean.freedom)) * math.sqrt(mean.variance)
