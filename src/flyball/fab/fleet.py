"""Which machines there are, where they stand and what they are asked to do: the plan of a fleet.

Why apart: everything here is known before the first hour runs.  The plan (types, production, maintenance
calendar, software upgrades, habits of sites, frailty of every component) is drawn once from the seed; wear,
service and sensors read it and never change it.  Times are hours since the fleet's first day, 2025-01-01 00:00
UTC; what leaves the simulator is microseconds.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib
from typing import TYPE_CHECKING, Any

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


#: Products in production, and layers of each: a reticle exposes one layer of one product.
PRODUCTS, LAYERS = 12, 3
#: Hours that one product stays on a machine, on average.
CAMPAIGN = 8.0


@dataclasses.dataclass(frozen=True)
class Preset:
    """The size of a fleet: sites, machines and days of history."""

    sites: int
    machines: int
    days: int


PRESETS = {
    "tiny": Preset(sites=2, machines=6, days=120),
    "laptop": Preset(sites=3, machines=24, days=540),
    "paper": Preset(sites=4, machines=40, days=1095),
}


@dataclasses.dataclass(frozen=True)
class Type:
    """One type of machine: power set point (W, nan without such a source), collector loss per Gp, and rates.

    `pulses` (Gp) and `wafers` (thousands) are per hour of full duty.
    """

    name: str
    set_w: float
    decay: float
    pulses: float
    wafers: float


#: 50 kHz are 0.18 Gp an hour, 6 kHz are 0.0216.
TYPES = (
    Type("EUV-A", set_w=250.0, decay=0.0010, pulses=0.18, wafers=0.112),
    Type("EUV-B", set_w=500.0, decay=0.0006, pulses=0.18, wafers=0.133),
    Type("DUV-i", set_w=float("nan"), decay=0.0, pulses=0.0216, wafers=0.190),
)
#: Types of the machines of a site, over and over.
_MIX = (0, 2, 0, 1)
#: A life that no fleet sees the end of: of what a machine does not have.
NEVER = 1e9


class Fab(part.Part):
    """A simulated fleet of lithography scanners with known truth, told by a preset's name and a seed.

    `machines` and `days` replace the preset's where they are given; `every_h` is the hours between two rows of
    telemetry; without `mess` the same fleet is read as it was measured, so that one can tell what mess costs.
    Synthetic: names, codes and life lengths are invented.

    >>> Fab("tiny", seed=3)
    fab.Fab(preset='tiny', seed=3)
    >>> Fab("tiny").size()
    Preset(sites=2, machines=6, days=120)
    >>> Fab("huge").size()
    Traceback (most recent call last):
    flyball.errors.DeclarationError: fab.Fab: no preset 'huge': there are tiny, laptop, paper
    """

    preset: str = "laptop"
    seed: int = 0
    machines: int | None = None
    days: int | None = None
    every_h: int = 1
    mess: bool = True

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
        if self.seed < 0 or self.every_h < 1 or 24 % self.every_h:
            raise errors.DeclarationError(
                f"fab.Fab: seed {self.seed}, a row every {self.every_h} h: give a seed of 0 or more, "
                "and hours that part a day evenly"
            )
        return dataclasses.replace(usual, machines=machines, days=days, sites=min(usual.sites, machines))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is known beforehand about N machines with K components at S sites over W weeks.

    `names` [N]; `site` [N]; `kind` [N] index into TYPES; `phase` [N] hours into a week at which its weekly
    maintenance begins; `duty` [N, W] share of an hour in which the source fires; `discipline` [N] chance that
    maintenance replaces a visible degradation; `life` [N, K] Weibull scale of each component's onset in its own
    clock, over its frailty; `redesign` the hour from which droplet generators are of the new design.

    By site: `firmware` [S, 2] hours of the two software upgrades; `dictionary` [S] version of the event codes, 1,
    or 2 from the first upgrade on; `recipe` [S] hour at which the product mix changes and `mix` [S, 2, PRODUCTS]
    before and after; `ambient` [S] annual swing outside in degrees; `clock` [S] sigma of clock offsets in seconds;
    `delay` [S] lots that metrology is behind.  `dose` [PRODUCTS] in mJ/cm2.
    """

    names: tuple[str, ...]
    site: NDArray[np.int64]
    kind: NDArray[np.int64]
    phase: NDArray[np.float64]
    duty: NDArray[np.float64]
    discipline: NDArray[np.float64]
    life: NDArray[np.float64]
    redesign: float
    firmware: NDArray[np.float64]
    dictionary: NDArray[np.int64]
    recipe: NDArray[np.float64]
    mix: NDArray[np.float64]
    ambient: NDArray[np.float64]
    clock: NDArray[np.float64]
    delay: NDArray[np.int64]
    dose: NDArray[np.float64]

    @functools.cached_property
    def euv(self) -> NDArray[np.bool_]:
        """Return which machines have a plasma source and a collector, [N]."""
        import numpy as np

        return ~np.isnan(self.set_w)

    @functools.cached_property
    def set_w(self) -> NDArray[np.float64]:
        """Return each machine's power set point in W, nan without a plasma source, [N]."""
        return self._of_type("set_w")

    @functools.cached_property
    def decay(self) -> NDArray[np.float64]:
        """Return each machine's usual collector loss per Gp, [N]."""
        return self._of_type("decay")

    @functools.cached_property
    def pulses(self) -> NDArray[np.float64]:
        """Return each machine's Gp per hour of full duty, [N]."""
        return self._of_type("pulses")

    @functools.cached_property
    def wafers(self) -> NDArray[np.float64]:
        """Return each machine's thousands of wafers per hour of full duty, [N]."""
        return self._of_type("wafers")

    def _of_type(self, name: str) -> NDArray[np.float64]:
        import numpy as np

        return np.array([getattr(type_, name) for type_ in TYPES])[self.kind]

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
    kind = np.array(_MIX)[(np.arange(n) // size.sites) % len(_MIX)]
    weeks = int((BURN + 24.0 * size.days + AHEAD) / WEEK) + 2
    wanted = rng.uniform(0.40, 0.50, size.sites)[site, None]
    duty = np.clip(wanted * np.exp(rng.normal(0.0, 0.10, (n, weeks))), 0.15, 0.85)
    discipline = rng.permutation(np.resize([0.2, 0.4, 0.6], size.sites))[site]
    frailty = np.exp(rng.normal(0.0, 0.25, (n, len(wear.COMPONENTS))))
    return Plan(
        names=tuple(f"{chr(ord('A') + s)}-{m // size.sites + 1:03d}" for m, s in enumerate(site)),
        site=site,
        kind=kind,
        phase=rng.uniform(0.0, WEEK, n),
        duty=duty,
        discipline=discipline,
        life=wear.lives(kind) / frailty,
        redesign=0.6 * 24.0 * size.days,
        **_habits(fab),
    )


def _habits(fab: Fab) -> dict[str, Any]:
    """Draw what differs by site, and the products' doses."""
    import numpy as np

    size, rng = fab.size(), stream(fab, "sites")
    sites, hours = size.sites, 24.0 * size.days
    return {
        "firmware": np.sort(rng.uniform(0.15, 0.85, (sites, 2)), axis=1) * hours,
        "dictionary": rng.permutation(np.resize([1, 2], sites)),
        "recipe": rng.uniform(0.3, 0.7, sites) * hours,
        "mix": rng.dirichlet(np.ones(PRODUCTS), (sites, 2)),
        "ambient": rng.uniform(5.0, 15.0, sites),
        "clock": rng.uniform(0.2, 0.8, sites),
        "delay": rng.integers(2, 11, sites),
        "dose": 30.0 * np.exp(rng.normal(0.0, 0.15, PRODUCTS)),
    }


@dataclasses.dataclass(frozen=True)
class Production:
    """What is exposed by the hour: `product` and `reticle` [N, hours], reticle = product * LAYERS + layer."""

    product: NDArray[np.int8]
    reticle: NDArray[np.int8]


@functools.lru_cache(maxsize=4)
def production(fab: Fab) -> Production:
    """Draw which product and reticle each machine exposes in each hour: campaigns of hours, by the site's mix.

    >>> production(Fab("tiny")).product.shape
    (6, 2880)
    """
    import numpy as np

    past, size, rng = plan(fab), fab.size(), stream(fab, "production")
    n, hours = size.machines, 24 * size.days
    fresh = rng.random((n, hours)) < 1.0 / CAMPAIGN
    fresh[:, 0] = True
    row, hour = np.nonzero(fresh)
    site = past.site[row]
    shares = np.cumsum(past.mix, axis=2)[site, (hour >= past.recipe[site]).astype(np.int64)]
    drawn = np.minimum((rng.random(len(row))[:, None] > shares).sum(axis=1), PRODUCTS - 1)
    reticles = drawn * LAYERS + rng.integers(0, LAYERS, len(row))
    campaign = np.cumsum(fresh.ravel()) - 1
    reticle = reticles[campaign].reshape(n, hours).astype(np.int8)
    return Production((reticle // LAYERS).astype(np.int8), reticle)


def to_us(hours: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turn hours since the first day into microseconds since the epoch, rounded to the millisecond."""
    import numpy as np

    return START_US + np.rint(np.asarray(hours) * 3_600_000.0).astype(np.int64) * 1000


def to_hours(at_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn microseconds since the epoch into hours since the first day."""
    import numpy as np

    return (np.asarray(at_us, dtype=np.int64) - START_US) / float(HOUR_US)
