"""Counts of columns in bins against a stored reference, and the divergences that drift is told by."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FLOOR", "BinnedReference", "Histogram", "histogram", "js", "kl", "psi"]

FLOOR = 1e-4
"""Added to every share before a logarithm is taken, so that an empty bin stays finite."""


def histogram(values: Any, edges: Any) -> NDArray[np.int64]:
    """Return how many values of each column lie in each of its bins, and how many are missing.

    One pass over the table in either layout, for the drift of many columns at once.

    `values` (rows, columns), or (rows,) for one column: float64 or float32, strided and read-only too, not copied;
    a Polars column is not copied either where it has no nulls. `edges` (columns, k) float64, or (k,) for the same
    edges in every column: strictly rising within a column, infinite ones allowed; equal edges are refused. A
    column with fewer edges than others ends in NaN.

    The result is int64 (columns, k + 2). A value lies in the bin whose number is how many of its column's edges
    are at or below it, as in `numpy.searchsorted(edges, value, side="right")`: the first and the last bin are open
    and take the infinities. The last place counts NaN. Bins beyond a column's own edges stay 0. A float32 value is
    compared with the edges as they are in float64.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> histogram(np.array([0.5, 1.0, 9.0, np.nan]), [1.0, 2.0])
    array([[1, 1, 1, 1]])
    """
    import numpy as np

    table = checks.table("values", values)
    rising = _edges(edges, table.shape[1])
    counts = np.zeros((rising.shape[0], rising.shape[1] + 2), np.int64)
    _count(table, rising, counts)
    return counts


class Histogram:
    """Counts that grow chunk by chunk: `push` rows, read `counts`, `merge` those of other machines.

    Counts do not depend on how the rows were cut. State is the edges and the counts: it pickles and copies.

    `edges` (columns, k) as for `histogram`; `counts` int64 (columns, k + 2) and `rows` are what was met so far.

    >>> import numpy as np
    >>> met = Histogram([[1.0, 2.0]])
    >>> met.push(np.array([0.5, 1.0])).push(np.array([9.0, np.nan])).counts
    array([[1, 1, 1, 1]])
    """

    def __init__(self, edges: Any, counts: Any = None) -> None:
        import numpy as np

        self.edges = _edges(edges, None)
        shape = self.edges.shape[0], self.edges.shape[1] + 2
        self.counts = np.zeros(shape, np.int64) if counts is None else _counts("counts", counts, shape)

    @property
    def rows(self) -> int:
        """How many rows were met."""
        return int(self.counts[0].sum()) if len(self.counts) else 0

    def push(self, chunk: Any) -> Histogram:
        """Count the rows of a chunk (rows, columns), and return self; an empty chunk changes nothing."""
        _count(checks.table("chunk", chunk, len(self.edges)), self.edges, self.counts)
        return self

    def merge(self, other: Histogram) -> Histogram:
        """Add what another one met over the same edges, and return self."""
        import numpy as np

        if not isinstance(other, Histogram) or not np.array_equal(self.edges, other.edges, equal_nan=True):
            raise ValueError("other: is no histogram over the same edges, merge what one reference gave")
        self.counts += other.counts
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Histogram, (self.edges, self.counts)


@dataclasses.dataclass(frozen=True, eq=False)
class BinnedReference:
    """The edges and counts of a reference that current rows are held against.

    `edges` (columns, k) and `counts` (columns, k + 2) are as `histogram` takes and gives them. `psi`, `kl` and
    `js` compare current counts, or a `Histogram`, with those of the reference over the values that are there:
    what is missing stands in the last place of the counts, to be judged apart.

    >>> import numpy as np
    >>> reference = BinnedReference.of(np.arange(1000.0), bins=4)
    >>> reference.edges
    array([[249.75, 499.5 , 749.25]])
    >>> current = reference.histogram().push(np.arange(500.0)).push(np.arange(500.0, 1000.0))
    >>> reference.psi(current)
    array([0.])
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        rising = _edges(self.edges, None)
        counts = _counts("counts", self.counts, (rising.shape[0], rising.shape[1] + 2))
        for name, value in (("edges", rising), ("counts", counts)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, values: Any, bins: int = 10) -> BinnedReference:
        """Bin a reference (rows, columns) by quantiles of its finite values; equal quantiles become one edge."""
        import numpy as np

        if not isinstance(bins, int) or isinstance(bins, bool) or bins < 1:
            raise ValueError(f"bins: {bins!r} is no number of bins, give at least 1")
        table = checks.table("values", values)
        at = np.linspace(0, 1, bins + 1)[1:-1]
        edges = np.full((table.shape[1], bins - 1), np.nan)
        for own, column in zip(edges, table.T, strict=True):
            finite = column[np.isfinite(column)].astype(np.float64)
            if len(finite):
                found = np.unique(np.quantile(finite, at) + 0.0)
                own[: len(found)] = found
        return cls(edges, histogram(table, edges))

    def histogram(self) -> Histogram:
        """Return an empty histogram over these edges, to push current rows into."""
        return Histogram(self.edges)

    def psi(self, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
        """Return the population stability index of every column: see `psi`."""
        return self._each(psi, current, floor)

    def kl(self, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
        """Return the Kullback-Leibler divergence of every column from the reference: see `kl`."""
        return self._each(kl, current, floor)

    def js(self, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
        """Return the Jensen-Shannon divergence of every column: see `js`."""
        return self._each(js, current, floor)

    def _each(self, measure: Any, current: Any, floor: float) -> NDArray[np.float64]:
        import numpy as np

        found = current.counts if isinstance(current, Histogram) else current
        counts = _counts("current", found, self.counts.shape)
        own = (~np.isnan(self.edges)).sum(axis=1) + 1
        out = np.empty(len(own))
        for bins in np.unique(own):  # columns with as many bins, so that unused ones take no share
            rows = own == bins
            out[rows] = measure(self.counts[rows, :bins], counts[rows, :bins], floor)
        return out


def psi(reference: Any, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
    """Return the population stability index of rows of counts against those of a reference.

    Both are counts, or shares, of shape (..., bins) over the same bins. They are made shares that add up to one;
    `floor` is added to each and they are made to add up to one again: an empty bin stays finite, and no count is
    made up elsewhere. A row without any counts is as if all bins were equally full.

    Source: Siddiqi, Credit Risk Scorecards, 2006.

    >>> round(float(psi([50, 50], [60, 40])), 4)
    0.0405
    """
    import numpy as np

    p, q = _shares("reference", reference, floor), _shares("current", current, floor)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))


def kl(reference: Any, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
    """Return the Kullback-Leibler divergence, in nats, of current counts from those of a reference; see `psi`.

    >>> round(float(kl([50, 50], [60, 40])), 4)
    0.0201
    """
    import numpy as np

    p, q = _shares("reference", reference, floor), _shares("current", current, floor)
    return np.asarray((q * np.log(q / p)).sum(axis=-1))


def js(reference: Any, current: Any, floor: float = FLOOR) -> NDArray[np.float64]:
    """Return the Jensen-Shannon divergence, in nats, of rows of counts and those of a reference; see `psi`.

    It lies between 0 and ln 2 and is the same both ways; its root is a distance.

    >>> round(float(js([50, 50], [60, 40])), 4)
    0.0051
    """
    import numpy as np

    p, q = _shares("reference", reference, floor), _shares("current", current, floor)
    middle = (p + q) / 2
    return np.asarray((p * np.log(p / middle)).sum(axis=-1) / 2 + (q * np.log(q / middle)).sum(axis=-1) / 2)


def _shares(name: str, counts: Any, floor: float) -> NDArray[np.float64]:
    import numpy as np

    if not floor > 0 or not np.isfinite(floor):
        raise ValueError(f"floor: {floor!r} keeps no empty bin finite, give a share above 0")
    given = np.asarray(counts, np.float64)
    if given.ndim == 0 or given.shape[-1] == 0 or not (given >= 0).all() or np.isinf(given).any():
        raise ValueError(f"{name}: needs rows of counts, none below 0, over one bin or more")
    total = given.sum(axis=-1, keepdims=True)
    lifted = np.divide(given, total, out=np.zeros_like(given), where=total > 0) + floor
    return np.asarray(lifted / lifted.sum(axis=-1, keepdims=True))


def _count(table: NDArray[Any], edges: NDArray[np.float64], counts: NDArray[np.int64]) -> None:
    if backend.compiled is None:
        reference.count(table, edges, counts)
    elif table.size:
        backend.compiled.count(table, edges, counts)


def _edges(edges: Any, columns: int | None) -> NDArray[np.float64]:
    """Return the edges of every column, of their own memory, strictly rising and then NaN."""
    import numpy as np

    if isinstance(edges, Sequence) and edges and not np.isscalar(edges[0]):
        widest = max(len(row) for row in edges)
        edges = [[*row, *[np.nan] * (widest - len(row))] for row in edges]
    given = np.array(edges, np.float64)
    if given.ndim == 1:
        given = np.tile(given, (1 if columns is None else columns, 1))
    if given.ndim != 2 or (columns is not None and len(given) != columns):
        raise ValueError(f"edges: of shape {given.shape}, give a row of edges for each of {columns} columns")
    rises = (given[:, 1:] > given[:, :-1]) | np.isnan(given[:, 1:])
    if not rises.all():
        column, place = np.argwhere(~rises)[0].tolist()
        raise ValueError(
            f"edges: those of column {column} do not rise at {given[column, place + 1]}, sort them and merge equal ones"
        )
    return given


def _counts(name: str, counts: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    import numpy as np

    given = np.array(counts)
    if given.shape != shape or not np.issubdtype(given.dtype, np.integer) or (given < 0).any():
        raise ValueError(
            f"{name}: needs whole counts of shape {shape}, none below 0, not {given.dtype} {given.shape}"
        )
    return given.astype(np.int64)
