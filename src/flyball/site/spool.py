"""Keeps what a machine has to tell until it can be sent: weeks, under a cap, the most valuable longest.

Why: a link is down for a fortnight and the disk of an edge machine is small.  Below the cap nothing is lost; above it
the least valuable class goes first, oldest first, and every record that went is counted by class and told.

Each class is a row of segments, one JSON record per line with its number and a checksum.  Numbers of a class only
grow over an `epoch`, which is drawn anew when a spool begins: whoever receives (machine, epoch, class, number) knows
what came twice and what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flyball import durable, errors, seals

#: The classes in order of worth: what is evicted first stands last.
CLASSES = ("audit", "alarms", "alerts", "outcomes", "answers", "sketches", "exposures", "traces")
#: The bytes of a segment; whole segments are sent, acknowledged and evicted.
SEGMENT = 2**16


class Batch(NamedTuple):
    """Records of one class in one segment: their first number, and the lines as they are kept."""

    epoch: str
    kind: str
    first: int
    records: tuple[Mapping[str, Any], ...]

    @property
    def last(self) -> int:
        """The number of the last record."""
        return self.first + len(self.records) - 1


def digest(batches: Iterable[Batch]) -> str:
    """Return the SHA-256 of some batches, which a machine's report names: so what is sent is signed with it.

    >>> digest([])[:8]
    '4f53cda1'
    """
    plain = [batch._asdict() for batch in batches]
    told = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(told.encode()).hexdigest()


class Spool:
    """A spool in a folder with a cap in bytes.

    Raises StoreError from `put` when the disk refuses; what is kept already stays.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     spool = Spool(Path(place), cap=2**20)
    ...     spool.put("answers", {"key": "s1", "answer": 0.2})
    ...     spool.put("alarms", {"what": "drift"})
    ...     [(batch.kind, batch.first, len(batch.records)) for batch in spool.batches()]
    0
    0
    [('alarms', 0, 1), ('answers', 0, 1)]
    """

    def __init__(self, folder: Path, cap: int = 64 * 2**20, epoch: str = "", sync: bool = True) -> None:
        self.folder, self.cap, self._sync = folder, cap, sync
        durable.folder(folder)
        self.torn = 0
        self._next: dict[str, int] = {}
        self._open: dict[str, Path] = {}
        self._sizes: dict[Path, int] = {}
        self.epoch, self._evicted = self._begun(epoch)
        self._scan()

    def put(self, kind: str, record: Mapping[str, Any]) -> int:
        """Keep a record and return its number; on the disk when this returns."""
        if kind not in CLASSES:
            raise errors.DeclarationError(f"no class {kind!r}, {errors.did_you_mean(kind, CLASSES)}")
        number = self._next.get(kind, 0)
        line = _line(number, record)
        self._make_room(kind, len(line))
        if self._used() + len(line) > self.cap:
            self._count(kind, 1)
            self._next[kind] = number + 1
            return number
        file = self._open.get(kind)
        if file is None or self._sizes[file] + len(line) > SEGMENT:
            file = self.folder / f"{kind}.{number:012d}.jsonl"
            self._open[kind], self._sizes[file] = file, 0
        if self._sync:
            durable.append(file, line)
        else:
            with durable.guard(f"append to {file}"), file.open("ab") as sink:
                sink.write(line)
        self._sizes[file] += len(line)
        self._next[kind] = number + 1
        return number

    def number(self, kind: str) -> int:
        """Return the number that the next record of a class will have.

        Who writes it down beside records that are not put yet knows after a crash which of them were.
        """
        return self._next.get(kind, 0)

    def batches(self) -> Iterator[Batch]:
        """Yield what waits, by worth and then by age, a segment at a time."""
        for kind in CLASSES:
            for file in self._segments(kind):
                first, records = self._read(file)
                if records:
                    yield Batch(self.epoch, kind, first, tuple(records))

    def acknowledge(self, batch: Batch) -> None:
        """Let go of what has arrived: the records of a class up to the last of a batch."""
        self._note()  # first, or a cut after the segments are gone would give their numbers to others
        for file in self._segments(batch.kind):
            first, records = self._read(file)
            if first > batch.last:
                break
            rest = records[batch.last - first + 1 :]
            if self._open.get(batch.kind) == file:
                del self._open[batch.kind]
            with durable.guard(f"let go of {file}"):
                if rest:
                    left = self.folder / f"{batch.kind}.{batch.last + 1:012d}.jsonl"
                    lines = [_line(batch.last + 1 + place, record) for place, record in enumerate(rest)]
                    durable.write(left, lines)
                    self._sizes[left] = sum(map(len, lines))
                file.unlink(missing_ok=True)
            self._sizes.pop(file, None)

    def counts(self) -> dict[str, int]:
        """Return how many records of each class were let go of for lack of room."""
        return dict(self._evicted)

    def waiting(self) -> dict[str, int]:
        """Return how many records of each class wait."""
        return {kind: sum(len(self._read(f)[1]) for f in self._segments(kind)) for kind in CLASSES}

    def _make_room(self, kind: str, size: int) -> None:
        """Evict whole segments of the least valuable classes, oldest first, never of a class worth more."""
        if self._used() + size <= self.cap:
            return
        for least in reversed(CLASSES[CLASSES.index(kind) :]):
            for file in self._segments(least):
                if self._used() + size <= self.cap:
                    return
                self._count(least, len(self._read(file)[1]))
                with durable.guard(f"let go of {file}"):
                    file.unlink(missing_ok=True)
                self._sizes.pop(file, None)
                if self._open.get(least) == file:
                    del self._open[least]

    def _used(self) -> int:
        return sum(self._sizes.values())

    def _count(self, kind: str, lost: int) -> None:
        self._evicted[kind] = self._evicted.get(kind, 0) + lost
        self._note()

    def _note(self) -> None:
        told = {"epoch": self.epoch, "evicted": self._evicted, "next": self._next}
        durable.write(self.folder / "spool.json", seals.sealed(told))

    def _begun(self, epoch: str) -> tuple[str, dict[str, int]]:
        """Return the epoch and the counts that were noted; a lost note begins a new epoch: numbers never come twice."""
        try:
            told = seals.unsealed((self.folder / "spool.json").read_bytes())
            self._next = {kind: int(number) for kind, number in told["next"].items()}
            return str(told["epoch"]), {kind: int(number) for kind, number in told["evicted"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            fresh = epoch or secrets.token_hex(8)
            durable.write(
                self.folder / "spool.json", seals.sealed({"epoch": fresh, "evicted": {}, "next": {}})
            )
            return fresh, {}

    def _scan(self) -> None:
        """Find what is kept; a torn last line (a cut in the middle of writing it) was never acknowledged."""
        for kind in CLASSES:
            for file in self._segments(kind):
                content = file.read_bytes()
                whole = content.rfind(b"\n") + 1
                if whole < len(content):
                    self.torn += 1
                    with durable.guard(f"mend {file}"):
                        os.truncate(file, whole)
                self._sizes[file] = whole
                first, records = self._read(file)
                self._next[kind] = max(self._next.get(kind, 0), first + len(records))

    def _segments(self, kind: str) -> list[Path]:
        return sorted(self.folder.glob(f"{kind}.*.jsonl"))

    def _read(self, file: Path) -> tuple[int, list[Mapping[str, Any]]]:
        """Return the first number of a segment and its records; a damaged line ends it, and the rest is counted."""
        first = int(file.name.split(".")[1])
        records: list[Mapping[str, Any]] = []
        lines = file.read_bytes().split(b"\n")[:-1]
        for place, line in enumerate(lines):
            told = _record(line)
            if told is None or told[0] != first + place:
                lost = len(lines) - place
                with durable.guard(f"mend {file}"):
                    durable.write(file, b"".join(one + b"\n" for one in lines[:place]))
                self._sizes[file] = file.stat().st_size
                self._count(file.name.split(".")[0], lost)
                break
            records.append(told[1])
        return first, records


class Received:
    """What has arrived from one machine: takes each record once, and knows what is missing.

    State goes in and comes out as plain JSON.

    >>> got = Received()
    >>> one = Batch("e", "answers", 0, ({"answer": 1},))
    >>> len(got.take(one)), len(got.take(one))
    (1, 0)
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._next: dict[str, int] = dict((state or {}).get("next", {}))
        self.missing: dict[str, int] = dict((state or {}).get("missing", {}))

    def state(self) -> dict[str, Any]:
        """Return what is known, as plain JSON."""
        return {"next": self._next, "missing": self.missing}

    def take(self, batch: Batch) -> tuple[Mapping[str, Any], ...]:
        """Return the records of a batch that are new, and count what was let go of before it."""
        name = f"{batch.epoch}/{batch.kind}"
        due = self._next.get(name, 0)
        if batch.first > due:
            self.missing[batch.kind] = self.missing.get(batch.kind, 0) + batch.first - due
        new = batch.records[max(0, due - batch.first) :]
        self._next[name] = max(due, batch.last + 1)
        return new


def _line(number: int, record: Mapping[str, Any]) -> bytes:
    body = json.dumps(record, sort_keys=True, separators=(",", ":"), default=str)
    return f"{number} {zlib.crc32(body.encode()):08x} {body}\n".encode()


def _record(line: bytes) -> tuple[int, Mapping[str, Any]] | None:
    try:
        number, crc, body = line.split(b" ", 2)
        if int(crc, 16) != zlib.crc32(body):
            return None
        told = json.loads(body)
        return (int(number), told) if isinstance(told, dict) else None
    except ValueError:
        return None
