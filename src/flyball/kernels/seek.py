"""The last row that was known at a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["asof"]


def asof(
    times: NDArray[np.int64],
    starts: NDArray[np.int64],
    moments: NDArray[np.int64],
    segments: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return, for each moment, the index of the last row of its segment whose time is at or before it.

    This is the point-in-time join: with `times` the rows' `seen`, the row that it gives is the latest one
    that could be known. Among equal times the last row wins, so a correction stands after what it corrects.

    `times` (n,) int64 holds the segments (machines) one after another, sorted within each; `starts` (k + 1,)
    int64 are their offsets, from 0 to n; `moments` and `segments` (m,) int64 say when, and of which segment
    0..k-1, each question is asked. Moments in order within a segment are fastest. The result is int64 (m,),
    indices into `times`, with -1 where the segment has no row yet.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> times, starts = np.array([10, 20, 20, 5]), np.array([0, 3, 4])
    >>> asof(times, starts, moments=np.array([9, 25, 5]), segments=np.array([0, 0, 1]))
    array([-1,  2,  3])
    """
    import numpy as np

    rows = checks.integers("times", times)
    offsets = checks.offsets(starts, len(rows))
    asked = checks.integers("moments", moments)
    whose = checks.integers("segments", segments)
    if len(whose) != len(asked):
        raise ValueError(f"segments: {len(whose)} of them for {len(asked)} moments, give one for each")
    if len(whose) and not (whose.min() >= 0 and whose.max() < len(offsets) - 1):
        raise ValueError(f"segments: outside 0..{len(offsets) - 2}, which is what starts describes")
    if backend.compiled is None:
        if not reference.sorted_within(rows, offsets):
            raise ValueError(_UNSORTED)
        return reference.asof(rows, offsets, asked, whose)
    if not backend.compiled.sorted_within(rows, offsets):
        raise ValueError(_UNSORTED)
    out = np.empty(len(asked), np.int64)
    backend.compiled.asof(rows, offsets, asked, whose, out)
    return out


_UNSORTED = "times: not sorted within its segment, sort the rows of each segment by time"
