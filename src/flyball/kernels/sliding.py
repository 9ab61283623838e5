"""Statistics over given windows of a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["STATISTICS", "windows"]

STATISTICS = ("count", "mean", "std", "min", "max", "median", "sum", "slope", "first", "last")


def windows(
    values: NDArray[Any],
    lo: NDArray[np.int64],
    hi: NDArray[np.int64],
    by: Sequence[str],
    times: NDArray[Any] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return the statistics named in `by` over the rows [lo[i], hi[i]) of `values`, for every window i.

    This is what a rolling feature is made of. The caller says where windows lie, so as-of cuts, gaps and
    machines need no door of their own: for a fleet, concatenate the machines' rows and give windows that
    stay within each machine's rows.

    `values` is float64 or float32 of shape (n,), computed in float64; NaN is missing and skipped, infinities
    are kept. `lo` and `hi` are int64 of shape (m,) with 0 <= lo <= hi <= n, in any order; windows that move
    forward and overlap are fastest. Arrays may be strided and read-only. `times`, int64 or finite float64 of
    shape (n,), gives the positions for `slope`, which is per unit of `times`: per microsecond where they are
    microseconds, per row where they are left out.

    Each result is float64 of shape (m,). A window without a value has count 0 and NaN elsewhere. `std` is the
    population one (ddof 0). The median of an even count is the mean of the two middle values. A slope needs
    two different positions. Order statistics and counts are exact, and -0.0 counts as 0.0 in them; `sum`,
    `mean`, `std` and `slope` hold 1e-12 on well-conditioned data. A figure depends on its own window's rows
    alone, to the last bit, so batch, stream and edge agree.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> values = np.array([1.0, 5.0, np.nan, 2.0])
    >>> windows(values, np.array([0, 1, 2]), np.array([2, 4, 3]), by=("median", "count"))
    {'median': array([3. , 3.5, nan]), 'count': array([2., 2., 0.])}
    """
    series = checks.series("values", values)
    lows, highs = checks.bounds(lo, hi, len(series))
    wanted = checks.names(by, STATISTICS)
    positions = checks.positions(times, len(series)) if times is not None or "slope" in wanted else None
    if backend.compiled is None:
        return reference.windows(series, lows, highs, wanted, positions)
    return _compiled(series, lows, highs, wanted, positions)


def _compiled(
    values: NDArray[np.float64],
    lo: NDArray[np.int64],
    hi: NDArray[np.int64],
    by: tuple[str, ...],
    positions: NDArray[np.float64] | None,
) -> dict[str, NDArray[np.float64]]:
    import numpy as np

    made: dict[str, NDArray[np.float64]] = {}
    if {"count", "sum", "mean", "std"} & set(by):
        four = np.empty((4, len(lo)))
        backend.compiled.moments(values, lo, hi, "std" in by, four)
        made |= zip(("count", "sum", "mean", "std"), four, strict=True)
    if {"min", "max"} & set(by):
        two = np.empty((2, len(lo)))
        backend.compiled.extremes(values, lo, hi, two)
        made |= zip(("min", "max"), two, strict=True)
    if {"first", "last"} & set(by):
        two = np.empty((2, len(lo)))
        backend.compiled.ends(values, lo, hi, two)
        made |= zip(("first", "last"), two, strict=True)
    if "median" in by:
        made["median"] = np.empty(len(lo))
        backend.compiled.median(values, lo, hi, made["median"])
    if "slope" in by:
        made["slope"] = np.empty(len(lo))
        backend.compiled.slope(values, positions, lo, hi, made["slope"])
    return {name: made[name] for name in by}
