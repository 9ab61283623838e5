"""Clocks: which column is one, how it is written, and steps, gaps, repeats and drift in it."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import clocks

START = 1_767_225_600_000_000  # 2026-01-01
MINUTE = 60_000_000


def clock(at, name="time"):
    at = np.asarray(at, np.int64)
    return clocks.Clock(name, at, np.ones(len(at), bool), "", "UTC")


@pytest.mark.parametrize(
    ("values", "format_", "zone"),
    [
        (["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"], "ISO 8601", "UTC"),
        (["2026-01-01 00:00:00", "2026-01-01 00:01:00"], "ISO 8601", "none"),
        (["2026-01-01T00:00:00+02:00", "2026-01-01T00:01:00+02:00"], "ISO 8601", "offsets"),
        (["2026-01-01T00:00:00Z", "2026-01-01T00:01:00"], "ISO 8601", "mixed"),
        (["19/07/2008 11:55:00", "20/07/2008 11:55:00"], "%d/%m/%Y %H:%M:%S", "none"),
        (["07/19/2008 11:55", "07/20/2008 11:55"], "%m/%d/%Y %H:%M", "none"),
        ([1_767_225_600, 1_767_225_660], "s since 1970", "UTC"),
        ([1_767_225_600_000.0, 1_767_225_660_000.0], "ms since 1970", "UTC"),
        ([START, START + 1], "us since 1970", "UTC"),
        ([START * 1000, START * 1000 + 1], "ns since 1970", "UTC"),
        ([datetime(2026, 1, 1), None], "a date and time", "none"),
    ],
)
def test_how_time_is_written(values, format_, zone):
    found = clocks.read(pl.Series("time", values))
    assert (found.format, found.zone) == (format_, zone)


@pytest.mark.parametrize("values", [["m-2026", "m-2027"], [1, 2], [1.5, None], ["a", "b"], [True, False]])
def test_what_is_no_clock(values):
    assert clocks.read(pl.Series("time", values)) is None


def test_a_count_since_1970_must_be_called_like_a_time():
    assert clocks.read(pl.Series("serial", [1_767_225_600, 1_767_225_660])) is None


def test_day_and_month_that_may_be_either_are_said():
    assert "may be either" in clocks.read(pl.Series("time", ["03/04/2026", "05/06/2026"])).note


def test_gaps_repeats_and_steps_back():
    at = [START + n * MINUTE for n in range(100)]
    at = [*at[:40], *at[70:], at[-1], at[-1] - 30_000_000]
    told = clocks.judge(clock(at))
    assert (told["interval"], told["regular"], told["repeated"], told["backwards"]) == ("1 min", True, 1, 1)
    assert told["gaps"] == 1
    assert told["gap"] == "31 min from 2026-01-01 00:39:00"


def test_every_machine_is_held_to_its_own_pace():
    at = [START + n * MINUTE for n in range(200)] + [START + n * 60 * MINUTE for n in range(50)]
    told = clocks.judge(clock(at), np.repeat([0, 1], [200, 50]).astype(np.int32))
    assert (told["regular"], told["gaps"], told["even"]) == (True, 0, 1.0)


def test_jitter_is_told():
    rng = np.random.default_rng(3)
    told = clocks.judge(clock(START + np.arange(500) * MINUTE + rng.integers(-(10**6), 10**6, 500)))
    assert told["regular"]
    assert told["jitter"].endswith("ms")


def test_a_step_of_an_hour_in_a_night_of_summer_time_is_told_as_such():
    at = np.arange(datetime(2025, 10, 26, 1).timestamp(), datetime(2025, 10, 26, 6).timestamp(), 60) * 1e6
    at[120:] -= 3600e6
    assert "an hour back" in clocks.judge(clock(at))["hours"][0]
    assert "as summer time does" in clocks.judge(clock(at))["hours"][0]


def test_times_outside_of_all_reason_are_counted():
    assert clocks.judge(clock([0, START, START + MINUTE]))["outside"] == 1


def test_on_a_sample_gaps_are_not_judged():
    at = [START + n * MINUTE for n in range(50)] + [START + n * MINUTE for n in range(90, 100)]
    assert clocks.judge(clock(at), sampled=True)["gaps"] is None


def test_two_clocks_lag_and_drift():
    at = START + np.arange(400) * MINUTE
    rng = np.random.default_rng(5)
    late = clock(at + 5_000_000 + rng.integers(0, 10**5, 400), "seen")
    told = clocks.compare(clock(at), late)
    assert told["known_later"] and told["drift"] == "" and told["median"].endswith(" s")
    drifting = clock(at + (np.arange(400) * 50_000), "other")
    assert clocks.compare(clock(at), drifting)["drift"].startswith("1.2 min a day")
    assert clocks.compare(clock(at[:5]), clock(at[:5])) is None
