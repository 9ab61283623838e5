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

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from flyball.fab import fleet

#: Severity at onset; level z in [0, 1] stands for severity FIRST ** (1 - z).
FIRST = 0.03
#: Level at which an imperfectly repaired component starts (severity 0.2).
RELAPSE = 1.0 - math.log(0.2) / math.log(FIRST)
#: Pulses per hour of full duty in Gp (50 kHz) and wafers per hour of full duty in thousands.
GIGAPULSES, KILOWAFERS = 0.18, 0.112
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
    Component("DGEN", "Gp", 1.5, 230.0, 60.0, 0.25, 7.0, 0.10),  # droplet generator
    Component("LASR", "Gp", 1.2, 1100.0, 140.0, 0.20, 10.0, 0.15),  # drive laser
    Component("VACP", "h", 2.0, 16000.0, 240.0, 0.10, 14.0, 0.25),  # vacuum pump bearing
    Component("LEAK", "h", 1.0, 14000.0, 48.0, 0.35, 9.0, 0.05),  # seal
    Component("WSTG", "kwafers", 1.8, 420.0, 200.0, 0.15, 12.0, 0.20),  # wafer stage
    Component("RSTG", "kwafers", 1.5, 600.0, 150.0, 0.20, 10.0, 0.20),  # reticle stage
    Component("COOL", "h", 1.3, 11000.0, 90.0, 0.15, 5.0, 0.05),  # cooling water
    Component("HNDL", "kwafers", 1.1, 180.0, 20.0, 0.50, 2.5, 0.02, hard=False),  # wafer handler: an assist
    Component("SOFT", "h", 1.0, 700.0, 1.0, 1.00, 1.2, 0.0, hard=False),  # software: a reset, no precursor
)
NAMES = tuple(c.name for c in COMPONENTS)
DGEN, LASR, SOFT = NAMES.index("DGEN"), NAMES.index("LASR"), NAMES.index("SOFT")


def hard() -> NDArray[np.bool_]:
    """Return which components' failures are hard, [K]."""
    import numpy as np

    return np.array([component.hard for component in COMPONENTS])


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
        age=plan.life * rng.uniform(0.0, 0.8, (n, k)),
        stage=np.zeros((n, k), dtype=np.int8),
        level=np.zeros((n, k)),
        pace=np.zeros((n, k)),
        tempo=np.ones((n, k)),
        onset=np.zeros((n, k)),
        reflectance=np.asarray(rng.uniform(0.64, 1.0, n)),
        decay=fresh_decay(rng, n),
    )
    state.onset = onset(plan.life, state.age, rng.exponential(size=(n, k)))
    return state


def fresh_decay(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Draw the loss of a new collector per gigapulse, LogN(ln 0.0010, 0.30)."""
    import numpy as np

    return np.exp(rng.normal(math.log(0.0010), 0.30, n))


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


def rates(duty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how fast each component's clock runs per hour of running, [N, K], for the duty of N machines."""
    import numpy as np

    per_hour = np.array([float(c.clock == "h") for c in COMPONENTS])
    per_duty = np.array([{"h": 0.0, "Gp": GIGAPULSES, "kwafers": KILOWAFERS}[c.clock] for c in COMPONENTS])
    return np.asarray(per_hour + duty[:, None] * per_duty)


def degrade(state: State, rows: NDArray[np.int64], comp: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Begin a degradation of component comp[i] in trajectory rows[i], sudden or in three stretches."""
    import numpy as np

    sudden = rng.random(len(rows)) < np.array([c.sudden for c in COMPONENTS])[comp]
    state.stage[rows, comp] = np.where(sudden, SUDDEN, 1)
    state.level[rows, comp] = 0.0
    state.tempo[rows, comp] = np.exp(rng.normal(0.0, 0.4, len(rows)))
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

    pulses = GIGAPULSES * duty * hours
    before = severity(state.stage[:, DGEN], state.level[:, DGEN])
    state.age += rates(duty) * hours[:, None]
    state.level += state.pace * hours[:, None]
    after = severity(state.stage[:, DGEN], state.level[:, DGEN])
    # The mean of an exponentially growing severity over the span, exact: (s1 - s0) / ln(s1 / s0).
    ratio = np.log(np.where(before > 0, after / np.where(before > 0, before, 1.0), 1.0))
    mean = np.where(ratio > 1e-9, (after - before) / np.where(ratio > 1e-9, ratio, 1.0), before)
    state.reflectance *= np.exp(-state.decay * pulses * (1.0 + 3.0 * mean))
