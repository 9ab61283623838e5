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
import math
import operator
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.kernels.reference.ring_file import (
    EPOCH,
    HEAD,
    KEPT_STARTS,
    REACH,
    STARTS,
    WRITER,
    Locked,
    Memory,
    create,
    header,
    identity_of,
    lives,
    pid_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RingReader", "RingWriter"]

NAP = 0.0002


class RingWriter:
    """The end that fills a ring: see `flyball.kernels.RingWriter`, which checks the arguments."""

    closed = True

    def __init__(
        self, path: str, dtype: str, value_bytes: int, channels: int, capacity: int, span: int, readers: int,
        drops: bool, patience: float,
    ) -> None:  # fmt: skip
        wanted = header(dtype, value_bytes, channels, capacity, span, readers, drops)
        while True:
            try:
                with Locked(path) as file:
                    self._resume(path, file, wanted)
                break
            except FileNotFoundError:
                create(path, wanted)
        self.patience, self.reserved, self.closed = patience, 0, False
        self._aside: Any = None

    def _resume(self, path: str, file: int, wanted: bytes) -> None:
        memory = self._memory = Memory(path, file)
        if memory.header != wanted:
            raise errors.RingError(
                f"{path}: there is a ring of another layout ({memory.capacity} items of {memory.channels} x "
                f"{memory.described}), declare the same one, unlink it, or take another name"
            )
        words = memory.words
        if lives(words[WRITER]):
            raise errors.RingError(f"{path}: process {pid_of(words[WRITER])} is writing, one may at a time")
        self.sequence = self._reach = words[HEAD]
        self.epoch = words[EPOCH] + 1
        words[STARTS + self.epoch % KEPT_STARTS] = self.sequence
        words[EPOCH] = self.epoch
        self._identity = words[WRITER] = identity_of(os.getpid())

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
        count, span = _whole("count", count), self._memory.span
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
        count = _whole("count", count)
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
        if not self.closed and pid_of(self._identity) == os.getpid():
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
        memory.fence()
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
        if not lives(self._memory.words[slot]):
            # Once the file is unlinked nobody can join, and nobody needs to be kept out.
            with contextlib.suppress(FileNotFoundError), Locked(self._memory.path):
                if not lives(self._memory.words[slot]):
                    self._memory.words[slot] = 0

    def _full(self) -> str:
        words, slots = self._memory.words, map(self._memory.slot, range(self._memory.readers))
        behind = [(self.sequence - words[slot + 1], pid_of(words[slot])) for slot in slots if words[slot]]
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
            with Locked(path) as file:
                self._memory = Memory(path, file)
                self._join(oldest)
        except FileNotFoundError:
            raise errors.RingError(f"{path}: cannot open it: No such file or directory") from None

    def _join(self, oldest: bool) -> None:
        memory, words = self._memory, self._memory.words
        slots = [memory.slot(number) for number in range(memory.readers)]
        free = next((slot for slot in slots if not lives(words[slot])), None)
        if free is None:
            owners = ", ".join(str(pid_of(words[slot])) for slot in slots)
            raise errors.RingError(
                f"{memory.path}: no place for one more reader, all are taken (processes {owners}): close one, or "
                f"declare more readers"
            )
        self._slot, self._identity, self.closed = free, identity_of(os.getpid()), False
        self._held = self.lost = 0
        self.sequence = words[free + 1] = memory.floor() if oldest else words[HEAD]
        words[free] = self._identity
        memory.fence()
        while memory.floor() > self.sequence:
            self.sequence = words[free + 1] = memory.floor()
            memory.fence()
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
        at_most = _whole("at_most", at_most)
        if at_most <= 0:
            raise ValueError("at_most: give 1 item or more")
        if not isinstance(wait, (int, float)) or not wait >= 0:
            raise ValueError("wait: give seconds, 0 or more")
        until = time.monotonic() + wait
        while not (count := min(at_most, self._ready())):
            writer = self._memory.words[WRITER]
            if not lives(writer) and not self._ready():
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
        if not self.closed and pid_of(self._identity) == os.getpid():
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


def _whole(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: give a whole number of items") from None


def _died(path: str) -> errors.RingError:
    return errors.WriterGoneError(f"{path}: its writer died, all that it committed is read")


def _closed(path: str) -> errors.RingError:
    return errors.WriterClosedError(f"{path}: its writer closed it, all is read")
