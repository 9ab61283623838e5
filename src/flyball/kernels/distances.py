"""Exact distances of the distributions of columns from those of a sorted reference."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Distances", "SortedReference", "ks_pvalue"]

_EXACT_ROWS = 10_000


@dataclasses.dataclass(frozen=True, eq=False)
class Distances:
    """What current rows differ by from a reference, for every column; NaN where either side has no value.

    `ks` is the Kolmogorov-Smirnov statistic, `wasserstein` the first Wasserstein distance in the column's unit,
    `rows` how many values were there and `missing` how many were NaN.
    """

    ks: NDArray[np.float64]
    wasserstein: NDArray[np.float64]
    rows: NDArray[np.int64]
    missing: NDArray[np.int64]


class SortedReference:
    """A reference that is sorted once, and that current rows are then held against exactly.

    `values` (rows, columns), or (rows,) for one column: float64 or float32, strided and read-only too; a Polars
    column without nulls is not copied. NaN is dropped and counted in `missing`; `rows` are the values that stay.
    Fewer than 2**31 rows. It holds 8 bytes a value, and pickles.

    `ks` equals `scipy.stats.ks_2samp(...).statistic` and `wasserstein` equals
    `scipy.stats.wasserstein_distance(...)` to 1e-12, ties included: counts are compared as integers. Infinities are
    values for `ks`; `wasserstein` is infinite where a share lies at an infinity on one side only, where scipy
    has no answer. `distances` gives both for the price of one, since the current rows are sorted once.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> reference = SortedReference(np.array([0.0, 1.0, np.nan]))
    >>> found = reference.distances(np.array([0.0, 2.0]))
    >>> found.ks, found.wasserstein, reference.missing
    (array([0.5]), array([0.5]), array([1]))
    """

    def __init__(self, values: Any) -> None:
        import numpy as np

        table = checks.table("values", values)
        self.values = np.full(table.shape[::-1], np.nan)
        self.rows = np.zeros(table.shape[1], np.int64)
        made: Any = reference if backend.compiled is None else backend.compiled
        if table.size:
            made.sort_columns(table, self.values, self.rows)
        self.missing = len(table) - self.rows
        self.values.flags.writeable = False

    def distances(self, current: Any) -> Distances:
        """Return both distances of current rows (rows, columns) from the reference, for every column."""
        import numpy as np

        table = checks.table("current", current, len(self.rows))
        out = np.full((3, len(self.rows)), np.nan)
        out[2] = 0
        made: Any = reference if backend.compiled is None else backend.compiled
        if table.size:
            made.apart(self.values, self.rows, table, out)
        rows = out[2].astype(np.int64)
        return Distances(out[0], out[1], rows, len(table) - rows)

    def ks(self, current: Any) -> NDArray[np.float64]:
        """Return the Kolmogorov-Smirnov statistic of every column."""
        return self.distances(current).ks

    def wasserstein(self, current: Any) -> NDArray[np.float64]:
        """Return the Wasserstein distance of every column."""
        return self.distances(current).wasserstein


def ks_pvalue(statistic: float, rows: int, other_rows: int) -> float:
    """Return the probability that two samples of one continuous distribution lie at least so far apart.

    Exact up to 10,000 rows a side, by counting paths, as scipy's default does there. Beyond, the limiting
    distribution of Kolmogorov with Vrbik's correction for a finite sample, within 1e-3 of scipy's. Sensor series are
    autocorrelated: their rows are fewer independent ones than they look, so take this as a lower bound.

    Source: Hodges, Arkiv för Matematik 3 (1958), for paths; Vrbik, Pioneer Journal of Theoretical and Applied
    Statistics 15 (2018), for the correction.

    >>> round(ks_pvalue(1.0, 3, 3), 6)  # 2 of the 20 orders of three and three
    0.1
    """
    for name, many in (("rows", rows), ("other_rows", other_rows)):
        if many < 1:
            raise ValueError(f"{name}: {many!r} rows are no sample, give at least 1")
    if not 0 <= statistic <= 1:
        raise ValueError(f"statistic: {statistic!r} is none of Kolmogorov and Smirnov, give 0 to 1")
    if max(rows, other_rows) <= _EXACT_ROWS:
        return _paths(round(statistic * rows * other_rows), rows, other_rows)
    root = math.sqrt(rows * other_rows / (rows + other_rows))
    distance = statistic * root
    distance += 1 / (6 * root) + (distance - 1) / (4 * root**2)
    if distance < 0.2:
        return 1.0  # to sixteen digits, where the series would not end
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * (k * distance) ** 2) for k in range(1, 101)]
    return min(1.0, max(0.0, math.fsum(terms)))


def _paths(gap: int, rows: int, other_rows: int) -> float:
    """Return the share of the orders of both samples in which the counts come apart by `gap` or more.

    An order is a path of steps along i and j; `came[i]` is the share of the paths to (i, step - i) that were `gap`
    apart on their way. A random path to (i, j) came from (i - 1, j) with probability i / (i + j).
    """
    import numpy as np

    came = np.zeros(rows + 1)
    place = np.arange(rows + 1)
    if gap <= 0:
        return 1.0
    for step in range(1, rows + other_rows + 1):
        low, high = max(0, step - other_rows), min(rows, step) + 1
        i = place[low:high]
        before = came[low - 1 : high - 1] if low else np.concatenate([[0.0], came[: high - 1]])
        reached = (i * before + (step - i) * came[low:high]) / step
        came[low:high] = np.where(np.abs(i * other_rows - (step - i) * rows) >= gap, 1.0, reached)
    return float(came[rows])
