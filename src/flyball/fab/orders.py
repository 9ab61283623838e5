"""Work orders as people enter them: late, rounded, sometimes under the wrong part, sometimes not at all.

How often is law, and stands in `service.py` with the rest of it, for the ceiling answers for labels that are made
from these orders.  Here is what one order looks like: its times, a cause, and a line of free text in which people
mistype.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet, service, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What an order may be about: the parts that wear or stop, the collector, and a visit.
PARTS = (*wear.NAMES, "COLL", "PM")
COLL, PM = len(wear.NAMES), len(wear.NAMES) + 1
#: Share of texts with a slip of the keyboard, and of repeated faults that are booked as such.
TYPOS, REPEATS = 0.15, 0.7
#: What people call the parts.
WORDS = (
    "droplet generator", "drive laser", "turbo pump", "chamber seal", "wafer stage", "reticle stage", "cooling water",
    "wafer handler", "control software", "collector", "machine",
)  # fmt: skip
#: Causes by kind of work, and how often each is booked.
CAUSES = {
    "repair": (("WEAR", "UNKNOWN", "SETTING"), (0.60, 0.25, 0.15)),
    "assist": (("HANDLING", "UNKNOWN"), (0.8, 0.2)),
    "planned": (("PREVENTIVE", "CONDITION"), (0.3, 0.7)),
    "COLL": (("END OF LIFE",), (1.0,)),
    "PM": (("CALENDAR",), (1.0,)),
}
#: Thirty lines of free text, by kind of work.
TEXTS = {
    "repair": (
        "{part} down, replaced, machine back to production",
        "replaced {part}, tests ok",
        "{part} failed. New unit fitted and checked, {n} test wafers",
        "alarm on {part}, no reset possible, changed it",
        "found {part} defective, exchange done by shift {n}",
        "{part}: unit swapped, old one sent to repair",
        "machine stopped by {part}. replaced and requalified",
        "swap {part} after failed recovery ({n} tries)",
        "{part} out of spec, new part installed",
        "called in at night for {part}, part was in stock",
        "waited for part, then {part} replaced",
        "exchange of {part}, performance ok after {n} h",
    ),
    "assist": (
        "{part} stuck, removed wafer by hand and restarted",
        "reset of {part}, ok",
        "{part} recovered after {n} retries",
        "opened door, cleared {part}, go on",
        "re-initialised {part}",
        "{part} error, homed, running again",
    ),
    "planned": (
        "{part} showed drift, replaced during PM",
        "preventive exchange of {part}",
        "{part} replaced as agreed with engineering",
        "swapped {part} before it fails, trend since {n} days",
        "{part} renewed together with the weekly",
    ),
    "COLL": ("collector at end of life, exchanged", "new collector in, {n} h conditioning"),
    "PM": (
        "weekly maintenance done",
        "PM according to list, no findings",
        "weekly, cleaned and greased, {n} items open",
        "maintenance finished, test lot ok",
        "PM ok, filters changed",
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Jobs:
    """What was truly done, and what becomes of it on paper: arrays over all jobs, in no particular order.

    `row` machine; `at` hour; `lasted` hours; `comp` index into PARTS as it was, `named` as it is entered; `failed` an
    unscheduled down by a hard failure, `swapped` the planned swap of a hard part; `kind`; `seen` hour of entry;
    `logged` whether it is entered at all; `wrong` whether the part put in was the wrong one; `again` whether the same
    part failed within three days before.
    """

    row: NDArray[np.int64]
    at: NDArray[np.float64]
    lasted: NDArray[np.float64]
    comp: NDArray[np.int64]
    named: NDArray[np.int64]
    failed: NDArray[np.bool_]
    swapped: NDArray[np.bool_]
    kind: NDArray[np.str_]
    seen: NDArray[np.float64]
    logged: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    again: NDArray[np.bool_]


def orders(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return what is written down: machine (index), at, seen, opened, started, finished (hours), and what it says.

    `at` is when the machine went down, by its own state log; `opened`, `started` and `finished` are noted by hand,
    the last rounded to a quarter of an hour; `seen` is when the order was entered.  `part` is the part named, `kind`
    is `repair`, `assist` (a short stop) or `planned` (maintenance), `failed` an unscheduled down by a hard failure,
    `swapped` the planned swap of a part that would stop the machine, `cause` a code and `text` free.  What is entered
    after the last day is not known yet and left out.

    >>> told = orders(fleet.Fab("tiny", machines=2))
    >>> bool((told["seen"] > told["at"]).all()), sorted(set(told["kind"].tolist()))
    (True, ['assist', 'planned', 'repair'])
    """
    import numpy as np

    found, rng = jobs(fab), fleet.stream(fab, "order texts")
    keep = found.logged & (found.at >= 0.0) & (found.seen < 24.0 * fab.size().days)
    order = np.flatnonzero(keep)[np.lexsort((found.row[keep], found.seen[keep]))]
    at, lasted, kind = found.at[order], found.lasted[order], found.kind[order]
    finished = np.rint((at + lasted) * 4.0) / 4.0
    begin = np.where(kind == "planned", 0.0, rng.uniform(0.02, 0.25, len(order)))
    started = np.minimum(at + begin * lasted, finished)
    opened = np.where(kind == "planned", at - rng.uniform(1.0, 6.0, len(order)) * 24.0, at)
    opened = np.minimum(
        opened + (kind != "planned") * rng.uniform(0.0, 1.0, len(order)) * (started - at), started
    )
    group = np.where(found.comp[order] >= COLL, np.array(PARTS)[found.comp[order]], kind)
    return {
        "machine": found.row[order],
        "at": at,
        "seen": found.seen[order],
        "opened": opened,
        "started": started,
        "finished": finished,
        "part": np.array(PARTS)[found.named[order]],
        "kind": kind,
        "failed": found.failed[order],
        "swapped": found.swapped[order],
        "cause": _causes(rng, group, found.again[order]),
        "text": np.array(
            [_written(rng, *what) for what in zip(group, found.named[order], strict=True)], np.str_
        ),
    }


def truth(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return every job as it was, entered or not: machine (index), at, finished (hours), part, kind, and its fate.

    `failed` as in `orders`, `logged` whether it is ever entered, `named` under which part, `wrong_part` whether the
    part put in was the wrong one, so that the fault came again.  Sorted by time and machine.
    """
    import numpy as np

    found = jobs(fab)
    order = np.lexsort((found.row, found.at))
    order = order[found.at[order] >= 0.0]
    return {
        "machine": found.row[order],
        "at": found.at[order],
        "finished": (found.at + found.lasted)[order],
        "part": np.array(PARTS)[found.comp[order]],
        "kind": found.kind[order],
        "failed": found.failed[order],
        "logged": found.logged[order],
        "named": np.array(PARTS)[found.named[order]],
        "wrong_part": found.wrong[order],
    }


@functools.lru_cache(maxsize=4)
def jobs(fab: fleet.Fab) -> Jobs:
    """Return what was done to the machines and how it is put to paper, once per process.

    Software resets need no order.  The wrong name is drawn evenly among the other parts that wear, as `service.told`
    has it.
    """
    import numpy as np

    rng, (row, at, lasted, comp, unplanned) = fleet.stream(fab, "work orders"), _done(fab)
    stopping = np.append(wear.hard(), [False, False])[comp]
    seen = at + lasted + service.entry_delay(rng, len(row))
    misnamed = (rng.random(len(row)) < service.MISNAMED) & (comp < COLL)
    named = np.where(misnamed, (comp + rng.integers(1, wear.SOFT, len(row))) % wear.SOFT, comp)
    logged = (rng.random(len(row)) >= service.UNLOGGED) | (comp == PM)
    return Jobs(
        row=row,
        at=at,
        lasted=lasted,
        comp=comp,
        named=named,
        failed=unplanned & stopping,
        swapped=~unplanned & stopping,
        kind=np.where(unplanned & stopping, "repair", np.where(unplanned, "assist", "planned")),
        seen=seen,
        logged=logged,
        wrong=_mistaken(fab, row, at, comp) & unplanned,
        again=_repeated(row, at, comp, unplanned),
    )


def _done(fab: fleet.Fab) -> tuple[NDArray[Any], ...]:
    """Return row, at, hours, part and whether unplanned of all jobs: failures, planned swaps, collectors, visits."""
    import numpy as np

    journal = dynamics.history(fab).journal
    failure, swap = journal.read("failure"), journal.read("swap")
    stops = failure["comp"] != wear.SOFT
    upkeep, collector = journal.read("maintenance"), journal.read("collector")
    during = {(r, a): v for r, a, v in zip(upkeep["row"], upkeep["at"], upkeep["value"], strict=True)}
    hours = [np.array([during[k] for k in zip(s["row"], s["at"], strict=True)]) for s in (swap, collector)]
    comp = (np.full(len(collector["row"]), COLL), np.full(len(upkeep["row"]), PM))
    row = np.concatenate([failure["row"][stops], swap["row"], collector["row"], upkeep["row"]])
    return (
        row.astype(np.int64),
        np.concatenate([failure["at"][stops], swap["at"], collector["at"], upkeep["at"]]),
        np.concatenate([failure["value"][stops], *hours, upkeep["value"]]),
        np.concatenate([failure["comp"][stops], swap["comp"], *comp]),
        np.arange(len(row)) < int(stops.sum()),
    )


def _mistaken(
    fab: fleet.Fab, row: NDArray[np.int64], at: NDArray[np.float64], comp: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which jobs put in the wrong part."""
    import numpy as np

    noted = dynamics.history(fab).journal.read("wrong part")
    known = set(zip(noted["row"].tolist(), noted["at"].tolist(), noted["comp"].tolist(), strict=True))
    mine = zip(row.tolist(), at.tolist(), comp.tolist(), strict=True)
    return np.array([job in known for job in mine], dtype=bool)


def _repeated(
    row: NDArray[np.int64], at: NDArray[np.float64], comp: NDArray[np.int64], unplanned: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which failures follow one of the same part of the same machine within three days."""
    import numpy as np

    out, mine = np.zeros(len(row), dtype=bool), np.flatnonzero(unplanned)
    order = mine[np.lexsort((at[mine], comp[mine], row[mine]))]
    same = (row[order][1:] == row[order][:-1]) & (comp[order][1:] == comp[order][:-1])
    out[order[1:][same & (np.diff(at[order]) <= service.AGAIN_H)]] = True
    return out


def _causes(rng: np.random.Generator, group: NDArray[np.str_], again: NDArray[np.bool_]) -> NDArray[np.str_]:
    import numpy as np

    cause, drawn = np.full(len(group), "", dtype="U16"), rng.random(len(group))
    for name, (words, shares) in CAUSES.items():
        mine = group == name
        cause[mine] = np.array(words)[np.searchsorted(np.cumsum(shares)[:-1], drawn[mine], side="right")]
    cause[again & (rng.random(len(group)) < REPEATS)] = "REPEAT"
    return cause


def _written(rng: np.random.Generator, group: str, part: int) -> str:
    """Write one line of free text, now and then with two letters exchanged, one left out or one doubled."""
    texts = TEXTS[group]
    text = texts[rng.integers(len(texts))].format(part=WORDS[part], n=rng.integers(2, 9))
    if rng.random() >= TYPOS:
        return text
    place, slip = int(rng.integers(1, len(text) - 2)), int(rng.integers(3))
    one, two = text[place], text[place + 1]
    return text[:place] + (two + one, two, one + one + two)[slip] + text[place + 2 :]
