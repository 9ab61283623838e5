"""What leaves a machine, and the word back that it arrived: two files in a folder, or the same two over HTTPS.

Why: a machine opens no port and a site may be air-gapped.  A folder that is mounted, synchronised, or carried on a
stick is the one thing every site has; a bundle over the gap (`serving.trust.bundle`) holds the same two files.  Where
there is a link the machine sends the first as the body of a request, and the second is the answer.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flyball import durable, errors
from flyball.site.endpoint_access import loopback
from flyball.site.spool import Batch

#: The most that one machine's file may hold, and how many segments go into it: the rest follows once these arrived.
LARGEST, AT_ONCE = 2**24, 200
#: What batches may come to in bytes, beside the report that goes with them.
ROOM = LARGEST - 2**20
#: The bytes that an acknowledgement may have, and how long whoever gives it may stay silent, in seconds.
LARGEST_WORD, SILENT_S = 2**16, 15.0


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
        last = acknowledged(self.folder, machine)
        waiting = list(batches)
        _let_go(waiting, last, done)
        durable.write(self.folder / f"{machine}.out.json", told(report, waiting))


class Post:
    """An address to which a machine tells, over HTTP(S): it sends, and nobody calls it.

    TLS is checked with `ca` where given; `token` is sent as a bearer token.  What was not acknowledged is sent again.
    """

    def __init__(self, url: str, ca: Path | None = None, token: str | None = None) -> None:
        import urllib3

        if token and not url.startswith("https://") and not loopback(urllib3.util.parse_url(url).host or ""):
            raise errors.DeclarationError(
                f"{url}: a token would go out in the clear: give an https:// address"
            )
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(
            ca_certs=str(ca) if ca else None, retries=False, timeout=urllib3.Timeout(SILENT_S)
        )

    def send(
        self, machine: str, report: bytes, batches: Iterable[Batch], done: Callable[[Batch], object]
    ) -> None:
        """Send what waits, and let go of what the answer says has arrived.

        Raises UnreachableError where nobody answers, or says no.
        """
        import urllib3

        waiting = list(batches)
        try:
            answer = self._pool.request(
                "PUT", f"{self.url}/machines/{machine}", body=told(report, waiting), headers=self._headers,
                redirect=False, preload_content=False,
            )  # fmt: skip
            with contextlib.closing(answer):
                content = answer.read(LARGEST_WORD)
        except urllib3.exceptions.HTTPError as error:
            raise errors.UnreachableError(f"{self.url}: {type(error).__name__}: {error}") from None
        if answer.status != 200:
            said = content[:200].decode(errors="replace")
            raise errors.UnreachableError(
                f"{self.url}: HTTP status {answer.status}: {said}: sent again later"
            )
        _let_go(waiting, _last(content), done)


def told(report: bytes, batches: Iterable[Batch]) -> bytes:
    """Return a report and what goes with it as they travel."""
    plain = {"report": report.decode(), "batches": [batch._asdict() for batch in batches]}
    return json.dumps(plain).encode()


def sent(content: bytes) -> tuple[bytes, list[Batch]]:
    """Return the report and the batches in what a machine sent; raises DataError for what no agent writes."""
    try:
        found = json.loads(content)
        return found["report"].encode(), [_batch(one) for one in found["batches"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise errors.DataError(f"not what an agent writes ({error}): set aside") from None


def acknowledged(folder: Path, machine: str) -> dict[str, int]:
    """Return the last number of each "epoch/class" that has arrived from a machine."""
    try:
        return _last((folder / f"{machine}.ack.json").read_bytes())
    except OSError:
        return {}


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
            taken = take(machine, *sent(file.read_bytes()))
        except errors.FlyballError as error:
            told(machine, error)
            continue
        place = folder / f"{machine}.ack.json"
        last = acknowledged(folder, machine)
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


def _last(content: bytes) -> dict[str, int]:
    try:
        found = json.loads(content)["last"]
        return {str(name): int(number) for name, number in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _let_go(waiting: Iterable[Batch], last: Mapping[str, int], done: Callable[[Batch], object]) -> None:
    """Call `done` with what has arrived of each batch."""
    for batch in waiting:
        arrived = last.get(f"{batch.epoch}/{batch.kind}", -1)
        if batch.first <= arrived:
            done(batch._replace(records=batch.records[: arrived - batch.first + 1]))
