"""Components, their hidden wear, and the laws by which it begins, grows and ends in a failure.

A component ages on its own clock (hours under power, pulses of the source, wafers).  Degradation begins at an
age with a Weibull law; its severity then grows exponentially from 0.03 to 1 in three stretches, each with a
pace drawn when the stretch begins, or, for a sudden failure, within two hours.  At severity 1 the machine
goes down. The collector mirror does not fail: it loses reflectance per pulse and is swapped by plan.

The state below is Markov: together with the plan it determines the law of everything that follows, and that
is what makes the ceiling (`oracle.py`) the best possible answer.  Life lengths are invented, plausible in
scale only.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from flyball import errors
from flyball.fab import fleet

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

#: Severity at onset; level z in [0, 1] stands for severity FIRST ** (1 - z).
FIRST = 0.03
#: Level at which an imperfectly repaired component starts (severity 0.2).
RELAPSE = 1.0 - math.log(0.2) / math.log(FIRST)
#: Lead time of a droplet generator of the new design, as a share of the old one's.
HASTE = 1.0 / 3.0
#: Stages of a component: healthy, three stretches of growth, sudden.
HEALTHY, SUDDEN = 0, 4
#: Level at which each stage ends (a healthy one has none).
ENDS = (math.inf, 1 / 3, 2 / 3, 1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Component:
    """One component: clock, Weibull shape and scale, lead time, share sudden, repair time, wait for the part.

    `life` is in units of `clock` (h, Gp or kwafers), `lead_h` and `repair_h` are medians in hours, `waits` is
    the chance that the part is not in stock.  A hard failure is what the label asks about.
    """

    name: str
    clock: str
    shape: float
    life: float
    lead_h: float
    sudden: float
    repair_h: float
    waits: float
    hard: bool = True


COMPONENTS = (
    Component("DGEN", "Gp", 1.5, 300.0, 60.0, 0.25, 7.0, 0.10),  # droplet generator
    Component("LASR", "Gp", 1.2, 1200.0, 140.0, 0.20, 10.0, 0.15),  # drive laser
    Component("VACP", "h", 2.0, 17000.0, 240.0, 0.10, 14.0, 0.25),  # vacuum pump bearing
    Component("LEAK", "h", 1.0, 14000.0, 48.0, 0.35, 9.0, 0.05),  # seal
    Component("WSTG", "kwafers", 1.8, 450.0, 200.0, 0.15, 12.0, 0.20),  # wafer stage
    Component("RSTG", "kwafers", 1.5, 600.0, 150.0, 0.20, 10.0, 0.20),  # reticle stage
    Component("COOL", "h", 1.3, 13500.0, 90.0, 0.15, 5.0, 0.05),  # cooling water
    Component("HNDL", "kwafers", 1.1, 180.0, 20.0, 0.50, 2.5, 0.02, hard=False),  # wafer handler: an assist
    Component("SOFT", "h", 1.0, 700.0, 1.0, 1.00, 1.2, 0.0, hard=False),  # software: a reset, no precursor
)
NAMES = tuple(c.name for c in COMPONENTS)
DGEN, LASR, SOFT = NAMES.index("DGEN"), NAMES.index("LASR"), NAMES.index("SOFT")


def hard() -> NDArray[np.bool_]:
    """Return which components' failures are hard, [K]."""
    import numpy as np

    return np.array([component.hard for component in COMPONENTS])


def chosen(parts: Collection[str] | None) -> NDArray[np.bool_]:
    """Return which components are among the named parts, all hard ones for None, [K].

    Raises DeclarationError for a part that no machine has.
    """
    import numpy as np

    if parts is None:
        return hard()
    for part in parts:
        if part not in NAMES:
            raise errors.DeclarationError(f"fab: no part {part!r}, {errors.did_you_mean(part, NAMES)}")
    return np.array([name in parts for name in NAMES])


def lives(kind: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the usual scale of each component's onset in its own clock for machines of some types, [N, K].

    Components are made for their machine: where a type pulses or handles wafers at another rate than the first
    one, what counts those lives longer or shorter by as much.  The life of what a type does not have is
    `fleet.NEVER`; the laser slot of a machine without a plasma source is its excimer chamber.
    """
    import numpy as np

    out = np.empty((len(kind), len(COMPONENTS)))
    usual = fleet.TYPES[0]
    for number, type_ in enumerate(fleet.TYPES):
        pace = {"h": 1.0, "Gp": type_.pulses / usual.pulses, "kwafers": type_.wafers / usual.wafers}
        row = np.array([part.life * pace[part.clock] for part in COMPONENTS])
        if type_.decay == 0.0:
            row[DGEN] = fleet.NEVER
        out[kind == number] = row
    return out


@dataclasses.dataclass
class State:
    """The latent state of N trajectories with K components, arrays with N first.

    `now` hour; `machine` index into the plan; `week` of its calendar; `down` hours left of a stop, 0 when up;
    `age` [N, K] in the component's clock; `stage` [N, K]; `level` [N, K] in [0, 1]; `pace` [N, K] level per
    hour of running; `tempo` [N, K] lead time of this degradation over the usual; `onset` [N, K] age at which
    the next degradation begins (the one thing here that lies in the future: it is drawn anew when asked what
    may come); `reflectance` [N] and `decay` [N] of the collector, per Gp.
    """

    now: NDArray[np.float64]
    machine: NDArray[np.int64]
    week: NDArray[np.int64]
    down: NDArray[np.float64]
    age: NDArray[np.float64]
    stage: NDArray[np.int8]
    level: NDArray[np.float64]
    pace: NDArray[np.float64]
    tempo: NDArray[np.float64]
    onset: NDArray[np.float64]
    reflectance: NDArray[np.float64]
    decay: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> State:
        """Return a copy of some trajectories."""
        return State(*(getattr(self, field.name)[rows] for field in dataclasses.fields(self)))

    def severity(self) -> NDArray[np.float64]:
        """Return each component's severity [N, K]: 0 when healthy, else in [0.03, 1]."""
        return severity(self.stage, self.level)


def severity(stage: NDArray[np.int8], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return severity for stage and level: 0 when healthy, else FIRST ** (1 - level)."""
    import numpy as np

    return np.where(stage > HEALTHY, FIRST ** (1.0 - level), 0.0)


def begin(plan: fleet.Plan, rng: np.random.Generator, at: float) -> State:
    """Return all machines of a plan at an hour: nothing degraded, ages and collectors mixed."""
    import numpy as np

    n, k = plan.life.shape
    state = State(
        now=np.full(n, at),
        machine=np.arange(n),
        week=np.zeros(n, dtype=np.int64),
        down=np.zeros(n),
        age=np.where(plan.life < fleet.NEVER / 10.0, plan.life, 0.0) * rng.uniform(0.0, 0.8, (n, k)),
        stage=np.zeros((n, k), dtype=np.int8),
        level=np.zeros((n, k)),
        pace=np.zeros((n, k)),
        tempo=np.ones((n, k)),
        onset=np.zeros((n, k)),
        reflectance=np.where(plan.euv, rng.uniform(0.64, 1.0, n), 1.0),
        decay=fresh_decay(plan, np.arange(n), rng),
    )
    state.onset = onset(plan.life, state.age, rng.exponential(size=(n, k)))
    return state


def fresh_decay(
    plan: fleet.Plan, machine: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the loss of a new collector per gigapulse, log-normal (0.30) about the machine type's, [n]."""
    import numpy as np

    return np.asarray(plan.decay[machine] * np.exp(rng.normal(0.0, 0.30, len(machine))))


def onset(
    life: NDArray[np.float64],
    age: NDArray[np.float64],
    budget: NDArray[np.float64],
    comp: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return the age at which degradation begins, given the present age and a unit exponential `budget`.

    The cumulated Weibull hazard from `age` on is spent until it reaches the budget, which makes the draw
    exact for a component of any age.  Columns are all components, or row i is component comp[i].
    """
    import numpy as np

    shapes = np.array([c.shape for c in COMPONENTS])
    shape = shapes if comp is None else shapes[comp]
    return np.asarray(life * ((age / life) ** shape + budget) ** (1.0 / shape))


def rates(plan: fleet.Plan, machine: NDArray[np.int64], duty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how fast each component's clock runs per hour of running, [N, K], for machines and their duty."""
    import numpy as np

    clock = np.array([("h", "Gp", "kwafers").index(c.clock) for c in COMPONENTS])
    every = np.stack([np.ones(len(duty)), plan.pulses[machine] * duty, plan.wafers[machine] * duty])
    return np.asarray(every[clock].T)


def degrade(
    state: State,
    plan: fleet.Plan,
    rows: NDArray[np.int64],
    comp: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Begin a degradation of component comp[i] in trajectory rows[i], sudden or in three stretches."""
    import numpy as np

    sudden = rng.random(len(rows)) < np.array([c.sudden for c in COMPONENTS])[comp]
    state.stage[rows, comp] = np.where(sudden, SUDDEN, 1)
    state.level[rows, comp] = 0.0
    renewed = (comp == DGEN) & (state.now[rows] >= plan.redesign)
    state.tempo[rows, comp] = np.exp(rng.normal(0.0, 0.4, len(rows))) * np.where(renewed, HASTE, 1.0)
    hasten(state, rows, comp, rng)
    state.pace[rows[sudden], comp[sudden]] = 1.0 / rng.uniform(0.2, 2.0, int(sudden.sum()))


def hasten(state: State, rows: NDArray[np.int64], comp: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Draw the pace of the stretch that component comp[i] of trajectory rows[i] has entered."""
    import numpy as np

    lead = np.array([c.lead_h for c in COMPONENTS])[comp] * state.tempo[rows, comp]
    state.pace[rows, comp] = 1.0 / (lead * np.exp(rng.normal(0.0, 0.5, len(rows))))


def run(state: State, plan: fleet.Plan, hours: NDArray[np.float64], duty: NDArray[np.float64]) -> None:
    """Let N trajectories run for so many hours with nothing happening: ages, levels, collectors move."""
    import numpy as np

    pulses = plan.pulses[state.machine] * duty * hours
    before = severity(state.stage[:, DGEN], state.level[:, DGEN])
    state.age += rates(plan, state.machine, duty) * hours[:, None]
    state.level += state.pace * hours[:, None]
    after = severity(state.stage[:, DGEN], state.level[:, DGEN])
    # The mean of an exponentially growing severity over the span, exact: (s1 - s0) / ln(s1 / s0).
    ratio = np.log(np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0))
    mean = np.where(ratio > 1e-9, (after - before) / np.where(ratio > 1e-9, ratio, 1.0), before)
    state.reflectance *= np.exp(-state.decay * pulses * (1.0 + 3.0 * mean))
