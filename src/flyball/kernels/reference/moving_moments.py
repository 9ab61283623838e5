"""Statistics over moving windows, each window by itself from the rows that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flyball.kernels.reference.sliding import windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MovingMoments"]

_ORDER = ("mean", "std", "min", "max", "slope", "zscore")


class MovingMoments:
    """The plain twin of the compiled class of that name: see `flyball.kernels.moving_moments`.

    `over` is counted in rows, or in time where `timed`; `place` says where in the answers each of mean, std,
    min, max, slope and zscore goes, -1 for nowhere; `start` is the number of the first row.
    """

    def __init__(
        self, over: int, timed: bool, least: int, ddof: int, place: Sequence[int], channels: int, start: int
    ) -> None:
        import numpy as np

        self.over, self.timed, self.least, self.ddof = over, timed, least, ddof
        self.place = {name: at for name, at in zip(_ORDER, place, strict=True) if at >= 0}
        self.rows = np.empty((0, channels))
        self.times = np.empty(0, np.int64)
        self.next = start

    def push(self, rows: NDArray[Any], times: NDArray[np.int64] | None, out: NDArray[Any]) -> None:
        """Write the statistics of the windows that end at each of the rows into `out`, statistic by row by channel."""
        before = len(self.rows)
        self.remember(rows, times, forget=False)
        hi = range(before + 1, len(self.rows) + 1)
        lo = [self._first(end - 1) for end in hi]
        for channel, column in enumerate(self.rows.T):
            made = self._windows(column.copy(), lo, list(hi))
            for name, at in self.place.items():
                out[at, :, channel] = made[name]
        self._forget()

    def push_all(self, rows: NDArray[Any], times: NDArray[np.int64] | None, out: NDArray[Any]) -> None:
        """Do as `push`, for rows after which none will come."""
        self.push(rows, times, out)

    def remember(self, rows: NDArray[Any], times: NDArray[np.int64] | None, forget: bool = True) -> None:
        """Take in rows for which no answer is wanted."""
        import numpy as np

        taken = np.arange(self.next, self.next + len(rows)) if times is None else times
        self.rows = np.concatenate([self.rows, rows.astype(np.float64)])
        self.times = np.concatenate([self.times, taken])
        self.next += len(rows)
        if forget:
            self._forget()

    def kept(self) -> int:
        """Return how many rows `keep` gives."""
        return len(self.rows)

    def keep(self, rows: NDArray[np.float64], times: NDArray[np.int64]) -> None:
        """Give the rows that windows to come may hold; the times only where windows are of times."""
        rows[:] = self.rows
        if self.timed:
            times[:] = self.times

    def _first(self, row: int) -> int:
        import numpy as np

        return int(np.searchsorted(self.times[: row + 1], self.times[row] - self.over, side="right"))

    def _forget(self) -> None:
        """Let go of rows that no window will hold; as in C++, of whole blocks where windows are counted in rows."""
        if not len(self.rows):
            return
        last = len(self.rows) - 1
        gone = self._first(last)
        if not self.timed:
            block = int(self.times[last]) // self.over * self.over
            gone = max(0, block - self.over - int(self.times[0]))
        self.rows, self.times = self.rows[gone:], self.times[gone:]

    def _windows(self, column: NDArray[np.float64], lo: list[int], hi: list[int]) -> dict[str, Any]:
        import numpy as np

        ends = np.array(lo, np.int64), np.array(hi, np.int64)
        positions = (self.times - self.times[:1]).astype(np.float64)
        made = windows(column, *ends, ("count", "mean", "std", "min", "max", "slope"), positions)
        with np.errstate(all="ignore"):
            free = made["count"] - self.ddof
            made["std"] *= np.where(free > 0, np.sqrt(made["count"] / free), np.nan) if self.ddof else 1.0
            scores = (column[ends[1] - 1] - made["mean"]) / made["std"]
            made["zscore"] = np.where(made["std"] > 0, scores, np.nan)
        few = made["count"] < self.least
        return {name: np.where(few, np.nan, figures) for name, figures in made.items()}
