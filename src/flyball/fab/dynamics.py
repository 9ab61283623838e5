"""The one law by which a fleet lives on: the same code writes its history and looks ahead for the ceiling.

Between two happenings everything moves by a formula, so trajectories step from one to the next (a component
begins to degrade, enters a stretch, fails; a stop ends; maintenance is due) in continuous time, many at once,
each on its own calendar.  No hourly grid, no rounding of failure times.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from flyball.fab import fleet, service, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Separates machines on one sorted axis of times; far more hours than a fleet lives.
_SPAN = 1_000_000.0


def advance(
    state: wear.State,
    plan: fleet.Plan,
    until: NDArray[np.float64],
    rng: np.random.Generator,
    journal: service.Journal,
    snapshots: list[tuple[NDArray[np.int64], wear.State]] | None = None,
) -> None:
    """Live N trajectories on to the hour until[i] of each, noting happenings under their row numbers.

    The state is used up.  `snapshots` collects (rows, state) after every step, from which any moment's state
    can be read back.
    """
    import numpy as np

    rows = np.arange(len(state.now))
    while len(rows):
        going = _step(state, plan, until, rng, journal, rows)
        if snapshots is not None:
            snapshots.append((rows.copy(), state.take(np.arange(len(rows)))))
        if not going.all():
            state, until, rows = state.take(going), until[going], rows[going]


def _step(
    state: wear.State,
    plan: fleet.Plan,
    until: NDArray[np.float64],
    rng: np.random.Generator,
    journal: service.Journal,
    named: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Take every trajectory to its own next happening; return which are not yet at their end."""
    import numpy as np

    everyone = np.arange(len(named))
    duty = plan.duty[state.machine, np.minimum(state.week, plan.duty.shape[1] - 1)]
    ends = np.array(wear.ENDS)[state.stage]
    growing = state.stage > wear.HEALTHY
    ahead = np.where(growing, ends - state.level, state.onset - state.age)
    ahead /= np.where(growing, state.pace, wear.rates(plan, state.machine, duty))
    comp = ahead.argmin(axis=1)
    up = state.down <= 0.0
    wait = np.maximum(np.where(up, ahead[everyone, comp], state.down), 0.0)
    tick = plan.tick(state.machine, state.week)
    hours = np.minimum(np.minimum(wait, tick - state.now), until - state.now)
    at_end = hours == until - state.now
    at_tick = ~at_end & (hours == tick - state.now)
    happens = ~at_end & ~at_tick
    wear.run(state, plan, np.where(up, hours, 0.0), duty)
    state.now = np.where(at_end, until, np.where(at_tick, tick, state.now + hours))
    state.down = np.where(happens, 0.0, np.maximum(state.down - hours, 0.0))
    rows = np.flatnonzero(happens & up)
    if len(rows):
        _happen(state, plan, rows, comp[rows], rng, journal, named)
    rows = np.flatnonzero(at_tick)
    if len(rows):
        state.week[rows] += 1
        due = rows[up[rows]]  # a machine that is down anyway skips its maintenance
        service.maintain(state, plan, due, rng, journal, named[due])
    return np.asarray(~at_end)


def _happen(
    state: wear.State,
    plan: fleet.Plan,
    rows: NDArray[np.int64],
    comp: NDArray[np.int64],
    rng: np.random.Generator,
    journal: service.Journal,
    named: NDArray[np.int64],
) -> None:
    stage = state.stage[rows, comp]
    new, on, fails = stage == wear.HEALTHY, (stage == 1) | (stage == 2), stage >= 3
    wear.degrade(state, plan, rows[new], comp[new], rng)
    journal.note("onset", named[rows[new]], state.now[rows[new]], comp[new])
    import numpy as np

    state.level[rows[on], comp[on]] = np.array(wear.ENDS)[stage[on]]
    state.stage[rows[on], comp[on]] += 1
    wear.hasten(state, rows[on], comp[on], rng)
    service.repair(state, plan, rows[fails], comp[fails], rng, journal, named[rows[fails]])


@dataclasses.dataclass(frozen=True)
class History:
    """A fleet's whole life: what happened, and snapshots sorted by machine and time."""

    plan: fleet.Plan
    journal: service.Journal
    marks: NDArray[np.float64]
    states: wear.State

    def at(self, machine: NDArray[np.int64], hour: NDArray[np.float64]) -> wear.State:
        """Return the latent state of machine[i] at hour[i], exactly; `onset` in it is the true future one."""
        import numpy as np

        mark = np.asarray(machine) * _SPAN + np.asarray(hour) + fleet.BURN
        state = self.states.take(np.searchsorted(self.marks, mark, side="right") - 1)
        passed = np.maximum(hour - state.now, 0.0)
        duty = self.plan.duty[state.machine, np.minimum(state.week, self.plan.duty.shape[1] - 1)]
        up = state.down <= 0.0
        wear.run(state, self.plan, np.where(up, passed, 0.0), duty)
        state.down = np.maximum(state.down - passed, 0.0)
        state.now = np.array(hour, dtype=np.float64)
        return state


@functools.lru_cache(maxsize=4)
def history(fab: fleet.Fab) -> History:
    """Live a fleet from before its first day to its last, once per process; the seed decides everything."""
    import numpy as np

    plan, rng, journal = fleet.plan(fab), fleet.stream(fab, "life"), service.Journal()
    state = wear.begin(plan, rng, -fleet.BURN)
    rows = np.arange(len(state.now))
    snapshots = [(rows, state.take(rows))]
    advance(state, plan, np.full(len(rows), 24.0 * fab.size().days), rng, journal, snapshots)
    row = np.concatenate([r for r, _ in snapshots])
    order = np.argsort(row, kind="stable")
    fields = [f.name for f in dataclasses.fields(wear.State)]
    states = wear.State(*(np.concatenate([getattr(s, f) for _, s in snapshots])[order] for f in fields))
    return History(plan, journal, row[order] * _SPAN + states.now + fleet.BURN, states)
