"""Trials of what lasts: disks that refuse, rot or crawl, several writers, runs that died, thirty days under a cap."""

from __future__ import annotations

import errno
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flyball import data, units
from flyball.torture import layer, storage, work
from flyball.torture.trial import Told, Trial

#: A slow disk takes this for every call that writes; nothing may take longer than all of them together, and as much.
SLOW_S = 0.01
WRITERS = 8
DAYS = 30


def refuses(error: int, word: str, seed: int, folder: Path) -> Told:
    """Let every write fail: it is told with what to do, reading goes on, and all is well when it is mended."""
    bench = storage.Bench(seed, folder)
    store = bench.fresh()
    before = bench.warm.content(store)
    bench.warm.control.arm(store, layer.FAIL_ON, 1, error)
    told = bench.warm.go(store, bench.inbox)
    bench.warm.control.arm(store, layer.FAIL_ON, 1, error)
    read = bench.warm.content(store, hurt=True)
    if word not in told["error"]:
        return Told(False, 0.0, 0, f"not told: {told['error']!r}{told['fault']}")
    if read["error"] or read["fault"] or read["digest"] != before["digest"]:
        return Told(False, 0.0, 0, f"it cannot be read meanwhile: {read['error']}{read['fault']}")
    return bench.judge(store, told)


def crawls(seed: int, folder: Path) -> Told:
    """Let every call that writes take its time: all is taken in, and nothing waits for more than that."""
    bench = storage.Bench(seed, folder)
    store = bench.fresh()
    bench.warm.control.arm(store, layer.SLOW, slow_s=SLOW_S)
    told = bench.warm.go(store, bench.inbox)
    if len(told["acknowledged"]) != storage.LOTS or told["seconds"] > 5.0 + 2 * SLOW_S * bench.calls:
        return Told(False, told["seconds"], 0, f"{told['seconds']:.1f} s, {told['error']}{told['fault']}")
    return bench.judge(store, told)


def rots(seed: int, folder: Path) -> Told:
    """Flip a bit here and there in every file: it is told when it is read, or what is read is what was written."""
    bench = storage.Bench(seed, folder)
    store, rng = bench.fresh(), random.Random(seed)
    bench.warm.control.off()
    bench._whole(bench.warm.go(store, bench.inbox))
    whole, silent, named, slowest = bench.warm.content(store), [], 0, 0.0
    for path in sorted(path for path in store.rglob("*") if path.is_file() and path.stat().st_size):
        content = path.read_bytes()
        place = rng.randrange(len(content))
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
        kept = {one: one.read_bytes() for one in store.rglob("*.json") if one != path}
        found = bench.warm.content(store)
        slowest = max(slowest, found["seconds"])
        same = all(found.get(name) == whole[name] for name in ("digest", "state"))
        if found["fault"] or (not found["error"] and not same):
            said = found["fault"][-300:] or "read as if nothing was"
            silent.append(f"{path.relative_to(store)} at byte {place}: {said}")
        named += bool(found["error"])
        _restored(store, bench, path, content, kept)
    why = f"{len(silent)} flips were not told, {silent[0]}" if silent else "" if named else "no flip was told"
    return Told(not why, slowest, 0, why)


def _restored(store: Path, bench: storage.Bench, path: Path, content: bytes, kept: dict[Path, bytes]) -> None:
    """Put a file back as it was, and what was set aside because of it: a copy at hand mends it."""
    path.write_bytes(content)
    for one, text in kept.items():
        if not one.exists() or one.read_bytes() != text:
            one.parent.mkdir(parents=True, exist_ok=True)
            one.write_bytes(text)
    shutil.rmtree(store / "set-aside", ignore_errors=True)


_WRITER = (
    "import sys, pathlib; from flyball.torture import work; "
    "work.go(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), lambda name: print(name, flush=True))"
)


def writers(seed: int, folder: Path) -> Told:
    """Let eight processes write at once: nothing is lost, nothing is there twice."""
    work.lots(folder / "all", seed, WRITERS)
    parts = []
    for number, lot in enumerate(sorted((folder / "all").iterdir())):
        place = folder / f"part-{number}"
        place.mkdir()
        (place / lot.name).symlink_to(lot)
        parts.append(place)
    begun = time.monotonic()
    every = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder / "store"), str(part)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={**os.environ, "POLARS_MAX_THREADS": "1"},
        )
        for part in parts
    ]  # fmt: skip
    ends = [one.communicate() for one in every]
    failed = [said[1][-500:] for said, one in zip(ends, every, strict=True) if one.returncode]
    if failed:
        return Told(False, time.monotonic() - begun, 0, f"{len(failed)} writers failed: {failed[0]}")
    alone = folder / "alone"
    work.go(alone, folder / "all", lambda name: None)
    found, plain = work.content(folder / "store"), work.content(alone)
    same = found["lots"] == plain["lots"] == {f"lot-{n:03d}": work.WHOLE for n in range(WRITERS)}
    return Told(
        same and found["digest"] == plain["digest"], found["opened_s"], 0, "" if same else str(found["lots"])
    )


def orphans(seed: int, folder: Path) -> Told:
    """Kill a process that holds a run: the run is shown as interrupted at once, and the next one begins."""
    from flyball.runtime import runs
    from flyball.runtime.store import Store

    code = (
        "import sys, time; from flyball.torture import work; from flyball.runtime import runs; "
        "from flyball.runtime.store import Store; kept = Store.open(sys.argv[1], work.FLEET)\n"
        "with runs.lease(kept, 'page', 'f'): print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "store")], stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        child.stdout.readline()
        store = Store.open(folder / "store", work.FLEET)
        running = [told["state"] for told in runs.listed(store)]
        child.send_signal(signal.SIGKILL)
        child.wait()
    begun = time.monotonic()
    after = [told["state"] for told in runs.listed(store)]
    with runs.lease(store, "page", "f"):
        now = [told["state"] for told in runs.listed(store)]
    ended = [told["state"] for told in runs.listed(store)]
    states = (running, after, now, ended)
    kept = states == (["running"], ["interrupted"], ["interrupted", "running"], ["interrupted", "done"])
    return Told(kept, time.monotonic() - begun, 0, "" if kept else f"states: {states}")


def endless(seed: int, folder: Path, sabotage: str = "") -> Told:
    """Let thirty days pass under a cap, a release every week: it holds, and what serves keeps what it learned from."""
    import numpy as np

    from flyball.runtime import retention
    from flyball.runtime.store import Store

    rng, cap = np.random.default_rng(seed), units.octets(1_500_000)
    rule = data.Retention(at_most=cap)
    table = data.Table("frames", columns={"picture": "image", "dose": "number"}, unique=("at",))
    store = Store.open(folder / "store", data.Fleet("machine", data.WallClock(), (table,), retain=rule))
    if sabotage == "live":
        retention_live, retention.live = retention.live, lambda store: {}
    try:
        for day in range(DAYS):
            told = _day(store, folder / "in" / f"{day}", day, rng)
            if day % 7 == 6:
                _release(store, day)
            why = _kept(store, day, told, cap)
            if why:
                return Told(False, 0.0, 0, f"day {day}: {why}")
    finally:
        if sabotage == "live":
            retention.live = retention_live
    begun = time.monotonic()
    rows = len(Store.open(folder / "store", store.fleet).rows("frames"))
    return Told(0 < rows < DAYS * 12, time.monotonic() - begun, 0, f"{rows} rows are left of {DAYS * 12}")


def _day(store: Any, folder: Path, day: int, rng: Any) -> Any:
    import numpy as np

    place = folder / "frames"
    place.mkdir(parents=True)
    lines = ["machine,at,picture,dose"]
    for number in range(12):
        np.save(place / f"{number}.npy", rng.integers(0, 255, (96, 96), dtype=np.uint8))
        lines.append(f"m{number},2026-01-{day + 1:02d}T{number:02d}:00:00,{number}.npy,{rng.normal():.3f}")
    (place / "day.csv").write_text("\n".join(lines) + "\n")
    return store.ingest([folder], now=work.NOW)


def _release(store: Any, day: int) -> None:
    """Publish what a run would: a release that was trained on the last three days, and the record that tells of it."""
    from flyball import durable
    from flyball.runtime import runs

    digest = f"{day:064x}"
    since = work.FIRST + (day - 2) * int(units.DAY)
    told = {"since": since, "last": work.FIRST + (day + 1) * int(units.DAY)}
    durable.publish(
        store.folder / "releases" / digest, lambda place: (place / "data.json").write_text(json.dumps(told))
    )
    with runs.lease(store, "page", "f") as record:
        record.finish({"release": digest, "steps": []})


def _kept(store: Any, day: int, told: Any, cap: int) -> str:
    """Return what is wrong after a day: beyond the cap without a word, or rows and images gone that must not be."""
    from flyball.runtime import retention

    size = retention.size(store)
    if size > cap and not any("trained on rows" in note for note in told.notes):
        return f"{size} bytes are kept, {int(cap)} may be, and nothing is said: {told.notes}"
    rows = store.rows("frames")
    there = {int(at - work.FIRST) // int(units.DAY) for at in rows.at}
    releases = [one for one in range(6, day + 1, 7)][-2:]
    needed = {one for last in releases for one in range(last - 2, last + 1)} | {day}
    if not needed <= there:
        return f"days {sorted(needed - there)} are gone, releases of days {releases} need them"
    if any(picture.shape != (96, 96) for picture in rows.columns["picture"].load()):
        return "an image is gone that a row names"
    return ""


def _refuses(error: int, word: str) -> Any:
    return functools.partial(refuses, error, word)


TRIALS = (
    Trial("R5", "a disk that is read-only", _refuses(errno.EROFS, "make the folder writable"), 8),
    Trial("R5", "a disk that fails at every write (EIO)", _refuses(errno.EIO, "look at the disk"), 8),
    Trial("R5", "a slow disk", crawls, 8),
    Trial("R6", "a bit flips in any file", rots, 4),
    Trial("R7", "eight writers at once", writers, 8),
    Trial("R8", "a run whose process was killed", orphans),
    Trial("R9", "thirty days under a cap, a release a week", endless, 8),
)
