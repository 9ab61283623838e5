"""The simulated sites beside a loop: machines live on as its rows come in, and are asked what those rows ask.

Why: whether a loop heals itself can only be seen where releases really go out, and where it is known what would have
been best.  Agents, controller and signatures are those of real sites; what a release answers on a machine is computed
from the machine's own rows, and what came of it are the page's own labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.fab.rehearsal import Checked
from flyball.fab.sites import HOUR, Site, Sites
from flyball.labels import stage as labels
from flyball.model import unpack
from flyball.runtime import build, plan
from flyball.runtime.following import Following
from flyball.runtime.store import Store
from flyball.serving import release
from flyball.serving.staged import Staged

if TYPE_CHECKING:
    import numpy as np

    from flyball.data.stage import Array
    from flyball.runtime.controller import Controller
    from flyball.system import System

#: So long machines are asked after a candidate came, at most: what is older is not asked of it.
SPAN = 60 * 24 * HOUR


def following(
    page: System, store: Path, machines: Mapping[str, str], begin: int, schema: str, every: int = 24
) -> Following:
    """Return simulated sites under a store's folder, as a loop follows them; they go on where they were.

    `machines` maps each machine to its kind; they begin to live at `begin` (microseconds) and do a round every so many
    hours; `schema` is the digest of the features that they can compute.  Raises DeclarationError for a page that has
    no rollout or no probability.
    """
    if not isinstance(page.serving.rollout, Staged) or not isinstance(page.labels.kind(), labels.Probability):
        raise errors.DeclarationError(
            f"{page.name}: simulated sites roll out probabilities, by serving.Staged"
        )
    folder = store / "sites"
    note = folder / "now"
    begin = int(note.read_bytes()) if note.is_file() else begin
    world = Sites(
        folder,
        0,
        machines,
        page.serving.rollout,
        page.name,
        schema=schema,
        begin=begin,
        host=Checked,
        lasting=True,
    )

    def hear(controller: Controller, now: int | None) -> int:
        if now is None or now - world.now < every * HOUR:
            return 0
        asked = Asked(page, store, now, lambda: str(world.controller.state["serving"]))
        world.lived = asked.lived
        for site in world.machines.values():
            if site.agent is None:  # what shadowed before shadows again, before anything is asked of it
                world.boot(site).step()
        while now - world.now >= every * HOUR:
            # The controller's daily beat of the days between, without which the signed set would be too old.
            world.repository.refresh(world.online, world.now + every * HOUR)
            world.advance(every, every=every)
            durable.write(note, str(world.now).encode())
        return len(world.controller.reports)

    return Following(world.controller, hear)


class Asked:
    """What the machines of a store were asked lately, and what is known of it by now."""

    def __init__(self, page: System, store: Path, now: int, serving: Callable[[], str]) -> None:
        import numpy as np

        kept = Store.open(store, page.data)
        x, _ = build.matrix(page, kept, plan.Plan(kept), now - SPAN)
        at = x.moments.at
        self.x = x.take(np.flatnonzero((at >= now - SPAN) & (at <= now)))
        self.y = page.labels.label(build.tables(page, kept, None, None, None), self.x.moments, now)
        self.machine = np.asarray(self.x.moments.names(), dtype=object)
        self.horizon, self.releases, self.serving = page.labels.horizon(), store / "releases", serving
        self._said: dict[str, tuple[Array, float]] = {}

    def lived(
        self, site: Site, digest: str, since: int, until: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Return what a machine has to tell of a release over a span; losses are squared errors, paired."""
        at = self.x.moments.at
        mine = self.machine == site.name
        asked = mine & (at >= since) & (at < until)
        known = mine & self.y.known & (at + self.horizon >= since) & (at + self.horizon < until)
        said, threshold = self.said(digest, digest)
        other, limit = self.said(self.serving(), digest)
        truth = self.y.value[known]
        loss = (said[known] - truth) ** 2 - (other[known] - truth) ** 2
        apart = (said[asked] >= threshold) != (other[asked] >= limit)
        return {
            "answers": int(asked.sum()), "outcomes": int(known.sum()), "difference": float(loss.sum()),
            "squares": float((loss**2).sum()), "slow": 0, "crashes": 0, "violations": 0,
            "disagreed": int(apart.sum()),
        }  # fmt: skip

    def said(self, digest: str, beside: str) -> tuple[Array, float]:
        """Return a release's answers and threshold; where none serves yet those of the baseline inside another."""
        import json

        folder = self.releases / digest if digest else self.releases / beside / "baseline"
        name = digest or f"{beside}/baseline"
        if name not in self._said:
            predictor = unpack.unpack(release.read_packed(folder / "model"))
            told = json.loads((self.releases / (digest or beside) / "serving.json").read_bytes())
            self._said[name] = (predictor.predict(self.x), float(told["threshold"]))
        return self._said[name]
