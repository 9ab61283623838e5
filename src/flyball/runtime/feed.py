"""Images between who sends them and the disk: a bounded queue; what happens when it is full is the page's to say."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from flyball import durable, errors
from flyball.data import images

if TYPE_CHECKING:
    from flyball.runtime.intake import Intake, Sent, Taken

#: What waits has at most so many bytes, and a batch so many images.
WAITING, BATCH = 128 * 2**20, 64
#: So long until what could not be written is tried again.
AGAIN_S = 0.5


class Waits(NamedTuple):
    """An image that waits: itself, its name, its bytes, and since when (seconds of the monotonic clock)."""

    image: Sent
    name: str
    size: int
    since: float


@dataclass
class Fed:
    """What came of what was offered: offered = taken + refused + dropped + waiting, always.

    `taken` are on the disk (`known` of them were there before), `refused` in quarantine; `held_s` is how long senders
    were held up, `trouble` why writing is being tried again.
    """

    offered: int = 0
    taken: int = 0
    known: int = 0
    refused: int = 0
    dropped: int = 0
    waiting: int = 0
    held_s: float = 0.0
    trouble: str = ""


class Feed:
    """Takes images from any thread and makes them durable in batches; `close` waits until all are.

    At most `waiting` bytes wait.  When that is full, `budget.full` decides: "hold" lets the sender wait, "oldest" and
    "newest" drop an image, which is counted here and in the store's `sources`.  `done(names, taken)` is called when a
    batch is on the disk: an image is acknowledged then, not before.  What cannot be written (a full disk, another
    writer) is tried again until it can be, while the queue holds what comes.

    ```python
    with Feed(Intake(store, budget), done=acknowledge) as feed:
        feed.offer(frame, "camera 3, frame 17")
    ```
    """

    def __init__(
        self, intake: Intake, waiting: int = WAITING, batch: int = BATCH,
        done: Callable[[Sequence[str], Taken], None] | None = None,
    ) -> None:  # fmt: skip
        self.intake, self.most, self.batch, self.done = intake, waiting, batch, done
        self.full = intake.budget.full if intake.budget is not None else "hold"
        if self.full not in images.FULL:
            raise errors.DeclarationError(
                f"full={self.full!r}: " + errors.did_you_mean(self.full, images.FULL)
            )
        self.told = Fed()
        self._queue: deque[Waits] = deque()
        self._bytes = self._unsaid = 0
        self._closed = False
        self._fault: BaseException | None = None
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._go, daemon=True)
        self._thread.start()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def offer(self, image: Sent, name: str = "", wait_s: float | None = None) -> bool:
        """Give an image in; say whether it waits now: False when it was dropped, or there was no room for `wait_s`.

        Raises StoreError after a fault that waiting does not mend, and DataError for one that is closed.
        """
        size = len(image) if isinstance(image, bytes) else image.nbytes
        with self._change:
            self._check()
            self.told.offered += 1
            if self.full == "hold" and not self._room(size, wait_s):
                self.told.offered -= 1
                return False
            while self._queue and self._bytes + size > self.most:
                if self.full == "newest":
                    self._drop()
                    return False
                self._bytes -= self._queue.popleft().size
                self.told.waiting -= 1
                self._drop()
            self._queue.append(Waits(image, name, size, time.monotonic()))
            self._bytes += size
            self.told.waiting += 1
            self._change.notify_all()
        return True

    def close(self, wait_s: float | None = None) -> Fed:
        """Wait until everything that waits is on the disk, or so long; return what came of it all.

        Raises what ended the writing, if something did.
        """
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._thread.join(wait_s)
        if self._fault is not None:
            raise self._fault
        return self.told

    def _check(self) -> None:
        if self._fault is not None:
            raise self._fault
        if self._closed:
            raise errors.DataError("this feed is closed: open another one")

    def _drop(self) -> None:
        self.told.dropped += 1
        self._unsaid += 1
        self._change.notify_all()

    def _room(self, size: int, wait_s: float | None) -> bool:
        """Wait until there is room; an image that is larger than all of it may come when nothing waits."""
        begun = time.monotonic()
        found = self._change.wait_for(
            lambda: not self._queue or self._bytes + size <= self.most or self._fault or self._closed, wait_s
        )
        self.told.held_s += time.monotonic() - begun
        self._check()
        return bool(found)

    def _go(self) -> None:
        try:
            while (batch := self._next()) is not None:
                self._take(*batch)
        except BaseException as fault:  # told to whoever offers next, and at the end
            with self._change:
                self._fault = fault
                self._change.notify_all()

    def _next(self) -> tuple[list[Waits], int] | None:
        """Return what is next, and how many were dropped that no commit tells of yet; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closed)
            if not self._queue and not (self._closed and self._unsaid):
                return None
            batch = [self._queue.popleft() for _ in range(min(self.batch, len(self._queue)))]
            unsaid, self._unsaid = self._unsaid, 0
            return batch, unsaid

    def _take(self, batch: list[Waits], dropped: int) -> None:
        names = [one.name for one in batch]
        while True:
            try:
                taken = self.intake.take([one.image for one in batch], names, dropped)
                break
            except errors.StoreError as error:
                if not isinstance(error, durable.Busy) and not isinstance(error.__cause__, OSError):
                    raise  # it does not mend itself
                self.told.trouble = str(error)
                time.sleep(AGAIN_S)
        with self._change:
            refused = sum(digest is None for digest in taken.digests)
            self.told.taken += len(batch) - refused
            self.told.refused += refused
            self.told.known += taken.known
            self.told.waiting -= len(batch)
            self.told.trouble = ""
            # Room is there when they are on the disk, not before: memory is what is bounded.
            self._bytes -= sum(one.size for one in batch)
            self._change.notify_all()
        if self.done is not None:
            self.done(names, taken)
