"""Means of losses with intervals that know that rows of one machine, or of one time, are no independent evidence.

The variance of a mean is that of a ratio over clusters (machines), and once more over spans of time; the larger of the
two counts, so that neither a few bad machines nor one bad day is taken for many rows.

Source: Cochran, Sampling Techniques, 1977, ch. 6 (ratio estimator); Cameron and Miller, A Practitioner's Guide to
Cluster-Robust Inference, 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball import evidence, extras

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats

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


@dataclass(frozen=True, eq=False)
class Rows:
    """Losses `value` (n,) of rows whose `machine` and `span` of time are numbered (n,), and what each row weighs."""

    value: Floats
    machine: Array
    span: Array
    weight: Floats | None = None

    def mean(self) -> Mean:
        """Return their (weighted) mean.

        >>> import numpy as np
        >>> one = Rows(np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4), np.zeros(4, dtype=int)).mean()
        >>> one.value, round(one.variance, 3), one.freedom
        (2.5, 0.417, 3)
        """
        return _mean(self, None)

    def heavy(self) -> Floats:
        """Return what each row weighs."""
        import numpy as np

        return np.ones(len(self.value)) if self.weight is None else self.weight


def apart(one: Rows, other: Rows) -> Mean:
    """Return by how much the mean of some rows exceeds that of others.

    Machines and spans are numbered alike in both: a machine that is in both is compared with itself, so that what sets
    machines apart is no noise.
    """
    return _mean(one, other)


def _mean(one: Rows, other: Rows | None) -> Mean:
    import numpy as np

    if not len(one.value) or (other is not None and not len(other.value)):
        return Mean(math.nan, math.nan, 0, len(one.value))
    sides = [(one, 1.0)] + ([(other, -1.0)] if other is not None else [])
    value, found = 0.0, []
    pulls = []
    for rows, sign in sides:
        heavy = rows.heavy()
        mean = float((heavy * rows.value).sum() / heavy.sum())
        value += sign * mean
        pulls.append(sign * heavy * (rows.value - mean) / heavy.sum())
    pull = np.concatenate(pulls)
    for clusters in ([rows.machine for rows, _ in sides], [rows.span for rows, _ in sides]):
        many = min(len(np.unique(cluster)) for cluster in clusters)
        if many < LEAST:
            continue
        _, number = np.unique(np.concatenate(clusters), return_inverse=True)
        sums = np.bincount(number, weights=pull)
        found.append((float((sums**2).sum()) * many / (many - 1), many - 1))
    variance, freedom = max(found, default=(math.nan, 0))
    return Mean(value, variance, freedom, len(one.value))


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


def _reach(mean: Mean) -> float:
    if math.isnan(mean.variance) or mean.freedom < 1:
        return math.inf
    stats = extras.need("scipy.stats", "lab", "to judge losses")
    return float(stats.t.ppf(0.975, mean.freedom)) * math.sqrt(mean.variance)
