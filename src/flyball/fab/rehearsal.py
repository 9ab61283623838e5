"""A release on the simulated sites, from its signature to the last wave, by the agents and the controller of real ones.

Why: a page is not done when a model is good; it is done when the model has survived shadow and canary.  On a laptop
there is no fleet to try that on, so the fleet is the simulated one: its machines' own latest rows are what the
release is asked, what happened to them is what it is judged by, and everything between is what would run at a site.
What the model is judged on is the test split, answered by the model that was tested, which never saw it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.fab.sites import HOUR, Behaviour, Simulated, Site, Sites
from flyball.serving import release
from flyball.serving.staged import Staged

if TYPE_CHECKING:
    import numpy as np

    from flyball.runtime.result import Result

#: The largest difference of golden vectors that is still the same answer.
SAME = 1e-6
#: What a planted fault adds on one kind of machine: four of ten answers too slow.
FAULT = Behaviour(slow=0.4)


class Rows:
    """What the machines of a run were asked lately, what was answered, and what came of it.

    Losses are squared errors of a probability (Brier), so each difference lies within -1 and 1.
    """

    def __init__(self, found: Result, span: int) -> None:
        import numpy as np

        test = found.held.test
        moments = found.x.moments[test.rows]
        self.machine = np.asarray(moments.keys, dtype=object)[moments.codes]
        self.at = moments.at
        self.candidate, self.baseline = test.answers["challenger"], test.answers["baseline"]
        if self.candidate.ndim != 1:
            raise errors.RolloutError(f"{found.page.name}: only probabilities are rehearsed yet")
        self.truth, self.threshold = test.truth, found.held.threshold
        self.horizon = int(found.page.labels.horizon())
        # The last answer that is known is asked when the last wave ends.
        self.begin = int(self.at.max()) - span + 24 * HOUR

    def told(self, machine: str, since: int, until: int, serving: np.ndarray[Any, Any]) -> dict[str, Any]:
        """Return what a machine has to tell of a span: what it answered, and outcomes of what it answered before."""
        mine = self.machine == machine
        asked = mine & (self.at >= since) & (self.at < until)
        known = (
            mine
            & (self.at + self.horizon >= since)
            & (self.at + self.horizon < until)
            & (self.at >= self.begin)
        )
        loss = (self.candidate[known] - self.truth[known]) ** 2 - (serving[known] - self.truth[known]) ** 2
        return {
            "answers": int(asked.sum()), "outcomes": int(known.sum()), "difference": float(loss.sum()),
            "squares": float((loss**2).sum()), "slow": 0, "crashes": 0, "violations": 0, "disagreed": 0,
        }  # fmt: skip


class Checked(Simulated):
    """What answers on a simulated machine after the release was really loaded and its golden vectors answered."""

    loaded: set[str] = set()  # noqa: RUF012  a release is loaded once for all machines of a process

    def switch(self, folder: Path, digest: str) -> None:
        """Load a release, answer its golden vectors, and let it serve."""
        if digest not in self.loaded:
            checked(folder, digest)
            self.loaded.add(digest)
        super().switch(folder, digest)


def checked(folder: Path, digest: str) -> None:
    """Raise GateError when a release does not answer its golden vectors as it did where it was made."""
    import numpy as np

    from flyball.site.scorer import Scorer

    scorer = Scorer(folder, digest)
    x, answers, _ = scorer.golden()
    apart = float(np.nanmax(np.abs(scorer.answer(x) - answers), initial=0.0))
    if not apart <= SAME:
        raise errors.GateError(f"{digest[:12]}…: golden vectors differ by {apart:.3g} on this machine")


def rehearse(found: Result, store: Path, machines: Mapping[str, str], drill: str = "") -> dict[str, Any]:
    """Take the release of a run through shadow, canary and waves on the simulated sites; return what became of it.

    `machines` maps the fleet's machines to their kinds.  The same release is not rehearsed twice.  `drill` names a
    kind of machine on which the release is made slow on purpose: it must be stopped at the canary.

    Raises RolloutError when there is nothing to roll out.
    """
    rollout = found.page.serving.rollout
    if found.release is None or not isinstance(rollout, Staged):
        raise errors.RolloutError(
            f"{found.page.name}: no release, or no rollout on the page: nothing to take out"
        )
    if drill and drill not in machines.values():
        raise errors.DeclarationError(
            f"no machine is a {drill!r}, " + errors.did_you_mean(drill, machines.values())
        )
    place, note = store / "fleet", store / "fleet" / "rehearsed.json"
    if not drill and note.is_file():
        told: dict[str, Any] = json.loads(note.read_bytes())
        if told["release"] == found.release and told["rollout"] == repr(rollout):
            return told
    asked = set(found.x.moments.keys)
    fleet = {name: kind for name, kind in machines.items() if name in asked}
    span = int(rollout.shadow) + (1 + len(rollout.waves)) * int(rollout.hold) + 2 * 24 * HOUR
    rows = Rows(found, span)
    folder = place / "drill" if drill else place
    shutil.rmtree(folder, ignore_errors=True)
    source = store / "releases" / found.release
    schema = hashlib.sha256(
        json.dumps(sorted(found.x.columns)).encode()
    ).hexdigest()  # as `flyball ship` tells it
    world = Sites(folder, 0, fleet, rollout, found.page.name, schema=schema, begin=rows.begin, host=Checked)
    serving = rows.baseline

    def lived(site: Site, digest: str, since: int, until: int, rng: np.random.Generator) -> dict[str, Any]:
        told = rows.told(site.name, since, until, serving)
        seat = site.agent.seats[world.page] if site.agent else None
        answers = seat is not None and seat.serving is not None and seat.serving.release == digest
        if drill and site.kind == drill and answers:
            # An answer a row is few; the drill asks as often as a machine that scores every lot would.
            told["answers"] += 40
            told["slow"] += int(rng.binomial(40, FAULT.slow))
        return told

    world.lived = lived
    world.advance(1, every=1)
    world.ship(source, why=f"run of {found.page.fingerprint()[:12]}")
    reached: set[str] = set()
    for _ in range(span // (24 * HOUR) + 2):
        world.advance(24, every=24)
        reached |= {name for name, answer in world.running().items() if answer == found.release}
        if world.controller.state["candidate"] is None:
            break
    world.advance(24, every=24)
    running = list(world.running().values())
    acts = [(e["act"], e["told"]["stage"], e["told"]["why"]) for e in world.controller.why(found.release)]
    told = {
        "release": found.release, "rollout": repr(rollout), "machines": len(fleet),
        "kinds": sorted(set(fleet.values())), "running": running.count(found.release), "reached": len(reached),
        "acts": [{"act": act, "stage": stage, "why": why} for act, stage, why in acts],
        "signed": [f"{o.stage} order {o.number}" for o in world.repository.orders() if o.release == found.release],
        "drill": drill,
    }  # fmt: skip
    durable.write(folder / "rehearsed.json", json.dumps(told, indent=1).encode())
    release.verify(source, found.release)
    return told
