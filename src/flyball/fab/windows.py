"""Fast windows and wafers on demand: what a machine's sensors gave second by second, or wafer by wafer.

A fleet's fast samples would fill any disk, so they are made when they are asked for.  They are the same however
they are cut, and move about the same slow noise and offsets as the hourly rows.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import channels, fleet, physics, telemetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Samples whose white noise is drawn at once, and wafers in a lot.
BLOCK, LOT = 1 << 12, 25
#: Seconds between samples of the channels that are sampled evenly, and what comes with each wafer.
PERIODS = {"1 Hz": 1, "0.1 Hz": 10, "0.01 Hz": 100}
BY_WAFER = ("wafer", "lot")


def seconds(fab: fleet.Fab, machine: int, first: int, many: int) -> dict[str, NDArray[Any]]:
    """Return the evenly sampled channels of a machine for some seconds of its life, [many] each.

    Second 0 is the fleet's first.  A channel of 0.1 or 0.01 Hz keeps its last sample in between.  NaN while the
    machine is down, and for what it does not have.

    >>> one = fleet.Fab("tiny")
    >>> bool(seconds(one, 0, 4090, 10)["jitter"][6] == seconds(one, 0, 4096, 1)["jitter"][0])
    True
    """
    import numpy as np

    asked, out = np.arange(first, first + many), {}
    down = physics.scene(fab, machine, asked / 3600.0).state.down > 0.0
    for rate, period in PERIODS.items():
        taken = np.arange(first // period, asked[-1] // period + 1)
        values = _sampled(fab, machine, rate, taken, taken * (period / 3600.0))
        for name, sampled in values.items():
            out[name] = np.where(down, np.nan, sampled[asked // period - taken[0]])
    return {name: out[name] for name in channels.UNITS if name in out}


def wafers(fab: fleet.Fab, machine: int, begin_h: float, hours: float) -> dict[str, NDArray[Any]]:
    """Return a row for every wafer that a machine exposed in some hours: `at`, `wafer`, and its own channels.

    `wafer` counts from the first day; every 25 make a lot.  Within a lot the wafer table warms up, 3 nm of
    `focus_error` that are forgotten after eight wafers.  A wafer's moment is that of its last exposure.

    >>> rows = wafers(fleet.Fab("tiny"), 0, 100.0, 2.0)
    >>> 60 < len(rows["at"]) < 160, rows["wafer"][1] - rows["wafer"][0]
    (True, np.int64(1))
    """
    import numpy as np

    count = made(fab, machine)
    begin, end = np.interp([begin_h, begin_h + hours], np.arange(len(count)), count)
    wafer = np.arange(np.ceil(begin), np.ceil(end), dtype=np.int64)
    at = np.minimum(exposed(fab, machine, wafer), begin_h + hours)
    values: dict[str, NDArray[Any]] = {"at": at, "wafer": wafer}
    for rate in BY_WAFER:
        values.update(_sampled(fab, machine, rate, wafer, at))
    warming = 3.0 * np.exp(-(wafer % LOT) / 8.0)
    values["focus_error"] = np.round(values["focus_error"] + warming, 6)
    return values


def exposed(fab: fleet.Fab, machine: int, wafer: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the hour at which each wafer of a machine, counted from the first day, was exposed, [N]."""
    import numpy as np

    count = made(fab, machine)
    # A level stretch of the curve is an hour without wafers: the first hour that reaches a number is its own.
    hour = np.clip(np.searchsorted(count, wafer, side="right") - 1, 0, len(count) - 2)
    return np.asarray(
        hour + np.clip((wafer - count[hour]) / np.maximum(count[hour + 1] - count[hour], 1e-9), 0.0, 1.0)
    )


@functools.lru_cache(maxsize=64)
def made(fab: fleet.Fab, machine: int) -> NDArray[np.float64]:
    """Return how many wafers were made from the first day to the start of each hour, [hours + 1]."""
    import numpy as np

    seen = physics.scene(fab, machine, np.arange(24.0 * fab.size().days) + 0.5)
    each = np.where(seen.state.down > 0.0, 0.0, physics.clean(seen)["wafers"])
    return np.concatenate([[0.0], np.cumsum(each)])


def _sampled(
    fab: fleet.Fab, machine: int, rate: str, number: NDArray[np.int64], at: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the channels of one rate at some moments, whose samples have numbers that name their noise."""
    import numpy as np

    own = [place for place, channel in enumerate(channels.CHANNELS) if channel.rate == rate]
    at = np.minimum(at, 24.0 * fab.size().days - 1e-6)
    seen, moved = physics.scene(fab, machine, at), telemetry.offsets(fab, machine, at)
    clean, slow = physics.clean(seen), _slow(fab, machine)[:, at.astype(np.int64)]
    white, out = _white(fab, machine, rate, len(own), number), {}
    for row, place in enumerate(own):
        channel = channels.CHANNELS[place]
        if channel.name not in clean:
            out[channel.name] = np.full(len(at), np.nan)
            continue
        unit = np.sqrt(0.5) * (slow[place] + white[row])
        raw = telemetry.spread(channel, seen, clean[channel.name], unit, moved[:, place])
        out[channel.name] = np.round(np.rint(raw / channel.step) * channel.step, 6)
    return out


@functools.lru_cache(maxsize=64)
def _slow(fab: fleet.Fab, machine: int) -> NDArray[np.float32]:
    """Return the slow half of a machine's hourly noise, kept: a live fleet asks for it every second."""
    return telemetry.noise(fab, machine)[0]


def _white(
    fab: fleet.Fab, machine: int, rate: str, many: int, number: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the white noise of samples by their number, [many, N]."""
    import numpy as np

    if not len(number):
        return np.zeros((many, 0), dtype=np.float32)
    first, last = int(number[0]) // BLOCK, int(number[-1]) // BLOCK
    drawn = [_block(fab, machine, rate, many, block) for block in range(first, last + 1)]
    return np.concatenate(drawn, axis=1)[:, number - first * BLOCK]


@functools.lru_cache(maxsize=256)
def _block(fab: fleet.Fab, machine: int, rate: str, many: int, block: int) -> NDArray[np.float32]:
    rng = fleet.stream(fab, f"samples of {machine} at {rate} in {block}")
    return rng.standard_normal((many, BLOCK), dtype="f4")
