"""The channels of the machines: names, units, native rates, noise and resolution.

A list and nothing else: what the hidden state does to each channel is in `physics.py`, noise and what
machines report in `telemetry.py`.
"""

from __future__ import annotations

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Channel:
    """One sensor: name, unit, native rate, usual value, noise (one sigma at it), resolution.

    `rate` is what the machine itself samples at ("1 Hz", "0.1 Hz", "0.01 Hz"), or how often there is a value at
    all ("wafer", "lot", "hour", "day").  `held` by a controller that takes offsets out; `grows`: the noise is in
    proportion to the value; `source` "plasma" or "excimer" where only such machines have it; `season`: follows
    the year; `on_change`: logged only when it changes; `least` and `most`: what it cannot leave.
    """

    name: str
    unit: str
    rate: str
    usual: float
    sigma: float
    step: float
    held: bool = False
    grows: bool = False
    source: str = ""
    season: bool = False
    on_change: bool = False
    least: float = -math.inf
    most: float = math.inf


_PLASMA = (
    Channel("if_power", "W", "1 Hz", 250.0, 1.0, 0.01, held=True, grows=True, source="plasma"),
    Channel("co2_power", "kW", "1 Hz", 25.0, 0.25, 0.001, held=True, grows=True, source="plasma"),
    Channel("jitter", "um", "1 Hz", 2.5, 0.3, 0.001, source="plasma"),
    Channel("timing_jitter", "ns", "1 Hz", 50.0, 5.0, 0.1, source="plasma"),
    Channel("droplet_pressure", "bar", "0.1 Hz", 275.0, 1.0, 0.01, source="plasma"),
    Channel("droplet_temp", "°C", "0.1 Hz", 255.0, 0.2, 0.5, held=True, source="plasma", on_change=True),
    Channel("tin_left", "kg", "hour", 2.0, 0.002, 0.01, held=True, source="plasma", on_change=True),
    Channel("missed_pulses", "ppm", "1 Hz", 20.0, 60.0, 1.0, source="plasma", least=0.0),
    Channel("collector_reflectance", "1", "day", 0.8, 0.01, 0.001, held=True, source="plasma"),
    Channel("pupil_imbalance", "%", "day", 2.0, 0.3, 0.01, least=0.0, source="plasma"),
    Channel("hydrogen_flow", "slm", "1 Hz", 180.0, 2.0, 0.1, source="plasma"),
    Channel("hydrogen_pressure", "Pa", "1 Hz", 130.0, 1.0, 0.1, held=True, source="plasma"),
)
_SHARED = (
    Channel("dose_error", "%", "wafer", 0.30, 0.04, 0.001, held=True),
    Channel("energy_sigma", "%", "1 Hz", 6.0, 0.3, 0.01, grows=True),
    Channel("mirror_temp", "°C", "0.1 Hz", 24.0, 0.2, 0.01),
    Channel("laser_gain", "1", "1 Hz", 0.98, 0.012, 0.001),
    Channel("vacuum_pressure", "Pa", "1 Hz", 4.0, 0.05, 0.001),
    Channel("water_vapour", "1", "hour", 1.0, 0.15, 0.01, grows=True),
    Channel("vibration", "mm/s", "0.1 Hz", 0.6, 0.05, 0.001, grows=True),
    Channel("pump_current", "A", "0.1 Hz", 3.2, 0.05, 0.001),
    Channel("pump_temp", "°C", "0.1 Hz", 38.0, 0.5, 0.1),
    Channel("stage_error", "nm", "wafer", 0.25, 0.05, 0.001, held=True),
    Channel("stage_deviation", "nm", "wafer", 1.6, 0.1, 0.001),
    Channel("stage_current", "A", "1 Hz", 9.5, 0.2, 0.001),
    Channel("stage_temp", "°C", "0.1 Hz", 23.4, 0.02, 0.001),
    Channel("reticle_deviation", "nm", "wafer", 2.0, 0.15, 0.001),
    Channel("clamp_voltage", "V", "1 Hz", 2000.0, 3.0, 10.0, on_change=True),
    Channel("mark_quality", "%", "wafer", 92.0, 1.5, 0.1, most=100.0),
    Channel("align_residual", "nm", "wafer", 0.35, 0.05, 0.001, least=0.0),
    Channel("focus_error", "nm", "wafer", 6.0, 0.6, 0.01),
    Channel("chuck_flatness", "nm", "day", 5.0, 0.2, 0.01),
    Channel("handler_cycle", "s", "wafer", 14.0, 0.5, 0.01),
    Channel("handler_retries", "1", "day", 0.3, 0.0, 1.0, held=True),
    Channel("handler_vacuum", "kPa", "wafer", -72.0, 1.0, 0.1),
    Channel("water_temp", "°C", "1 Hz", 22.0, 0.002, 0.0001, season=True),
    Channel("water_flow", "l/min", "1 Hz", 42.0, 0.2, 0.01, season=True),
    Channel("water_drop", "bar", "1 Hz", 1.1, 0.03, 0.001, season=True),
    Channel("air_temp", "°C", "0.01 Hz", 22.0, 0.01, 0.001, season=True),
    Channel("air_pressure", "hPa", "0.01 Hz", 1010.0, 0.2, 0.1, held=True),
    Channel("lens_temp_1", "°C", "0.1 Hz", 22.0, 0.003, 0.0001),
    Channel("lens_temp_2", "°C", "0.1 Hz", 22.0, 0.003, 0.0001),
    Channel("lens_temp_3", "°C", "0.1 Hz", 22.0, 0.003, 0.0001),
    Channel("lens_temp_4", "°C", "0.1 Hz", 22.0, 0.003, 0.0001),
    Channel("z4", "nm", "lot", 0.0, 0.3, 0.001),
    Channel("z5", "nm", "lot", 0.0, 0.1, 0.001),
    Channel("z7", "nm", "lot", 0.0, 0.1, 0.001),
    Channel("z9", "nm", "lot", 0.0, 0.1, 0.001),
    Channel("wafer_rate", "wph", "wafer", 176.0, 2.0, 0.1),
    Channel("wafers", "1", "hour", 50.0, 0.7, 1.0, held=True),
    Channel("duty", "1", "hour", 0.45, 0.01, 0.001, held=True),
    Channel("idle_time", "s", "hour", 2500.0, 20.0, 1.0, held=True),
)
_EXCIMER = (
    Channel("chamber_voltage", "kV", "0.1 Hz", 20.0, 0.1, 0.01, source="excimer"),
    Channel("bandwidth", "pm", "0.1 Hz", 0.30, 0.005, 0.001, source="excimer"),
    Channel("gas_pressure", "kPa", "0.1 Hz", 380.0, 1.0, 0.1, source="excimer"),
    Channel("injection_interval", "h", "hour", 8.0, 0.3, 0.1, source="excimer"),
)
CHANNELS = (*_PLASMA, *_SHARED, *_EXCIMER)
UNITS = {channel.name: channel.unit for channel in CHANNELS}
