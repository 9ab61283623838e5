"""What happens to rows between the machine and the file: lost blocks, gaps, copies, and rows that come late.

Each injected fault has a row of truth: kind, machine, start, end and magnitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import fleet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Lost blocks per machine-year, outages per site-year, share of rows sent twice, of values missing.
BLOCKS, OUTAGES, COPIES, HOLES = 10.0, 4.0, 0.002, 0.003

YEAR = 24.0 * 365.25


def outages(fab: fleet.Fab) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each network outage's site, start and end in hours: 2 to 48 h, four per site and year."""
    import numpy as np

    size, rng = fab.size(), fleet.stream(fab, "outages")
    count = rng.poisson(OUTAGES * 24.0 * size.days / YEAR, size.sites)
    start = rng.uniform(0.0, 24.0 * size.days, int(count.sum()))
    return np.repeat(np.arange(size.sites), count), start, start + rng.uniform(2.0, 48.0, len(start))


def arrival(
    fab: fleet.Fab, machine: NDArray[np.int64], at: NDArray[np.float64], purpose: str
) -> NDArray[np.float64]:
    """Return the hour at which each row is seen: minutes later, or when its site's outage is over."""
    import numpy as np

    rng, site = fleet.stream(fab, f"arrival of {purpose}"), fleet.plan(fab).site[machine]
    seen = at + np.exp(rng.normal(np.log(2.0), 0.5, len(at))) / 60.0
    for where, start, end in zip(*outages(fab), strict=True):
        held = (site == where) & (seen >= start) & (seen < end)
        seen[held] = end + (seen[held] - start) / 600.0  # the queue drains in order
    return seen


def spoil(
    fab: fleet.Fab, rows: dict[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Lose blocks, blank values and copy rows of telemetry; return it and the truth of it."""
    import numpy as np

    size, rng, names = fab.size(), fleet.stream(fab, "mess"), np.array(fleet.plan(fab).names)
    count = rng.poisson(BLOCKS * 24.0 * size.days / YEAR, size.machines)
    lost, start = (
        np.repeat(np.arange(size.machines), count),
        rng.uniform(0.0, 24.0 * size.days, int(count.sum())),
    )
    end = start + np.exp(rng.normal(np.log(6.0), 1.2, len(start)))
    keep = np.ones(len(rows["at"]), dtype=bool)
    for machine, first, last in zip(lost, start, end, strict=True):
        keep &= ~((rows["machine"] == machine) & (rows["at"] >= first) & (rows["at"] < last))
    rows = {name: column[keep] for name, column in rows.items()}
    rows["seen"] = arrival(fab, rows["machine"], rows["at"], "telemetry")
    copied = np.flatnonzero(rng.random(len(rows["at"])) < COPIES)
    for name in rows.keys() - {"machine", "at", "seen"}:
        rows[name] = rows[name].copy()
    for name in sorted(rows.keys() - {"machine", "at", "seen"}):
        rows[name][rng.random(len(rows["at"])) < HOLES] = np.nan
    rows = {name: np.concatenate([column, column[copied]]) for name, column in rows.items()}
    rows["seen"][len(rows["seen"]) - len(copied) :] += rng.uniform(0.0, 0.5, len(copied))
    order = np.lexsort((rows["machine"], rows["seen"]))
    rows = {name: column[order] for name, column in rows.items()}
    site, down, again = outages(fab)
    truth = {
        "kind": np.repeat(["lost block", "outage"], [len(lost), len(site)]),
        "where": np.concatenate(
            [names[lost], np.array([f"site {chr(ord('A') + s)}" for s in site], dtype=np.str_)]
        ),
        "start": fleet.to_us(np.concatenate([start, down])),
        "end": fleet.to_us(np.concatenate([end, again])),
    }
    return rows, truth
