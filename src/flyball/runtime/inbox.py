"""What machines of a site told, each record once: records and the knowledge that they came stand in one line.

A line is on the disk before anything is acknowledged; a line that was cut is as if nothing had come, and comes again.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, evidence
from flyball.site.spool import Batch, Received, digest

if TYPE_CHECKING:
    from securesystemslib.signer import Key

_EXPOSURE = frozenset(item.name for item in dataclasses.fields(evidence.Exposure))
#: Lines of one file: a day of a large site.
LINES = 10_000


class Inbox:
    """Records from machines in a folder of numbered lines.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     inbox = Inbox(Path(place))
    ...     batch = Batch("e", "alarms", 0, ({"what": "drift"},))
    ...     for _ in range(2):
    ...         _ = inbox.take("s1", [batch])
    ...     [record for _, _, record in inbox.records("alarms")]
    [{'what': 'drift'}]
    """

    def __init__(self, folder: Path) -> None:
        durable.folder(folder)
        self.folder = folder
        self.received: dict[str, Received] = {}
        self._lines, self._sure = 0, False
        self._look()

    def _look(self) -> None:
        """Know what the lines on the disk say."""
        self.received, self._lines = {}, 0
        for number, told in self._read(0):
            self.received[told["machine"]] = Received(told["state"])
            self._lines = number + 1
        self._sure = True

    def take(self, machine: str, batches: Iterable[Batch]) -> list[Batch]:
        """Take in batches of a machine and return those that are on the disk here, to be acknowledged."""
        if not self._sure:
            self._look()
        before = self.received.get(machine, Received())
        received = Received(json.loads(json.dumps(before.state())))
        taken = list(batches)
        new = [(batch.kind, list(received.take(batch))) for batch in taken]
        if received.state() != before.state():
            told = {"machine": machine, "state": received.state(), "records": [one for one in new if one[1]]}
            body = json.dumps(told, sort_keys=True, separators=(",", ":"))
            file = self.folder / f"{self._lines // LINES:08d}.jsonl"
            self._sure = False  # whoever is interrupted here does not know whether the line stands
            durable.append(file, f"{zlib.crc32(body.encode()):08x} {body}\n".encode())
            self._sure = True
            self._lines += 1
            self.received[machine] = received
        return taken

    def records(self, kind: str, after: int = 0) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
        """Yield (line, machine, record) of a class, oldest first, from line `after` on."""
        for number, told in self._read(after):
            for found, records in told["records"]:
                if found == kind:
                    for record in records:
                        yield number, told["machine"], record

    def exposures(self, after: int) -> tuple[list[evidence.Exposure], int]:
        """Return what machines told of releases from line `after` on, and the line to go on from.

        What is no exposure, or speaks for another machine than the one that sent it, is passed over.
        """
        if not self._sure:
            self._look()
        found = []
        for _, machine, record in self.records("exposures", after):
            one = exposure(record)
            if one is not None and one.machine == machine:
                found.append(one)
        return found, self._lines

    def _read(self, after: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for file in sorted(self.folder.glob("*.jsonl")):
            first = int(file.stem) * LINES
            if first + LINES <= after:
                continue
            lines = file.read_bytes().split(b"\n")
            if lines[-1]:  # a cut in the middle of a line: nothing of it was acknowledged
                with durable.guard(f"mend {file}"):
                    durable.write(file, b"".join(line + b"\n" for line in lines[:-1]))
            for place, line in enumerate(lines[:-1]):
                crc, _, body = line.partition(b" ")
                if crc != f"{zlib.crc32(body):08x}".encode():
                    raise errors.StoreError(
                        f"{file}: line {place + 1} is damaged: bring the file back from a copy"
                    )
                if first + place >= after:
                    yield first + place, json.loads(body)


def exposure(told: Mapping[str, Any]) -> evidence.Exposure | None:
    """Return the exposure in a record, or None where a record is none: counts below zero, a loss beyond its bounds."""
    try:
        found = evidence.Exposure(**{name: value for name, value in told.items() if name in _EXPOSURE})
    except TypeError:
        return None
    counts = (found.answers, found.slow, found.crashes, found.violations, found.disagreed, found.outcomes)
    if any(type(count) is not int or count < 0 for count in counts):
        return None
    sound = isinstance(found.difference, (int, float)) and isinstance(found.squares, (int, float))
    if not sound or abs(found.difference) > found.outcomes or not 0 <= found.squares <= found.outcomes:
        return None
    return found


def verified(
    machine: str, report: bytes, batches: Iterable[Batch], keys: Mapping[str, Key]
) -> dict[str, Any]:  # fmt: skip
    """Return what a machine's report tells, once it is sure that the machine signed it and what came with it.

    Raises SignatureError for a machine that is not enrolled, a report of another, and whatever was changed.
    """
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer import Signature

    key = keys.get(machine)
    if key is None:
        raise errors.SignatureError(f"{machine}: no machine of this site: enrol it first")
    try:
        sealed = json.loads(report)
        key.verify_signature(Signature.from_dict(sealed["signature"]), sealed["told"].encode())
        told = json.loads(sealed["told"])
        sent = told["sent"]
    except (UnverifiedSignatureError, ValueError, KeyError, TypeError, AttributeError):
        raise errors.SignatureError(f"{machine}: its report is not signed by its key: set aside") from None
    if told.get("machine") != machine:
        raise errors.SignatureError(f"{machine}: sent the report of {told.get('machine')}: set aside")
    if sent != digest(batches):
        raise errors.SignatureError(f"{machine}: what came with its report is not what it sent: set aside")
    return dict(told)
