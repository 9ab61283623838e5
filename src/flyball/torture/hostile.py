"""Trials of files that mean harm: bombs, names that lead out, pipes, links, files that change; in bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flyball import data
from flyball.torture import rows
from flyball.torture.trial import Told, Trial

FLEET = data.Fleet(
    "machine",
    data.WallClock(),
    (*rows.FLEET.tables, data.Table("maps", columns={"map": "image"})),
)
#: So much more memory may the whole of it take than good files do, MiB: a file of 300 kB may unpack to 200 times as
#: much before it is refused, and half as much is for the rest.
MORE = 96
LINE = "machine,at,power,pulses\nm0,2026-01-01T00:00:00,1,1\n"


def png(width: int, height: int) -> bytes:
    """Return a whole, valid PNG of zeros."""
    pack = zlib.compressobj(9)
    packed = b"".join(pack.compress(bytes(1 + width)) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pieces = (b"IHDR", head), (b"IDAT", packed), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(one)) + kind + one + struct.pack(">I", zlib.crc32(kind + one))
        for kind, one in pieces
    )


def plant(folder: Path, seed: int) -> dict[str, str]:
    """Write hostile files below a folder, in an order of the seed; return {name: what its refusal must say}."""
    rng = random.Random(seed)
    tables, maps = folder / "telemetry", folder / "maps"
    for place in (tables, maps):
        place.mkdir(parents=True)
    (folder.parent / "secret.csv").write_text(LINE)
    side = rng.randrange(11_000, 13_000)
    (maps / "bomb.png").write_bytes(png(side, side))
    (maps / "a.csv").write_text(
        "machine,at,map\n"
        + "".join(f"m0,2026-01-01,{name}\n" for name in ("bomb.png", "../../secret.csv", "z.zip/../x.png"))
    )
    with zipfile.ZipFile(maps / "z.zip", "w") as file:
        file.writestr("../x.png", b"x")
    zeros = bytes(2**20)
    ten = seed % 32 == 31  # 10 GiB take a minute to pack: one seed in 32
    _zip(tables / "zip.zip", "telemetry/a.csv", (zeros for _ in range(10 * 1024 if ten else 600)))
    with gzip.open(tables / "gz.csv.gz", "wb", 9) as out:
        for _ in range(300):
            out.write(zeros)
    with tarfile.open(tables / "out.tar", "w") as bundle:
        for name, kind, link in (
            ("../secret.csv", tarfile.REGTYPE, ""), ("/etc/telemetry.csv", tarfile.REGTYPE, ""),
            ("telemetry/link.csv", tarfile.SYMTYPE, "/etc/passwd"), ("telemetry/hard.csv", tarfile.LNKTYPE, "a.csv"),
            ("telemetry/pipe.csv", tarfile.FIFOTYPE, ""),
        ):  # fmt: skip
            told = tarfile.TarInfo(name)
            told.type, told.linkname = kind, link
            bundle.addfile(told, io.BytesIO())
    (tables / "link.csv").symlink_to(folder.parent / "secret.csv")
    os.mkfifo(tables / "pipe.csv")
    with (tables / "huge.csv").open("wb") as file_:
        file_.truncate(2**36)
    (tables / "good.csv").write_text(LINE)
    return {
        "bomb.png": "pixels", "../../secret.csv": "outside", "z.zip/../x.png": "leads out", "zip.zip": "times its",
        "gz.csv.gz": "times its", "out.tar/../secret.csv": "leads out", "out.tar//etc/telemetry.csv": "leads out",
        "out.tar/telemetry/link.csv": "link", "out.tar/telemetry/hard.csv": "link", "out.tar/telemetry/pipe.csv": "",
        "link.csv": "symbolic link", "pipe.csv": "a pipe", "huge.csv": "at most",
    }  # fmt: skip


def _zip(path: Path, name: str, pieces: Iterable[bytes]) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
        file.open(name, "w", force_zip64=True) as out,
    ):
        for piece in pieces:
            out.write(piece)


_CHILD = """
import json, resource, sys, time
from flyball.torture import hostile
from flyball.runtime.store import Store
store = Store.open(sys.argv[1], hostile.FLEET)
store.ingest([sys.argv[2]], now=hostile.rows.NOW)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begun = time.monotonic()
store.ingest([sys.argv[3]], now=hostile.rows.NOW)
more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
bad = [row for frame in store.journal.read("quarantine") for row in frame.select("name", "reason", "text").rows()]
print(json.dumps({"more": more, "seconds": time.monotonic() - begun, "bad": bad, "good": len(store.rows("telemetry"))}))
"""


def refused(seed: int, folder: Path) -> Told:
    """Take in hostile files in a child: each is refused by name with the reason, the good are in, memory is bounded."""
    good = folder / "good" / "telemetry"
    good.mkdir(parents=True)
    (good / "a.csv").write_text(LINE.replace("m0", "m1"))
    wanted = plant(folder / "deep" / "in", seed)
    # A process keeps the peak of the one that became it: a shell in between has none to speak of.
    command = [
        sys.executable,
        "-c",
        _CHILD,
        str(folder / "store"),
        str(folder / "good"),
        str(folder / "deep" / "in"),
    ]
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" & wait $!', "sh", *command], capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        return Told(False, 0.0, 0, f"it ended with {done.returncode}: {done.stderr[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    said = {f"{name} {text}": reason for name, reason, text in told["bad"]}
    for name, why in wanted.items():
        if not any(name in place and why in reason for place, reason in said.items()):
            return Told(False, told["seconds"], 0, f"{name} is not refused with {why!r}: {said}")
    if told["good"] != 2 or told["more"] > MORE:
        return Told(False, told["seconds"], 0, f"{told['good']} good rows, {told['more']:.0f} MiB more")
    return Told(True, told["seconds"])


def changing(seed: int, folder: Path) -> Told:
    """Write to a file while it is read, again and again: what is taken in is whole, and in the end all is."""
    from flyball.runtime import landing
    from flyball.runtime.store import Store

    place = folder / "in" / "telemetry"
    place.mkdir(parents=True)
    file, stop = place / "a.csv", threading.Event()
    every = rows.rows(seed, days=20)
    file.write_text(rows.text(every[:100]))

    def write() -> None:
        number = 100
        while not stop.wait(0.002) and number < len(every):
            with file.open("a") as out:
                out.write(rows.text(every[number : number + 3]).split("\n", 1)[1])
            number += 3

    writer = threading.Thread(target=write)
    writer.start()
    watch = landing.Watch(
        Store.open(folder / "store", rows.FLEET), landing.Folder(folder / "in", settled_s=0.0)
    )
    try:
        list(watch.go(every_s=0.01, for_s=0.6))
    finally:
        stop.set()
        writer.join()
    list(watch.go(every_s=0.05, for_s=0.3))
    found = {row[:2] for row in rows.known(watch.store)}
    whole = {row[:2] for row in every}
    bad = {why for reasons in watch.store.quarantine().values() for why in reasons if "incomplete" not in why}
    return Told(
        found <= whole and len(found) == file.read_text().count("\n") - 1 and not bad, 0.0, 0,
        f"{len(found)} of {file.read_text().count(chr(10)) - 1} rows, {bad}",
    )  # fmt: skip


TRIALS = (
    Trial("R21", "bombs, links, pipes, names that lead out", refused, 4),
    Trial("R21", "a file that changes while it is read", changing, 4),
)
