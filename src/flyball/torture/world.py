"""What trials of a fleet begin with: a simulated site, a release that serves, an order, what is broken on purpose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flyball import errors, serving
from flyball.fab.sites import Sites
from flyball.torture.trial import Told
from flyball.units import days

#: Shadow for three days, a canary and one wave, a day each: long enough for evidence, short enough for a trial.
ROLLOUT = serving.Staged(shadow=days(3), canary=0.05, hold=days(1))
#: A rollout that never finds fault, for trials whose sabotage is just that.
BLIND = serving.Staged(
    shadow=days(3), canary=0.05, hold=days(1), slow=0.999, crashes=0.999, violations=0.999, disagreed=0.999,
    worse=0.999, false_rollbacks=0.0001,
)  # fmt: skip


@contextmanager
def broken(place: Any, name: str, instead: Any, really: bool) -> Iterator[None]:
    """Put something in the place of what is promised, for as long as the trial runs."""
    kept = getattr(place, name)
    if really:
        setattr(place, name, instead)
    try:
        yield
    finally:
        setattr(place, name, kept)


def made(folder: Path, seed: int, count: int = 6, rollout: serving.Staged = ROLLOUT) -> Sites:
    """Return a site of machines of two kinds."""
    return Sites(folder, seed, {f"m{n:02d}": "exe" if n % 3 == 0 else "nxe" for n in range(count)}, rollout)


def served(world: Sites, name: str = "good") -> str:
    """Roll out a good release to every machine and return its digest."""
    digest = world.ship(world.release(name))
    world.advance(6 * 24, every=12)
    if set(world.running().values()) != {digest}:
        raise errors.RolloutError(f"the first release did not get everywhere: {world.running()}")
    return digest


def ordered(world: Sites, digest: str, **more: Any) -> None:
    """Let the site's keys order a release as a wave on all machines."""
    old = [o for o in world.repository.orders() if o.release == digest][-1]
    number = world.repository.next_number("p")
    new = type(old)(**{**vars(old), "number": number, "stage": "wave", "groups": ("all",), **more})
    world.repository.stage(world.now, new, world.controller._packed(new))
    for key in world.site_keys:
        world.repository.sign(key)
    world.repository.publish(world.online, world.now)


def judged(why: str, begun: float) -> Told:
    """Return what came of a trial: kept where there is nothing to say, and how long it took."""
    return Told(not why, time.monotonic() - begun, 0, why)
