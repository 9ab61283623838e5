"""A ring in shared memory, slow and plain: the same file, the same words in it, moved by Python.

An end of this twin and a native one work together. What orders its loads and stores: CPython moves an aligned
word of a cast memoryview in one instruction, and x86-64 shows one processor's stores to the others in the order
in which they were made, and makes no load before an earlier load. No other processor promises that, so
elsewhere the twin refuses. Where a store must be seen before a later load (a reader that joins while the writer
goes on), taking a lock stands between the two, which is a full fence there.

The memory is mapped once: a view over the wrap is a copy, put in its place by `commit`. Waiting is by short
sleeps, and a native end that sleeps is not rung: it looks by itself every 20 ms.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
import pathlib
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RingReader", "RingWriter"]

FIELDS = struct.Struct("<8sIIQQQQQIIII")
MAGIC, VERSION, HEADER, SLOT = b"FLYRING\n", 1, 4096, 128
# Where each word lies, as 8-byte words from the start of the file: see native/include/flyball/ring/layout.hpp.
HEAD, REACH, WRITER, EPOCH, STARTS, SLOTS = (at // 8 for at in (4096, 4224, 4352, 4360, 4736, 5248))
KEPT_STARTS, PID_BITS = 64, 22
NAP = 0.0002
_LOCK = threading.Lock()


class _Memory:
    """The file in memory: its header, checked, its words, its items."""

    def __init__(self, path: str, file: int) -> None:
        if os.uname().machine != "x86_64":
            raise errors.RingError(
                f"{path}: the Python ring needs x86-64's order of stores, build the native kernels"
            )
        status = os.fstat(file)
        self.header = os.pread(file, HEADER, 0)
        if len(self.header) < HEADER:
            raise errors.RingError(f"{path}: truncated, shorter than a ring's header")
        self._inspect(path, status.st_size)
        self.path = path
        self.map = mmap.mmap(file, status.st_size)
        self.words = memoryview(self.map)[: self.offset].cast("Q")

    def _inspect(self, path: str, size: int) -> None:
        magic, version, checksum, length, self.offset, self.capacity, self.item_bytes, self.span, *rest = (
            FIELDS.unpack_from(self.header)
        )
        self.channels, self.readers, self.drops, described = rest
        if magic != MAGIC:
            raise errors.RingError(f"{path}: not a ring, its first bytes are foreign")
        if version != VERSION:
            raise errors.RingError(
                f"{path}: a ring of layout version {version}, this library reads {VERSION}"
            )
        if checksum != zlib.crc32(self.header[:12] + bytes(4) + self.header[16:]):
            raise errors.RingError(f"{path}: its header is damaged, the checksum does not hold")
        if length != size:
            raise errors.RingError(f"{path}: truncated or grown, {size} bytes instead of {length}")
        counted = 0 < self.readers <= 1024 and 0 < self.span <= self.capacity // 2 and self.channels > 0
        sized = self.item_bytes > 0 and self.capacity * self.item_bytes == size - self.offset
        placed = self.offset >= SLOTS * 8 + self.readers * SLOT and self.offset % mmap.PAGESIZE == 0
        if not (counted and sized and placed and self.drops <= 1 and described < HEADER - FIELDS.size):
            raise errors.RingError(f"{path}: its header contradicts itself")
        self.described = self.header[FIELDS.size : FIELDS.size + described].decode("ascii", "replace")

    def told(self) -> tuple[Any, ...]:
        overrun = "drop_oldest" if self.drops else "block"
        return (
            self.described, self.channels, self.capacity, self.span, self.readers, overrun, self.item_bytes
        )  # fmt: skip

    def flat(self, writes: bool) -> NDArray[np.uint8]:
        import numpy as np

        items = memoryview(self.map)[self.offset :]
        return np.frombuffer(items if writes else items.toreadonly(), np.uint8)

    def slot(self, number: int) -> int:
        return SLOTS + number * SLOT // 8

    def floor(self) -> int:
        return int(max(0, self.words[REACH] - self.capacity))


class _Locked:
    """The file opened and locked: one end at a time takes its place."""

    def __init__(self, path: str) -> None:
        try:
            self.file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise errors.RingError(f"{path}: cannot open it: {error.strerror}") from error
        until = time.monotonic() + 5
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(self.file)
                    raise errors.RingError(f"{path}: another process has kept it locked for 5 s") from None
                time.sleep(0.001)

    def __enter__(self) -> int:
        return self.file

    def __exit__(self, *raised: object) -> None:
        fcntl.flock(self.file, fcntl.LOCK_UN)
        os.close(self.file)


class RingWriter:
    """The end that fills a ring: see `flyball.kernels.RingWriter`, which checks the arguments."""

    closed = True

    def __init__(
        self, path: str, dtype: str, value_bytes: int, channels: int, capacity: int, span: int, readers: int,
        drops: bool, patience: float,
    ) -> None:  # fmt: skip
        wanted = _header(dtype, value_bytes, channels, capacity, span, readers, drops)
        while True:
            try:
                with _Locked(path) as file:
                    self._resume(path, file, wanted)
                break
            except FileNotFoundError:
                _create(path, wanted)
        self.patience, self.reserved, self.closed = patience, 0, False
        self._aside: Any = None

    def _resume(self, path: str, file: int, wanted: bytes) -> None:
        memory = self._memory = _Memory(path, file)
        if memory.header != wanted:
            raise errors.RingError(
                f"{path}: there is a ring of another layout ({memory.capacity} items of {memory.channels} x "
                f"{memory.described}), declare the same one, unlink it, or take another name"
            )
        words = memory.words
        if _lives(words[WRITER]):
            raise errors.RingError(f"{path}: process {_pid(words[WRITER])} is writing, one may at a time")
        self.sequence = self._reach = words[HEAD]
        self.epoch = words[EPOCH] + 1
        words[STARTS + self.epoch % KEPT_STARTS] = self.sequence
        words[EPOCH] = self.epoch
        self._identity = words[WRITER] = _identity(os.getpid())

    def memory(self) -> NDArray[np.uint8]:
        return self._memory.flat(writes=True)

    def told(self) -> tuple[Any, ...]:
        return self._memory.told()

    def attach(self, items: NDArray[Any], convert: Callable[[Any], NDArray[np.uint8]]) -> None:
        self._items: Any = items
        self._convert = convert

    def push(self, what: Any) -> None:
        _open(self)
        sent = self._convert(what)
        size = self._memory.item_bytes
        for at in range(0, len(sent) // size, self._memory.span):
            count = min(self._memory.span, len(sent) // size - at)
            view = self.reserve(count)
            view.reshape(-1).view("u1")[:] = sent[at * size : (at + count) * size]
            self.commit(count)

    def reserve(self, count: int) -> NDArray[Any]:
        _open(self)
        span = self._memory.span
        if not 0 < count <= span:
            raise ValueError(f"count: {count} items are not 1 to the span, {span}, hand them over in pieces")
        until = time.monotonic() + self.patience
        while not self._extend(count):
            if time.monotonic() >= until:
                raise errors.RingFullError(self._full())
            time.sleep(NAP)
        self.reserved = count
        at, self._aside = self.sequence % self._memory.capacity, None
        if at + count <= self._memory.capacity:
            return self._items[at : at + count]  # type: ignore[no-any-return]
        self._aside = self._items[:count].copy()
        return self._aside  # type: ignore[no-any-return]

    def commit(self, count: int) -> None:
        _open(self)
        if not 0 <= count <= self.reserved:
            raise ValueError(f"count: {count} items committed, {self.reserved} reserved, reserve them first")
        if self._aside is not None:
            first = min(count, self._memory.capacity - self.sequence % self._memory.capacity)
            self._items[len(self._items) - first :] = self._aside[:first]
            self._items[: count - first] = self._aside[first:count]
        self.reserved, self._aside = 0, None
        self.sequence += count
        self._memory.words[HEAD] = self.sequence

    def close(self) -> None:
        if not self.closed and _pid(self._identity) == os.getpid():
            self._memory.words[WRITER] = 0
        self.closed = True
        self._items = self._aside = None

    __del__ = close

    def _extend(self, count: int) -> bool:
        if self.sequence + count <= self._reach:
            return True
        memory = self._memory
        if memory.drops:
            self._reach = memory.words[REACH] = self.sequence + memory.span
            return True
        room = self._slowest() + memory.capacity
        if self.sequence + count > room:
            return False
        memory.words[REACH] = room
        _fence()
        self._reach = memory.words[REACH] = min(room, self._slowest() + memory.capacity)
        return self.sequence + count <= self._reach

    def _slowest(self) -> int:
        words, least = self._memory.words, self.sequence
        for number in range(self._memory.readers):
            slot = self._memory.slot(number)
            if words[slot] and words[slot + 1] < least:
                # Looked at only where it holds the writer up; a reader that takes the place does so under the lock.
                if words[slot + 1] + self._memory.capacity <= self.sequence + self._memory.span:
                    self._free_if_dead(slot)
                if words[slot]:
                    least = words[slot + 1]
        return least

    def _free_if_dead(self, slot: int) -> None:
        if not _lives(self._memory.words[slot]):
            # Once the file is unlinked nobody can join, and nobody needs to be kept out.
            with contextlib.suppress(FileNotFoundError), _Locked(self._memory.path):
                if not _lives(self._memory.words[slot]):
                    self._memory.words[slot] = 0

    def _full(self) -> str:
        words, slots = self._memory.words, map(self._memory.slot, range(self._memory.readers))
        behind = [(self.sequence - words[slot + 1], _pid(words[slot])) for slot in slots if words[slot]]
        lag, pid = max(behind, default=(0, 0))
        return (
            f"{self._memory.path}: full after waiting {self.patience:g} s for the reader in process {pid}, {lag} "
            f"items behind: let it read faster, or declare a larger ring or overrun drop_oldest"
        )


class RingReader:
    """An end that empties a ring: see `flyball.kernels.RingReader`, which checks the arguments."""

    closed = True

    def __init__(self, path: str, oldest: bool) -> None:
        try:
            with _Locked(path) as file:
                self._memory = _Memory(path, file)
                self._join(oldest)
        except FileNotFoundError:
            raise errors.RingError(f"{path}: cannot open it: No such file or directory") from None

    def _join(self, oldest: bool) -> None:
        memory, words = self._memory, self._memory.words
        slots = [memory.slot(number) for number in range(memory.readers)]
        free = next((slot for slot in slots if not _lives(words[slot])), None)
        if free is None:
            owners = ", ".join(str(_pid(words[slot])) for slot in slots)
            raise errors.RingError(
                f"{memory.path}: no place for one more reader, all are taken (processes {owners}): close one, or "
                f"declare more readers"
            )
        self._slot, self._identity, self.closed = free, _identity(os.getpid()), False
        self._held = self.lost = 0
        self.sequence = words[free + 1] = memory.floor() if oldest else words[HEAD]
        words[free] = self._identity
        _fence()
        while memory.floor() > self.sequence:
            self.sequence = words[free + 1] = memory.floor()
            _fence()
        self.epoch = words[EPOCH]
        while self.epoch > 1 and words[STARTS + self.epoch % KEPT_STARTS] > self.sequence:
            self.epoch -= 1

    def memory(self) -> NDArray[np.uint8]:
        return self._memory.flat(writes=False)

    def told(self) -> tuple[Any, ...]:
        return self._memory.told()

    def attach(self, items: NDArray[Any]) -> None:
        self._items: Any = items

    def take(self, at_most: int, wait: float = math.inf) -> NDArray[Any]:
        _open(self)
        if self._held:
            raise errors.RingError("take: the last span is still held, release it first")
        view = self.peek(at_most, wait)
        self._held = len(view)
        return view

    def peek(self, at_most: int, wait: float = 0.0) -> NDArray[Any]:
        _open(self)
        if at_most <= 0:
            raise ValueError("at_most: give 1 item or more")
        until = time.monotonic() + wait
        while not (count := min(at_most, self._ready())):
            writer = self._memory.words[WRITER]
            if not _lives(writer) and not self._ready():
                raise (_died if writer else _closed)(self._memory.path)
            if time.monotonic() >= until:
                break
            time.sleep(NAP)
        at, capacity = self.sequence % self._memory.capacity, self._memory.capacity
        if at + count <= capacity:
            return self._items[at : at + count]  # type: ignore[no-any-return]
        return _joined(self._items[at:], self._items[: at + count - capacity])

    def release(self) -> bool:
        _open(self)
        if not self._held:
            raise ValueError("release: no span is held, take one first")
        whole = not self._memory.drops or self._memory.floor() <= self.sequence
        self.lost += 0 if whole else self._held
        self.sequence += self._held
        self._memory.words[self._slot + 1] = self.sequence
        self._held = 0
        return whole

    def close(self) -> None:
        if not self.closed and _pid(self._identity) == os.getpid():
            self._memory.words[self._slot] = 0
        self.closed = True
        self._items = None

    __del__ = close

    def _ready(self) -> int:
        """Count the items that may be taken, after counting those that are lost, up to the end of the epoch."""
        memory, words = self._memory, self._memory.words
        floor = memory.floor() if memory.drops and not self._held else 0
        if floor > self.sequence:
            self.lost += floor - self.sequence
            self.sequence = floor
        head = words[HEAD]
        if head < self.sequence:
            raise errors.RingError(f"{memory.path}: the ring is damaged, its head moved back")
        self.epoch = max(self.epoch, words[EPOCH] - KEPT_STARTS + 1)
        while self.epoch < words[EPOCH]:
            begins = words[STARTS + (self.epoch + 1) % KEPT_STARTS]
            if begins > self.sequence:
                return int(min(head, begins) - self.sequence)
            self.epoch += 1
        return int(min(head - self.sequence, memory.capacity))


def _joined(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    view = np.concatenate([first, second])
    view.flags.writeable = False
    return view


def _open(end: RingWriter | RingReader) -> None:
    if end.closed:
        raise errors.RingClosedError(f"{end._memory.path}: this end is closed")


def _died(path: str) -> errors.RingError:
    return errors.WriterGoneError(f"{path}: its writer died, all that it committed is read")


def _closed(path: str) -> errors.RingError:
    return errors.WriterClosedError(f"{path}: its writer closed it, all is read")


def _header(
    dtype: str, value_bytes: int, channels: int, capacity: int, span: int, readers: int, drops: bool
) -> bytes:
    if readers > 1024:
        raise ValueError("readers: give 1 to 1024")
    if channels > 2**20:
        raise ValueError("channels: give 1 to 1048576")
    if len(dtype) >= HEADER - FIELDS.size:
        raise ValueError(
            "dtype: its description is longer than a header holds, use fewer or shorter field names"
        )
    span = span or max(1, capacity // 4)
    if capacity // 2 < span:
        raise ValueError(
            f"capacity: {capacity} items are fewer than two spans of {span}, give {2 * span} or more"
        )
    page, item = mmap.PAGESIZE, value_bytes * channels
    if capacity * item > 2**46:
        raise ValueError("capacity: too many items for one address space")
    step = page // math.gcd(page, item)
    capacity = -(-capacity // step) * step
    offset = -(-(SLOTS * 8 + readers * SLOT) // page) * page
    length = offset + capacity * item
    fields = [length, offset, capacity, item, span, channels, readers, int(drops), len(dtype)]
    without = FIELDS.pack(MAGIC, VERSION, 0, *fields) + dtype.encode()
    return FIELDS.pack(
        MAGIC, VERSION, zlib.crc32(without.ljust(HEADER, b"\0")), *fields
    ) + dtype.encode().ljust(HEADER - FIELDS.size, b"\0")


def _create(path: str, header: bytes) -> None:
    draft = pathlib.Path(f"{path}.{os.getpid()}.new")
    try:
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(file, 0, FIELDS.unpack_from(header)[3])
            os.pwrite(file, header, 0)
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.close(file)
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise errors.RingError(f"{path}: cannot create it: {error.strerror}") from error


def _fence() -> None:
    """Let every store be seen before any later load: taking a lock is one locked instruction on x86-64."""
    with _LOCK:
        pass


def _pid(identity: int) -> int:
    return identity & ((1 << PID_BITS) - 1)


def _identity(pid: int) -> int:
    """Return a living process as one word, its number and the moment it started; 0 when there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    state, *fields = stat[stat.rindex(")") + 2 :].split(" ")
    return 0 if state in "ZX" else int(fields[18]) << PID_BITS | pid


def _lives(identity: int) -> bool:
    return identity != 0 and _identity(_pid(identity)) == identity
