"""The controller of a site: offers releases, hears what machines tell, and decides by the page's rollout.

It holds the repository that machines read and the online key, and nothing that a wave needs: waves are staged for the
site's keys, and go out when enough people have signed.  Every decision stands in the audit with its reason; `why`
reads it back.  A controller that is killed goes on where it was: its notes, what it received and what it decided are
on the disk before anybody hears of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import audit, durable, errors, evidence, seals
from flyball.runtime import inbox, sketched
from flyball.runtime.inbox import Inbox
from flyball.serving import release
from flyball.serving import stage as serving
from flyball.serving.trust import approvals
from flyball.serving.trust import order as orders
from flyball.serving.trust.order import Order, Policy
from flyball.site.spool import Batch

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, Key

    from flyball.serving.trust.repository import Repository

#: How often the set is signed anew: the beat that tells a machine that nothing is held back.
BEAT = 86_400_000_000


class Controller:
    """The controller of one page at one site, over a folder.

    `site` holds the site's keys where this process may use them (a laptop, a simulated site); without them a wave
    waits for signatures.  `machines` maps a machine to the public key that its reports are signed with.
    """

    def __init__(
        self, folder: Path, page: str, rollout: serving.Rollout, repository: Repository, online: CryptoSigner,
        clock: Callable[[], int], site: Sequence[CryptoSigner] = (), machines: Mapping[str, Key] | None = None,
    ) -> None:  # fmt: skip
        durable.folder(folder)
        self.folder, self.page, self.rollout = folder, page, rollout
        self.repository, self.online, self.clock, self.site = repository, online, clock, tuple(site)
        self.machines = dict(machines or {})
        self.audit = audit.Audit(folder / "audit.jsonl", clock)
        self._file = folder / "rollout.json"
        self._noted = self._file.read_bytes() if self._file.exists() else b""
        self.state = self._read()
        self.inbox = Inbox(folder / "received")
        #: What machines met, as sketches.
        self.sketches = sketched.Kept(folder / "sketches")
        self._finish()
        #: What each machine last said it runs.
        self.reports: dict[str, dict[str, Any]] = {}

    # What goes out

    def lay_down(self, policy: Policy) -> None:
        """Stage a policy for the site's keys, and publish it where they are at hand."""
        self.repository.stage(self.clock(), policy=policy)
        self._signed()

    def ship(
        self, folder: Path, kinds: Sequence[str], schema: str, why: str = "", version: int | None = None
    ) -> Order:
        """Offer a release: it begins in shadow on every machine of those kinds; returns its order.

        Raises RolloutError while another candidate of the page is under way, and for a release that was rolled back.
        """
        told = self.state["candidate"]
        if told is not None:
            raise errors.RolloutError(
                f"{self.page}: version {told['version']} is in {self.state['rollout']['stage']}: "
                "wait for it, or roll it back"
            )
        digest = release.digest(folder)
        if (gone := self.state["rolled_back"].get(digest)) is not None:
            raise errors.RolloutError(f"{self.page}: {digest[:12]}… was rolled back: {gone}: train another")
        release.admit(folder, digest)
        packed = self.folder / "packed" / f"{digest}.tar"
        if not packed.exists():
            durable.folder(packed.parent)
            part = packed.with_suffix(".part")
            release.pack(folder, part)
            durable.sync(part)
            durable.rename(part, packed)
        known = max(
            (order.version for order in self.repository.orders() if order.page == self.page), default=0
        )
        number = self.repository.next_number(self.page)
        order = Order(
            self.page, digest, version or max(known, self.state["version"]) + 1, number, "shadow", tuple(kinds), schema,
            why=why,
        )  # fmt: skip
        self._decide("shipped", order, why, candidate=order.json(), rollout=dict(self.rollout.start(self.clock())),
                     version=order.version)  # fmt: skip
        return order

    def step(self) -> evidence.Step | None:
        """Decide by what was heard since the last call; None while no candidate is under way."""
        now = self.clock()
        self._finish()
        self._beat(now)
        fresh, heard = self.inbox.exposures(self.state["heard"])
        if self.state["candidate"] is None:
            self._note(heard=heard)
            return None
        order = orders.read(self.state["candidate"])
        if (waiting := self.state["waiting"]) is not None:
            if not self._published(orders.read(waiting)):
                self._signed()
                if not self._published(orders.read(waiting)):
                    lacking = self.repository.unapproved()
                    what = f"{lacking} approval(s), then " if lacking else ""
                    return evidence.Step(
                        "hold", self.state["rollout"]["stage"], f"waits for {what}the site's signatures"
                    )
            self._note(waiting=None)
        mine = [one for one in fresh if one.release == order.release]
        held, step = self.rollout.next(self.state["rollout"], mine, self._due(), now)
        if step.action == "promote":
            self._promote(order, dict(held), step, heard)
        elif step.action == "rollback":
            self.roll_back(step.why, step)
        else:
            paused = step.why if step.action == "pause" else ""
            anew = bool(paused) and self.state["paused"] != paused
            self._note(rollout=dict(held), paused=paused, heard=heard)
            if anew:
                self._tell("paused", order, step.why, step)
        return step

    def roll_back(self, why: str, step: evidence.Step | None = None) -> Order | None:
        """Withdraw the candidate (or, without one, the newest wave): machines go back to what they ran before.

        The online key suffices: who steals it can bring back what the site's keys had approved before, nothing else.
        """
        told = self.state["candidate"]
        waves = [
            order for order in self.repository.orders() if order.page == self.page and order.stage == "wave"
        ]
        order = (
            orders.read(told) if told is not None else max(waves, key=lambda one: one.number, default=None)
        )
        if order is None:
            return None
        number = self.repository.next_number(self.page)
        gone = Order(**{**vars(order), "number": number, "stage": "withdrawn", "why": why, "groups": (),
                         "approved": {}})  # fmt: skip
        rolled_back = {**self.state["rolled_back"], order.release: why}
        self._decide("rolled back", gone, why, step, candidate=None, rollout=None, waiting=None, paused="",
                     rolled_back=rolled_back)  # fmt: skip
        return gone

    def _promote(self, order: Order, held: dict[str, Any], step: evidence.Step, heard: int) -> None:
        if step.stage == "done":
            self._note(candidate=None, rollout=None, waiting=None, serving=order.release, heard=heard)
            self._tell("promoted", order, "every wave held", step)
            return
        groups = self.rollout.groups(self.page, self._policy().machines)
        stage = "canary" if step.stage == "canary" else "wave"
        back = tuple(sorted({one.version for one in self.repository.orders() if one.version > order.version}))
        new = Order(**{
            **vars(order), "number": self.repository.next_number(self.page), "stage": stage,
            "groups": tuple(f"machine:{name}" for name in groups[step.stage]), "back_from": back,
            "why": step.why,
        })  # fmt: skip
        self._decide(
            f"promoted to {step.stage}", new, step.why, step, candidate=new.json(), rollout=held, paused="",
            waiting=new.json() if stage == "wave" else None, heard=heard,
        )  # fmt: skip

    def _decide(
        self, act: str, order: Order, why: str, step: evidence.Step | None = None, **changed: Any
    ) -> None:
        """Note a decision, carry it out and tell it; a controller that is killed in between goes on from the note."""
        told = self._told(order, why, step)
        self._note(pending={"act": act, "order": order.json(), "told": told}, **changed)
        self._finish()

    def _finish(self) -> None:
        pending = self.state["pending"]
        if pending is None:
            return
        order = orders.read(pending["order"])
        if not self._published(order):
            if order.stage == "wave":
                self.repository.stage(self.clock(), order, self._packed(order))
                self._signed()
            else:
                self.repository.offer(order, self._packed(order), self.online, self.clock())
        if not any(e["act"] == pending["act"] and e["told"] == pending["told"] for e in self.audit.entries()):
            self.audit.append(pending["act"], pending["told"])
        self._note(pending=None)

    # What comes in

    def receive(self, machine: str, report: bytes, batches: Iterable[Batch]) -> list[Batch]:
        """Take in what a machine tells, each record once, and return the batches that are on the disk here.

        Raises SignatureError for what is not signed by the machine's own key.
        """
        taken = list(batches)
        self.reports[machine] = inbox.verified(machine, report, taken, self.machines)
        found = self.inbox.take(machine, taken)
        if any(batch.kind == "sketches" for batch in taken):
            for why in self.sketches.take(self.inbox)[1]:
                self.audit.append("sketch refused", {"page": self.page, "why": why})
            if gone := self.sketches.drop(self.clock()):
                self.audit.append(
                    "sketches dropped", {"page": self.page, "sketches": gone, "older_than": sketched.KEEP}
                )
        return found

    def missing(self) -> dict[str, dict[str, int]]:
        """Return what machines had to let go of before it could be sent, by machine and class."""
        return {name: dict(got.missing) for name, got in self.inbox.received.items() if got.missing}

    def why(self, digest: str = "") -> list[dict[str, Any]]:
        """Return every decision about a release (by the start of its digest), oldest first."""
        return self.audit.about(digest)

    def status(self) -> dict[str, Any]:
        """Return what is under way and what machines run."""
        running: dict[str, int] = {}
        for told in self.reports.values():
            for page in told["pages"]:
                if page["page"] == self.page:
                    name = page["release"] or page["answering"] or "nothing"
                    running[name] = running.get(name, 0) + 1
        rollout = self.state["rollout"]
        return {
            "page": self.page, "stage": rollout["stage"] if rollout else "", "candidate": self.state["candidate"],
            "paused": self.state["paused"], "waiting": self.state["waiting"] is not None,
            "serving": self.state["serving"], "running": running, "machines": len(self.reports),
            "rolled_back": dict(self.state["rolled_back"]), "missing": self.missing(),
        }  # fmt: skip

    # Below

    def _due(self) -> dict[str, str]:
        """Return the machines that this stage waits for, with their kinds."""
        machines = dict(self._policy().machines)
        stage = self.state["rollout"]["stage"]
        if stage == "shadow":
            return machines
        return {name: machines[name] for name in self.rollout.groups(self.page, machines)[stage]}

    def _policy(self) -> Policy:
        found = self.repository.policy()
        if found is None:
            raise errors.RolloutError(
                f"{self.page}: the site has no policy that names its machines: `flyball keys policy`"
            )
        return found

    def _published(self, order: Order) -> bool:
        """Return whether an order is published, whoever approved it since it was noted."""
        wanted = approvals.digest(order)
        return any(approvals.digest(one) == wanted for one in self.repository.orders())

    def _packed(self, order: Order) -> Path:
        return self.folder / "packed" / f"{order.release}.tar"

    def _signed(self) -> None:
        """Sign what is staged with the keys that are at hand, and publish it when that is enough."""
        if not (self.repository.staged / "targets.json").is_file() or self.repository.unapproved():
            return
        missing = 1
        for signer in self.site:
            missing = self.repository.sign(signer)
        if self.site and missing == 0:
            self.repository.publish(self.online, self.clock())

    def _beat(self, now: int) -> None:
        if now - self.state["beat"] >= BEAT:
            self.repository.refresh(self.online, now)
            self._note(beat=now)

    def _tell(self, act: str, order: Order, why: str, step: evidence.Step | None = None) -> None:
        self.audit.append(act, self._told(order, why, step))

    def _told(self, order: Order, why: str, step: evidence.Step | None) -> dict[str, Any]:
        told: dict[str, Any] = {
            "page": self.page, "release": order.release, "version": order.version, "number": order.number,
            "stage": order.stage, "why": why,
        }  # fmt: skip
        if step is not None:
            told |= {"figure": step.figure, "limit": step.limit, "kinds": list(step.kinds)}
        return told

    def _read(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "candidate": None, "rollout": None, "waiting": None, "paused": "", "serving": "", "version": 0,
            "rolled_back": {}, "heard": 0, "beat": 0, "pending": None,
        }  # fmt: skip
        if not self._noted:
            return fresh
        try:
            return fresh | seals.unsealed(self._noted)
        except ValueError:
            raise errors.StoreError(
                f"{self._file}: damaged: bring it back from a copy, or begin a new rollout"
            ) from None

    def _note(self, **changed: Any) -> None:
        """Write down what changed; a round in which nothing did leaves the disk alone."""
        self.state = {**self.state, **changed}
        content = seals.sealed(self.state)
        if content != self._noted:
            durable.write(self._file, content)
            self._noted = content
