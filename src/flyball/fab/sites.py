"""The sites of a simulated fleet: controller, network, disks and clocks in one process, all drawn from a seed.

Why: what goes wrong in a fleet goes wrong between machines, and rarely.  Here the real agents and the real controller
run; only what is around them is simulated, so that a failing seed replays step by step (after FoundationDB).  A
machine's disk can be cut at any durable step, its link taken down or its answers lost, its clock set wrong, and each
release behaves as it is told to.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.model import stage as model
from flyball.runtime.controller import Controller
from flyball.serving import release
from flyball.serving import stage as serving
from flyball.serving.trust import Policy, keys, mirror
from flyball.serving.trust.repository import Repository
from flyball.site.agent import Agent, Machine
from flyball.site.spool import Batch, Spool

if TYPE_CHECKING:
    import numpy as np
    from securesystemslib.signer import CryptoSigner

HOUR = 3_600_000_000
#: The morning on which a simulation begins, and the feature schema of its page.
BEGIN, SCHEMA = 1_767_254_400_000_000, "5c" * 32
#: Unexpected ends within one round after which a host gives a release up.
EXITS = 3


class Cut(BaseException):
    """The power went: nothing after this durable step happened."""


@dataclass(frozen=True)
class Behaviour:
    """How a release behaves where it runs: whether it loads, and its rates per answer.

    `worse` is the mean paired loss against what serves; `only` restricts what is bad to one kind of machine.
    `differs_on` are the kinds on whose instruction set the golden vectors come out otherwise.
    """

    loads: bool = True
    slow: float = 0.005
    crashes: float = 0.0
    violations: float = 0.0
    disagreed: float = 0.03
    worse: float = 0.0
    only: str = ""
    differs_on: tuple[str, ...] = ()

    def on(self, kind: str) -> Behaviour:
        """Return how it behaves on a kind of machine."""
        return self if not self.only or kind == self.only else Behaviour()


@dataclass
class Site:
    """One machine with what is around it: its link, clock, disk, and what answers."""

    name: str
    kind: str
    folder: Path
    key: Any
    link: bool = True
    #: The chance that an acknowledgement is lost on the way back.
    lossy: float = 0.0
    #: How far its clock is off, in microseconds.
    skew: int = 0
    #: After so many durable steps the power goes; None never.
    cut: int | None = None
    agent: Agent | None = None
    host: Simulated | None = None
    asked: int = 0
    cuts: int = 0
    made: int = 0
    installs: list[str] = field(default_factory=list)


class Simulated:
    """What answers on a simulated machine: it behaves as the release it runs is said to."""

    def __init__(self, sites: Sites, site: Site) -> None:
        self.sites, self.site = sites, site
        self.digest = self.beside = ""
        self._why = ""

    def switch(self, folder: Path, digest: str) -> None:
        """Start a release; refuse it where it does not load, or its golden vectors differ here."""
        behaviour = self.sites.behaviours.get(digest, Behaviour()).on(self.site.kind)
        if not behaviour.loads:
            raise errors.GateError(f"{digest[:12]}… does not load")
        if self.site.kind in behaviour.differs_on and not self.sites.unchecked:
            raise errors.GateError(
                f"{digest[:12]}…: golden vectors differ by 0.4 on this machine's instructions"
            )
        self.digest = digest
        self.site.installs.append(digest)

    def shadow(self, folder: Path | None, digest: str) -> None:
        """Let a release answer beside the one that serves."""
        self.beside = digest

    def failed(self) -> str:
        """Return why what serves was given up since the last call."""
        why, self._why = self._why, ""
        return why

    def live(self, since: int, until: int, rng: np.random.Generator) -> Iterable[dict[str, Any]]:
        """Yield what a span of answers comes to, for what serves and what shadows."""
        for digest, shadow in ((self.digest, False), (self.beside, True)):
            if not digest:
                continue
            seat = self.site.agent.seats[self.sites.page] if self.site.agent else None
            serving = seat.serving if seat else None
            if not shadow and (serving is None or serving.release != digest):
                continue
            told = self.sites.lived(self.site, digest, since, until, rng)
            if told is None:
                continue
            if not shadow and told["crashes"] >= EXITS:
                self._why = f"{told['crashes']} unexpected exits"
            stage = "shadow" if shadow else serving.stage if serving else ""
            yield {
                "machine": self.site.name, "kind": self.site.kind, "release": digest, "stage": stage,
                "since": since, "until": until, **told,
            }  # fmt: skip


class Link(mirror.Folder):
    """A machine's way to the repository; down when its link is."""

    def __init__(self, site: Site, folder: Path) -> None:
        super().__init__(folder)
        self.site = site

    def read(self, path: str) -> Any:
        """Yield a file of the set, when somebody answers."""
        if not self.site.link:
            raise errors.UnreachableError(f"{self.site.name}: no link")
        self.site.asked += 1
        return super().read(path)


class Sites:
    """A seeded simulation of machines, their agents and their controller, from `BEGIN` on.

    One that is `lasting` keeps its keys in its folder, and goes on there in another process.

    `machines` maps a name to a kind; `per_day` is how many answers each gives.  `advance` lets time pass.
    `lived` may be replaced to let answers come from elsewhere (rows of a store, say).
    """

    def __init__(
        self, folder: Path, seed: int, machines: Mapping[str, str], rollout: serving.Rollout, page: str = "p",
        per_day: float = 48.0, cap: int = 2**20, schema: str = SCHEMA, begin: int = BEGIN,
        host: type[Simulated] = Simulated, lasting: bool = False,
    ) -> None:  # fmt: skip
        import numpy as np

        self.folder, self.page, self.seed, self.now = folder, page, seed, begin
        self.rng = np.random.default_rng(seed)
        self.per_day, self.cap, self.schema, self.host = per_day, cap, schema, host
        self.behaviours: dict[str, Behaviour] = {}
        #: Broken on purpose: golden vectors are not looked at.
        self.unchecked = False
        self.lived: Callable[..., dict[str, Any] | None] = self._lived
        self._keys = folder / "keys" if lasting else None
        self.root_keys, self.site_keys = (
            [self._key(f"{role}-{n}") for n in range(3)] for role in ("root", "site")
        )
        self.online = self._key("online")
        self.machines = {
            name: Site(name, kind, folder / "machines" / name, self._key(f"machine-{name}"))
            for name, kind in sorted(machines.items())
        }
        self.rollout, begun = rollout, lasting and (folder / "begun").is_file()
        if lasting and not begun:  # what was not begun whole is begun anew
            shutil.rmtree(folder / "repository", ignore_errors=True)
            shutil.rmtree(folder / "controller", ignore_errors=True)
        self.repository = (
            Repository(folder / "repository") if begun else Repository.create(
                folder / "repository", self.root_keys, self.site_keys, self.online, (2, 2), self.now
            )
        )  # fmt: skip
        self.controller = self.control()
        if begun:
            return
        groups = rollout.groups(page, machines)
        self.controller.lay_down(Policy(
            "simulated", dict(machines), canary=groups["canary"],
            waves={name: found for name, found in groups.items() if name != "canary"}, cap=cap,
        ))  # fmt: skip
        if lasting:
            durable.write(folder / "begun", b"")

    def _key(self, name: str) -> CryptoSigner:
        """Return a key, the same one in every process where the simulation lasts."""
        from securesystemslib.signer import CryptoSigner

        if self._keys is None:
            return CryptoSigner.generate_ed25519()
        return keys.load(self._keys / name) if (self._keys / name).is_file() else keys.make(self._keys / name)

    def control(self) -> Controller:
        """Return a controller over what an earlier one left: a restart."""
        return Controller(
            self.folder / "controller", self.page, self.rollout, self.repository, self.online, lambda: self.now,
            self.site_keys, {name: site.key.public_key for name, site in self.machines.items()},
        )  # fmt: skip

    def release(self, name: str, behaviour: Behaviour | None = None) -> Path:
        """Make a release that behaves so, with a baseline inside; returns its folder."""
        draft = self.folder / "drafts" / name
        shutil.rmtree(draft, ignore_errors=True)
        for place, called in ((draft / "baseline", "baseline"), (draft, name)):
            release.write_packed(place / "model", model.Packed("rule", {"name": called}))
            if place == draft:
                (place / "page.txt").write_text("System(...)\n")
            digest = release.sealed(place)
        self.behaviours[digest] = behaviour or Behaviour()
        target = self.folder / "releases" / digest
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(target)
        return target

    def ship(self, folder: Path, why: str = "") -> str:
        """Offer a release to every kind of machine; returns its digest."""
        kinds = sorted({site.kind for site in self.machines.values()})
        return self.controller.ship(folder, kinds, self.schema, why).release

    def advance(self, hours: float, every: float = 6.0) -> None:
        """Let time pass: every `every` hours each machine answers and does a round, then the controller decides."""
        until = self.now + int(hours * HOUR)
        durable.simulated = True
        try:
            while self.now < until:
                span = min(int(every * HOUR), until - self.now)
                self.now += span
                names = list(self.machines)
                self.rng.shuffle(names)
                for name in names:
                    self.round(self.machines[name], span)
                self.controller.step()
        finally:
            durable.simulated = False

    def round(self, site: Site, span: int) -> None:
        """Let one machine live for a span: answer, and do a round of its agent; the power may go in the middle."""
        left = site.cut

        def step(operation: str, path: Path) -> None:
            nonlocal left
            if left is not None:
                left -= 1
                if left < 0:
                    raise Cut

        durable.hook = step if left is not None else None
        try:
            agent = site.agent or self.boot(site)
            for record in site.host.live(self.now - span, self.now, self.rng) if site.host else ():
                site.made += 1
                agent.keep("exposures", record)
            agent.step()
        except Cut:
            site.agent, site.host, site.cut = None, None, None
            site.cuts += 1
        finally:
            durable.hook = None

    def boot(self, site: Site) -> Agent:
        """Start a machine's agent over what its disk holds."""
        host = self.host(self, site)
        spool = Spool(site.folder / "spool", self.cap, epoch=f"{site.name}-{site.cuts}")
        agent = Agent(
            site.folder, Machine(site.name, site.kind, {self.page: self.schema}),
            Link(site, self.repository.folder), lambda page: host, spool, site.key,
            lambda: self.now + site.skew, self.repository.root(), Uplink(self, site),
        )  # fmt: skip
        site.agent, site.host = agent, host
        agent.boot()
        return agent

    def running(self) -> dict[str, str]:
        """Return what each machine answers with: a digest, "baseline", or ""."""
        found = {}
        for name, site in self.machines.items():
            seat = site.agent.seats[self.page] if site.agent else None
            order = seat.serving if seat else None
            found[name] = order.release if order else seat.answering if seat else ""
        return found

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return every record of a class that has arrived."""
        return [dict(record) for _, _, record in self.controller.inbox.records(kind)]

    def _lived(
        self, site: Site, digest: str, since: int, until: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Return what a span of answers comes to, drawn from how the release behaves."""
        behaviour = self.behaviours.get(digest, Behaviour()).on(site.kind)
        n = int(rng.poisson(self.per_day * (until - since) / (24 * HOUR)))
        differences = [float(d) for d in rng.normal(behaviour.worse, 0.15, n).clip(-1, 1)]

        def bad(rate: float) -> int:
            return int(rng.binomial(n, rate))

        return {
            "answers": n, "slow": bad(behaviour.slow), "crashes": bad(behaviour.crashes),
            "violations": bad(behaviour.violations), "disagreed": bad(behaviour.disagreed), "outcomes": n,
            "difference": sum(differences), "squares": sum(d * d for d in differences),
        }  # fmt: skip


class Uplink:
    """A machine's way to the controller: down with its link, and what comes back may be lost."""

    def __init__(self, sites: Sites, site: Site) -> None:
        self.sites, self.site = sites, site

    def send(
        self, machine: str, report: bytes, batches: Iterable[Batch], done: Callable[[Batch], object]
    ) -> None:
        """Send what waits through a link that may be down, as it would travel: as text."""
        if not self.site.link:
            raise errors.UnreachableError(f"{machine}: no link")
        sent = [Batch(b.epoch, b.kind, b.first, tuple(json.loads(json.dumps(b.records)))) for b in batches]
        for batch in self.sites.controller.receive(machine, report, sent):
            if self.sites.rng.random() < self.site.lossy:
                raise errors.UnreachableError(f"{machine}: the answer was lost")
            done(batch)
