"""What people do to the machines: repairs, weekly maintenance, planned swaps, and how much of it they write down.

Maintenance replaces a degradation it can see (severity above 0.35) with a chance that differs by site.  Such
a unit would have failed later, so its life is censored, and not at random.  Work orders (`orders.py`) are entered
late, one in ten part swaps not at all, one in twenty under the wrong part.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from flyball.fab import fleet, wear

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray

#: Chance that a repair is imperfect; severity that maintenance sees; reflectance that calls for a swap.
IMPERFECT, VISIBLE, WORN = 0.08, 0.35, 0.62
#: Chance that a repair puts in the wrong part, and the hours within which the fault then comes again.
WRONG, AGAIN_H = 0.03, 72.0
#: Share of part swaps that are never logged, and of work orders that name the wrong part.
UNLOGGED, MISNAMED = 0.10, 0.05


@dataclasses.dataclass
class Journal:
    """What happened, in the order it was found: columns of arrays per kind of happening.

    Kinds: `onset` (row, at, comp, -), `failure` (row, at, comp, hours down), `wrong part` (row, at, comp, -),
    `swap` (row, at, comp, running hours it would have lasted), `maintenance` (row, at, -, hours down),
    `collector` (row, at, -, reflectance reached).  Only the kinds in `keep` are kept, all when it is empty.
    """

    keep: tuple[str, ...] = ()
    pages: dict[str, list[tuple[NDArray[Any], ...]]] = dataclasses.field(default_factory=dict)

    def note(
        self,
        kind: str,
        row: NDArray[np.int64],
        at: NDArray[np.float64],
        comp: NDArray[np.int64] | None = None,
        value: NDArray[np.float64] | None = None,
    ) -> None:
        """Write down that something of a kind happened to some rows."""
        import numpy as np

        if len(row) and (not self.keep or kind in self.keep):
            none = np.full(len(row), -1)
            page = (
                row.copy(),
                at.copy(),
                none if comp is None else comp.copy(),
                none if value is None else value,
            )
            self.pages.setdefault(kind, []).append(page)

    def read(self, kind: str) -> dict[str, NDArray[Any]]:
        """Return one kind's columns row, at, comp, value, sorted by time and row."""
        import numpy as np

        pages = self.pages.get(kind, [])
        columns = (
            [np.concatenate(column) for column in zip(*pages, strict=True)] if pages else [np.zeros(0)] * 4
        )
        order = np.lexsort((columns[0], columns[1]))
        names = ("row", "at", "comp", "value")
        whole = ("row", "comp")
        return {
            n: (c[order].astype(np.int64) if n in whole else c[order])
            for n, c in zip(names, columns, strict=True)
        }


def renew(
    state: wear.State,
    plan: fleet.Plan,
    rows: NDArray[np.int64],
    comp: NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Replace component comp[i] of trajectory rows[i]: as new, or imperfectly, with severity 0.2 left."""
    import numpy as np

    life = plan.life[state.machine[rows], comp]
    age = np.zeros(len(rows))
    state.age[rows, comp] = age
    state.stage[rows, comp] = wear.HEALTHY
    state.level[rows, comp] = 0.0
    state.pace[rows, comp] = 0.0
    state.tempo[rows, comp] = 1.0
    state.onset[rows, comp] = wear.onset(life, age, rng.exponential(size=len(rows)), comp)
    bad = (rng.random(len(rows)) < IMPERFECT) & (comp != wear.SOFT)
    if bad.any():
        again, part = rows[bad], comp[bad]
        state.stage[again, part] = 2
        state.level[again, part] = wear.RELAPSE
        wear.hasten(state, again, part, rng)


def repair(
    state: wear.State,
    plan: fleet.Plan,
    rows: NDArray[np.int64],
    comp: NDArray[np.int64],
    rng: np.random.Generator,
    journal: Journal,
    named: NDArray[np.int64],
) -> None:
    """Enter unscheduled down: the failed component is replaced, the machine stands until it is done."""
    import numpy as np

    parts = wear.COMPONENTS
    hours = np.array([p.repair_h for p in parts])[comp] * np.exp(rng.normal(0.0, 0.6, len(rows)))
    waits = rng.random(len(rows)) < np.array([p.waits for p in parts])[comp]
    hours = hours + waits * rng.exponential(14.0, len(rows))
    journal.note("failure", named, state.now[rows], comp, hours)
    renew(state, plan, rows, comp, rng)
    wrong = (rng.random(len(rows)) < WRONG) & (comp != wear.SOFT)
    if wrong.any():
        again, part = rows[wrong], comp[wrong]
        journal.note("wrong part", named[wrong], state.now[again], part)
        state.stage[again, part] = wear.SUDDEN
        state.level[again, part] = 0.0
        state.pace[again, part] = 1.0 / rng.uniform(4.0, AGAIN_H, len(again))
    state.down[rows] = hours


def maintain(
    state: wear.State,
    plan: fleet.Plan,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    journal: Journal,
    named: NDArray[np.int64],
) -> None:
    """Do the weekly maintenance of machines that are up: LogN(5.5 h, 0.3), every thirteenth 20 h longer."""
    import numpy as np

    n = len(rows)
    hours = np.exp(rng.normal(math.log(5.5), 0.3, n)) + 20.0 * (state.week[rows] % 13 == 0)
    worn = state.reflectance[rows] < WORN
    hours += 14.0 * worn
    journal.note("collector", named[worn], state.now[rows[worn]], value=state.reflectance[rows[worn]])
    state.reflectance[rows[worn]] = rng.normal(1.0, 0.01, int(worn.sum()))
    state.decay[rows[worn]] = wear.fresh_decay(plan, state.machine[rows[worn]], rng)
    seen = wear.severity(state.stage[rows], state.level[rows]) > VISIBLE
    chosen = seen & (rng.random(seen.shape) < plan.discipline[state.machine[rows]][:, None])
    i, comp = np.nonzero(chosen)
    left = (1.0 - state.level[rows[i], comp]) / state.pace[rows[i], comp]
    journal.note("swap", named[i], state.now[rows[i]], comp, left)
    journal.note("maintenance", named, state.now[rows], value=hours)
    renew(state, plan, rows[i], comp, rng)
    state.down[rows] = hours


def told(parts: Collection[str] | None) -> NDArray[np.float64]:
    """Return the chance that the work orders tell each component's failure as one of the named parts, [K].

    None asks about any hard failure: a wrong name does not hide that.  Of a failure that is not hard the
    orders say so (an assist), whatever part they name, so it is told only where it is asked about itself.

    >>> told(("DGEN",)).round(4).tolist()
    [0.855, 0.0064, 0.0064, 0.0064, 0.0064, 0.0064, 0.0064, 0.0, 0.0]
    """
    import numpy as np

    logged = 1.0 - UNLOGGED
    if parts is None:
        return np.asarray(logged * wear.hard(), dtype=np.float64)
    asked = wear.chosen(parts)
    nameable = np.arange(len(asked)) != wear.SOFT
    others = (asked & nameable).sum() - (asked & nameable)
    named = np.where(asked, 1.0 - MISNAMED, 0.0) + MISNAMED * others / (wear.SOFT - 1)
    speaks = (wear.hard() | asked) & nameable
    return np.asarray(logged * named * speaks, dtype=np.float64)


def entry_delay(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Draw the hours from a finished job to its work order: LogN(8 h, 1.0), one in twenty over three days."""
    import numpy as np

    forgotten = rng.random(n) < 0.05
    return np.exp(rng.normal(math.log(8.0), 1.0, n)) + forgotten * (72.0 + rng.exponential(48.0, n))
