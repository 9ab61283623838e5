"""The codes the machines report: precursors that grow with wear, failures, recoveries, visits, and chatter.

Codes are invented: two letters of the subsystem, a letter for the severity (I, W, F) and a number.  A
component's three warnings come at 0.008 per hour in all when healthy and 1.2 s^1.5 more at severity s; twelve
background codes chatter at five a day with Zipf shares, whatever the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Letters and first number of each component's codes.
_LETTERS = {
    "DGEN": ("DG", 1),
    "LASR": ("LA", 1),
    "VACP": ("VA", 1),
    "LEAK": ("VA", 5),
    "WSTG": ("WS", 1),
    "RSTG": ("RS", 1),
    "COOL": ("CW", 1),
    "HNDL": ("WH", 1),
    "SOFT": ("SW", 1),
}
WARNINGS = tuple(tuple(f"{a}-W{b + i}" for i in range(3)) for a, b in _LETTERS.values())
FAILURES = tuple(f"{a}-F{b}" for a, b in _LETTERS.values())
RECOVERIES = tuple(f"{a}-I{b}" for a, b in _LETTERS.values())
VISIT = "IF-I1"
_SYSTEMS = ("SR", "DG", "LA", "CO", "VA", "WS", "RS", "PO", "AL", "LV", "WH", "IF")
BACKGROUND = tuple(f"{a}-I{40 + i}" for i, a in enumerate(_SYSTEMS))

#: Warnings per hour of a healthy component, and how many more at severity 1; background codes per day.
BASE, WORN, CHATTER = 0.008, 1.2, 5.0


def events(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return every code in the order of time: machine (index), at (hours), code."""
    import numpy as np

    past, size, rng = dynamics.history(fab), fab.size(), fleet.stream(fab, "events")
    end = 24.0 * size.days
    rows, times, codes = [], [], []
    for number in range(size.machines):
        for at, code in (_warnings(past, rng, number, end), _chatter(rng, end)):
            rows.append(np.full(len(at), number))
            times.append(at)
            codes.append(code)
    row, at, code = (np.concatenate(x) for x in (rows, times, codes))
    speaks = past.at(row, at).down <= 0.0
    row, at, code = row[speaks], at[speaks], code[speaks]
    failed, upkeep = past.journal.read("failure"), past.journal.read("maintenance")
    row = np.concatenate([row, failed["row"], failed["row"], upkeep["row"]])
    at = np.concatenate([at, failed["at"], failed["at"] + failed["value"], upkeep["at"]])
    ends = [np.array(names)[failed["comp"]] for names in (FAILURES, RECOVERIES)]
    code = np.concatenate([code, *ends, np.full(len(upkeep["row"]), VISIT)])
    inside = (at >= 0.0) & (at < end)
    order = np.flatnonzero(inside)[np.lexsort((row[inside], at[inside]))]
    return {"machine": row[order].astype(np.int64), "at": at[order], "code": code[order]}


def _warnings(
    past: dynamics.History, rng: np.random.Generator, number: int, end: float
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Draw one machine's warnings, hour by hour at the rate of the severity at the hour's start."""
    import numpy as np

    hours = np.arange(0.0, end)
    severity = past.at(np.full(len(hours), number), hours).severity()
    rate = (BASE + WORN * severity**1.5) * np.array([c.name != "SOFT" for c in wear.COMPONENTS])
    count = rng.poisson(rate)
    hour, comp = np.nonzero(count)
    times = count[hour, comp]
    hour, comp = np.repeat(hour, times), np.repeat(comp, times)
    which = np.searchsorted([0.5, 0.8], rng.random(len(hour)))
    return hours[hour] + rng.random(len(hour)), np.array(WARNINGS)[comp, which]


def _chatter(rng: np.random.Generator, end: float) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    import numpy as np

    share = 1.0 / np.arange(1, len(BACKGROUND) + 1) ** 1.2
    n = rng.poisson(CHATTER * end / 24.0)
    return rng.uniform(0.0, end, n), rng.choice(np.array(BACKGROUND), size=n, p=share / share.sum())
