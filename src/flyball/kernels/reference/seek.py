"""The last row known at a moment, by a search for each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["asof", "sorted_within"]


def asof(
    times: NDArray[np.int64],
    starts: NDArray[np.int64],
    moments: NDArray[np.int64],
    segments: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the last row at or before each moment, searching each segment: see `flyball.kernels.asof`."""
    import numpy as np

    out = np.full(len(moments), -1, np.int64)
    for segment in np.unique(segments):
        start, stop = starts[segment], starts[segment + 1]
        asked = np.flatnonzero(segments == segment)
        after = np.searchsorted(times[start:stop], moments[asked], side="right")
        out[asked] = np.where(after > 0, start + after - 1, -1)
    return out


def sorted_within(times: NDArray[np.int64], starts: NDArray[np.int64]) -> bool:
    """Whether the times never fall within a segment."""
    import numpy as np

    falls = np.flatnonzero(times[1:] < times[:-1]) + 1
    return bool(np.isin(falls, starts).all())
