"""What leaves a machine, and the word back that it arrived, as two files in a folder that both sides reach.

Why: a machine opens no port and a site may be air-gapped.  A folder that is mounted, synchronised, or carried on a
stick is the one thing every site has; a bundle over the gap (`serving.trust.bundle`) holds the same two files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flyball import durable, errors
from flyball.site.spool import Batch

#: The most that one machine's file may hold, and how many segments go into it: the rest follows once these arrived.
LARGEST, AT_ONCE = 2**24, 200


class Drop:
    """A folder through which a machine tells: `NAME.out.json` from the machine, `NAME.ack.json` to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send(
        self, machine: str, report: bytes, batches: Iterable[Batch], done: Callable[[Batch], object]
    ) -> None:
        """Let go of what the other side says has arrived, then write what waits, whole or not at all.

        Raises UnreachableError where the folder is not there.
        """
        if not self.folder.is_dir():
            raise errors.UnreachableError(f"{self.folder}: no folder there: is it mounted?")
        acknowledged = _read(self.folder / f"{machine}.ack.json").get("last", {})
        waiting = list(batches)[:AT_ONCE]
        for batch in waiting:
            last = acknowledged.get(f"{batch.epoch}/{batch.kind}", -1)
            if batch.first <= last:
                done(batch._replace(records=batch.records[: last - batch.first + 1]))
        told = {"report": report.decode(), "batches": [batch._asdict() for batch in waiting]}
        durable.write(self.folder / f"{machine}.out.json", json.dumps(told).encode())


def heard(
    folder: Path,
    take: Callable[[str, bytes, list[Batch]], list[Batch]],
    told: Callable[[str, Exception], None],
) -> int:
    """Let `take` have what every machine wrote into a folder, and write back what has arrived; return how many spoke.

    What a machine wrote wrongly is told and set aside; the others are heard.
    """
    count = 0
    for file in sorted(folder.glob("*.out.json")):
        machine = file.name.removesuffix(".out.json")
        try:
            if file.stat().st_size > LARGEST:
                raise errors.EndlessDataError(f"{file}: more than {LARGEST} bytes: set aside")
            found = json.loads(file.read_bytes())
            batches = [_batch(one) for one in found["batches"]]
            taken = take(machine, found["report"].encode(), batches)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            told(machine, errors.DataError(f"{file}: not what an agent writes ({error}): set aside"))
            continue
        except errors.FlyballError as error:
            told(machine, error)
            continue
        place = folder / f"{machine}.ack.json"
        last = dict(_read(place).get("last", {}))
        for batch in taken:
            name = f"{batch.epoch}/{batch.kind}"
            last[name] = max(last.get(name, -1), batch.last)
        durable.write(place, json.dumps({"last": last}).encode())
        count += 1
    return count


def _batch(told: dict[str, Any]) -> Batch:
    records = told["records"]
    if type(told["first"]) is not int or not all(isinstance(record, dict) for record in records):
        raise ValueError("no batch")
    return Batch(str(told["epoch"]), str(told["kind"]), told["first"], tuple(records))


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
