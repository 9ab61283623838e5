"""What happens to rows between the machine and the file: lost, late, twice, out of order, without a value.

A row arrives minutes after it was made, or when its site's outage is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import channels, fleet, injected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[Any]]

#: Lost blocks per machine-year, outages per site-year; shares of rows sent twice, of rows out of order, of values gone.
BLOCKS, OUTAGES, COPIES, ASTRAY, HOLES = 10.0, 4.0, 0.002, 0.005, 0.003
#: Hours by which a row out of order comes later than it should, at most.
ASTRAY_H = 10.0 / 60.0
YEAR = 24.0 * 365.25


def outages(fab: fleet.Fab) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each network outage's site, start and end in hours: 2 to 48 h, four per site and year."""
    import numpy as np

    size, rng = fab.size(), fleet.stream(fab, "outages")
    count = rng.poisson(OUTAGES * 24.0 * size.days / YEAR, size.sites) * fab.mess
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


def send(fab: fleet.Fab, rows: Rows) -> tuple[Rows, list[injected.Table]]:
    """Send rows sorted by machine (index) and at (hours): return them in the order seen, `seen` added, and the truth.

    Who is late, sent twice or blanked is drawn for every row that was made, lost or not: so `seen` is what it would
    be without any mess, but for the mess.
    """
    import numpy as np

    size, many = fab.size(), len(rows["at"])
    rng, seen = fleet.stream(fab, "mess"), arrival(fab, rows["machine"], rows["at"], "telemetry")
    cuts = np.searchsorted(rows["machine"], np.arange(size.machines + 1))
    kept, lost = _blocks(fab, rows, cuts)
    astray = rng.random(many) < ASTRAY
    late = np.where(astray, rng.uniform(0.0, ASTRAY_H, many), 0.0)
    twice = np.flatnonzero((rng.random(many) < COPIES) & kept)
    again = rng.uniform(0.0, 0.5, len(twice))
    holes = {name: _blanked(fab, rows, name, kept) for name in channels.UNITS if name in rows}
    place = np.concatenate([np.flatnonzero(kept), twice])
    arrives = np.concatenate([(seen + late)[kept], (seen + late)[twice] + again])
    order = np.lexsort((rows["machine"][place], arrives))
    sent = {}
    for name, column in rows.items():
        if name in holes:
            column = column.copy()
            column[holes[name]] = np.nan
        sent[name] = column[place[order]]
    sent["seen"] = arrives[order]
    site, down, up = outages(fab)
    gone = np.flatnonzero(astray & kept)
    return sent, [
        lost,
        injected.table(fab, "outage", site=site, start=down, end=up, magnitude=up - down),
        _points(fab, rows, "sent twice", twice, again * 60.0),
        _points(fab, rows, "out of order", gone, late[gone] * 60.0),
        *(_points(fab, rows, "missing value", hit, channel=name) for name, hit in holes.items()),
    ]  # fmt: skip


def _points(
    fab: fleet.Fab, rows: Rows, kind: str, place: NDArray[np.int64],
    minutes: NDArray[np.float64] | float = float("nan"), *, channel: str = "",
) -> injected.Table:  # fmt: skip
    at = rows["at"][place]
    return injected.table(
        fab, kind, machine=rows["machine"][place], channel=channel, start=at, end=at, magnitude=minutes
    )


def _blocks(fab: fleet.Fab, rows: Rows, cuts: NDArray[np.int64]) -> tuple[NDArray[np.bool_], injected.Table]:
    """Draw the blocks that are lost; return which rows are left, and the truth."""
    import numpy as np

    size, rng = fab.size(), fleet.stream(fab, "lost blocks")
    machine = np.repeat(
        np.arange(size.machines), rng.poisson(BLOCKS * 24.0 * size.days / YEAR, size.machines)
    )
    start = rng.uniform(0.0, 24.0 * size.days, len(machine))
    end = start + np.exp(rng.normal(np.log(6.0), 1.2, len(start)))
    kept = np.ones(len(rows["at"]), dtype=bool)
    for number, first, last in zip(machine.tolist(), start, end, strict=True):
        whose = slice(int(cuts[number]), int(cuts[number + 1]))
        begin, stop = whose.start + rows["at"][whose].searchsorted([first, last])
        kept[begin:stop] = False
    return kept, injected.table(
        fab, "lost block", machine=machine, start=start, end=end, magnitude=end - start
    )


def _blanked(fab: fleet.Fab, rows: Rows, name: str, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Draw the rows, not lost, in which a channel's value is gone; as many of each channel."""
    import numpy as np

    rng = fleet.stream(fab, f"holes in {name}")
    hit = np.unique(rng.integers(0, max(len(kept), 1), rng.binomial(len(kept), HOLES)))
    return hit[kept[hit] & ~np.isnan(rows[name][hit])]
