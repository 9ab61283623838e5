"""Hourly rows: noise as declared, offsets that shift with work, channels that log less than every row."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import channels, dynamics, fleet, telemetry

FLEET = fab.Fab("tiny", seed=3, machines=8, days=200)


@pytest.fixture(scope="module")
def rows():
    return telemetry.telemetry(FLEET)


def test_a_machine_that_is_down_reports_nothing(rows):
    assert (dynamics.history(FLEET).at(rows["machine"], rows["at"]).down == 0).all()
    assert len(rows["at"]) > 0.9 * 8 * 200 * 24


def test_noise_is_as_wide_as_declared_and_half_of_it_slow():
    slow, white = telemetry.noise(FLEET, 0)
    assert slow.std() == pytest.approx(1.0, abs=0.02) and white.std() == pytest.approx(1.0, abs=0.02)
    left = np.mean([np.corrcoef(row[1:], row[:-1])[0, 1] for row in slow])
    assert left == pytest.approx(telemetry.KEEPS, abs=0.01)
    assert slow[:, :200].std() == pytest.approx(1.0, abs=0.1)  # no run-in


def test_a_held_channel_has_neither_offset_nor_load(rows):
    mine = rows["machine"] == 0
    assert np.nanmedian(rows["hydrogen_pressure"][mine]) == pytest.approx(130.0, abs=0.1)
    assert np.nanstd(rows["hydrogen_pressure"][mine]) == pytest.approx(1.0, rel=0.1)


def test_work_shifts_two_to_four_channels():
    times, levels = telemetry._levels(FLEET, 0)
    assert len(times) > 3
    assert set((np.diff(levels, axis=0) != 0).sum(axis=1)) <= {2, 3, 4}


def test_daily_channels_come_once_a_day_and_others_when_they_change(rows):
    mine = rows["machine"] == 0
    for channel in channels.CHANNELS:
        if channel.rate == "day" and channel.source != "excimer":
            days = rows["at"][mine & ~np.isnan(rows[channel.name])] // 24
            assert len(days) == len(np.unique(days)) > 180, channel.name
    for name in ("clamp_voltage", "droplet_temp", "tin_left"):
        logged = rows[name][mine & ~np.isnan(rows[name])]
        assert 100 < len(logged) < 0.8 * mine.sum() and (np.diff(logged) != 0).all()


def test_values_lie_on_their_resolution_and_within_their_bounds(rows):
    for channel in channels.CHANNELS:
        values = rows[channel.name][~np.isnan(rows[channel.name])]
        assert np.abs(values / channel.step - np.rint(values / channel.step)).max() < 1e-3, channel.name
        assert channel.least <= values.min() and values.max() <= channel.most, channel.name


def test_retries_are_rare_counts(rows):
    counts = rows["handler_retries"][~np.isnan(rows["handler_retries"])]
    assert set(np.unique(counts)) <= set(range(20)) and 0.2 < counts.mean() < 0.6


def test_rows_every_few_hours_are_some_of_those_of_every_hour(rows):
    coarse = telemetry.telemetry(fab.Fab("tiny", seed=3, machines=8, days=200, every_h=6))
    every = rows["at"].astype(int) % 6 == 0
    for name in ("machine", "at", "jitter", "vibration", "z4"):
        np.testing.assert_array_equal(coarse[name], rows[name][every])


def test_sites_share_their_air(rows):
    plan, hour = fleet.plan(FLEET), rows["at"].astype(int)
    one, other = (np.full(200 * 24, np.nan) for _ in range(2))
    first, second = np.flatnonzero(plan.site == 0)[:2]
    for out, machine in ((one, first), (other, second)):
        mine = rows["machine"] == machine
        out[hour[mine]] = rows["air_pressure"][mine]
    both = ~np.isnan(one) & ~np.isnan(other)
    assert np.corrcoef(one[both], other[both])[0, 1] > 0.99
