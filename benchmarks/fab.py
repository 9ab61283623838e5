"""The simulated fleet: how long its life takes to make, the daily aggregates beside polars, and frames a minute.

40 machines for three years: the latent state of every hour, every channel's hourly rows, and the daily aggregates,
from nothing, on one core.  Set OMP_NUM_THREADS=1 POLARS_MAX_THREADS=1 and run it on one core for figures per core.
"""

from __future__ import annotations

import hashlib
import itertools
import pathlib
import tempfile
import time
from typing import Any

import numpy as np
import polars as pl

from benchmarks import sidebyside
from flyball.fab import channels, daily, dynamics, fleet, rate, telemetry

#: 40 machines, 1,095 days.
PAPER = fleet.Fab("paper", seed=0)
#: What the life and its daily features may take on one core.
GOAL_S = 10.0
#: Frames made for the pace: a minute's worth.
FRAMES = 10_000


def run() -> dict[str, Any]:
    """Live the fleet, then make the same aggregates by polars and hold them equal."""
    begun = time.perf_counter()
    past = dynamics.history(PAPER)
    lived = time.perf_counter()
    states = hourly(past)
    latent = time.perf_counter()
    rows = telemetry.telemetry(PAPER)
    sensed = time.perf_counter()
    days = daily.daily(PAPER, rows)
    done = time.perf_counter()
    equal(days, peer(rows))
    ours, theirs = sidebyside.versus(lambda: daily.daily(PAPER, rows), lambda: peer(rows), runs=3)
    many = len(rows["at"]) * (len(channels.UNITS))
    steps = (lived - begun, latent - lived, sensed - latent, done - sensed)
    names = (
        f"the fleet's whole life, {len(past.marks)} happenings",
        f"the latent state of {states} machine-hours",
        f"{many / 1e6:.1f} M sensor values",
        f"{len(days['at'])} machine-days of {len(channels.UNITS)} channels x {len(daily.STATISTICS)}",
    )
    return sidebyside.result(
        "fab",
        ("numpy", "polars"),
        [
            sidebyside.row(
                "40 machines x 3 years: life, hourly state, sensors, days", done - begun, None, "", "s", GOAL_S
            ),
            *(sidebyside.row(f"  {name}", took, None, "", "s", None) for name, took in zip(names, steps, strict=True)),
            sidebyside.row("daily aggregates", ours, theirs, "polars group_by", "s", 1.0),
            sidebyside.row(
                f"frames of 512 x 512, {FRAMES} of them, all different", pace(),
                None, "", "frames/min", 10_000.0, lower=False,
            ),
        ],
    )  # fmt: skip


def pace() -> float:
    """Return how many frames a minute the rate generator gives; raise AssertionError if two of them are equal."""
    with tempfile.TemporaryDirectory() as place:
        made = rate.stream(PAPER, pathlib.Path(place) / "scenes.npy")
        next(made)
        begun = time.perf_counter()
        for _ in itertools.islice(made, FRAMES):
            pass
        took = time.perf_counter() - begun
        again = itertools.islice(rate.stream(PAPER, pathlib.Path(place) / "scenes.npy"), FRAMES)
        if len({hashlib.blake2b(frame.tobytes(), digest_size=16).digest() for frame in again}) != FRAMES:
            raise AssertionError("two frames are equal")
    return 60.0 * FRAMES / took


def hourly(past: dynamics.History) -> int:
    """Read the latent state of every machine in every hour back; return how many there are."""
    hours, many = np.arange(24.0 * PAPER.size().days), 0
    for machine in range(PAPER.size().machines):
        state = past.at(np.full(len(hours), machine), hours)
        many += len(state.severity())
    return many


def peer(rows: dict[str, Any]) -> pl.DataFrame:
    """Return the same statistics by polars, sorted by machine and day."""
    frame = pl.DataFrame(rows, nan_to_null=True).with_columns(
        (pl.col("at") // 24.0).cast(pl.Int64).alias("day"), (pl.col("at") % 24.0).alias("hour")
    )
    each = []
    for name in channels.UNITS:
        value = pl.col(name)
        hour = pl.when(value.is_not_null()).then(pl.col("hour"))
        each += [
            value.count().alias(f"{name}_n"),
            value.mean().alias(f"{name}_mean"),
            value.std().alias(f"{name}_std"),
            value.min().alias(f"{name}_min"),
            value.max().alias(f"{name}_max"),
            value.quantile(0.05, "linear").alias(f"{name}_p05"),
            value.quantile(0.95, "linear").alias(f"{name}_p95"),
            (24.0 * pl.cov(hour, value) / hour.var()).alias(f"{name}_slope"),
            value.null_count().alias(f"{name}_missing"),
        ]
    return frame.group_by("machine", "day").agg(each).sort("machine", "day")


def equal(days: dict[str, Any], theirs: pl.DataFrame) -> None:
    """Raise AssertionError unless every statistic of every machine-day is the same, to rounding."""
    for name in channels.UNITS:
        for statistic in daily.STATISTICS:
            column = f"{name}_{statistic}"
            told = theirs[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            # Of large values the spread is what is left of a difference: so many digits are not there.
            scale = 1e-9 * max(1.0, float(np.abs(largest(days, name)).max()))
            np.testing.assert_allclose(
                days[column].astype(float), told, rtol=1e-6, atol=scale, err_msg=column
            )


def largest(days: dict[str, Any], name: str) -> Any:
    """Return a channel's largest values, by day."""
    return np.nan_to_num(days[f"{name}_max"])
