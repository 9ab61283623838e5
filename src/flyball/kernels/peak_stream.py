"""Peaks of a series as it arrives, each told once, as early as it is certain and at most a delay later."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from flyball.kernels import backend, checks, peaks, reference

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Open", "Peaks"]

VERSION = 1


class Open(enum.IntFlag):
    """The rules that were still open when a peak was told; none for a peak that is certain.

    >>> Open(5)
    <Open.DISTANCE|PROMINENCE: 5>
    """

    DISTANCE = 1
    """A higher peak nearer than the distance was not decided when the delay was over."""
    TIE = 2
    """Equal peaks contend for the distance: which one SciPy keeps depends on how it sorts the whole series."""
    PROMINENCE = 4
    """No higher sample, nor the end of the window, was seen on a side: the prominence may be larger."""
    WIDTH = 8
    """The width follows from such a prominence."""
    PLATEAU = 16
    """The peak's run of equal samples outlasted the delay; what lies beside it is forgotten."""


class Peaks:
    """The peaks of a stream by the rules of `find_peaks`, told at most `delay` samples after their place.

    An alarm cannot wait for the end of the series, and a peak of a piece is not a peak of the series: a
    higher one may follow within the distance, or the signal fall deeper before it rises. So each peak comes
    with `open`, the rules (`Open`) that could not be closed within the delay, and what is promised is:

    - a peak whose `open` is 0 is one of `find_peaks` over the whole series, with equal properties to the
      last bit;
    - every peak of `find_peaks` over the whole series is told, once, whether open or not. A peak that a
      later choice may yet remove is told as open, and so is the one that may remove it;
    - `seen` is the number of the sample at which it became certain (or the delay was over), and the answer,
      `seen` included, is the same for any chunking. `seen <= peak + delay`, but for a run of equal samples
      longer than twice the delay, whose middle is known when it ends (`Open.PLATEAU`).

    A distance closes where a peak is the highest within it once all peaks nearer than it are known, from
    there to its lower neighbours and so on; choose a delay of some distances, then few stay open. A
    prominence closes at the first higher sample or NaN, or at the end of the window: with `wlen`, a delay of
    `wlen // 2` closes all. Without, what lies further left than the delay is not remembered either. Equal
    peaks nearer than the distance to each other stay open (`Open.TIE`).

    `delay` is in samples, at least 1; the other arguments are those of `find_peaks`, borders as numbers. The
    memory is some multiple of `delay + distance + wlen`, and of no chunk. A stream pickles, and goes on on
    any path.

    ValueError names the argument that is wrong.

    >>> import numpy as np
    >>> stream = Peaks(delay=3, height=2, distance=3)
    >>> told = stream.push(np.array([0.0, 3.0, 1.0, 2.0, 0.0, 0.0]))
    >>> told["peak"], told["seen"], told["open"], told["peak_heights"]
    (array([1]), array([4]), array([0]), array([3.]))
    >>> stream.finish()["peak"]
    array([], dtype=int64)
    """

    def __init__(
        self,
        *,
        delay: int,
        height: Any = None,
        threshold: Any = None,
        distance: float | None = None,
        prominence: Any = None,
        width: Any = None,
        wlen: float | None = None,
        rel_height: float = 0.5,
        plateau_size: Any = None,
    ) -> None:
        """Begin a stream at sample 0."""
        if isinstance(delay, bool) or not hasattr(delay, "__index__") or not 1 <= delay.__index__() < 2**40:
            raise ValueError(f"delay: {delay!r} is no delay in samples, give a whole number of at least 1")
        self._delay = delay.__index__()
        self._rules = peaks.take_rules(
            None, height, threshold, distance, prominence, width, wlen, rel_height, plateau_size
        )
        self._begin()

    def _begin(self) -> None:
        import numpy as np

        self._dtype = _record(self._rules)
        self._none = np.empty(0, self._dtype)
        self._none.flags.writeable = False
        if backend.compiled is None:
            self._stream = twin = reference.PeakStream(self._rules, self._delay)
            self._push: Any = lambda chunk: twin.push(checks.series("chunk", chunk).tolist())
        else:
            self._stream = backend.compiled.PeakStream(self._rules.values(), self._delay)
            self._push = self._stream.push

    @property
    def delay(self) -> int:
        """The most samples between a peak and its report."""
        return self._delay

    def push(self, chunk: NDArray[Any]) -> NDArray[np.void]:
        """Take the next samples, any number, and return what became certain, or overdue, with them.

        `chunk` is float64 or float32 of shape (n,), or a Polars column. The result is a structured array,
        read-only, a record for each peak: `peak` and `seen`, sample numbers from the stream's begin; `open`;
        and the properties as `find_peaks` names them. It is sorted by `seen`, then `peak`. Properties of an
        open peak are what was known; NaN and -1 where nothing was.
        """
        try:
            told = self._push(chunk)
        except TypeError:
            told = self._push(checks.series("chunk", chunk))
        return self._records(told) if told else self._none

    def finish(self) -> NDArray[np.void]:
        """Return the peaks that the end of the series makes certain; `seen` is the number of samples."""
        return self._records(self._stream.finish())

    def _records(self, told: Any) -> NDArray[np.void]:
        import numpy as np

        if isinstance(told, bytes):
            return np.frombuffer(told, self._dtype)
        names = self._dtype.names or ()
        made = np.array([tuple(row[name] for name in names) for row in told], self._dtype)
        made.flags.writeable = False
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "delay": self._delay,
            "rules": self._rules,
            "stream": self._stream.state(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state.get("version") != VERSION:
            raise ValueError(
                f"state: version {state.get('version')!r} of a peak stream, this one reads {VERSION}"
            )
        self._delay, self._rules = state["delay"], state["rules"]
        _check(state["stream"])
        self._begin()
        self._stream.restore(state["stream"])


_PLACES = {
    "peak": 0, "seen": 8, "open": 16, "plateau_sizes": 24, "left_edges": 32, "right_edges": 40, "peak_heights": 48,
    "left_thresholds": 56, "right_thresholds": 64, "prominences": 72, "left_bases": 80, "right_bases": 88,
    "widths": 96, "width_heights": 104, "left_ips": 112, "right_ips": 120,
}  # fmt: skip
"""Where a field lies in the record that the C++ writes, 128 bytes long."""


def _record(rules: peaks.Rules) -> np.dtype[np.void]:
    import numpy as np

    fields = {"peak": "i8", "seen": "i8", "open": "i8"} | rules.properties()
    offsets = [_PLACES[name] for name in fields]
    return np.dtype({"names": [*fields], "formats": [*fields.values()], "offsets": offsets, "itemsize": 128})


def _check(state: dict[str, Any]) -> None:
    """Refuse a state that the C++ could not trust."""
    import numpy as np

    tops, waiting, samples = state["tops"], state["waiting"], state["samples"]
    for name, columns in (("tops", tops), ("waiting", waiting)):
        if len({len(column) for column in columns.values()}) > 1:
            raise ValueError(f"state: the columns of {name} differ in length, it is damaged")
    count, run, begin = state["count"], state["run"], state["count"] - len(samples)
    places = np.concatenate((tops["place"], waiting["place"]))
    sound = 0 <= begin <= count and 0 <= run <= count and 0 <= state["expired"] <= len(tops["place"])
    sound = sound and bool((np.diff(tops["place"]) > 0).all()) and bool((places < count).all())
    sound = sound and bool(
        (waiting["place"] - 1 >= begin).all() and (waiting["left_next"] >= begin - 1).all()
    )
    if not sound:
        raise ValueError("state: its numbers contradict each other, it is damaged")
