"""Folds that move forward over time: learn from what lay before, be judged on what came after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.model.stage import Fold, Split


class Rolling(Split):
    """Train on moments before a fold's start minus the guard, judge on the fold; fold after fold toward the end.

    `over` is the length of a fold and the last fold ends with the last moment; None cuts the whole span into
    folds + 1 equal parts of which the first is only learned from.  The guard is at least the labels' horizon: the
    truth of a moment is known only that much later.

    Raises DataError when a fold has nothing to learn from or nothing to judge.

    >>> moments = features.Moments.of(["a"] * 8, range(8))
    >>> [(f.train.tolist(), f.test.tolist()) for f in Rolling(folds=2, guard=1, over=2).split(moments, {})]
    [([0, 1, 2], [4, 5]), ([0, 1, 2, 3, 4], [6, 7])]
    """

    folds: int = 3
    guard: units.Duration | units.Count | int = units.WEEK
    over: units.Duration | units.Count | int | None = None

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[Fold, ...]:
        """Return the folds, earliest first."""
        if not len(moments):
            raise errors.DataError("no moments to split")
        first, end = int(moments.at.min()), int(moments.at.max()) + 1
        length = int(self.over) if self.over is not None else max(1, (end - first) // (self.folds + 1))
        out = []
        for index in range(self.folds):
            start = end - length * (self.folds - index)
            out.append(forward(moments, start, start + length, int(self.guard)))
        return tuple(out)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from over_time(page, int(self.guard))
        if self.folds < 1:
            yield errors.Problem("folds", f"{self.folds} folds judge nothing", "give 1 or more")


def forward(moments: features.Moments, start: int, end: int, guard: int) -> Fold:
    """Return the fold judged on [start, end) and trained on moments before start - guard."""
    import numpy as np

    train = np.flatnonzero(moments.at < start - guard)
    test = np.flatnonzero((moments.at >= start) & (moments.at < end))
    if not len(train) or not len(test):
        span = f"moments {int(moments.at.min())} to {int(moments.at.max())}"
        raise errors.DataError(
            f"a fold that starts at {start} has {len(train)} rows to learn from and {len(test)} to be judged on"
            f" ({span}): fewer or shorter folds, a smaller guard, or more history"
        )
    return Fold(train.astype(np.int64), test.astype(np.int64))


def over_time(page: Any, guard: int) -> Iterator[errors.Problem]:
    """Yield what is wrong with a split over time on that page: no wall clock, or a guard below the horizon."""
    if not isinstance(page.data.clock, data.WallClock):
        yield errors.Problem(
            "", "a split over time on a page without a wall clock", "split ByMachine or as Given"
        )
    elif guard < int(page.labels.horizon()):
        horizon = page.labels.horizon()
        what = f"a guard of {units.Duration(guard)!r} is shorter than the horizon {units.Duration(horizon)!r}"
        yield errors.Problem("guard", what, "the truth of the last training rows would be the test's")
