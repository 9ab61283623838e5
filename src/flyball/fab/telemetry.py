"""What the machines report by the hour: the channels with their noise, offsets and resolution.

Noise is AR(1) (0.9 per hour) plus white; each machine is off nominal by its own amount on every channel, and
shifts on two to four of them when somebody has worked on it; load moves all, the season water and air.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import channels, dynamics, fleet, physics, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: What an hour leaves of the slow half of the noise, the chance that weekly upkeep shifts offsets.
KEEPS, SHIFTS = 0.9, 0.15
#: Hours of noise before the first row, so that the slow half is as wide there as later.
_SPARE = 128


def telemetry(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return what the sensors say before the network and the files spoil it: machine, at, every channel.

    `machine` is an index, `at` is in hours; a machine that is down reports nothing.  NaN is what a machine does
    not have, or has only once a day or when it changes.
    """
    import numpy as np

    every = [_machine(fab, machine) for machine in range(fab.size().machines)]
    out: dict[str, NDArray[Any]] = {
        "machine": np.repeat(np.arange(len(every)), [len(rows["at"]) for rows in every])
    }
    for name in ("at", *channels.UNITS):
        # One channel at a time gives its pieces back: a fleet's rows are never twice in memory.
        out[name] = np.concatenate([rows.pop(name) for rows in every])
    return out


def _machine(fab: fleet.Fab, machine: int) -> dict[str, NDArray[Any]]:
    """Return one machine's rows, while it is up."""
    import numpy as np

    minute = fleet.stream(fab, f"minute of {machine}").integers(0, 30) / 60.0
    at = np.arange(0.0, 24.0 * fab.size().days, fab.every_h) + minute
    at = at[dynamics.history(fab).at(np.full(len(at), machine), at).down <= 0.0]
    seen = physics.scene(fab, machine, at)
    hour = at.astype(np.int64)
    slow, white = noise(fab, machine)
    moved = offsets(fab, machine, at)
    values, rows = physics.clean(seen), {"at": at}
    first = np.concatenate([[True], np.diff(hour // 24) > 0])[: len(at)]
    for place, channel in enumerate(channels.CHANNELS):
        if channel.name not in values:
            rows[channel.name] = np.full(len(at), np.nan)
            continue
        unit = np.sqrt(0.5) * (slow[place, hour] + white[place, hour])
        raw = spread(channel, seen, values[channel.name], unit, moved[:, place])
        if channel.name == "handler_retries":
            raw = _retries(fab, machine, hour, raw)
        rows[channel.name] = _logged(channel, raw, first)
    return rows


def spread(
    channel: channels.Channel,
    seen: physics.Scene,
    value: NDArray[np.float64],
    unit: NDArray[np.float64] | NDArray[np.float32],
    moved: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return a channel's value with noise: unit noise, offset in sigmas, load and season, [N]."""
    import numpy as np

    many = np.asarray(unit, dtype=np.float64)
    if not channel.held:
        many = many + moved + 3.0 * (seen.duty - 0.45)
    if channel.season:
        swing = fleet.plan(seen.fab).ambient[fleet.plan(seen.fab).site[seen.machine]] / 10.0
        many = many + 0.7 * swing * np.sin(2.0 * np.pi * seen.at / (24.0 * 365.25))
    if channel.name == "water_temp":
        many = many * (1.0 + 6.0 * seen.state.severity()[:, wear.NAMES.index("COOL")])
    sigma = channel.sigma * value / channel.usual if channel.grows else channel.sigma
    return np.clip(value + sigma * many, channel.least, channel.most)


def _retries(
    fab: fleet.Fab, machine: int, hour: NDArray[np.int64], mean: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draw the handler's retries on each day, from a stream that what is drawn for other days does not move."""
    import numpy as np

    drawn = fleet.stream(fab, f"retries of {machine}").random(fab.size().days)[hour // 24]
    count, chance = np.zeros(len(mean)), np.exp(-mean)
    reached = chance.copy()
    for number in range(1, 40):
        more = drawn > reached
        if not more.any():
            break
        count += more
        chance *= mean / number
        reached += chance
    return count


def _logged(
    channel: channels.Channel, raw: NDArray[np.float64], first: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the values as they are logged: in steps, and NaN where a channel logs less than every row."""
    import numpy as np

    logged = np.round(np.rint(raw / channel.step) * channel.step, 6)
    if channel.rate == "day":
        logged[~first] = np.nan
    if channel.on_change:
        logged[1:][logged[1:] == logged[:-1]] = np.nan
    return logged


def noise(fab: fleet.Fab, machine: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return one machine's unit noise by the hour, slow and white, [channels, hours] each."""
    import numpy as np

    rng, hours = fleet.stream(fab, f"noise of {machine}"), 24 * fab.size().days
    slow = rng.standard_normal((len(channels.CHANNELS), hours + _SPARE), dtype="f4")
    slow *= np.float32(np.sqrt(1.0 - KEEPS**2))
    for channel, row in enumerate(slow):
        slow[channel] = physics.filtered(row, KEEPS)
    return slow[:, _SPARE:], rng.standard_normal((len(channels.CHANNELS), hours), dtype="f4")


def offsets(fab: fleet.Fab, machine: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a machine's offsets from nominal in sigmas, [N, channels], shifted on 2 to 4 by work on it."""
    import numpy as np

    times, levels = _levels(fab, machine)
    return levels[np.searchsorted(times, at, side="right")]


@functools.lru_cache(maxsize=64)
def _levels(fab: fleet.Fab, machine: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when somebody shifted a machine's offsets, [V], and the offsets before and after, [V + 1, channels]."""
    import numpy as np

    journal, rng = dynamics.history(fab).journal, fleet.stream(fab, f"offsets of {machine}")
    upkeep, failed, many = journal.read("maintenance"), journal.read("failure"), len(channels.CHANNELS)
    weekly = upkeep["at"][upkeep["row"] == machine]
    weekly = weekly[rng.random(len(weekly)) < SHIFTS]
    repaired = failed["at"][(failed["comp"] != wear.SOFT) & (failed["row"] == machine)]
    times = np.sort(np.concatenate([weekly, repaired]))
    levels = np.empty((len(times) + 1, many))
    levels[0] = rng.normal(size=many)
    for visit in range(len(times)):
        moved = rng.permutation(many)[: rng.integers(2, 5)]
        levels[visit + 1] = levels[visit]
        levels[visit + 1, moved] = 0.7 * levels[visit, moved] + rng.normal(0.0, 1.0, len(moved))
    return times, levels
