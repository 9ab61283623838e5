"""What the machines measure of their hidden state, and how closed loops hide it.

The source's controller holds the power at intermediate focus at its set point by raising the drive laser's
power: while it has margin, `if_power` and `dose_error` stay flat and the wear shows in `co2_power` only.  All
other channels carry their component's severity in noise: AR(1) (0.9 per hour) plus white, an offset per
machine that shifts when somebody has worked on it, production load, and the season for water.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Power set point at intermediate focus (W), drive power that holds it with a new collector, its limit (kW).
SET_W, NEED_KW, LIMIT_KW = 250.0, 22.0, 32.0


@dataclasses.dataclass(frozen=True)
class Channel:
    """One sensor: name, unit, noise (one sigma), resolution, and whether a controller holds it."""

    name: str
    unit: str
    sigma: float
    step: float
    held: bool = False


CHANNELS = (
    Channel("if_power", "W", 1.0, 0.01, held=True),
    Channel("co2_power", "kW", 0.25, 0.001, held=True),
    Channel("dose_error", "%", 0.04, 0.001, held=True),
    Channel("jitter", "um", 0.3, 0.001),
    Channel("mirror_temp", "°C", 0.2, 0.01),
    Channel("vacuum_pressure", "Pa", 0.05, 0.001),
    Channel("vibration", "mm/s", 0.05, 0.001),
    Channel("pump_current", "A", 0.05, 0.001),
    Channel("stage_current", "A", 0.2, 0.001),
    Channel("reticle_deviation", "nm", 0.15, 0.001),
    Channel("water_flow", "l/min", 0.2, 0.01),
    Channel("water_temp", "°C", 0.002, 0.0001),
    Channel("handler_cycle", "s", 0.5, 0.01),
    Channel("wafer_rate", "wph", 2.0, 0.1),
)
UNITS = {channel.name: channel.unit for channel in CHANNELS}


def margin(state: wear.State) -> NDArray[np.float64]:
    """Return how much more power the source could give than it is asked for, 0.1 for a tenth, [N]."""
    return LIMIT_KW / _needed(state) - 1.0


def _needed(state: wear.State) -> NDArray[np.float64]:
    """Return the drive power in kW that would hold the set point."""
    severity = state.severity()
    droplets, laser = severity[:, wear.DGEN], severity[:, wear.LASR]
    return NEED_KW / (state.reflectance * (1.0 - 0.25 * droplets) * (1.0 - 0.3 * laser))


def clean(state: wear.State, duty: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return every channel without noise for N states and their duty, each [N]."""
    import numpy as np

    s = dict(zip(wear.NAMES, state.severity().T, strict=True))
    needed = _needed(state)
    held = np.minimum(1.0, LIMIT_KW / needed)
    return {
        "if_power": SET_W * held,
        "co2_power": np.minimum(LIMIT_KW, needed),
        "dose_error": 0.30 + 60.0 * (1.0 - held) / 100.0,
        "jitter": 2.5 + 9.0 * s["DGEN"],
        "mirror_temp": 24.0 + 6.0 * s["LASR"],
        "vacuum_pressure": 4.0 * (1.0 + 5.0 * s["LEAK"]),
        "vibration": 0.6 * np.exp(1.6 * s["VACP"]),
        "pump_current": 3.2 + 0.5 * s["VACP"],
        "stage_current": 9.5 + 3.0 * s["WSTG"],
        "reticle_deviation": 2.0 + 2.0 * s["RSTG"],
        "water_flow": 42.0 - 8.0 * s["COOL"],
        "water_temp": np.full(len(needed), 22.0),
        "handler_cycle": 14.0 + 4.0 * s["HNDL"],
        "wafer_rate": 112.0 * duty * held,
    }


def telemetry(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return what the sensors say before the network and the files spoil it: machine, at, every channel.

    `machine` is an index, `at` is in hours; a machine that is down reports nothing.
    """
    import numpy as np

    past, size, rng = dynamics.history(fab), fab.size(), fleet.stream(fab, "sensors")
    minute = rng.integers(0, 30, size.machines) / 60.0
    hours = np.arange(0.0, 24.0 * size.days, fab.every_h)
    machine, at = np.repeat(np.arange(size.machines), len(hours)), np.add.outer(minute, hours).ravel()
    state = past.at(machine, at)
    duty = past.plan.duty[machine, state.week]
    noise = _noise(rng, size.machines, len(hours), 0.9**fab.every_h) + _offsets(past, rng, machine, at)
    swing = np.sin(2.0 * np.pi * at / (24.0 * 365.25))
    cooling = 1.0 + 6.0 * state.severity()[:, wear.NAMES.index("COOL")]
    values = clean(state, duty)
    up = state.down <= 0.0
    for number, channel in enumerate(CHANNELS):
        spread = noise[:, number]
        if not channel.held:
            spread = spread + 3.0 * (duty - 0.45)
        if channel.name.startswith("water"):
            spread = spread + 0.7 * swing
        if channel.name == "water_temp":
            spread = spread * cooling
        raw = values[channel.name] + channel.sigma * spread
        values[channel.name] = np.round(np.rint(raw / channel.step) * channel.step, 6)[up]
    return {"machine": machine[up], "at": at[up], **values}


def _noise(rng: np.random.Generator, machines: int, steps: int, keeps: float) -> NDArray[np.float64]:
    """Draw unit noise [machines * steps, channels], half its variance AR(1), half white."""
    import numpy as np

    channels = len(CHANNELS)
    slow = rng.normal(size=(steps, machines, channels))
    fresh = np.sqrt(1.0 - keeps**2)
    for step in range(1, steps):
        slow[step] = keeps * slow[step - 1] + fresh * slow[step]
    white = rng.normal(size=(steps, machines, channels))
    return np.asarray(np.sqrt(0.5) * (slow + white)).transpose(1, 0, 2).reshape(machines * steps, channels)


def _offsets(
    past: dynamics.History, rng: np.random.Generator, machine: NDArray[np.int64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each row's offset from nominal in noise units, shifted on 2 to 4 channels by work on it.

    Held channels have none: their controller takes it out.
    """
    import numpy as np

    held = np.array([channel.held for channel in CHANNELS])
    upkeep, failed = past.journal.read("maintenance"), past.journal.read("failure")
    touched = failed["comp"] != wear.SOFT
    offsets = np.zeros((len(at), len(CHANNELS)))
    for number in range(len(past.plan.names)):
        weekly = upkeep["at"][upkeep["row"] == number]
        weekly = weekly[rng.random(len(weekly)) < 0.15]
        times = np.sort(np.concatenate([weekly, failed["at"][touched & (failed["row"] == number)]]))
        levels = np.empty((len(times) + 1, len(CHANNELS)))
        levels[0] = rng.normal(size=len(CHANNELS))
        for visit in range(len(times)):
            moved = rng.permutation(len(CHANNELS))[: rng.integers(2, 5)]
            levels[visit + 1] = levels[visit]
            levels[visit + 1, moved] = 0.7 * levels[visit, moved] + rng.normal(0.0, 1.0, len(moved))
        mine = machine == number
        offsets[mine] = levels[np.searchsorted(times, at[mine], side="right")]
    offsets[:, held] = 0.0
    return offsets
