"""One record per run, with a lease: a run whose process died is shown as interrupted, never as running."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from flyball import durable

#: A run that has not been heard of for this long on another machine is taken for dead.
LEASE_S = 120.0
HEARTBEAT_S = 20.0


class Kept(Protocol):
    """What holds runs; the store does."""

    folder: Path


class Record:
    """A run as it lies in the store: `runs/<id>.json`."""

    def __init__(self, path: Path, told: dict[str, Any]) -> None:
        self.path, self.told = path, told

    def finish(self, told: Mapping[str, Any]) -> None:
        """Record what the run came to."""
        self._write(state="done", ended=_now(), result=dict(told))

    def fail(self, why: str) -> None:
        """Record why the run stopped."""
        self._write(state="failed", ended=_now(), why=why)

    def beat(self) -> None:
        """Say that the run is alive."""
        os.utime(self.path)

    def _write(self, **changes: Any) -> None:
        self.told |= changes
        durable.write(self.path, json.dumps(self.told, indent=1, default=str).encode())


@contextlib.contextmanager
def lease(kept: Kept, system: str, fingerprint: str) -> Iterator[Record]:
    """Hold a run's record while it runs; leaving with an error marks it failed, and the error goes on.

    Runs that died are marked interrupted first.
    """
    folder = durable.folder(kept.folder / "runs")
    interrupted(kept)
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}"
    told = {
        "run": name, "system": system, "fingerprint": fingerprint, "state": "running", "began": _now(),
        "pid": os.getpid(), "started": _started(os.getpid()), "boot": _boot(),
    }  # fmt: skip
    record = Record(folder / f"{name}.json", told)
    record._write()
    stop = threading.Event()
    thread = threading.Thread(target=_heartbeat, args=(record, stop), daemon=True)
    thread.start()
    try:
        yield record
        if record.told["state"] == "running":
            record.finish({})
    except BaseException as error:
        with contextlib.suppress(Exception):
            record.fail(f"{type(error).__name__}: {error}")
        raise
    finally:
        stop.set()
        thread.join()


def listed(kept: Kept) -> list[dict[str, Any]]:
    """Return all runs, oldest first; one whose process is gone shows as interrupted."""
    found = []
    for path in sorted((kept.folder / "runs").glob("[0-9]*.json")):
        try:
            told = json.loads(path.read_bytes())
        except ValueError:
            told = {"run": path.stem, "state": "damaged"}
        if told.get("state") == "running" and not _alive(told, path):
            told["state"] = "interrupted"
        found.append(told)
    # The names tell the second; several runs may have begun in it.
    return sorted(found, key=lambda told: (told["run"][:15], told.get("began", 0)))


def interrupted(kept: Kept) -> list[str]:
    """Mark runs whose process is gone as interrupted; return their names."""
    marked = []
    for told in listed(kept):
        path = kept.folder / "runs" / f"{told['run']}.json"
        if told["state"] == "interrupted" and json.loads(path.read_bytes())["state"] == "running":
            durable.write(path, json.dumps({**told, "noticed": _now()}, indent=1).encode())
            marked.append(told["run"])
    return marked


def _heartbeat(record: Record, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        with contextlib.suppress(OSError):
            record.beat()


def _alive(told: Mapping[str, Any], path: Path) -> bool:
    """Say whether a run's process lives: by its start time on this boot, by its heartbeat elsewhere."""
    if told.get("boot") == _boot():
        return told.get("started") == _started(int(told["pid"]))
    return time.time() - path.stat().st_mtime < LEASE_S


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started (clock ticks since boot), "" when there is none: numbers are used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def _now() -> int:
    return time.time_ns() // 1000
