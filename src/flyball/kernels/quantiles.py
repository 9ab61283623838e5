"""Medians and quantiles of moving windows, whole arrays and streams."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, final

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MovingMedian", "MovingQuantile", "moving_median", "moving_quantile"]

_LONGEST = 2**28


def moving_median(values: Any, window: int, min_count: int | None = None, axis: int = -1) -> NDArray[Any]:
    """Return the median of the last `window` values at every position, missing ones skipped.

    The level of a signal that a few wild values cannot pull, which is what most alarms are held against.

    `values` is float64 or float32, one series of shape (n,) or many of shape (channels, n), or (n, channels)
    with `axis=0`; both layouts are read as they lie, a Polars Series without nulls too (nulls become NaN in a
    copy). NaN is missing; a window with fewer than `min_count` values, by default `window`, gives NaN, and so
    do the first `min_count - 1` positions. The result has the shape and the dtype of `values`. The median of
    an even count is the mean of the two middle values.

    Every bit is that of `bottleneck.move_median`, which also rounds the mean once, but: a window may be longer
    than the series; -0.0 is 0.0; and the mean of two finite float64 values does not overflow.

    ValueError names the argument that is wrong.

    Networks of comparisons shared between neighbouring windows (after A. Adams, "Fast median filters using
    separable sorting networks", 2021), and for long windows ranks of sorted blocks (after J. Suomela,
    "Median filtering is equivalent to sorting", 2014).

    >>> import numpy as np
    >>> moving_median(np.array([1.0, 9.0, 2.0, np.nan, 4.0]), window=3, min_count=2)
    array([nan, 5. , 2. , 5.5, 3. ])
    """
    return _moving(values, window, None, min_count, axis)


def moving_quantile(
    values: Any, window: int, q: float, min_count: int | None = None, axis: int = -1
) -> NDArray[Any]:
    """Return the quantile `q` of the last `window` values at every position, missing ones skipped.

    Between two values it is interpolated as `numpy.nanquantile` does by default, to the bit in float64;
    float32 is interpolated in float64 and rounded once. Where the place is that of one value, or both are
    equal, it is that value, infinite or not. All else is as in `moving_median`, which for q = 0.5 differs in
    rounding only.

    ValueError names the argument that is wrong.

    Source: definition 7 of R. J. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996.

    >>> import numpy as np
    >>> moving_quantile(np.array([1.0, 9.0, 2.0, 4.0]), window=3, q=0.25)
    array([nan, nan, 1.5, 3. ])
    """
    return _moving(values, window, _share(q), min_count, axis)


class _Moving:
    """What is declared of a stream, and one of the path that answers, which keeps the last rows."""

    def __init__(
        self, window: int, q: float | None, min_count: int | None, channels: int | None, dtype: Any
    ) -> None:
        import numpy as np

        self._window, self._min_count = _lengths(window, min_count)
        self._q = q
        self._channels = None if channels is None else _whole("channels", channels)
        self._dtype = np.dtype(dtype)
        if self._dtype not in (np.float64, np.float32):
            raise ValueError(f"dtype: {self._dtype} is no float64 or float32")
        self._go_on_from(np.empty((0,) if self._channels is None else (0, self._channels), self._dtype))

    def push(self, chunk: Any) -> NDArray[Any]:
        """Return the quantile at every row of the next chunk, of shape (n,), or (n, channels) with channels.

        Any cutting into chunks gives the same bits as the whole series at once. An empty chunk is fine.
        """
        import numpy as np

        if self._path is not backend.compiled:
            self._go_on_from(self._rows())
        if isinstance(chunk, np.ndarray):
            made = np.empty(chunk.shape, self._dtype)
            if self._stream.push(chunk, made):
                return made
        rows = self._checked(chunk)
        made = np.empty(rows.shape, self._dtype)
        self._stream.push(rows, made)
        return made

    def _checked(self, chunk: Any) -> NDArray[Any]:
        rows = checks.samples("chunk", chunk)
        if rows.dtype != self._dtype:
            raise ValueError(f"chunk: is {rows.dtype}, the stream was declared as {self._dtype}")
        if not self._fits(rows):
            asked = "(n,)" if self._channels is None else f"(n, {self._channels})"
            raise ValueError(f"chunk: has the shape {rows.shape}, the stream was declared for {asked}")
        return rows

    def _fits(self, rows: NDArray[Any]) -> bool:
        return rows.ndim > 0 and rows.shape[1:] == (() if self._channels is None else (self._channels,))

    def _rows(self) -> NDArray[Any]:
        """Return the last window - 1 rows, as many as there were."""
        import numpy as np

        shape = (-1,) if self._channels is None else (-1, self._channels)
        return np.frombuffer(self._stream.state(), self._dtype).reshape(shape).copy()

    def _go_on_from(self, rows: NDArray[Any]) -> None:
        self._path = backend.compiled
        q = 0.5 if self._q is None else self._q
        make = reference.QuantileStream if self._path is None else self._path.quantile_stream
        self._stream = make(rows, self._window, self._min_count, q, self._q is None)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "version": 1, "window": self._window, "min_count": self._min_count, "q": self._q,
            "channels": self._channels, "rows": self._rows(),
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        import numpy as np

        if state.get("version") != 1:
            raise ValueError(f"state: version {state.get('version')!r} is not known here, only 1")
        rows = checks.samples("state", state["rows"])
        q = None if state["q"] is None else _share(state["q"])
        _Moving.__init__(self, state["window"], q, state["min_count"], state["channels"], rows.dtype)
        if not self._fits(rows) or len(rows) >= self._window:
            raise ValueError(f"state: rows of the shape {rows.shape} are none of this stream")
        self._go_on_from(np.ascontiguousarray(rows))


@final
class MovingMedian(_Moving):
    """The median of the last `window` values of a stream, as `moving_median` gives it for a whole series.

    `channels` series side by side come as chunks of shape (n, channels); without it a chunk is (n,). Memory
    is a few times the window and the longest chunk. A stream can be pickled and copied at any point and goes
    on from there.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> stream = MovingMedian(window=3, min_count=1)
    >>> stream.push(np.array([1.0, 9.0])), stream.push(np.array([2.0, np.nan]))
    (array([1., 5.]), array([2. , 5.5]))
    """

    def __init__(
        self, window: int, min_count: int | None = None, channels: int | None = None, dtype: Any = "float64"
    ) -> None:
        super().__init__(window, None, min_count, channels, dtype)

    def __repr__(self) -> str:
        return f"MovingMedian(window={self._window}, min_count={self._min_count}, {_told(self)})"


@final
class MovingQuantile(_Moving):
    """The quantile `q` of the last `window` values of a stream, as `moving_quantile` gives it for a series.

    All else is as in `MovingMedian`.

    >>> import numpy as np
    >>> MovingQuantile(window=3, q=0.25, min_count=1).push(np.array([1.0, 9.0, 2.0]))
    array([1. , 3. , 1.5])
    """

    def __init__(
        self,
        window: int,
        q: float,
        min_count: int | None = None,
        channels: int | None = None,
        dtype: Any = "float64",
    ) -> None:
        super().__init__(window, _share(q), min_count, channels, dtype)

    def __repr__(self) -> str:
        return (
            f"MovingQuantile(window={self._window}, q={self._q}, min_count={self._min_count}, {_told(self)})"
        )


def _told(stream: _Moving) -> str:
    return f"channels={stream._channels}, dtype={stream._dtype.name!r}"


def _moving(values: Any, window: int, q: float | None, min_count: int | None, axis: int) -> NDArray[Any]:
    rows = checks.samples("values", values)
    length, fewest = _lengths(window, min_count)
    if isinstance(axis, bool) or not isinstance(axis, int) or not -rows.ndim <= axis < rows.ndim:
        raise ValueError(f"axis: {axis!r} is no axis of the shape {rows.shape}")
    return _quantile(rows, axis % rows.ndim, length, fewest, q)


def _quantile(values: NDArray[Any], axis: int, window: int, min_count: int, q: float | None) -> NDArray[Any]:
    """Return the quantiles; the rows lie along the axis."""
    import numpy as np

    out = np.empty(values.shape, values.dtype)
    if not out.size:
        return out
    # No window holds more than all rows.
    length = min(window, values.shape[axis])
    if min_count > length:
        out.fill(np.nan)
        return out
    channels = values.reshape(1, -1) if values.ndim == 1 else values if axis == 1 else values.T
    if backend.compiled is None:
        made = out.reshape(1, -1) if values.ndim == 1 else out if axis == 1 else out.T
        for channel, one in zip(channels, made, strict=True):
            one[:] = reference.moving_quantile(channel, length, min_count, q)
        return out
    if channels.strides[axis == 1 or values.ndim == 1] != values.itemsize:
        channels = np.ascontiguousarray(values if values.ndim > 1 else channels)
        channels = channels.T if axis == 0 and values.ndim > 1 else channels
    backend.compiled.moving_quantile(
        channels, length, min_count, 0.5 if q is None else q, q is None, out.reshape(-1)
    )
    return out


def _whole(name: str, number: Any) -> int:
    try:
        taken = 0 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        raise ValueError(f"{name}: {number!r} is no whole number") from None
    if taken < 1:
        raise ValueError(f"{name}: {number!r} is too few, give at least 1")
    return taken


def _lengths(window: int, min_count: int | None) -> tuple[int, int]:
    length = _whole("window", window)
    if length > _LONGEST:
        raise ValueError(f"window: {length} rows are more than the {_LONGEST} that are kept in order")
    fewest = length if min_count is None else _whole("min_count", min_count)
    if fewest > length:
        raise ValueError(f"min_count: {fewest} is more than the {length} rows of the window")
    return length, fewest


def _share(q: float) -> float:
    try:
        share = float(q)
    except (TypeError, ValueError):
        raise ValueError(f"q: {q!r} is no number between 0 and 1") from None
    if not 0 <= share <= 1:
        raise ValueError(f"q: {q!r} is not between 0 and 1")
    return share
