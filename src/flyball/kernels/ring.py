"""A ring of sensor data in shared memory: one process writes, others read, and nothing is copied on the way."""

from __future__ import annotations

import functools
import math
import os
import pathlib
from typing import TYPE_CHECKING, Self

from flyball.kernels import backend, reference, ring_items

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["RingReader", "RingWriter", "include", "unlink"]

OVERRUNS = ("block", "drop_oldest")
FOLDER = "/dev/shm"


class RingWriter:
    """The end that fills a ring: one process at a time.

    This is how samples get from the process that talks to the sensor to those that judge and keep them, at
    memory speed, and without either bringing the other down. `flyball/ring.hpp` (see `include`) is the same
    in C++, and the ends may be of either language.

    `name` is a plain name (a file in /dev/shm) or a path that starts with "/"; the file is made readable for
    this user alone and stays until `unlink`. `dtype` is any NumPy dtype of fixed size, structured ones too; an
    item is one value of it, or `channels` of them. The ring holds at least `capacity` items: whole pages.
    `span` is the most items reserved at once, at most half the capacity (by default a quarter). `readers` is
    the number of places for readers; the place of one that died is free again.

    `overrun` says what happens when the slowest reader is a whole ring behind. "block": the writer waits up to
    `wait` seconds, then RingFullError names the reader. "drop_oldest": the writer never waits, each reader
    counts what it lost, and `RingReader.release` tells whether its span was overwritten; a reader that is no
    more than `capacity - span` behind loses nothing. Without a reader nothing waits, and the oldest go.

    A new writer on a ring of the same layout whose writer has ended goes on in it, as the next `epoch`;
    what was committed stays, what was only reserved is gone.

    `push(item)` or `push(items)` copies in: a number, or an array of exactly the ring's dtype, of shape (n,),
    or (n, channels) for more than one channel; there (channels,) is one item. `reserve(n)` is a view to fill in
    place, contiguous even over the wrap, and `commit(n)` hands its first n items over. An end is for one
    thread at a time, and belongs to the process that opened it.

    ValueError names the argument that is wrong. RingError: another layout lies there, another process writes,
    the file is foreign or damaged. RingClosedError: the end was closed. A view stays valid after that.

    >>> import os
    >>> with RingWriter(f"doctest-{os.getpid()}", "f8", capacity=1024) as writer:
    ...     with RingReader(f"doctest-{os.getpid()}") as reader:
    ...         writer.push(0.5)
    ...         writer.reserve(2)[:] = 1.5, 2.5
    ...         writer.commit(2)
    ...         reader.take(512), reader.sequence, reader.release()
    (array([0.5, 1.5, 2.5]), 0, True)
    >>> unlink(f"doctest-{os.getpid()}")

    Sequence numbers and cached cursors after Lamport (1977) and Lee, Bu and Chandranmenon's MCRingBuffer
    (2010); the check for overwritten spans is Boehm's reading of a sequence lock (2012).
    """

    __slots__ = ("_end", "capacity", "channels", "commit", "dtype", "name", "push", "reserve", "span")

    def __init__(
        self,
        name: str,
        dtype: DTypeLike,
        capacity: int,
        *,
        channels: int = 1,
        span: int | None = None,
        readers: int = 4,
        overrun: str = "block",
        wait: float = 10.0,
    ) -> None:
        """Make the ring, or go on in one of the same layout whose writer has ended."""
        path = _path(name)
        kind, described = ring_items.described(dtype)
        if overrun not in OVERRUNS:
            raise ValueError(f"overrun: no policy {overrun!r}, give {' or '.join(map(repr, OVERRUNS))}")
        counts = [_count("channels", channels), _count("capacity", capacity, least=2)]
        counts += [0 if span is None else _count("span", span), _count("readers", readers)]
        patience = _seconds("wait", wait)
        ends = backend.compiled or reference
        self._end = ends.RingWriter(
            path, described, kind.itemsize, *counts, overrun == "drop_oldest", patience
        )
        self.name, self.dtype, self.channels = name, kind, channels
        self.capacity, self.span = self._end.told()[2:4]
        self._end.attach(
            ring_items.items(self._end, kind, channels), functools.partial(ring_items.packed, kind, channels)
        )
        # The native methods themselves: a Python frame between would cost more than the work.
        self.push, self.reserve, self.commit = self._end.push, self._end.reserve, self._end.commit

    @property
    def sequence(self) -> int:
        """The number of the next item, counted since the ring was made."""
        return int(self._end.sequence)

    @property
    def epoch(self) -> int:
        """The number of this writer among the writers of the ring, from 1."""
        return int(self._end.epoch)

    def close(self) -> None:
        """Say that no more will come; readers drain what is there and are told."""
        self._end.close()

    def __enter__(self) -> Self:
        """Return the end itself, closed on the way out."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the end."""
        self.close()


class RingReader:
    """An end that empties a ring: each reader has a cursor of its own and sees every item.

    It begins with the oldest item that is still there, or, with `oldest=False`, with the next one. `dtype` and
    `channels`, where given, must be the ring's. All readers' places taken is a RingError.

    `take(at_most, wait=inf)` is a read-only view of the next items, as soon as there is one: empty when `wait`
    seconds went by. It stays valid until `release()`, which says False where a writer that drops the oldest
    overwrote it meanwhile: then throw away what was made of it, its items count as lost. So received + lost is
    what was pushed, exactly. Taking twice without a release is a RingError. `peek(at_most, wait=0)` looks
    without taking.

    Once all is read, `take` raises WriterClosedError where the writer closed the ring, and WriterGoneError
    where it died; the first is one of the second. A new writer on the ring goes on with the next `epoch`; no
    view holds items of two.

    >>> RingReader("no-such-ring")
    Traceback (most recent call last):
    flyball.errors.RingError: /dev/shm/no-such-ring: cannot open it: No such file or directory
    """

    __slots__ = (
        "_end", "capacity", "channels", "dtype", "name", "overrun", "peek", "readers", "release", "span", "take"
    )  # fmt: skip

    def __init__(
        self, name: str, dtype: DTypeLike | None = None, channels: int | None = None, *, oldest: bool = True
    ) -> None:
        """Take a reader's place in the ring of that name."""
        path = _path(name)
        wanted = None if dtype is None else ring_items.described(dtype)[0]
        ends = backend.compiled or reference
        self._end = ends.RingReader(path, bool(oldest))
        try:
            described, self.channels, self.capacity, self.span, self.readers, self.overrun, size = (
                self._end.told()
            )
            self.dtype = ring_items.understood(path, described, size, self.channels)
            if wanted is not None and wanted != self.dtype:
                raise ValueError(f"dtype: the ring holds {self.dtype}, not {wanted}")
            if channels is not None and channels != self.channels:
                raise ValueError(f"channels: the ring has {self.channels}, not {channels}")
        except BaseException:
            self._end.close()
            raise
        self.name = name
        self._end.attach(ring_items.items(self._end, self.dtype, self.channels))
        self.take, self.peek, self.release = self._end.take, self._end.peek, self._end.release

    @property
    def sequence(self) -> int:
        """The number of the first item of the view that is held, or of the next to take."""
        return int(self._end.sequence)

    @property
    def lost(self) -> int:
        """Items that were overwritten before they were read, since this reader began."""
        return int(self._end.lost)

    @property
    def epoch(self) -> int:
        """Which writer of the ring the items last taken are of, from 1."""
        return int(self._end.epoch)

    def close(self) -> None:
        """Free the reader's place."""
        self._end.close()

    def __enter__(self) -> Self:
        """Return the end itself, closed on the way out."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the end."""
        self.close()


def unlink(name: str) -> None:
    """Remove the ring of that name, if there is one; ends that are open go on with what they have.

    >>> unlink("no-such-ring")
    """
    pathlib.Path(_path(name)).unlink(missing_ok=True)


def include() -> str:
    """Return the folder with the C++ headers: `g++ -std=c++17 -I$(...) writer.cpp` finds <flyball/ring.hpp>.

    >>> (pathlib.Path(include()) / "flyball" / "ring.hpp").exists()
    True
    """
    package = pathlib.Path(__file__).parents[1]
    # In a checkout the headers lie beside the sources.
    places = (package / "include", package.parents[1] / "native" / "include")
    return str(next((place for place in places if place.is_dir()), places[0]))


def _path(name: str) -> str:
    if not isinstance(name, str) or not 0 < len(os.fsencode(name)) < 200 or "\0" in name:
        raise ValueError(f"name: give 1 to 199 characters, not {name!r}")
    plain = name[0] not in "./" and "/" not in name
    if not plain and (name[0] != "/" or "/../" in name or name.endswith("/")):
        raise ValueError(f"name: give a plain name, or a path that starts with /, not {name!r}")
    return f"{FOLDER}/{name}" if plain else name


def _count(name: str, value: int, least: int = 1) -> int:
    import operator

    try:
        count = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: needs a whole number, not {value!r}") from None
    if not least <= count < 2**46:
        raise ValueError(f"{name}: {count} is out of range, give {least} or more")
    return count


def _seconds(name: str, value: float) -> float:
    if not isinstance(value, (int, float)) or math.isnan(value) or value < 0:
        raise ValueError(f"{name}: needs seconds, 0 or more, not {value!r}")
    return float(value)
