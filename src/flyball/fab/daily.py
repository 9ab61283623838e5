"""Daily aggregates of every channel, as a site's own system makes them of the rows it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import channels, fleet

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

#: What is told of a channel's day; the slope is in units a day.
STATISTICS = ("n", "mean", "std", "min", "max", "p05", "p95", "slope", "missing")
#: Hours after midnight at which a day's aggregates are there.
READY = 2.0


def daily(
    fab: fleet.Fab, rows: dict[str, NDArray[Any]], statistics: Collection[str] = STATISTICS
) -> dict[str, NDArray[Any]]:
    """Return a row per machine and day with each channel's statistics over the rows given, columns CHANNEL_STATISTIC.

    `rows` has `machine` (index) and `at` (hours) and channels; `at` of the result is the day's end, since a day is
    known when it is over, and `seen` two hours later.  A day without any row of a machine has no row.  `n` counts
    values, `missing` the rows without one; `std` is of the sample (n - 1); quantiles are interpolated as
    `numpy.quantile` does.  What needs more values than there are is NaN: one, or two for `std` and `slope`.

    >>> import numpy as np
    >>> one = {"machine": np.zeros(3, int), "at": np.array([0.0, 6.0, 12.0]), "jitter": np.array([1.0, np.nan, 2.0])}
    >>> day = daily(fleet.Fab("tiny"), one, ("n", "mean", "slope", "missing"))
    >>> [day[f"jitter_{name}"].tolist() for name in ("n", "mean", "slope", "missing")]
    [[2], [1.5], [2.0], [1]]
    """
    import numpy as np

    day = (rows["at"] // 24.0).astype(np.int64)
    group = rows["machine"] * fab.size().days + day
    order = np.argsort(group, kind="stable")
    group = group[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(group) > 0])[: len(group)])
    size = np.diff(np.concatenate([first, [len(group)]]))
    place = np.repeat(np.arange(len(first)), size), np.arange(len(group)) - np.repeat(first, size)
    shape = len(first), int(size.max(initial=1))
    hours = _laid(rows["at"][order] % 24.0, place, shape)
    out: dict[str, NDArray[Any]] = {
        "machine": group[first] // fab.size().days,
        "at": 24.0 * (group[first] % fab.size().days + 1.0),
    }
    out["seen"] = out["at"] + READY
    for name in channels.UNITS:
        if name not in rows:
            continue
        found = _told(_laid(rows[name][order], place, shape), hours, size, frozenset(statistics))
        out.update({f"{name}_{statistic}": found[statistic] for statistic in statistics})
    return out


def _laid(
    values: NDArray[np.float64], place: tuple[NDArray[np.int64], NDArray[np.int64]], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Lay a column out as one row per group, NaN behind."""
    import numpy as np

    if len(values) == shape[0] * shape[1]:
        return values.reshape(shape)
    laid = np.full(shape, np.nan)
    laid[place] = values
    return laid


def _told(
    values: NDArray[np.float64], hours: NDArray[np.float64], size: NDArray[np.int64], asked: frozenset[str]
) -> dict[str, NDArray[Any]]:
    """Return the statistics of each row of values [groups, most rows]; NaN is missing."""
    import numpy as np

    there = ~np.isnan(values)
    n = there.sum(axis=1)
    known = np.where(there, values, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = known.sum(axis=1) / n
        from_mean = np.where(there, values - mean[:, None], 0.0)
        out: dict[str, NDArray[Any]] = {"n": n, "mean": mean, "missing": size - n}
        if "std" in asked:
            out["std"] = np.sqrt(np.where(n > 1, (from_mean**2).sum(axis=1) / (n - 1), np.nan))
        if "slope" in asked:
            when = np.where(there, hours, 0.0)
            from_when = np.where(there, hours - (when.sum(axis=1) / n)[:, None], 0.0)
            over = (from_when**2).sum(axis=1)
            out["slope"] = 24.0 * np.where(over > 0.0, (from_when * from_mean).sum(axis=1) / over, np.nan)
    if asked & {"min", "max", "p05", "p95"}:
        ordered = np.sort(np.where(there, values, np.inf), axis=1)
        for name, share in (("min", 0.0), ("p05", 0.05), ("p95", 0.95), ("max", 1.0)):
            out[name] = _quantile(ordered, n, share)
    return out


def _quantile(ordered: NDArray[np.float64], n: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return the quantile of the first n values of each ordered row, NaN without any."""
    import numpy as np

    rows, spot = np.arange(len(n)), share * np.maximum(n - 1, 0)
    low = spot.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    with np.errstate(invalid="ignore"):
        between = ordered[rows, low] + (spot - low) * (ordered[rows, high] - ordered[rows, low])
    return np.where(n > 0, between, np.nan)
