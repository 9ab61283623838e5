"""Trials of the disk: a crash at every call that writes, a power cut, a disk that is full, fails, or is slow."""

from __future__ import annotations

import errno
import functools
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball.torture import layer, power, warm, work
from flyball.torture.trial import Told, Trial

#: A seed tries one call in so many; so many seeds in a row try every call once.
STRIDE = 32
#: A store must open within this, whatever happened.
OPEN_S = 5.0
LOTS = 2


class Bench:
    """What trials of one seed share: an inbox, a store with the first lot in it, and what the whole of it comes to."""

    def __init__(self, seed: int, folder: Path, sabotage: str = "") -> None:
        self.folder, self.warm = folder, warm.shared(sabotage)
        self.inbox, self.base = folder / "inbox", folder / "base"
        work.lots(self.inbox, seed, LOTS)
        first = folder / "first"
        first.mkdir()
        (first / "lot-000").symlink_to(self.inbox / "lot-000")
        self._whole(self.warm.go(self.base, first))
        self.store = self.fresh()
        self.warm.control.arm(self.store)
        self._whole(self.warm.go(self.store, self.inbox))
        self.calls = self.warm.control.count
        self.whole = self.warm.content(self.store)["digest"]

    @staticmethod
    def _whole(told: dict[str, Any]) -> None:
        if told["error"] or told["fault"]:
            raise RuntimeError(f"a run without a fault failed: {told['error']}{told['fault']}")

    def fresh(self) -> Path:
        """Return a store as it was before."""
        store = self.folder / "store"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(self.base, store)
        return store

    def judge(self, store: Path, told: dict[str, Any], again: bool = True) -> Told:
        """Say whether a store keeps the promise: acknowledged is there, nothing is half, going on makes it whole."""
        if told["fault"]:
            return Told(False, 0.0, 0, told["fault"])
        found = self.warm.content(store)
        if found["error"] or found["fault"]:
            return Told(False, found["seconds"], 0, f"it does not open: {found['error']}{found['fault']}")
        gone = [lot for lot in {"lot-000", *told["acknowledged"]} if found["lots"].get(lot) != work.WHOLE]
        lost = sum(_bytes(self.inbox / lot) for lot in gone)
        half = {
            lot: n for lot, n in found["lots"].items()
            if n not in (work.WHOLE, work.FILES) or (n == work.FILES and lot in told["acknowledged"])
        }  # fmt: skip
        why = f"acknowledged and not there: {sorted(gone)}" if gone else f"half there: {half}" if half else ""
        if found["opened_s"] > OPEN_S:
            why = why or f"it took {found['opened_s']:.1f} s to open"
        if not why and again:
            self.warm.control.off()
            done = self.warm.go(store, self.inbox)
            if done["error"] or done["fault"] or self.warm.content(store)["digest"] != self.whole:
                why = f"going on does not make it whole: {done['error']}{done['fault']}"
        return Told(not why, found["opened_s"], lost, why)


def _bytes(place: Path) -> int:
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file())


def worst(found: list[tuple[str, Told]]) -> Told:
    """Return the sum of some trials: passed when all did, the longest recovery, what was lost, and the first why."""
    why = next((f"{what}: {told.why}" for what, told in found if not told.passed), "")
    return Told(
        all(told.passed for _, told in found), max((told.recovery_s for _, told in found), default=0.0),
        sum(told.lost_bytes for _, told in found), why,
    )  # fmt: skip


def hit(mode: int, error: int, seed: int, folder: Path, sabotage: str = "") -> Told:
    """Hit one call in STRIDE, chosen by the seed, each in a store of its own."""
    bench = Bench(seed, folder, sabotage)
    found = []
    for at in range(1 + seed % STRIDE, bench.calls + 1, STRIDE):
        store = bench.fresh()
        bench.warm.control.arm(store, mode, at, error)
        told = bench.warm.go(store, bench.inbox)
        found.append((f"call {at} of {bench.calls}", bench.judge(store, told)))
    return worst(found)


def killed(seed: int, folder: Path) -> Told:
    """Kill a process of its own (kill -9) at a moment of its work."""
    import sys

    bench = Bench(seed, folder)
    rng, found = random.Random(seed), []
    for number in range(3):
        store = bench.fresh()
        code = (
            "import sys, pathlib; from flyball.torture import work; "
            "work.go(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), lambda name: print(name, flush=True))"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(store), str(bench.inbox)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child:
            first = (
                child.stdout.readline().strip()
            )  # it is at work now, and what is left takes some tenths of a second
            time.sleep(rng.uniform(0.0, 0.4))
            os.kill(child.pid, signal.SIGKILL)
            names = [first, *child.stdout.read().split()]
        told = {"acknowledged": [name for name in names if name], "fault": "", "error": ""}
        found.append((f"kill {number}", bench.judge(store, told)))
    return worst(found)


def cut(seed: int, folder: Path, sabotage: str = "") -> Told:
    """Cut the power after one act in STRIDE of a trace, chosen by the seed; the disk is one that may then be left."""
    bench = Bench(seed, folder, sabotage)
    store, trace = bench.fresh(), folder / "trace"
    disk = power.Disk(Path(os.path.realpath(store)))
    bench.warm.control.arm(store, layer.COUNT, trace=trace)
    bench._whole(told := bench.warm.go(store, bench.inbox, trace))
    rng, found, acknowledged = (
        random.Random(seed),
        [],
        dict(zip(told["acknowledged"], told["traced"], strict=True)),
    )
    every = list(power.acts(trace.read_bytes()))
    for number, act in enumerate(every):
        disk.play(act)
        if number % STRIDE == seed % STRIDE or number == len(every) - 1:
            shutil.rmtree(store)
            disk.cut(store, rng)
            known = [name for name, until in acknowledged.items() if until <= act.until]
            what = f"after act {number + 1} of {len(every)}, {act.what} {Path(act.path).name}"
            found.append((what, bench.judge(store, {"acknowledged": known, "fault": "", "error": ""})))
    return worst(found)


def full(seed: int, folder: Path, sabotage: str = "") -> Told:
    """Let the disk be full from a call on: it is told, what is there can be read, and it goes on when there is room."""
    bench = Bench(seed, folder, sabotage)
    found = []
    for at in range(1 + seed % STRIDE, bench.calls + 1, STRIDE):
        store = bench.fresh()
        bench.warm.control.arm(store, layer.FAIL_ON, at, errno.ENOSPC)
        told = bench.warm.go(store, bench.inbox)
        judged = bench.judge(store, told)
        if judged.passed and len(told["acknowledged"]) < LOTS and "free space" not in told["error"]:
            judged = judged._replace(passed=False, why=f"a full disk is not told as one: {told['error']!r}")
        found.append((f"from call {at} of {bench.calls}", judged))
    return worst(found)


def tmpfs(seed: int, folder: Path) -> Told:
    """Fill a real small file system to some bytes below what is needed; where none can be made, the layer stands in."""
    bench = Bench(seed, folder)
    place = folder / "small"
    place.mkdir()
    need = _bytes(bench.fresh()) + 400_000
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={need // 4096 * 4}k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        return full(seed, folder / "layer")
    try:
        return _filled(bench, place / "store", random.Random(seed))
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _filled(bench: Bench, store: Path, rng: random.Random) -> Told:
    found = []
    for _ in range(4):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(bench.base, store)
        filler = store.parent / "filler"
        free = shutil.disk_usage(store.parent).free
        left = rng.randrange(0, 160_000) // 4096 * 4096
        filler.write_bytes(bytes(max(0, free - left)))
        bench.warm.control.off()
        told = bench.warm.go(store, bench.inbox)
        judged = bench.judge(store, told, again=False)
        if judged.passed and len(told["acknowledged"]) < LOTS and "free space" not in told["error"]:
            judged = judged._replace(passed=False, why=f"a full disk is not told as one: {told['error']!r}")
        filler.unlink()
        if judged.passed:
            judged = bench.judge(store, told)
        found.append((f"{left} bytes left", judged))
    return worst(found)


def _hit(mode: int, error: int = 0) -> Callable[[int, Path], Told]:
    return functools.partial(hit, mode, error)


TRIALS = (
    Trial("R1", "SIGKILL before a call that writes", _hit(layer.KILL)),
    Trial("R1", "a call that writes fails (EIO)", _hit(layer.FAIL, errno.EIO)),
    Trial("R1", "a write writes half", _hit(layer.SHORT)),
    Trial("R1", "kill -9 at any moment", killed, 2),
    Trial("R2", "power cut: unsynced data lost, torn, reordered", cut),
    Trial("R3", "disk full from a call on (ENOSPC)", full),
    Trial("R3", "a really full tmpfs", tmpfs, 4),
)
