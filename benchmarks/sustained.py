"""A stream of frames for minutes: taken in, forced to the disk, read back, verified and decoded, under a cap.

A camera gives frames at a rate into a bounded queue; what waits is taken in as one batch, durable when it is
acknowledged; a reader reads every acknowledged frame back, verifies its digest and decodes it.  The time of a frame's
acknowledgement runs from the moment at which the camera has it.
"""

from __future__ import annotations

import array
import queue
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flyball import data, durable
from flyball.data import images
from flyball.runtime.intake import Intake
from flyball.runtime.store import Store

FLEET = data.Fleet("machine", data.WallClock(), (data.Table("shots", columns={"dose": "number"}),))
#: At most so many frames wait for the disk; the camera is then held up, and that is told.
WAITING = 128
BATCH = 64


@dataclass
class Told:
    """What a stream came to."""

    seconds: float = 0.0
    sent: int = 0
    acknowledged: int = 0
    unique: int = 0
    unique_bytes: int = 0
    raw_bytes: int = 0
    fsynced_bytes: int = 0
    read: int = 0
    held_s: float = 0.0
    shards_bytes: int = 0
    cpu_s: float = 0.0
    delays_ms: array.array[float] = field(default_factory=lambda: array.array("d"))
    resident: list[float] = field(default_factory=list)

    def growth(self) -> float:
        """Return how much more memory the last quarter took than the second, MiB, by medians."""
        quarter = max(1, len(self.resident) // 4)
        early, late = self.resident[quarter : 2 * quarter], self.resident[-quarter:]
        return statistics.median(late) - statistics.median(early or late)


def run(shoot: Callable[[], Any], seconds: float, per_minute: float, cap: int) -> Told:
    """Stream for some seconds at a rate, and return what came of it when everything is read back."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-images-", dir="/var/tmp"))
    told = Told()
    before = durable.hook

    def count(operation: str, path: Path) -> None:
        if operation == "fsync" and path.is_file():
            told.fsynced_bytes += path.stat().st_size

    durable.hook = count
    try:
        _Stream(Store.open(folder, FLEET), told, cap).run(shoot, seconds, per_minute)
    finally:
        durable.hook = before
        shutil.rmtree(folder, ignore_errors=True)
    return told


class _Stream:
    def __init__(self, store: Store, told: Told, cap: int) -> None:
        self.store, self.told, self.cap = store, told, cap
        self.frames: queue.Queue[tuple[float, Any] | None] = queue.Queue(WAITING)
        self.acknowledged: queue.Queue[list[str] | None] = queue.Queue()
        self.faults: list[BaseException] = []

    def run(self, shoot: Callable[[], Any], seconds: float, per_minute: float) -> None:
        import os

        threads = [
            threading.Thread(target=self._guard, args=work)
            for work in ((self._shoot, shoot, seconds, per_minute), (self._take,), (self._read,))
        ]
        begun, cpu = time.perf_counter(), os.times()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.told.resident.append(resident())
            time.sleep(min(0.5, seconds / 20))
        self.told.seconds = time.perf_counter() - begun
        spent = os.times()
        self.told.cpu_s = spent.user + spent.system - cpu.user - cpu.system
        self.told.shards_bytes = self.store.archive.bytes()
        if self.faults:
            raise self.faults[0]

    def _guard(self, work: Callable[..., None], *given: Any) -> None:
        try:
            work(*given)
        except BaseException as fault:
            self.faults.append(fault)
            self.acknowledged.put(None)

    def _shoot(self, shoot: Callable[[], Any], seconds: float, per_minute: float) -> None:
        begun, every = time.perf_counter(), 60 / per_minute
        while (due := self.told.sent * every) < seconds and not self.faults:
            late = time.perf_counter() - begun - due
            if late < 0:
                time.sleep(-late)
            frame = shoot()
            made = time.perf_counter()
            self.frames.put((made, frame), timeout=120)
            self.told.held_s += time.perf_counter() - made
            self.told.sent += 1
        self.frames.put(None)

    def _take(self) -> None:
        seen = array.array("Q")  # eight bytes of each digest
        last = False
        # The reader decodes every one of them.
        with Intake(self.store, images.Images("", proved=False), at_most=self.cap) as intake:
            while not last:
                waiting = [self.frames.get()]
                while len(waiting) < BATCH and waiting[-1] is not None and not self.frames.empty():
                    waiting.append(self.frames.get())
                last = waiting[-1] is None
                batch = [one for one in waiting if one is not None]
                if not batch:
                    continue
                taken = intake.take([frame for _, frame in batch])
                now = time.perf_counter()
                self.told.delays_ms.extend((now - made) * 1e3 for made, _ in batch)
                digests = [digest for digest in taken.digests if digest is not None]
                seen.extend(int(digest[:16], 16) for digest in digests)
                self.told.acknowledged += len(digests)
                self.told.unique_bytes += taken.bytes
                self.told.raw_bytes += sum(
                    len(frame) if isinstance(frame, bytes) else frame.nbytes for _, frame in batch
                )
                self.acknowledged.put(digests)
        self.told.unique = len(set(seen))
        self.acknowledged.put(None)

    def _read(self) -> None:
        # Opened by itself, as another process would: it sees what is committed and nothing else.
        store = Store(self.store.folder, FLEET)
        while (digests := self.acknowledged.get()) is not None:
            store.refresh()
            for batch in store.archive.fetch(digests).batches(32, threads=2):
                self.told.read += sum(image.ndim == 2 and image.size > 0 for image in batch)


def resident() -> float:
    """Return the memory of this process in MiB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20
