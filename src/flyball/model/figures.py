"""Figures under resampling: a metric prepared once, then told again and again for other weights of the rows.

Why: an interval by machine asks for the same metric a thousand times.  What can be sorted or summed beforehand is
done once, so that average precision of 200,000 rows under 1,000 resamples takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import extras

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Floats, Ints


class Figure:
    """Abstract: one metric over n rows, as a function of how often every cluster of rows counts."""

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        """Return (r,) the metric where cluster c counts `counts[:, c]` times; `clusters` (n,) says whose a row is.

        NaN where it is not defined, for instance where no positive is left.
        """
        raise NotImplementedError

    def value(self, n: int) -> float:
        """Return the metric over its n rows as they are."""
        import numpy as np

        return float(self.resampled(np.zeros(n, dtype=np.int64), np.ones((1, 1)))[0])


@dataclass(frozen=True, eq=False)
class Additive(Figure):
    """A metric of sums over rows: `sums` (n, s), `finish` turns (r, s) totals into (r,) figures."""

    sums: Floats
    finish: Callable[[Floats], Floats]

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        import numpy as np

        size = counts.shape[1]
        totals = [np.bincount(clusters, weights=column, minlength=size) for column in self.sums.T]
        return self.finish(counts @ np.stack(totals, axis=1))


@dataclass(frozen=True, eq=False)
class Confusion(Figure):
    """A metric of the confusion matrix: `cells` (n,) are truth * k + answer, `finish` maps (r, k, k) to (r,)."""

    cells: Ints
    k: int
    weight: Floats
    finish: Callable[[Floats], Floats]

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        import numpy as np

        size = self.k * self.k
        flat = np.bincount(
            clusters * size + self.cells, weights=self.weight, minlength=counts.shape[1] * size
        )
        totals = counts @ flat.reshape(-1, size)
        return self.finish(np.asarray(totals.reshape(-1, self.k, self.k), dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Ranked(Figure):
    """A metric of the order of scores, sorted once; equal scores count together, as in scikit-learn.

    Rows are gathered into segments by falling score: an odd segment is a group of equal scores with a positive in
    it, an even one holds the negatives between two of those.  Where positives are rare, little is left to add up.
    `segment` (n,) numbers them; `finish` maps positive and total weight (segments, r) to (r,) figures.
    """

    segment: Ints
    positive: Flags
    weight: Floats
    finish: Callable[[Floats, Floats], Floats]

    @staticmethod
    def of(truth: Any, score: Any, weight: Any, finish: Callable[[Floats, Floats], Floats]) -> Ranked:
        """Number the segments."""
        import numpy as np

        positive = np.asarray(truth) > 0.5
        held = np.unique(np.asarray(score, dtype=np.float64)[positive])
        above = np.searchsorted(held, score, side="right")  # how many held scores are at or below the row's
        tied = (above > 0) & (np.append(held, np.nan)[np.maximum(above - 1, 0)] == score)
        segment = 2 * (len(held) - above) + tied
        return Ranked(segment.astype(np.int64), positive, np.asarray(weight, dtype=np.float64), finish)

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        import numpy as np

        sparse = extras.need("scipy.sparse", "lab", "to resample a ranking metric")
        shape = (int(self.segment.max()) + 1, counts.shape[1])
        total = sparse.csr_array((self.weight, (self.segment, clusters)), shape=shape)
        hit = np.flatnonzero(self.positive)
        positive = sparse.csr_array((self.weight[hit], (self.segment[hit], clusters[hit])), shape=shape)
        out = np.full(len(counts), np.nan)
        chunk = max(1, 4_000_000 // shape[0])
        for start in range(0, len(counts), chunk):
            drawn = np.ascontiguousarray(counts[start : start + chunk].T)
            out[start : start + chunk] = self.finish(positive @ drawn, total @ drawn)
        return out


def average_precision(positive: Floats, total: Floats) -> Floats:
    """Return the step-wise area under precision against recall, from weights by segment of falling score."""
    import numpy as np

    found, looked = np.cumsum(positive, axis=0), np.cumsum(total, axis=0)
    precision = np.divide(found, looked, out=np.zeros_like(found), where=looked > 0)
    return share((positive * precision).sum(axis=0), found[-1])


def roc_auc(positive: Floats, total: Floats) -> Floats:
    """Return the probability that a positive scores above a negative, ties half; NaN without negatives."""
    import numpy as np

    negative = total - positive
    beaten = negative.sum(axis=0) - np.cumsum(negative, axis=0) + negative / 2
    return share((positive * beaten).sum(axis=0), positive.sum(axis=0) * negative.sum(axis=0))


def share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole; NaN where there is no whole.

    >>> import numpy as np
    >>> share(np.array([1.0, 1.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    import numpy as np

    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def looked_at(score: Any, day: Any, k: float) -> Floats:
    """Return (n,) how much of every row is looked at when the k highest scores of each day are.

    Equal scores share what is left of a day's budget: the expectation of breaking ties by lot.

    >>> looked_at([3.0, 1.0, 1.0, 5.0], day=[0, 0, 0, 1], k=2).tolist()
    [1.0, 0.5, 0.5, 1.0]
    """
    import numpy as np

    score = np.asarray(score, dtype=np.float64)
    order = np.lexsort((-score, day))
    days, ordered = np.asarray(day)[order], score[order]
    new_day = np.append(True, days[1:] != days[:-1])
    new = new_day | np.append(True, ordered[1:] != ordered[:-1])
    starts = np.flatnonzero(new)
    size = np.diff(np.append(starts, len(order)))
    begins = np.flatnonzero(new_day)[np.cumsum(new_day) - 1][starts]  # the first row of each group's day
    share = np.clip(k - (starts - begins), 0.0, size) / size
    out = np.empty(len(order))
    out[order] = np.repeat(share, size)
    return out


def means_of_known(told: Array) -> Floats:
    """Return the mean over the folds that have a figure; NaN where none has."""
    import numpy as np

    known = ~np.isnan(told)
    total = np.where(known, told, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(told.shape[1], np.nan), where=count > 0))
