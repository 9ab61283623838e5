"""The agent of a machine: polls, verifies, installs, switches, falls back, and tells what it runs, signed.

It opens no port for any of this: it asks where updates come from, and sends what its site lets leave.  Weeks without a
link, an expired set or a wrong clock stop nothing that runs; they only keep what is new from coming.  The network,
the clock, the disk (below `folder`) and what answers are handed in, so that hundreds of agents can be simulated in one
process and every failing seed replays.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flyball import __version__, audit, durable, errors
from flyball.serving import calendar
from flyball.serving.trust.client import Trusted
from flyball.serving.trust.order import LEAVES, Order, Policy
from flyball.site import spool, uplink
from flyball.site.seat import Host, Seat

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

    from flyball.serving.trust.mirror import Mirror
    from flyball.site.spool import Batch

#: How often to ask for news, the longest wait after failures, and how far a clock may be behind, in microseconds.
PERIOD, LONGEST, BEHIND = 900_000_000, 6 * 3_600_000_000, 3_600_000_000


class Kept(Protocol):
    """Where results wait until they can be sent."""

    def put(self, kind: str, record: Mapping[str, Any]) -> object:
        """Keep a record of a class, by its priority, under the cap."""

    def batches(self) -> Iterable[Any]:
        """Yield what waits to be sent, the most valuable first."""

    def acknowledge(self, batch: Any) -> object:
        """Let go of what has arrived."""


class Uplink(Protocol):
    """Where what leaves the machine goes."""

    def send(
        self, machine: str, report: bytes, batches: Iterable[Any], done: Callable[[Any], object]
    ) -> None:
        """Send a signed report and what waits; call `done` with each batch that was acknowledged.

        Raises UnreachableError where nobody answers.
        """


@dataclass(frozen=True)
class Machine:
    """Who a machine is: its name, its kind (hardware id), and the pages it answers, each with its feature schema.

    A schema of "" is pinned by the first release that comes.
    """

    name: str
    kind: str
    pages: Mapping[str, str] = field(default_factory=dict)


class Agent:
    """The agent of one machine over a folder; `step` does one round and returns when to call it next.

    `hosts` makes what answers for a page; `signer` is the machine's own key; `spool` keeps what is told until it can
    be sent; `clock` gives microseconds.
    """

    def __init__(
        self, folder: Path, machine: Machine, mirror: Mirror, hosts: Callable[[str], Host], spool: Kept,
        signer: CryptoSigner, clock: Callable[[], int], root: bytes | None = None, uplink: Uplink | None = None,
        period: int = PERIOD,
    ) -> None:  # fmt: skip
        durable.folder(folder)
        self.folder, self.machine, self.mirror, self.spool = folder, machine, mirror, spool
        self.signer, self.clock, self.uplink, self.period = signer, clock, uplink, period
        self.audit = audit.Audit(folder / "audit.jsonl", clock)
        self.trusted = Trusted(folder / "trust", root)
        self.policy: Policy | None = None
        self._known = False
        self.problem = ""
        self._failures, self._next, self._alarmed = 0, 0, set[str]()
        self._jitter = random.Random(
            int.from_bytes(hashlib.sha256(machine.name.encode()).digest()[:8], "big")
        )
        self.seats = {
            page: Seat(
                folder / "pages" / page, page, machine.name, machine.kind, schema, hosts(page), self._tell
            )
            for page, schema in machine.pages.items()
        }

    def boot(self, at_once: bool = False) -> None:
        """Let every page answer again: what served before, or the next best thing that is whole.

        It asks for news within a minute, each machine at its own time; `at_once` where a person waits for it.
        """
        now = self.clock()
        if self.trusted.latest - now > BEHIND:
            self._alarm(
                f"the clock is {(self.trusted.latest - now) / 3.6e9:.0f} h behind what was sure before"
            )
        for seat in self.seats.values():
            seat.boot(now)
        # So that a site whose power comes back does not ask all at once.
        self._next = now if at_once else now + int(self._jitter.random() * min(self.period, 60_000_000))

    def step(self) -> int:
        """Do one round: ask for news where it is time, do what the orders say, send what waits; return when next.

        No fault of the network, the disk or a release escapes: it is told, and what runs goes on.
        """
        now = self.clock()
        if self._next - now > 2 * LONGEST:
            self._next = now  # the clock was set back: what was planned by the wrong time is void
        if now >= self._next:
            self._poll(now)
            self._send(now)
        self._act(now)
        return min(self._next, now + self.period)

    def offered(self) -> tuple[tuple[Order, bool], ...]:
        """Return the orders of the set as it is trusted now."""
        return self.trusted.orders()

    def report(self, batches: Iterable[Batch] = ()) -> bytes:
        """Return what this machine runs, signed by its own key, with the digest of what is sent along."""
        told = {
            "machine": self.machine.name, "kind": self.machine.kind, "at": self.clock(), "flyball": __version__,
            "pages": [seat.told() for seat in self.seats.values()], "problem": self.problem,
            "latest": self.trusted.latest, "sent": spool.digest(batches),
        }  # fmt: skip
        body = json.dumps(told, sort_keys=True, separators=(",", ":"))
        signature = self.signer.sign(body.encode())
        return json.dumps({"told": body, "signature": signature.to_dict()}).encode()

    def may_leave(self, kind: str) -> bool:
        """Return whether the site lets a class of what is told leave; nothing does until its policy was read."""
        if not self._known:
            return False
        return kind in (self.policy.leaves if self.policy is not None else LEAVES)

    def leaving(self) -> list[Batch]:
        """Return what is to be sent now; what the site does not let leave is let go of.

        Raises FlyballError where the site's policy cannot be read: then nobody knows what may leave.
        """
        if not self._known:
            self._know()
        found: list[Batch] = []
        room, full = uplink.ROOM, False
        for batch in self.spool.batches():
            if not self.may_leave(batch.kind):
                self.spool.acknowledge(batch)
            elif not full and (size := len(json.dumps(batch._asdict()))) <= room:
                found.append(batch)
                room, full = room - size, len(found) >= uplink.AT_ONCE
            elif not full and size > uplink.ROOM:
                self._alarm(f"{batch.kind} of {size} bytes are more than can be sent at once: let go of")
                self.spool.acknowledge(batch)
            else:
                full = True
        return found

    def keep(self, kind: str, record: Mapping[str, Any]) -> None:
        """Keep a record of a class until it can be sent; a disk that refuses stops nobody."""
        try:
            self.spool.put(kind, record)
        except errors.StoreError as error:
            self.problem = str(error)  # a full disk: what runs goes on, and the report says so

    def _poll(self, now: int) -> None:
        try:
            changed = self.trusted.update(self.mirror, now)
        except errors.FlyballError as error:
            self._failed(error, now)
            return
        if self.problem:
            self._audit("updates again", {"after": self.problem})
        self.problem, self._failures = "", 0
        self._alarmed.clear()
        if changed:
            self._audit("updated", {"orders": len(self.offered())})
        self._next = now + int(self.period * self._jitter.uniform(0.75, 1.25))

    def _failed(self, error: errors.FlyballError, now: int) -> None:
        """Tell a failed update once, and ask again later and later, each machine at its own time."""
        told = f"{type(error).__name__}: {error}"
        if not isinstance(error, errors.UnreachableError):
            self._alarm(told)
        if told != self.problem:
            self._audit("update refused", {"why": told})
        self.problem = told
        self._failures += 1
        wait = min(LONGEST, self.period * 2 ** min(self._failures - 1, 10))
        self._next = now + int(wait * self._jitter.uniform(0.5, 1.5))
        limit = self.policy.alarm_after if self.policy else Policy("", {}).alarm_after
        if self.trusted.latest and self.trusted.age(now) > limit:
            days = self.trusted.age(now) / 86_400_000_000
            self._alarm(
                f"no fresh set for {days:.0f} days (freeze attack, or a link that is down): what runs goes on",
                "age",
            )

    def _know(self) -> None:
        """Take the site's policy from what is verified and kept here: it holds without a link, and when it is old."""
        self.policy = self.trusted.policy(self.mirror)
        self._known = True

    def _act(self, now: int) -> None:
        try:
            self.trusted.fresh(now)
            offered = self.offered()
            self._know()
        except errors.FlyballError as error:
            if not isinstance(error, errors.UnreachableError):
                self.problem = self.problem or f"{type(error).__name__}: {error}"
                self._alarm(self.problem)
            for seat in self.seats.values():
                seat.watch(now)
            return
        for seat in self.seats.values():
            choice = seat.act(
                offered, self.policy, now, self._open(now),
                lambda order, by_site, place: self.trusted.release(order, by_site, self.mirror, place),
                self.trusted.size,
            )  # fmt: skip
            if choice.waiting and choice.waiting not in self._alarmed:
                self._alarmed.add(choice.waiting)
                self._audit("waits", {"page": seat.page, "for": choice.waiting})

    def _open(self, now: int) -> bool:
        """Return whether the site's calendar lets a machine switch; one that cannot be read keeps it closed."""
        if self.policy is None:
            return True
        try:
            return calendar.of(self.policy.windows, self.policy.freezes).open_at(now)
        except errors.FlyballError as error:
            self._alarm(f"the site's calendar cannot be read, nothing is switched: {error}", "calendar")
            return False

    def _send(self, now: int) -> None:
        if self.uplink is None:
            return
        try:
            batches = self.leaving()
            self.uplink.send(self.machine.name, self.report(batches), batches, self.spool.acknowledge)
        except errors.FlyballError as error:  # no link, or a full disk that cannot note what has arrived
            self.problem = self.problem or f"{type(error).__name__}: {error}"

    def _tell(self, kind: str, record: Mapping[str, Any]) -> None:
        told = {"machine": self.machine.name, "at": self.clock(), **record}
        if kind == "audit":
            self._audit(str(record["act"]), {name: value for name, value in record.items() if name != "act"})
            return
        self.keep("alarms" if kind == "alarm" else kind, told)

    def _audit(self, act: str, told: Mapping[str, Any]) -> None:
        try:
            self.audit.append(act, {"machine": self.machine.name, **told})
        except errors.FlyballError as error:
            self._alarm(f"the audit cannot be written: {error}", "audit")
        self.keep("audit", {"machine": self.machine.name, "at": self.clock(), "act": act, **told})

    def _alarm(self, what: str, once: str = "") -> None:
        if (once or what) not in self._alarmed:
            self._alarmed.add(once or what)
            self.keep("alarms", {"machine": self.machine.name, "at": self.clock(), "what": what})
