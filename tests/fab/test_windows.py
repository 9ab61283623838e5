"""Fast samples and wafers: the same however they are cut, and of one piece with the hourly rows."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import channels, dynamics, fleet, telemetry, windows

FEW = fab.Fab("tiny", seed=4, machines=2, days=3)
LONG = fab.Fab("tiny", seed=4, machines=6, days=60)


def test_seconds_follow_the_state_however_they_are_cut():
    whole = windows.seconds(FEW, 0, 0, 9000)
    parts = [windows.seconds(FEW, 0, first, min(2500, 9000 - first)) for first in range(0, 9000, 2500)]
    for name, values in whole.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in parts]))


def test_a_machine_that_is_down_gives_no_samples():
    journal = dynamics.history(LONG).journal.read("failure")
    failed = int(np.flatnonzero((journal["at"] > 1.0) & (journal["value"] > 0.5) & (journal["row"] == 0))[0])
    second = int(journal["at"][failed] * 3600.0)
    around = windows.seconds(LONG, 0, second - 60, 120)["jitter"]
    assert np.isfinite(around[:59]).all() and np.isnan(around[62:]).all()


def test_each_channel_is_sampled_at_its_own_rate():
    found = windows.seconds(FEW, 0, 36_000, 3000)
    rates = {channel.name: channel.rate for channel in channels.CHANNELS}
    assert {rates[name] for name in found} == set(windows.PERIODS)
    for name in ("vibration", "air_temp"):
        period = windows.PERIODS[rates[name]]
        moved = np.flatnonzero(np.diff(found[name])) + 1
        assert len(moved) > 10 and (moved % period == 0).all()
    assert (np.diff(found["jitter"]) != 0).mean() > 0.9


def test_a_window_moves_about_the_same_level_as_the_hourly_rows():
    """Slow noise and offset are shared: hour by hour the means of a window go with the hourly rows."""
    rows = telemetry.telemetry(FEW)
    mine = rows["machine"] == 0
    hours = rows["at"][mine].astype(int)
    found = [windows.seconds(FEW, 0, hour * 3600, 3600)["stage_current"] for hour in hours]
    mean = np.array([np.nanmean(window) if np.isfinite(window).any() else np.nan for window in found])
    there = np.isfinite(mean)
    assert np.corrcoef(mean[there], rows["stage_current"][mine][there])[0, 1] > 0.5


def test_wafers_are_counted_through_and_make_up_the_hourly_numbers():
    every = windows.wafers(LONG, 1, 0.0, 60 * 24.0)
    assert (np.diff(every["wafer"]) == 1).all() and (np.diff(every["at"]) >= 0.0).all()
    parts = [windows.wafers(LONG, 1, 24.0 * day, 24.0) for day in range(60)]
    for name in ("wafer", "at", "mark_quality", "z4", "dose_error"):
        np.testing.assert_array_equal(every[name], np.concatenate([part[name] for part in parts]))
    rows = telemetry.telemetry(LONG)
    assert len(every["at"]) == pytest.approx(rows["wafers"][rows["machine"] == 1].sum(), rel=0.02)


def test_no_wafer_is_made_while_a_machine_is_down():
    every = windows.wafers(LONG, 0, 0.0, 60 * 24.0)
    middle = every["at"].astype(int) + 0.5
    assert (dynamics.history(LONG).at(np.zeros(len(middle), dtype=int), middle).down == 0.0).all()


def test_a_lot_begins_cold():
    every = windows.wafers(LONG, 1, 0.0, 60 * 24.0)
    place = every["wafer"] % windows.LOT
    assert every["focus_error"][place == 0].mean() - every["focus_error"][
        place == 24
    ].mean() == pytest.approx(3.0 * (1.0 - np.exp(-3.0)), abs=0.2)


def test_both_sources_have_the_same_names_for_a_ring():
    assert not fleet.plan(LONG).euv.all()
    names = {tuple(windows.seconds(LONG, machine, 7200, 2)) for machine in range(6)}
    assert len(names) == 1
    assert windows.wafers(LONG, 0, 10.0, 0.0)["at"].shape == (0,)
