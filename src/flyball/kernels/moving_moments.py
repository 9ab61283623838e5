"""Mean, standard deviation, extremes, slope and z-score of the window that ends at each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, checks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOMENTS", "MovingMoments", "moving_moments"]

MOMENTS = ("mean", "std", "min", "max", "slope", "zscore")

_LONGEST = 2**52  # so that differences of times are exact in float64
_FURTHEST = 2**62
_VERSION = 1


def moving_moments(
    values: Any,
    window: int | None = None,
    by: Sequence[str] = MOMENTS,
    *,
    over: int | None = None,
    times: NDArray[np.int64] | None = None,
    min_count: int | None = None,
    ddof: int = 0,
    axis: int = -1,
) -> dict[str, NDArray[Any]]:
    """Return the statistics named in `by` over the window that ends at each sample, itself included.

    A level, a spread or a trend "over the last minute" is what most features and alarms are made of. Here no
    sample is ever subtracted again: sums are of the end of one block of rows and the beginning of the next.
    So nothing drifts, however long the stream; a constant has a standard deviation of exactly 0, small noise
    keeps its digits on a large level, and an infinity leaves no trace once it has left the window. The cost
    does not grow with the window.

    `values` is float64 or float32, (n,) or two-dimensional with time along `axis`: (channels, n) by default,
    (n, channels) with `axis=0`; or a Polars column (nulls become NaN, which costs a copy). Strided and
    read-only arrays are read where they are. Either `window` is the number of samples; or `over` is the length
    of time and `times` (n,) int64 says when each sample was, in any unit: the window is then
    (t - over, t], as in `features.Rolling`. Times never fall; of equal ones, a sample sees those before it.

    NaN is missing and skipped. Where fewer than `min_count` values are there the answer is NaN: by default
    fewer than `window`, or none at all where windows are of times. `std` divides by n - `ddof`. `slope` is the
    least-squares one, per sample or per unit of `times`; it needs two different positions. `zscore` is the
    distance of the newest sample from the mean in standard deviations, NaN where that sample is missing or
    the deviation is 0: a flat window has no scale. With an infinity in the window, min, max and mean follow
    it and the rest is NaN. In min and max -0.0 counts as 0.0.

    Each result has the shape and dtype of `values`; all is computed in float64. A figure depends on the
    samples since the block before its own began, so a stream gives the same bits, see `MovingMoments`.
    Squares overflow for differences beyond 1e154.

    ValueError names the argument that is wrong.

    Source: M. van Herk, "A fast algorithm for local minimum and maximum filters on rectangular and octagonal
    kernels", Pattern Recognition Letters 13 (1992); J. Gil, M. Werman, "Computing 2-D min, median, and max
    filters", IEEE PAMI 15 (1993), here for sums as well.

    >>> import numpy as np
    >>> values = np.array([1.0, 3.0, np.nan, 5.0, 5.0])
    >>> moving_moments(values, 2, ("mean", "zscore"), min_count=1)
    {'mean': array([1., 2., 3., 5., 5.]), 'zscore': array([nan,  1., nan, nan, nan])}
    >>> moving_moments(values, by=("max",), over=10, times=np.array([0, 5, 10, 11, 40]))
    {'max': array([1., 3., 3., 5., 5.])}
    """
    import numpy as np

    taken = checks.floating("values", values)
    if taken.ndim not in (1, 2):
        raise ValueError(f"values: needs one or two dimensions, not the shape {taken.shape}")
    last = checks.whole("axis", axis, -taken.ndim, taken.ndim - 1) % taken.ndim == taken.ndim - 1
    plan = _Plan(window, by, over, min_count, ddof)
    rows = taken[:, None] if taken.ndim == 1 else taken.T if last else taken
    when = plan.times(times, len(rows))
    out = np.empty((len(plan.by), *taken.shape), taken.dtype)
    if out.size:
        answers = out[..., None] if taken.ndim == 1 else out.swapaxes(1, 2) if last else out
        plan.engine(rows.shape[1], 0).push_all(rows, when, answers)
    return dict(zip(plan.by, out, strict=True))


class MovingMoments:
    """Moving statistics of a stream: pushed in chunks of any size, the answers are those of one array.

    What `moving_moments` gives for the whole, to the last bit, whatever the chunks. `channels` is left out for
    one series, pushed as (n,); with it, rows are pushed as (n, channels). The other arguments are those of
    `moving_moments`. Memory is bounded by the rows of two windows.

    It can be pickled and copied, and goes on as if nothing had been, on another machine's instruction set too:
    its state is the rows that windows to come may hold.

    >>> import numpy as np
    >>> moving = MovingMoments(2, ("mean",), min_count=1)
    >>> moving.push(np.array([1.0, 3.0]))
    {'mean': array([1., 2.])}
    >>> moving.push(np.array([7.0]))
    {'mean': array([5.])}
    """

    def __init__(
        self,
        window: int | None = None,
        by: Sequence[str] = MOMENTS,
        *,
        over: int | None = None,
        channels: int | None = None,
        min_count: int | None = None,
        ddof: int = 0,
    ) -> None:
        self._plan = _Plan(window, by, over, min_count, ddof)
        self._channels = None if channels is None else checks.whole("channels", channels, 1, 2**31)
        self._seen = 0
        self._last: int | None = None
        self._engine = self._plan.engine(self._channels or 1, 0)

    @property
    def seen(self) -> int:
        """How many samples were pushed."""
        return self._seen

    def push(self, values: Any, times: NDArray[np.int64] | None = None) -> dict[str, NDArray[Any]]:
        """Return the statistics named in `by` for these samples, each of the shape and dtype of `values`.

        ValueError names what is wrong, and nothing was taken in: a dtype or shape, times that are missing,
        fall, or lie before those of the last push.
        """
        import numpy as np

        taken = checks.floating("values", values)
        shape = "(n,)" if self._channels is None else f"(n, {self._channels})"
        if taken.ndim != len(shape.split()) or taken.shape[1:] != (
            (self._channels,) if self._channels else ()
        ):
            raise ValueError(f"values: needs the shape {shape}, not {taken.shape}")
        when = self._plan.times(times, len(taken), self._last)
        out = np.empty((len(self._plan.by), *taken.shape), taken.dtype)
        if len(taken):
            one = self._channels is None
            self._engine.push(taken[:, None] if one else taken, when, out[..., None] if one else out)
            self._seen += len(taken)
            self._last = None if when is None else int(when[-1])
        return dict(zip(self._plan.by, out, strict=True))

    def __getstate__(self) -> dict[str, Any]:
        import numpy as np

        kept = self._engine.kept()
        rows, times = np.empty((kept, self._channels or 1)), np.zeros(kept, np.int64)
        self._engine.keep(rows, times)
        plan = self._plan
        return {
            "version": _VERSION, "over": plan.over, "timed": plan.timed, "by": plan.by, "least": plan.least,
            "ddof": plan.ddof, "channels": self._channels, "seen": self._seen, "rows": rows,
            "times": times if plan.timed else None,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("version") != _VERSION:
            raise ValueError(f"state: version {state.get('version')!r}, this flyball reads {_VERSION}")
        over, timed = state["over"], state["timed"]
        self.__init__(  # type: ignore[misc]
            None if timed else over, state["by"], over=over if timed else None, channels=state["channels"],
            min_count=state["least"], ddof=state["ddof"],
        )  # fmt: skip
        rows = checks.floating("state", state["rows"])
        seen = checks.whole("state", state["seen"], 0, 2**62)
        kept = seen if seen <= over else over + (seen - 1) % over + 1
        if rows.shape != (len(rows) if timed else kept, self._channels or 1) or len(rows) > seen:
            raise ValueError(f"state: rows of the shape {rows.shape} do not belong to {seen} samples")
        times = self._plan.times(state["times"], len(rows))
        self._seen, self._last = seen, int(times[-1]) if times is not None and seen else None
        self._engine = self._plan.engine(self._channels or 1, seen - len(rows))
        self._engine.remember(rows.astype("float64", order="C"), times)


class _Plan:
    """What is asked, checked."""

    def __init__(
        self, window: int | None, by: Sequence[str], over: int | None, min_count: int | None, ddof: int
    ) -> None:
        if (window is None) == (over is None):
            raise ValueError("window: give either window, in samples, or over, in the unit of times")
        self.timed = window is None
        self.over = checks.whole(
            "over" if self.timed else "window", over if self.timed else window, 1, _LONGEST
        )
        self.by = checks.names(by, MOMENTS)
        fewest = 1 if self.timed else self.over
        most = _LONGEST if self.timed else self.over
        self.least = fewest if min_count is None else checks.whole("min_count", min_count, 1, most)
        self.ddof = checks.whole("ddof", ddof, 0, _LONGEST)

    def engine(self, channels: int, start: int) -> Any:
        """Return what does the work, compiled or plain, for rows from number `start` on."""
        place = [self.by.index(name) if name in self.by else -1 for name in MOMENTS]
        made = (backend.compiled or reference).MovingMoments
        return made(self.over, self.timed, self.least, self.ddof, place, channels, start)

    def times(self, times: Any, rows: int, last: int | None = None) -> NDArray[np.int64] | None:
        """Return the times of the rows, never falling, from `last` on; None where windows are of samples."""
        if not self.timed:
            if times is not None:
                raise ValueError("times: window counts samples, give over for windows of times")
            return None
        if times is None:
            raise ValueError("times: over is a length of time, say when each sample was")
        taken = checks.integers("times", times)
        if len(taken) != rows:
            raise ValueError(f"times: {len(taken)} of them for {rows} samples, give one for each")
        if not rows:
            return taken
        falls = taken[1:] < taken[:-1]
        if falls.any():
            row = int(falls.argmax()) + 1
            raise ValueError(f"times: {taken[row]} after {taken[row - 1]} at {row}, sort the samples by time")
        if last is not None and taken[0] < last:
            raise ValueError(
                f"times: {taken[0]} is before {last}, the last time pushed, sort the samples by time"
            )
        if taken[0] < -_FURTHEST or taken[-1] > _FURTHEST:
            raise ValueError("times: one is beyond 2**62, count them from a nearer day or in a coarser unit")
        return taken
