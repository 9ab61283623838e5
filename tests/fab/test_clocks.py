"""Clocks are off by their law, and the law finds the true time again."""

import datetime
import zoneinfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import clocks, fleet, injected

FLEET = fab.Fab("tiny", seed=2, machines=200, days=500)


def test_the_law_has_the_stated_spread():
    told = clocks.law(FLEET)
    sites = fleet.plan(FLEET).clock[fleet.plan(FLEET).site]
    assert 0.8 < (told.offset / sites).std() < 1.2
    assert np.abs(told.ppm).max() <= 20.0 and np.abs(told.ppm).max() > 18.0
    assert np.flatnonzero(told.ahead).size == 1 and told.ahead.max() == 37.0


@given(st.integers(0, 199), st.floats(0.0, 24.0 * 500), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_error_stays_within_offset_drift_and_summer(machine, at, logger):
    told, who, when = clocks.law(FLEET), np.array([machine]), np.array([at])
    error = 3600.0 * (clocks.stamped(FLEET, who, when, logger=logger) - when)[0]
    step = 3600.0 * (round(error / 3600.0) if logger else 0)
    assert step in (0.0, 3600.0)
    left = error - step - told.offset[machine] - told.ahead[machine]
    assert abs(left) <= 20e-6 * 86_400.0 + 1e-6


def test_summer_is_that_of_the_zone():
    zone = zoneinfo.ZoneInfo(clocks.ZONE)
    quiet = fab.Fab("tiny", seed=2, machines=1, days=800)
    hours = np.arange(0.0, 24.0 * 800) + 0.5
    stamps = clocks.stamped(quiet, np.zeros(len(hours), int), hours, logger=True)
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    local = [(start + datetime.timedelta(hours=float(h))).astimezone(zone).utcoffset() for h in hours]
    ahead = np.array([offset.total_seconds() / 3600.0 for offset in local])
    np.testing.assert_array_equal(np.round(stamps - hours), ahead)
    assert len(clocks.law(quiet).summers) == 2  # four steps in 2.2 years: two a site and year


@pytest.mark.parametrize("logger", [False, True])
def test_a_stamp_tells_the_true_time_but_where_it_was_shown_twice(logger):
    rng = np.random.default_rng(0)
    machine, at = rng.integers(0, 200, 20_000), rng.uniform(0.0, 24.0 * 500, 20_000)
    stamp = fleet.to_hours(fleet.to_us(clocks.stamped(FLEET, machine, at, logger=logger)))
    back = clocks.true(FLEET, machine, stamp, logger=logger)
    assert not np.isnan(back).any()
    off = np.abs(back - at) > 2e-6
    # Earlier, never later: within the seconds by which a clock was set back, and the hour of each autumn.
    assert (back[off] < at[off]).all()
    again = fleet.to_hours(fleet.to_us(clocks.stamped(FLEET, machine, back, logger=logger)))
    np.testing.assert_allclose(again, stamp, atol=3e-6)
    assert off.mean() < (0.002 if logger else 0.001)


def test_a_stamp_that_was_never_shown_has_no_true_time():
    summer = clocks.law(FLEET).summers[0, 0]
    who, within = np.arange(200), np.full(200, summer + 0.5)
    assert np.isnan(clocks.true(FLEET, who, within, logger=True)).sum() == 200


def test_the_truth_has_a_row_for_every_part_of_the_law():
    whole = injected.join(clocks.truth(FLEET))
    count = {kind: int((whole["kind"] == kind).sum()) for kind in set(whole["kind"])}
    assert count == {"clock offset": 200, "clock drift": 200, "clock ahead": 1, "clock step": 2 * 2}
    assert set(whole["magnitude"][whole["kind"] == "clock step"]) == {3600.0}


def test_without_mess_clocks_are_right():
    right, at = fab.Fab("tiny", seed=2, mess=False, days=300), np.arange(0.0, 7200.0)
    np.testing.assert_array_equal(clocks.stamped(right, np.zeros(7200, int), at, logger=True), at)
