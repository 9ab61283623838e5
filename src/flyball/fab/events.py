"""What the machines report: precursors that grow with wear, failures and what they drag along, and much chatter.

A part's warnings come at 0.02 per hour in all when it is healthy and 1.2 s^1.5 more at severity s.  Background codes
come at 20 to 200 a day, a level per machine, whatever the state; nuisance codes come in bursts (a Hawkes process).
Any failure drags four dependents along within five seconds, and as every module has its own clock, up to two
seconds off, the root is not always the first to be read.  Where the source has no margin left, the dose interlock
trips now and then: a stop of minutes, not a failure.  A machine that is down says nothing but its failure, its
recovery and what is done at maintenance.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import chatter, codes, dynamics, fleet, physics, states, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Warnings per hour of a healthy part, how many more at severity 1, and the shares of a part's three codes.
BASE, WORN, SHARES = 0.02, 1.2, (0.5, 0.3, 0.2)
#: Seconds within which dependents follow a failure, and by which a module's clock may be off.
CASCADE_S, SKEW_S = (0.1, 5.0), 2.0
#: Interlock trips per hour for each unit of missing margin: one a day with a tenth of the power missing.
TRIPS = 0.4
#: Hours by which the four codes of a visit lie after its begin (first two) or before its end.
VISIT_H = (0.0, 0.1, 0.1, 0.0)
_SECOND = 1.0 / 3600.0
#: What `state` of an alarm says: nothing (no alarm), set, cleared.
STATES = ("", "set", "clear")


@dataclasses.dataclass(frozen=True)
class Rows:
    """Events as numbers, in the order read: what `events` and `truth` spell out.

    `machine` index; `at` hour as the module's clock has it and `true_at` as it was; `code` index into
    `codes.book()`, `first` the same in the first dictionary; `state` index into STATES; `value` the number in the
    text; `root` which failure (index into the journal's) set it off, -1 for none.
    """

    machine: NDArray[np.int64]
    at: NDArray[np.float64]
    true_at: NDArray[np.float64]
    code: NDArray[np.int16]
    first: NDArray[np.int16]
    state: NDArray[np.int8]
    value: NDArray[np.float32]
    root: NDArray[np.int32]


def events(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return every event in the order of its stamp: machine, at, code, severity, module, set_clear, value.

    `machine` is an index and `at` hours by the clock of the module that speaks.  `set_clear` is "set" and "clear" for
    alarms (F and E), empty for all else; `value` is the number in the text, which `codes.text` tells.

    >>> rows = events(fleet.Fab("tiny", machines=2, days=10))
    >>> sorted(rows)
    ['at', 'code', 'machine', 'module', 'set_clear', 'severity', 'value']
    """
    import numpy as np

    found, book = rows(fab), codes.book()
    return {
        "machine": found.machine,
        "at": found.at,
        "code": np.array([code.name for code in book])[found.code],
        "severity": np.array([code.severity for code in book])[found.code],
        "module": np.array([code.module for code in book])[found.code],
        "set_clear": np.array(STATES)[found.state],
        "value": found.value,
    }


def truth(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return what only the simulator knows of each event, row by row as `events`.

    `machine`, `at` as stamped, `true_at` (hours), `code` as the first dictionary calls it, `role`, `part`, and
    `root`: the number of the failure that set it off in the journal, -1 for none.
    """
    import numpy as np

    found = rows(fab)
    return {
        "machine": found.machine,
        "at": found.at,
        "true_at": found.true_at,
        "code": np.array([code.name for code in codes.CODES])[found.first],
        "role": np.array([code.role for code in codes.CODES])[found.first],
        "part": np.array([code.part for code in codes.CODES])[found.first],
        "root": found.root,
    }


@functools.lru_cache(maxsize=2)
def rows(fab: fleet.Fab) -> Rows:
    """Draw every event of a fleet, once per process; the arrays are shared and read-only."""
    import numpy as np

    end, rng = 24.0 * fab.size().days, fleet.stream(fab, "events")
    spoken = [_warnings(fab, rng), *(_Some.of(*said) for said in chatter.chatter(fab, rng))]
    tripped = _interlock(fab, fleet.stream(fab, "interlock"))
    free = _Some.join([*spoken, tripped])
    free = free.take(~states.down(fab, free.machine, free.at))
    every = _Some.join([free, _cleared(free, rng), _failures(fab, rng), _visits(fab)])
    every = every.take((every.at >= 0.0) & (every.at < end))
    module = np.array([codes.MODULES.index(code.module) for code in codes.CODES])[every.code]
    skew = rng.uniform(-SKEW_S, SKEW_S, (fab.size().machines, len(codes.MODULES))) * _SECOND
    stamped = np.clip(every.at + skew[every.machine, module], 0.0, np.nextafter(end, 0.0))
    order = np.lexsort((every.machine, stamped))
    every, stamped = every.take(order), stamped[order]
    usual, spread = np.array([(code.usual, code.spread) for code in codes.CODES], dtype=np.float32).T
    value = usual[every.code] * np.exp(spread[every.code] * rng.standard_normal(len(order), dtype=np.float32))
    said = _renamed(fab, rng, every)
    out = Rows(every.machine, stamped, every.at, said, every.code, every.state, value, every.root)
    for field in dataclasses.fields(out):
        getattr(out, field.name).flags.writeable = False
    return out


@dataclasses.dataclass(frozen=True)
class _Some:
    """Events before they are ordered and stamped: machine, true hour, code in the first dictionary, state, root."""

    machine: NDArray[np.int64]
    at: NDArray[np.float64]
    code: NDArray[np.int16]
    state: NDArray[np.int8]
    root: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        machine: NDArray[Any],
        at: NDArray[np.float64],
        code: NDArray[Any],
        state: int = 0,
        root: NDArray[Any] | None = None,
    ) -> _Some:
        import numpy as np

        roots = np.full(len(at), -1) if root is None else root
        return cls(
            machine.astype(np.int64),
            at,
            code.astype(np.int16),
            np.full(len(at), state, dtype=np.int8),
            roots.astype(np.int32),
        )

    @classmethod
    def join(cls, parts: list[_Some]) -> _Some:
        import numpy as np

        names = [field.name for field in dataclasses.fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def take(self, which: NDArray[Any]) -> _Some:
        return _Some(*(getattr(self, field.name)[which] for field in dataclasses.fields(self)))


def _warnings(fab: fleet.Fab, rng: np.random.Generator) -> _Some:
    """Draw the warnings hour by hour, at the rate of the severity at the hour's start."""
    import numpy as np

    past, hours, out = dynamics.history(fab), np.arange(24.0 * fab.size().days), []
    first = codes.numbers("precursor").reshape(-1, 3)
    for number in range(fab.size().machines):
        severity = past.at(np.full(len(hours), number), hours).severity()[:, : wear.SOFT]
        rate = BASE + WORN * severity**1.5
        rate[:, wear.DGEN] *= past.plan.euv[number]
        count = rng.poisson(rate)
        hour, comp = np.nonzero(count)
        times = count[hour, comp]
        hour, comp = np.repeat(hour, times), np.repeat(comp, times)
        which = np.searchsorted(np.cumsum(SHARES)[:2], rng.random(len(hour)))
        at = hours[hour] + rng.random(len(hour))
        out.append(_Some.of(np.full(len(at), number), at, first[comp, which]))
    return _Some.join(out)


def _interlock(fab: fleet.Fab, rng: np.random.Generator) -> _Some:
    """Draw the trips of the dose interlock, at a rate that grows with the margin that is missing."""
    import numpy as np

    past, hours = dynamics.history(fab), np.arange(24.0 * fab.size().days)
    machine, at = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for number in np.flatnonzero(past.plan.euv):
        lacks = np.maximum(-physics.margin(past.at(np.full(len(hours), number), hours)), 0.0)
        found = np.repeat(hours, rng.poisson(TRIPS * lacks))
        machine.append(np.full(len(found), number))
        at.append(found + rng.random(len(found)))
    when = np.concatenate(at)
    return _Some.of(
        np.concatenate(machine), when, np.full(len(when), codes.numbers("interlock")[0]), STATES.index("set")
    )


def _cleared(free: _Some, rng: np.random.Generator) -> _Some:
    """Clear each alarm that was set by no failure within half a minute to six minutes: an assist."""
    over = free.take(free.state == STATES.index("set"))
    later = over.at + rng.uniform(0.5, 6.0, len(over.at)) / 60.0
    return _Some.of(over.machine, later, over.code, STATES.index("clear"))


def _failures(fab: fleet.Fab, rng: np.random.Generator) -> _Some:
    """Return every failure with its dependents, the clearing of their alarms, and the recovery."""
    import numpy as np

    failed, number = dynamics.history(fab).journal.read("failure"), codes.numbers("dependent")
    count, ends = len(failed["at"]), failed["at"] + failed["value"]
    roots, machine = np.arange(count), failed["row"]
    own = codes.numbers("failure")[failed["comp"]]
    follows = rng.uniform(*CASCADE_S, (count, len(number))) * _SECOND
    alarms = np.concatenate([own[:, None], np.broadcast_to(number, (count, len(number)))], axis=1)
    begins = failed["at"][:, None] + np.concatenate([np.zeros((count, 1)), follows], axis=1)
    each = alarms.shape[1]
    who, root = np.repeat(machine, each), np.repeat(roots, each)
    return _Some.join(
        [
            _Some.of(who, begins.ravel(), alarms.ravel(), STATES.index("set"), root),
            _Some.of(who, np.repeat(ends, each), alarms.ravel(), STATES.index("clear"), root),
            _Some.of(machine, ends, codes.numbers("recovery")[failed["comp"]], root=roots),
        ]
    )


def _visits(fab: fleet.Fab) -> _Some:
    """Return what the operator and the host say at maintenance."""
    import numpy as np

    upkeep = dynamics.history(fab).journal.read("maintenance")
    begins, ends = upkeep["at"], upkeep["at"] + upkeep["value"]
    at = [begins + VISIT_H[0], begins + VISIT_H[1], ends - VISIT_H[2], ends - VISIT_H[3]]
    every = np.tile(upkeep["row"], len(at))
    return _Some.of(every, np.concatenate(at), np.repeat(codes.numbers("visit"), len(begins)))


def _renamed(fab: fleet.Fab, rng: np.random.Generator, said: _Some) -> NDArray[np.int16]:
    """Return the code as the dictionary in force at the time calls it, index into the book."""
    import numpy as np

    plan, place = fleet.plan(fab), {code.name: number for number, code in enumerate(codes.book())}
    site = plan.site[said.machine]
    new = (plan.dictionary[site] == 2) & (said.at >= plan.firmware[site, 0])
    names = np.arange(len(codes.CODES), dtype=np.int16)
    one, other = names.copy(), names.copy()
    for old, now in codes.RENAMED.items():
        one[place[old]], other[place[old]] = place[now[0]], place[now[-1]]
    split = rng.random(len(said.at)) < 0.5
    return np.where(new, np.where(split, one[said.code], other[said.code]), said.code).astype(np.int16)
