"""Which machines there are, where they stand and what they are asked to do: the plan of a fleet.

Why apart: everything here is known before the first hour runs.  The plan (production, maintenance calendar,
frailty of every component) is drawn once from the seed; wear, service and sensors read it and never change
it. Times are hours since the fleet's first day, 2025-01-01 00:00 UTC; what leaves the simulator is
microseconds.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib
from typing import TYPE_CHECKING

from flyball import errors, part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: 2025-01-01 00:00 UTC in microseconds since the epoch, and an hour in microseconds.
START_US = 1_735_689_600_000_000
HOUR_US = 3_600_000_000

#: A machine has worked for so many hours before its first row, so that ages are mixed on the first day.
BURN = 24.0 * 91
WEEK = 24.0 * 7
#: So far past the last day does the plan reach, for the ceiling looks ahead.
AHEAD = 24.0 * 84


@dataclasses.dataclass(frozen=True)
class Preset:
    """The size of a fleet: sites, machines, days of history and hours between telemetry rows."""

    sites: int
    machines: int
    days: int
    every_h: int


PRESETS = {
    "tiny": Preset(sites=2, machines=6, days=120, every_h=4),
    "laptop": Preset(sites=3, machines=40, days=540, every_h=4),
}


class Fab(part.Part):
    """A simulated fleet of lithography scanners with known truth, told by a preset's name and a seed.

    `machines` and `days` replace the preset's where they are given.  Synthetic: names, codes and life lengths
    are invented.

    >>> Fab("tiny", seed=3)
    fab.Fab(preset='tiny', seed=3)
    >>> Fab("tiny").size()
    Preset(sites=2, machines=6, days=120, every_h=4)
    >>> Fab("huge").size()
    Traceback (most recent call last):
    flyball.errors.DeclarationError: fab.Fab: no preset 'huge': there are tiny, laptop
    """

    preset: str = "laptop"
    seed: int = 0
    machines: int | None = None
    days: int | None = None

    def size(self) -> Preset:
        """Return the preset with this fleet's own number of machines and days put in.

        Raises DeclarationError for an unknown preset, a fleet smaller than one machine or shorter than a day.
        """
        if self.preset not in PRESETS:
            raise errors.DeclarationError(
                f"fab.Fab: no preset {self.preset!r}: there are {', '.join(PRESETS)}"
            )
        usual = PRESETS[self.preset]
        machines = usual.machines if self.machines is None else self.machines
        days = usual.days if self.days is None else self.days
        if machines < 1 or days < 1:
            raise errors.DeclarationError(
                f"fab.Fab: {machines} machines for {days} days: give at least 1 of each"
            )
        return dataclasses.replace(usual, machines=machines, days=days, sites=min(usual.sites, machines))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is known beforehand about N machines with K components over W weeks.

    `names` [N]; `site` [N]; `phase` [N] hours into a week at which its weekly maintenance begins; `duty` [N,
    W] share of an hour in which the source fires; `discipline` [N] chance that maintenance replaces a visible
    degradation; `life` [N, K] Weibull scale of each component's onset in its own clock, over its frailty.
    """

    names: tuple[str, ...]
    site: NDArray[np.int64]
    phase: NDArray[np.float64]
    duty: NDArray[np.float64]
    discipline: NDArray[np.float64]
    life: NDArray[np.float64]

    def tick(self, machine: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the hour at which a machine's week ends and its maintenance begins, same shape as asked."""
        return self.phase[machine] + WEEK * week - BURN


def stream(fab: Fab, purpose: str) -> np.random.Generator:
    """Return the fleet's random stream for one purpose; a new purpose leaves all others as they were."""
    import numpy as np

    return np.random.default_rng([fab.seed, zlib.crc32(purpose.encode())])


@functools.lru_cache(maxsize=4)
def plan(fab: Fab) -> Plan:
    """Draw the plan of a fleet from its seed, once per process."""
    import numpy as np

    from flyball.fab import wear

    size, rng = fab.size(), stream(fab, "plan")
    n = size.machines
    site = np.arange(n) % size.sites
    weeks = int((BURN + 24.0 * size.days + AHEAD) / WEEK) + 2
    wanted = rng.uniform(0.40, 0.50, size.sites)[site, None]
    duty = np.clip(wanted * np.exp(rng.normal(0.0, 0.10, (n, weeks))), 0.15, 0.85)
    discipline = rng.permutation(np.resize([0.2, 0.4, 0.6], size.sites))[site]
    frailty = np.exp(rng.normal(0.0, 0.25, (n, len(wear.COMPONENTS))))
    return Plan(
        names=tuple(f"{chr(ord('A') + s)}-{m // size.sites + 1:03d}" for m, s in enumerate(site)),
        site=site,
        phase=rng.uniform(0.0, WEEK, n),
        duty=duty,
        discipline=discipline,
        life=np.array([c.life for c in wear.COMPONENTS]) / frailty,
    )


def to_us(hours: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn hours since the first day into microseconds since the epoch, rounded to the millisecond."""
    import numpy as np

    return START_US + np.rint(np.asarray(hours) * 3_600_000.0).astype(np.int64) * 1000


def to_hours(at_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn microseconds since the epoch into hours since the first day."""
    import numpy as np

    return (np.asarray(at_us, dtype=np.int64) - START_US) / float(HOUR_US)
