"""Trials of too much at once: three times the images that can be taken in."""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path
from typing import Any

from flyball import data
from flyball.data import images
from flyball.torture.trial import Told, Trial

FLEET = data.Fleet("machine", data.WallClock(), (data.Table("shots", columns={"dose": "number"}),))
SIDE, TIMES = 512, 3
WAITING = 16 * 2**20


def seconds() -> float:
    """Return how long the load lasts: FLYBALL_LOAD_S, or 4 seconds (ten minutes are 600)."""
    return float(os.environ.get("FLYBALL_LOAD_S", "4"))


def floods(full: str, seed: int, folder: Path) -> Told:
    """Send three times what is taken in: the queue is bounded; drops are those allowed, counted and noted."""
    from flyball.runtime.feed import Feed
    from flyball.runtime.intake import Intake
    from flyball.runtime.store import Store

    frames, store = _frames(seed), Store.open(folder / "store", FLEET)
    rate, sent, waited = _rate(folder / "rate", frames), {}, []  # type: tuple[float, dict[str, float], list[float]]

    def done(names: Any, taken: Any) -> None:
        now = time.monotonic()
        waited.extend(now - sent[name] for name in names)

    most, number, begun = 0, 0, time.monotonic()
    with Intake(store, images.Images("", full=full)) as intake:
        feed = Feed(intake, waiting=WAITING, done=done)
        while time.monotonic() - begun < seconds():
            name = str(number)
            sent[name] = time.monotonic()
            feed.offer(frames(number), name)
            most, number = max(most, feed._bytes), number + 1
            pause = begun + number / (TIMES * rate) - time.monotonic()
            if pause > 0:
                time.sleep(pause)
        told = feed.close()
    # Others may have the machine as well: what waits is gone through as fast as it went.
    rate = min(rate, told.taken / (time.monotonic() - begun))
    return _judged(full, told, store, most, sorted(waited), rate)


def _judged(full: str, told: Any, store: Any, most: int, waited: list[float], rate: float) -> Told:
    noted = sum(int(note.split()[0]) for note in store.sources()["note"].drop_nulls())
    p99 = waited[int(len(waited) * 0.99)] if waited else 0.0
    # What waits is gone through at the rate at which it is taken in; twice that, and a second for the disk.
    bound = 2 * WAITING / SIDE**2 / rate + 1.0
    there = len(store.archive.shards().places)
    for wrong, why in (
        (told.offered != told.taken + told.dropped + told.refused, f"the sum is wrong: {told}"),
        (most > WAITING + SIDE**2, f"{most} bytes waited, {WAITING} may"),
        (there + told.known != told.taken, f"{there} images are there, {told.taken} were acknowledged"),
        (noted != told.dropped, f"{told.dropped} were dropped and {noted} noted"),
        ((told.dropped > 0) == (full == "hold"), f"{told.dropped} were dropped with full={full!r}"),
        (p99 > bound, f"p99 of acknowledgement {p99:.2f} s, at most {bound:.2f}"),
    ):
        if wrong:
            return Told(False, p99, 0, why)
    return Told(True, p99, 0)


def _frames(seed: int) -> Any:
    """Return what gives frames that all differ, at next to no cost."""
    import numpy as np

    canvas = np.random.default_rng(seed).integers(0, 255, (2 * SIDE, 2 * SIDE), dtype=np.uint8)

    def frame(number: int) -> Any:
        found = canvas[number % SIDE : number % SIDE + SIDE, :SIDE].copy()
        found[0, :8] = np.frombuffer(number.to_bytes(8, "little"), np.uint8)
        return found

    return frame


def _rate(folder: Path, frames: Any) -> float:
    """Return how many images a second are taken in here when they do not wait for anything else."""
    from flyball.runtime.intake import Intake
    from flyball.runtime.store import Store

    with Intake(Store.open(folder, FLEET)) as intake:
        intake.take([frames(10**9)])
        begun, count = time.monotonic(), 0
        while time.monotonic() - begun < 1.0:
            intake.take([frames(2 * 10**9 + count + n) for n in range(64)])
            count += 64
        return count / (time.monotonic() - begun)


def _floods(full: str) -> Any:
    return functools.partial(floods, full)


TRIALS = (
    Trial("R22", "three times the images, the sender is held up", _floods("hold"), 16),
    Trial("R22", "three times the images, the oldest that wait go", _floods("oldest"), 16),
    Trial("R22", "three times the images, the newest go", _floods("newest"), 16),
)
