"""What the kernels take: arrays that the C++ may read without looking again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels import backend

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["bounds", "integers", "names", "offsets", "positions", "samples", "series"]


def series(name: str, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the values as contiguous float64; float32 is exact there."""
    import numpy as np

    if not isinstance(values, np.ndarray) or values.dtype not in (np.float64, np.float32):
        raise ValueError(f"{name}: needs a float64 or float32 array, not {_kind(values)}")
    _flat(name, values)
    return np.ascontiguousarray(values, np.float64)


def samples(name: str, values: Any) -> NDArray[Any]:
    """Return one series or a table of them as it lies; a Polars Series is taken by its own `to_numpy`."""
    import numpy as np

    if not isinstance(values, np.ndarray) and hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if not isinstance(values, np.ndarray) or values.dtype not in (np.float64, np.float32):
        raise ValueError(f"{name}: needs a float64 or float32 array, not {_kind(values)}")
    if values.ndim not in (1, 2):
        raise ValueError(f"{name}: needs one dimension or two, not the shape {values.shape}")
    if not values.flags.aligned:
        return values.copy()
    return values


def integers(name: str, values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the values as contiguous int64."""
    import numpy as np

    if not isinstance(values, np.ndarray) or values.dtype != np.int64:
        raise ValueError(f"{name}: needs an int64 array, not {_kind(values)}")
    _flat(name, values)
    return np.ascontiguousarray(values)


def bounds(lo: NDArray[Any], hi: NDArray[Any], rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return both ends of the windows, all with 0 <= lo <= hi <= rows."""
    lows, highs = integers("lo", lo), integers("hi", hi)
    if len(lows) != len(highs):
        raise ValueError(f"hi: {len(highs)} of them for {len(lows)} of lo, give one for each")
    # One pass in C++ where it is there: small calls at the edge would spend most of their time here.
    if not len(lows) or (backend.compiled is not None and backend.compiled.within(lows, highs, rows)):
        return lows, highs
    if lows.min() < 0:
        raise ValueError(f"lo: {lows.min()} is before the first row, 0")
    if highs.max() > rows:
        raise ValueError(f"hi: {highs.max()} is past the {rows} values")
    crossed = lows > highs
    if crossed.any():
        first = int(crossed.argmax())
        raise ValueError(f"lo: window {first} begins at {lows[first]}, after its end (hi) at {highs[first]}")
    return lows, highs


def offsets(starts: NDArray[Any], rows: int) -> NDArray[np.int64]:
    """Return where the segments start, from 0 to the number of rows, never falling."""
    taken = integers("starts", starts)
    if not len(taken) or taken[0] != 0 or taken[-1] != rows or (taken[1:] < taken[:-1]).any():
        raise ValueError(f"starts: must rise from 0 to {rows}, the number of times")
    return taken


def positions(times: NDArray[Any] | None, rows: int) -> NDArray[np.float64]:
    """Return where the rows lie on the axis of a slope, counted from the first; row numbers by default."""
    import numpy as np

    if times is None:
        return np.arange(rows, dtype=np.float64)
    if not isinstance(times, np.ndarray) or times.dtype not in (np.int64, np.float64):
        raise ValueError(f"times: needs an int64 or float64 array, not {_kind(times)}")
    _flat("times", times)
    if len(times) != rows:
        raise ValueError(f"times: {len(times)} of them for {rows} values, give one for each")
    if times.dtype == np.float64:
        if not np.isfinite(times).all():
            raise ValueError("times: a position is NaN or infinite, drop that row or mend its time")
        return np.ascontiguousarray(times)
    if rows and int(times.max()) - int(times.min()) > 2**53:
        raise ValueError("times: they span more than 2**53 units, give them in a coarser unit")
    return np.ascontiguousarray(times - times[:1], np.float64)


def names(by: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names asked for, each known and asked for once."""
    if isinstance(by, str):
        raise ValueError(f"by: give a tuple of names, ({by!r},)")
    for name in by:
        if name not in known:
            raise ValueError(f"by: no statistic {name!r}, {errors.did_you_mean(str(name), known)}")
    if len(set(by)) != len(by):
        raise ValueError(f"by: a name twice in {tuple(by)}")
    return tuple(by)


def _flat(name: str, values: NDArray[Any]) -> None:
    if values.ndim != 1:
        raise ValueError(f"{name}: needs one dimension, not the shape {values.shape}")


def _kind(values: Any) -> str:
    dtype = getattr(values, "dtype", None)
    return type(values).__name__ if dtype is None else f"{dtype}"
