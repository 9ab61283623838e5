"""Clocks that are off: what machines and loggers stamp, and how the true time is found again.

A machine's clock is set once a day to the site's time, which it misses by its own offset, and runs up to 20 ppm fast or
slow in between.  One machine of the fleet is 37 s ahead (it counts atomic time).  Loggers of telemetry follow summer
time and drop the zone: from the last Sunday of March until the last one of October (01:00 UTC) their stamps are an hour
ahead, so hours go missing in spring and come twice in autumn.  Event codes have module clocks of their own
(`fab.events`), which this does not touch.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from flyball.fab import fleet, injected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Hours = NDArray[np.float64]

#: Hours between two settings of a clock, ppm by which it runs off at most, seconds that one machine is ahead.
SET_H, PPM, AHEAD_S = 24.0, 20.0, 37.0
#: The zone in which loggers write their stamps: UTC in winter, an hour ahead in summer.
ZONE = "Europe/London"
_HOUR = 3600.0


@dataclasses.dataclass(frozen=True)
class Law:
    """The clocks of N machines: `offset` and `ahead` [N] seconds, `ppm` [N], `first` [N] hour of a setting; `summers`
    [K, 2] hours from when until when loggers are an hour ahead."""

    offset: Hours
    ahead: Hours
    ppm: Hours
    first: Hours
    summers: Hours


@functools.lru_cache(maxsize=4)
def law(fab: fleet.Fab) -> Law:
    """Return by what law a fleet's clocks are off; without mess they are right.

    >>> bool(law(fleet.Fab("tiny", mess=False)).offset.any())
    False
    """
    import numpy as np

    size, rng, plan = fab.size(), fleet.stream(fab, "clocks"), fleet.plan(fab)
    offset = rng.normal(0.0, plan.clock[plan.site])
    ahead = np.where(np.arange(size.machines) == rng.integers(size.machines), AHEAD_S, 0.0)
    ppm, first = rng.uniform(-PPM, PPM, size.machines), rng.uniform(-SET_H, 0.0, size.machines)
    on = float(fab.mess)
    return Law(
        offset * on, ahead * on, ppm * on, first, _summers(24.0 * size.days) if fab.mess else np.empty((0, 2))
    )


def _summers(end: float) -> Hours:
    """Return from when until when it is summer, [K, 2] hours, for all summers that begin before the end."""
    import datetime

    import numpy as np

    found = []
    for year in range(2025, 2026 + int(end // (24.0 * 365.0))):
        days = [datetime.datetime(year, month, 31, 1, tzinfo=datetime.UTC) for month in (3, 10)]
        sundays = [day - datetime.timedelta(days=(day.weekday() + 1) % 7) for day in days]
        found.append([day.timestamp() * 1e6 for day in sundays])
    hours = fleet.to_hours(np.array(found, dtype=np.int64))
    return hours[hours[:, 0] < end]


def _summer(told: Law, at: Hours) -> NDArray[np.bool_]:
    import numpy as np

    last = np.searchsorted(told.summers[:, 0], at, side="right") - 1
    return (last >= 0) & (at < np.append(told.summers[:, 1], -np.inf)[last])


def stamped(fab: fleet.Fab, machine: NDArray[np.int64], at: Hours, *, logger: bool = False) -> Hours:
    """Return what the clock of machine[i] shows at the true hour at[i]; with `logger` as telemetry's loggers write it.

    >>> import numpy as np
    >>> at = np.array([1000.0, 4000.0])
    >>> gap = stamped(fleet.Fab("tiny", days=300), np.array([0, 0]), at, logger=True) - at
    >>> np.abs(np.round(gap)).tolist()
    [0.0, 1.0]
    """
    import numpy as np

    told = law(fab)
    since = (at - told.first[machine]) % SET_H
    error = (told.offset + told.ahead)[machine] / _HOUR + told.ppm[machine] * 1e-6 * since
    return np.asarray(at + error + (_summer(told, at) * 1.0 if logger else 0.0))


def true(fab: fleet.Fab, machine: NDArray[np.int64], stamp: Hours, *, logger: bool = False) -> Hours:
    """Return the true hours at which clocks showed these stamps, the other way round than `stamped`.

    Where a clock was set back it showed a stamp twice, and the earlier moment is given; NaN for a stamp that it never
    showed.

    >>> import numpy as np
    >>> small, who, at = fleet.Fab("tiny", days=300), np.array([0, 1]), np.array([1000.0, 4000.0])
    >>> back = true(small, who, stamped(small, who, at, logger=True), logger=True)
    >>> bool(np.abs(back - at).max() < 1e-9)
    True
    """
    import numpy as np

    told, near = law(fab), 1e-6  # a stamp is kept in milliseconds
    found = np.full(len(stamp), np.nan)
    pace = told.ppm[machine] * 1e-6
    for ahead in (1.0, 0.0) if logger else (0.0,):
        plain = stamp - ahead - (told.offset + told.ahead)[machine] / _HOUR
        nearest = np.floor((plain - told.first[machine]) / SET_H)
        for turn in (-1.0, 0.0, 1.0):
            set_at = told.first[machine] + SET_H * (nearest + turn)
            at = (plain + pace * set_at) / (1.0 + pace)
            fits = (at >= set_at - near) & (at < set_at + SET_H - near)
            if logger:
                fits &= _summer(told, at + near) == bool(ahead)
            found = np.where(fits & ~(found <= at), at, found)
    return found


def truth(fab: fleet.Fab) -> list[injected.Table]:
    """Return the law as truth: offsets and steps in seconds, drift in ppm with the hour of a setting in its note."""
    import numpy as np

    told, end, machines = law(fab), 24.0 * fab.size().days, np.arange(fab.size().machines)
    ahead = np.flatnonzero(told.ahead)
    sites, summers = fab.size().sites, len(told.summers)
    steps = np.minimum(np.tile(told.summers, (sites, 1)), end)
    notes = np.array([f"set every {SET_H:g} h, so at hour {hour:.6f}" for hour in told.first])
    return [
        injected.table(fab, "clock offset", machine=machines, start=0.0, end=end, magnitude=told.offset),
        injected.table(fab, "clock drift", machine=machines, start=0.0, end=end, magnitude=told.ppm, note=notes),
        injected.table(fab, "clock ahead", machine=ahead, start=0.0, end=end, magnitude=told.ahead[ahead]),
        injected.table(
            fab, "clock step", site=np.repeat(np.arange(sites), summers), start=steps[:, 0], end=steps[:, 1],
            magnitude=_HOUR, note=f"telemetry in {ZONE} without its zone",
        ),
    ]  # fmt: skip
