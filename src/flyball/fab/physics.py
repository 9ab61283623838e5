"""What a machine's hidden state and its work do to every channel, before noise: couplings and closed loops.

The controller of a plasma source holds the power at intermediate focus by raising the drive power: while it has
margin, `if_power` and `dose_error` stay flat and the wear shows in `co2_power` only.  Exposure warms mirrors and
lens with two time constants; products and reticles move what is no wear at all.

Scales: the source's power balance and the heating states are from "Extreme ultraviolet lithography" (Wikipedia)
and textbook first-order laws; all else is invented.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

from flyball.fab import dynamics, fleet, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = dict[str, NDArray[np.float64]]

#: Drive power that holds the set point with a new collector, and its limit (kW).
NEED_KW, LIMIT_KW = 22.0, 32.0
#: Wafer overhead (s), exposed area (cm2: 96 fields of 26 x 33 mm), and the share of the power that reaches the wafer.
OVERHEAD_S, AREA_CM2, THROUGH = 14.0, 96 * 2.6 * 3.3, 0.7**10 * 0.6 * 0.9
#: Dose error (%) for a unit of missing margin: the scan slows down for the dose, so little of it is left.
SLOWED = 6.0
#: Time constants of heating in hours, and what of the heating the corrections leave.
TAU_H, LEFT = (300.0 / 3600.0, 3000.0 / 3600.0), 0.15
#: Tin in a full store (kg), and what an hour of firing takes of it.
TIN_KG, TIN_KG_H = 3.0, 0.013
#: Nanometres of z4, z5, z7, z9 for a lens as warm as full load makes it, by the fast and the slow part.
ABERRATION = {"z4": (12.0, 28.0), "z5": (2.0, 5.0), "z7": (-1.5, 4.0), "z9": (1.0, -3.0)}


@dataclasses.dataclass(frozen=True)
class Scene:
    """Rows of one machine: when, its state, and what it does.

    `at` [N] hours; `duty` [N] share of the hour in which the source fires; `product` and `reticle` [N]; `warm` [2, N]
    heating of the optics, fast and slow, 1 for full load; `rested` [N] hours since the last maintenance was due;
    `renewed` [N] whether its droplet generator's degradation began in the new design; `pressure` [N] air in hPa.
    """

    fab: fleet.Fab
    machine: int
    at: NDArray[np.float64]
    state: wear.State
    duty: NDArray[np.float64]
    product: NDArray[np.int64]
    reticle: NDArray[np.int64]
    warm: NDArray[np.float64]
    rested: NDArray[np.float64]
    renewed: NDArray[np.bool_]
    pressure: NDArray[np.float64]


def scene(fab: fleet.Fab, machine: int, at: NDArray[np.float64]) -> Scene:
    """Return what one machine is and does at some hours of its life, [N], in [0, 24 * days)."""
    import numpy as np

    past, made = dynamics.history(fab), fleet.production(fab)
    plan, rows, hour = past.plan, np.full(len(at), machine), at.astype(np.int64)
    state = past.at(rows, at)
    begun = _begun(fab, machine)
    last = begun[np.searchsorted(begun[1:], at, side="right")]
    return Scene(
        fab,
        machine,
        at,
        state,
        duty=plan.duty[machine, state.week],
        product=made.product[machine, hour].astype(np.int64),
        reticle=made.reticle[machine, hour].astype(np.int64),
        warm=_warm(fab, machine, at),
        rested=at - plan.tick(rows, state.week - 1),
        renewed=last >= plan.redesign,
        pressure=_pressure(fab, int(plan.site[machine]))[hour],
    )


@functools.lru_cache(maxsize=64)
def _begun(fab: fleet.Fab, machine: int) -> NDArray[np.float64]:
    """Return when the machine's droplet generator began to degrade, each time, behind a moment long ago."""
    import numpy as np

    onset = dynamics.history(fab).journal.read("onset")
    mine = (onset["row"] == machine) & (onset["comp"] == wear.DGEN)
    return np.concatenate([[-fleet.BURN], onset["at"][mine]])


@functools.lru_cache(maxsize=64)
def _load(fab: fleet.Fab, machine: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return by the hour how much light heats the optics (1: full duty at 30 mJ), and the slow part at its start."""
    import numpy as np

    past, size, made = dynamics.history(fab), fab.size(), fleet.production(fab)
    hours = np.arange(24.0 * size.days)
    state = past.at(np.full(len(hours), machine), hours + 0.5)
    dose = past.plan.dose[made.product[machine]] / 30.0
    load = np.where(state.down > 0.0, 0.0, past.plan.duty[machine, state.week] * dose)
    keeps = np.exp(-1.0 / TAU_H[1])
    slow = np.concatenate([[0.45], filtered((1.0 - keeps) * load, float(keeps))[:-1]])
    return load, slow


def _warm(fab: fleet.Fab, machine: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the fast and slow heating at any moments: exact for a load that is constant within an hour."""
    import numpy as np

    load, slow = _load(fab, machine)
    hour = at.astype(np.int64)
    before = np.where(
        hour > 0, load[hour - 1], load[0]
    )  # after an hour the fast part is where its load puts it
    out = np.empty((2, len(at)))
    for row, (start, tau) in enumerate(zip((before, slow[hour]), TAU_H, strict=True)):
        out[row] = load[hour] + (start - load[hour]) * np.exp(-(at - hour) / tau)
    return out


def filtered(fresh: NDArray[np.float64], keeps: float) -> NDArray[np.float64]:
    """Return y with y[t] = keeps * y[t - 1] + fresh[t] along the last axis, y[-1] = 0, for 0 < keeps < 1.

    By doubling: after k rounds a sum holds 2**k terms; it ends when the next would add less than a millionth.

    >>> import numpy as np
    >>> filtered(np.array([1.0, 0.0, 0.0, 8.0]), 0.5).tolist()
    [1.0, 0.5, 0.25, 8.125]
    """
    out, step, share = fresh.copy(), 1, keeps
    while step < out.shape[-1] and share > 1e-6:
        out[..., step:] += out.dtype.type(share) * out[..., :-step].copy()
        step, share = 2 * step, share * share
    return out


@functools.lru_cache(maxsize=8)
def _pressure(fab: fleet.Fab, site: int) -> NDArray[np.float64]:
    """Return the air pressure at a site by the hour: 1010 hPa, sigma 8, forgotten in three days."""
    import numpy as np

    rng, keeps = fleet.stream(fab, f"air of {site}"), float(np.exp(-1.0 / 72.0))
    spare = 720
    drawn = rng.standard_normal(24 * fab.size().days + spare)
    return 1010.0 + 8.0 * filtered(np.sqrt(1.0 - keeps**2) * drawn, keeps)[spare:]


def margin(state: wear.State) -> NDArray[np.float64]:
    """Return how much more power the source could give than it is asked for, 0.1 for a tenth, [N]."""
    return LIMIT_KW / _needed(state) - 1.0


def _needed(state: wear.State) -> NDArray[np.float64]:
    """Return the drive power in kW that would hold the set point."""
    severity = state.severity()
    droplets, laser = severity[:, wear.DGEN], severity[:, wear.LASR]
    return NEED_KW / (state.reflectance * (1.0 - 0.25 * droplets) * (1.0 - 0.3 * laser))


def clean(at: Scene) -> Values:
    """Return every channel that the machine has, without noise, [N] each."""
    worn = dict(zip(wear.NAMES, at.state.severity().T, strict=True))
    plan = fleet.plan(at.fab)
    if plan.euv[at.machine]:
        light, held = _plasma(at, worn, float(plan.set_w[at.machine]))
    else:
        light, held = _excimer(at, worn)
    return {**light, **_vacuum(at, worn), **_stages(at, worn), **_optics(at), **_flow(at, worn, held)}


def _plasma(at: Scene, worn: Values, set_w: float) -> tuple[Values, NDArray[np.float64]]:
    """Return the plasma source's channels, and the share of the set power that it gives."""
    import numpy as np

    needed, lacks = _needed(at.state), np.maximum(-margin(at.state), 0.0)
    held, s, n = 1.0 - lacks, worn["DGEN"], len(at.at)
    return {
        "if_power": set_w * held,
        "co2_power": np.minimum(LIMIT_KW, needed),
        "dose_error": 0.30 + SLOWED * lacks,
        "energy_sigma": 6.0 + 6.0 * s,
        "mirror_temp": 24.0 + 6.0 * worn["LASR"],
        "laser_gain": 0.98 - 0.2 * worn["LASR"],
        "jitter": 2.5 + np.where(at.renewed, 4.5, 9.0) * s,
        "timing_jitter": 50.0 + np.where(at.renewed, 75.0, 150.0) * s,
        "droplet_pressure": 275.0 + 25.0 * s,
        "droplet_temp": np.full(n, 255.0),
        "tin_left": TIN_KG - TIN_KG_H * at.duty * at.rested,
        "missed_pulses": 20.0 + 3000.0 * s,
        "collector_reflectance": at.state.reflectance,
        "pupil_imbalance": 1.0 + 6.0 * (1.0 - at.state.reflectance),
        "hydrogen_flow": np.full(n, 180.0),
        "hydrogen_pressure": np.full(n, 130.0),
    }, held


def _excimer(at: Scene, worn: Values) -> tuple[Values, NDArray[np.float64]]:
    """Return the excimer source's channels, and the share of the set power that it gives: all.

    The chamber's voltage is the actuator that ages: it holds the pulse energy.
    """
    import numpy as np

    s, n = worn["LASR"], len(at.at)
    life = fleet.plan(at.fab).life[at.machine, wear.LASR]
    used = np.minimum(at.state.age[:, wear.LASR] / life, 1.0)
    return {
        "dose_error": np.full(n, 0.30),
        "energy_sigma": 1.0 + 0.5 * used + 1.5 * s,
        "mirror_temp": 24.0 + 3.0 * s,
        "laser_gain": 0.98 - 0.05 * used - 0.15 * s,
        "chamber_voltage": 20.0 + 3.0 * used + 2.0 * s,
        "bandwidth": 0.30 + 0.02 * used + 0.05 * s,
        "gas_pressure": 380.0 - 6.0 * at.rested / fleet.WEEK,
        "injection_interval": 8.0 - 3.0 * used - 2.0 * s,
    }, np.ones(n)


def _vacuum(at: Scene, worn: Values) -> Values:
    import numpy as np

    vented = np.exp(-np.maximum(at.rested - 5.5, 0.0) / 12.0)  # walls give off water after they were open
    return {
        "vacuum_pressure": 4.0 * (1.0 + 5.0 * worn["LEAK"]),
        "water_vapour": 1.0 + 8.0 * worn["LEAK"] + 3.0 * vented,
        "vibration": 0.6 * np.exp(1.6 * worn["VACP"]),
        "pump_current": 3.2 + 0.5 * worn["VACP"],
        "pump_temp": 38.0 + 8.0 * worn["VACP"],
    }


def _stages(at: Scene, worn: Values) -> Values:
    """Return stages, chuck and alignment: mark quality and residual belong to the product, not to wear."""
    import numpy as np

    n, rng = len(at.at), fleet.stream(at.fab, "marks of products")
    quality, residual = rng.normal(0.0, 2.5, fleet.PRODUCTS), rng.uniform(-0.08, 0.12, fleet.PRODUCTS)
    place = wear.NAMES.index("WSTG")
    flatness = 5.0 + 3.0 * at.state.age[:, place] / fleet.plan(at.fab).life[at.machine, place]
    return {
        "stage_error": np.full(n, 0.25),
        "stage_deviation": 1.6 + 1.5 * worn["WSTG"],
        "stage_current": 9.5 + 3.0 * worn["WSTG"],
        "stage_temp": np.full(n, 23.4),
        "reticle_deviation": 2.0 + 2.0 * worn["RSTG"],
        "clamp_voltage": 2000.0 - 40.0 * worn["RSTG"],
        "mark_quality": 92.0 + quality[at.product],
        "align_residual": 0.35 + residual[at.product],
        "chuck_flatness": flatness,
        "focus_error": 6.0 + 0.3 * (flatness - 5.0),
    }


def _optics(at: Scene) -> Values:
    """Return the lens: temperatures of four elements, and the aberrations that corrections leave."""
    fast, slow = at.warm
    values = {f"lens_temp_{n}": 22.0 + 0.02 * fast / n + 0.006 * n * slow for n in range(1, 5)}
    for name, (quick, lasting) in ABERRATION.items():
        values[name] = LEFT * (quick * fast + lasting * slow)
    if not fleet.plan(at.fab).euv[at.machine]:
        values["z4"] = values["z4"] + 0.1 * (at.pressure - 1010.0)  # air is what the lens works in
    return values


def _flow(at: Scene, worn: Values, held: NDArray[np.float64]) -> Values:
    """Return handler, water, air, and production: throughput from power, dose and the reticle's transmission."""
    import numpy as np

    plan, n = fleet.plan(at.fab), len(at.at)
    passes = fleet.stream(at.fab, "reticles").normal(1.0, 0.02, fleet.PRODUCTS * fleet.LAYERS)
    dose = plan.dose[at.product] / passes[at.reticle]
    if plan.euv[at.machine]:
        usual = float(plan.set_w[at.machine])
        rate = wph(dose, usual * held)
        best = wph(np.array(30.0), np.array(usual))
    else:
        rate, best = 3600.0 / (11.0 + 2.0 * dose / 30.0), np.array(3600.0 / 13.0)
    wafers = 1000.0 * plan.wafers[at.machine] * at.duty * rate / best
    return {
        "handler_cycle": 14.0 + 4.0 * worn["HNDL"],
        "handler_retries": 0.3 + 6.0 * worn["HNDL"],
        "handler_vacuum": np.full(n, -72.0),
        "water_temp": np.full(n, 22.0),
        "water_flow": 42.0 - 8.0 * worn["COOL"],
        "water_drop": 1.1 + 0.9 * worn["COOL"],
        "air_temp": np.full(n, 22.0),
        "air_pressure": at.pressure,
        "wafer_rate": rate,
        "wafers": wafers,
        "duty": at.duty,
        "idle_time": 3600.0 * np.maximum(1.0 - wafers / rate, 0.0),
    }


def wph(dose: NDArray[np.float64], power_w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return wafers per hour for a dose in mJ/cm2 and a power at intermediate focus in W.

    >>> import numpy as np
    >>> wph(np.array(30.0), np.array([250.0, 500.0])).round().tolist()
    [176.0, 209.0]
    """
    return 3600.0 / (OVERHEAD_S + AREA_CM2 * dose / (1000.0 * power_w * THROUGH))
