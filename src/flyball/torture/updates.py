"""Trials of an update on one machine: power cuts and a full disk at every step, damaged and swapped files.

Each trial takes a seed and an empty folder, and a switch that breaks what it is about: broken, it must fail.
"""

from __future__ import annotations

import errno
import shutil
import time
from pathlib import Path

from flyball import durable
from flyball.fab.sites import Site, Sites
from flyball.serving import release
from flyball.site import slots
from flyball.torture.trial import Told
from flyball.torture.world import broken, judged, made, ordered, served


class Updating:
    """A machine, m01, just before an update from `first` to `second`; `before` brings it back there at any time."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.world: Sites = made(folder, seed, count=3)
        self.first = served(self.world)
        self.second = self.world.ship(self.world.release("second"))
        self.world.advance(3 * 24, every=24)
        self._kept = folder / "kept"
        shutil.copytree(folder / "machines", self._kept, symlinks=True)
        self.world.advance(24, every=24)
        ordered(self.world, self.second)

    def before(self) -> Site:
        """Return the machine, off, as it was before the update."""
        site = self.world.machines["m01"]
        site.agent = site.host = None
        shutil.rmtree(site.folder)
        shutil.copytree(self._kept / "m01", site.folder, symlinks=True)
        return site

    def answers(self) -> str:
        """Return what answers on the machine."""
        return self.world.running()["m01"]


def swapped(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R26: a file of the release that serves is swapped on the disk; it must not answer after the next start."""
    begun = time.monotonic()
    world = made(folder, seed)
    digest = served(world)
    site = world.machines["m00"]
    assert site.agent is not None
    slot = site.agent.seats["p"].answering
    file = site.agent.seats["p"].slots.release(slot) / "model" / "packed.json"
    file.write_bytes(file.read_bytes().replace(b"rule", b"ruin"))
    site.agent = site.host = None
    with broken(release, "admit", lambda *_: {}, sabotage):
        begun = time.monotonic()
        world.boot(site)
    answers = world.running()["m00"]
    return judged("" if answers != digest and answers else f"{answers or 'nothing'} answers", begun)


def cut_in_update(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R41: the power goes at every durable step of an update in turn; after it the old or the new release answers."""
    worst = 0.0
    update = Updating(folder, seed)
    world, first, second = update.world, update.first, update.second
    for step in range(2000):
        site = update.before()
        site.cut = step
        world.round(site, 0)
        if site.cut is not None:
            site.cut = None
            break
        if sabotage:
            _half(site.folder / "pages" / "p")
        back = time.monotonic()
        agent = world.boot(site)
        answers = update.answers()
        worst = max(worst, time.monotonic() - back)
        if answers not in (first, second):
            return Told(False, worst, 0, f"after a cut at step {step}: {answers or 'nothing'} answers")
        agent._next = 0
        world.round(site, 0)
        if update.answers() != second:
            return Told(False, worst, 0, f"after a cut at step {step} the update was never finished")
    return Told(step > 10, worst, 0, "" if step > 10 else f"only {step} steps were there to be cut")


def _half(folder: Path) -> None:
    """Leave slots as a machine does that writes in place: each without one of its files."""
    for slot in slots.TURNS:
        for file in sorted((folder / slot / "release").glob("page.txt")):
            file.unlink()


def full_disk(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R4: the disk is full at each step of an update: the old model serves on, and the update comes with room."""
    begun = time.monotonic()
    update = Updating(folder, seed)
    world, first, second = update.world, update.first, update.second
    for step in range(0, 400, 3):
        site = update.before()
        agent = world.boot(site)
        agent._next, left = 0, step

        def full(operation: str, path: Path) -> None:
            nonlocal left
            left -= operation in ("write", "fsync")
            if left < 0 and operation in ("write", "fsync"):
                raise OSError(errno.ENOSPC, "No space left on device")

        durable.hook = full
        try:
            with broken(slots.Slots, "other", lambda self, slot: slot, sabotage):
                agent.step()
        except Exception as error:
            return judged(f"step {step}: {type(error).__name__} escaped: {error}", begun)
        finally:
            durable.hook = None
        if left >= 0:
            break
        if update.answers() not in (first, second):
            return judged(f"step {step}: {world.running()['m01'] or 'nothing'} answers", begun)
        agent._next = 0
        agent.step()
        if update.answers() != second:
            return judged(f"step {step}: room was made and the update did not come", begun)
    return judged("" if step > 5 else f"only {step} steps", begun)


def both_broken(seed: int, folder: Path, sabotage: bool = False) -> Told:
    """R42: the release and the one before it are both damaged: the baseline answers, it is told, nothing loops."""
    world = made(folder, seed, count=3)
    served(world)
    world.ship(world.release("second"))
    world.advance(6 * 24, every=12)
    site = world.machines["m01"]
    assert site.agent is not None
    page = site.folder / "pages" / "p"
    for slot in slots.TURNS:
        file = page / slot / "release" / "page.txt"
        file.write_text("damaged")
    (page / "state.json").write_bytes(b"\0" * 50)
    if sabotage:
        shutil.rmtree(page / "baseline")
    site.agent = site.host = None
    begun = time.monotonic()
    world.boot(site)
    took, before = time.monotonic() - begun, len(site.installs)
    answers = world.running()["m01"]
    world.advance(48, every=6)
    if answers != "baseline" or world.running()["m01"] != "baseline":
        return Told(
            False, took, 0, f"{answers or 'nothing'} answers, later {world.running()['m01'] or 'nothing'}"
        )
    if len(site.installs) - before > 1:
        return Told(False, took, 0, f"{len(site.installs) - before} starts after the fall: a loop")
    alarmed = any("baseline answers" in alarm["what"] for alarm in world.told("alarms"))
    return Told(alarmed, took, 0, "" if alarmed else "no alarm was told")
