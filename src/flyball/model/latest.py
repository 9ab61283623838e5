"""The test of time: the last rows are judged, what lay before them is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.model import rolling
from flyball.model.stage import Fold, Split


class Latest(Split):
    """One fold: the last `share` of the rows by time, or the last `span` of moments, with a guard before them.

    Moments are never cut apart: all machines asked at one moment are judged, or none.

    >>> moments = features.Moments.of(["a"] * 8, range(8))
    >>> [(f.train.tolist(), f.test.tolist()) for f in Latest(share=0.25, guard=2).split(moments, {})]
    [([0, 1, 2, 3], [6, 7])]
    >>> [f.test.tolist() for f in Latest(span=3, guard=2).split(moments, {})]
    [[5, 6, 7]]
    """

    share: float = 0.2
    guard: units.Duration | units.Count | int = units.WEEK
    span: units.Duration | units.Count | int | None = None

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[Fold, ...]:
        """Return the one fold."""
        import numpy as np

        if not len(moments):
            raise errors.DataError("no moments to split")
        end = int(moments.at.max()) + 1
        if self.span is not None:
            start = end - int(self.span)
        else:
            ordered = np.sort(moments.at)
            start = int(ordered[min(len(ordered) - 1, int(np.ceil(len(ordered) * (1 - self.share))))])
        # What is judged begins with a moment that was asked, so the guard is counted from there.
        start = int(moments.at[moments.at >= start].min())
        return (rolling.forward(moments, start, end, int(self.guard)),)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from rolling.over_time(page, int(self.guard))
        if not 0 < self.share < 1:
            yield errors.Problem("share", f"{self.share} is no share of the rows", "give one between 0 and 1")
