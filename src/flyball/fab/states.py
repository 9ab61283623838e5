"""What state a machine is in, in the six exclusive states of SEMI E10, as it was and as it is reported.

PRD produces, SBY waits, ENG is engineering (here: the qualification after work on the machine), SDT and UDT are
scheduled and unscheduled down, NST is not scheduled.  The states follow from the life that was lived: failures are
UDT, maintenance is SDT, and of the time between, a machine now and then waits for work.  Sites derive their stream
from the machine's own signals, with one interval in twenty-five wrong; people set it right week by week.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

E10 = ("PRD", "SBY", "ENG", "SDT", "UDT", "NST")
PRD, SBY, ENG, SDT, UDT, NST = range(6)
#: Share of intervals that are derived wrongly, and what each state is then taken for.
WRONG = 0.04
_TAKEN_FOR = (SBY, PRD, SBY, UDT, SDT, SBY)
#: Mean hours of production between two waits; median and sigma of a wait; share of waits that are not scheduled.
BETWEEN, WAIT, SPREAD, UNSCHEDULED = 9.0, 0.6, 0.6, 0.05
#: Median hours of the qualification after work.
QUALIFY = 0.7
#: Hours after a week's end until people have gone through it.
RECONCILED_H = 34.0


@dataclasses.dataclass(frozen=True)
class Stops:
    """When machines stood still: `machine`, `start`, `end` (hours), sorted; `comp` that failed, -1 for upkeep."""

    machine: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    comp: NDArray[np.int64]


@functools.lru_cache(maxsize=4)
def stops(fab: fleet.Fab) -> Stops:
    """Return every stop of a fleet's life, from before its first day on; they never overlap.

    >>> found = stops(fleet.Fab("tiny", machines=2))
    >>> bool((found.end > found.start).all())
    True
    """
    import numpy as np

    journal = dynamics.history(fab).journal
    failed, upkeep = journal.read("failure"), journal.read("maintenance")
    row, at, lasts = (np.concatenate([failed[n], upkeep[n]]) for n in ("row", "at", "value"))
    comp = np.concatenate([failed["comp"], np.full(len(upkeep["row"]), -1)])
    order = np.lexsort((at, row))
    return Stops(row[order], at[order], (at + lasts)[order], comp[order])


def down(fab: fleet.Fab, machine: NDArray[np.int64], at: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether machine[i] stands still at hour at[i], [n]: fast, for millions of rows."""
    import numpy as np

    found, out = stops(fab), np.zeros(len(at), dtype=bool)
    order = np.argsort(machine, kind="stable")
    cuts = np.searchsorted(machine[order], np.arange(fab.size().machines + 1))
    ranges = np.searchsorted(found.machine, np.arange(fab.size().machines + 1))
    for number in range(fab.size().machines):
        mine, first, last = order[cuts[number] : cuts[number + 1]], ranges[number], ranges[number + 1]
        if first < last:
            before = np.searchsorted(found.start[first:last], at[mine], side="right") - 1
            out[mine] = (before >= 0) & (at[mine] < found.end[first:last][np.maximum(before, 0)])
    return out


@functools.lru_cache(maxsize=4)
def _true(fab: fleet.Fab) -> tuple[NDArray[Any], ...]:
    """Return machine, start, end, state of every interval, sorted by machine and start."""
    import numpy as np

    found, rng, end, parts = stops(fab), fleet.stream(fab, "states"), 24.0 * fab.size().days, []
    for number in range(fab.size().machines):
        mine = (found.machine == number) & (found.end > 0.0) & (found.start < end)
        begins, ends = np.maximum(found.start[mine], 0.0), np.minimum(found.end[mine], end)
        cuts, state = _spans(rng, begins, ends, found.comp[mine], end)
        parts.append((np.full(len(state), number), cuts[:-1], cuts[1:], state))
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


def _spans(
    rng: np.random.Generator,
    begins: NDArray[np.float64],
    ends: NDArray[np.float64],
    comp: NDArray[np.int64],
    end: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cut one machine's time at its stops, qualifications and waits; return n + 1 cuts and n states."""
    import numpy as np

    idle, lasts = _waits(rng, end)
    waits = rng.random(len(idle)) < UNSCHEDULED
    ready = np.minimum(ends + np.exp(rng.normal(math.log(QUALIFY), 0.4, len(ends))), end)
    cuts = np.unique(np.concatenate([[0.0, end], begins, ends, ready, idle, np.minimum(idle + lasts, end)]))
    middle = 0.5 * (cuts[1:] + cuts[:-1])
    state = np.full(len(middle), PRD)
    for start, stop, means in (
        (idle, idle + lasts, np.where(waits, NST, SBY)),
        (ends, ready, np.full(len(ends), ENG)),
        (begins, ends, np.where(comp < 0, SDT, UDT)),
    ):
        last = np.searchsorted(start, middle, side="right") - 1
        inside = (last >= 0) & (middle < np.append(stop, 0.0)[last])
        state[inside] = means[last[inside]]
    changes = np.append(True, state[1:] != state[:-1])
    return np.append(cuts[:-1][changes], end), state[changes]


def _waits(rng: np.random.Generator, end: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw when a machine would wait for work, and for how long; waits do not overlap."""
    import numpy as np

    many = int(end / BETWEEN) + 10
    lasts = np.exp(rng.normal(math.log(WAIT), SPREAD, many))
    starts = np.cumsum(rng.exponential(BETWEEN, many) + np.append(0.0, lasts[:-1]))
    before = starts < end
    return starts[before], lasts[before]


def truth(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return the states as they were: machine (index), at, until (hours), state, sorted by machine and time.

    The intervals of a machine cover all its time and do not overlap.
    """
    import numpy as np

    machine, start, end, state = _true(fab)
    return {"machine": machine, "at": start, "until": end, "state": np.array(E10)[state]}


def states(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return the states as reported: machine (index), at, until, seen (hours), state, source.

    `auto` rows are derived by the machine and seen minutes after their interval has ended, one in twenty-five with a
    wrong state; `reconciled` rows are the true intervals, entered after the end of their week.

    >>> told = states(fleet.Fab("tiny", machines=2, days=20))
    >>> sorted(set(told["source"].tolist())), bool((told["seen"] > told["until"]).all())
    (['auto', 'reconciled'], True)
    """
    import numpy as np

    rng, (machine, start, end, state) = fleet.stream(fab, "reported states"), _true(fab)
    wrong = rng.random(len(state)) < WRONG
    auto = np.where(wrong, np.array(_TAKEN_FOR)[state], state)
    soon = end + rng.uniform(1.0, 10.0, len(end)) / 60.0
    # Sites go through a week on its second day after; which hour is their habit.
    hour = rng.uniform(0.0, 10.0, fab.size().sites)[fleet.plan(fab).site[machine]]
    weekly = (np.floor(end / fleet.WEEK) + 1.0) * fleet.WEEK + RECONCILED_H + hour
    return {
        "machine": np.tile(machine, 2),
        "at": np.tile(start, 2),
        "until": np.tile(end, 2),
        "seen": np.concatenate([soon, weekly]),
        "state": np.array(E10)[np.concatenate([auto, state])],
        "source": np.repeat(["auto", "reconciled"], len(state)),
    }


def totals(state: NDArray[np.str_], at: NDArray[np.float64], until: NDArray[np.float64]) -> dict[str, float]:
    """Return one stream's E10 totals: hours by state, uptime, utilization, failures, mtbf, mttr (hours).

    Uptime is PRD, SBY and ENG over all but NST; utilization is PRD over the same.  A failure is an entry into UDT, and
    adjoining UDT intervals are one; mtbf is uptime per failure and mttr UDT per failure, both nan without one.  What
    began before the stream or lasts beyond it is counted as far as it is seen.  `at` and `until` are hours,
    sorted, of one machine.  By SEMI E10's definitions as publicly summarised.

    >>> import numpy as np
    >>> cuts = np.array([0.0, 90, 96, 190, 200])
    >>> told = totals(np.array(["PRD", "UDT", "PRD", "SDT"]), cuts[:-1], cuts[1:])
    >>> told["uptime"], told["mtbf"], told["mttr"]
    (0.92, 184.0, 6.0)
    """
    import numpy as np

    lasts = np.asarray(until, dtype=np.float64) - at
    hours = {name: float(lasts[state == name].sum()) for name in E10}
    asked = sum(hours.values()) - hours["NST"]
    up = hours["PRD"] + hours["SBY"] + hours["ENG"]
    udt = np.asarray(state) == "UDT"
    goes_on = np.append(False, udt[:-1] & (np.asarray(at)[1:] <= np.asarray(until)[:-1])) if len(udt) else udt
    failures = int((udt & ~goes_on).sum())
    return {
        **hours,
        "uptime": up / asked if asked else float("nan"),
        "utilization": hours["PRD"] / asked if asked else float("nan"),
        "failures": float(failures),
        "mtbf": up / failures if failures else float("nan"),
        "mttr": hours["UDT"] / failures if failures else float("nan"),
    }
