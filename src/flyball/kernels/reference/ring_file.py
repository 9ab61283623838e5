"""A ring's file as its twin in Python sees it: header, words, items, who lives, and one at a time at the door.

What is needed of the system is imported where it is used: this file is there with every import of the kernels.
"""

from __future__ import annotations

import math
import os
import pathlib
import struct
import time
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "EPOCH",
    "HEAD",
    "KEPT_STARTS",
    "REACH",
    "STARTS",
    "WRITER",
    "Locked",
    "Memory",
    "create",
    "header",
    "identity_of",
    "lives",
    "pid_of",
]

FIELDS = struct.Struct("<8sIIQQQQQIIII")
MAGIC, VERSION, HEADER, SLOT = b"FLYRING\n", 1, 4096, 128
# Where each word lies, as 8-byte words from the start of the file: see native/include/flyball/ring/layout.hpp.
HEAD, REACH, WRITER, EPOCH, STARTS, SLOTS = (at // 8 for at in (4096, 4224, 4352, 4360, 4736, 5248))
KEPT_STARTS, PID_BITS = 64, 22


class Memory:
    """The file in memory: its header, checked, its words, its items."""

    def __init__(self, path: str, file: int) -> None:
        import mmap
        import threading

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
        self._lock = threading.Lock()
        self.words = memoryview(self.map)[: self.offset].cast("Q")

    def _inspect(self, path: str, size: int) -> None:
        import mmap
        import zlib

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

    def fence(self) -> None:
        """Let every store be seen before any later load: taking a lock is one locked instruction on x86-64."""
        with self._lock:
            pass

    def floor(self) -> int:
        return int(max(0, self.words[REACH] - self.capacity))


class Locked:
    """The file opened and locked: one end at a time takes its place."""

    def __init__(self, path: str) -> None:
        import fcntl

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
        import fcntl

        fcntl.flock(self.file, fcntl.LOCK_UN)
        os.close(self.file)


def header(
    dtype: str, value_bytes: int, channels: int, capacity: int, span: int, readers: int, drops: bool
) -> bytes:
    """Return the header of a ring as declared; ValueError names what cannot be."""
    import mmap
    import zlib

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


def create(path: str, header: bytes) -> None:
    """Make the file whole under another name first, so that nobody ever finds half a ring."""
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


def pid_of(identity: int) -> int:
    """Return the process's number."""
    return identity & ((1 << PID_BITS) - 1)


def identity_of(pid: int) -> int:
    """Return a living process as one word, its number and the moment it started; 0 when there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return 0
    state, *fields = stat[stat.rindex(")") + 2 :].split(" ")
    return 0 if state in "ZX" else int(fields[18]) << PID_BITS | pid


def lives(identity: int) -> bool:
    """Tell whether the process of that identity runs."""
    return identity != 0 and identity_of(pid_of(identity)) == identity
