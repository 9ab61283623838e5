"""E10 states: they cover all time, follow the life that was lived, and are reported with faults at first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import dynamics, fleet, states

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)
END = 24.0 * 365


@pytest.fixture(scope="module")
def true():
    return states.truth(FLEET)


def by_machine(columns, machine):
    mine = columns["machine"] == machine
    return {name: values[mine] for name, values in columns.items()}


@given(seed=st.integers(0, 2**20), machines=st.integers(1, 5), days=st.integers(1, 60))
@settings(max_examples=15, deadline=None)
def test_the_states_of_any_machine_cover_all_its_time_once(seed, machines, days):
    small = fab.Fab("tiny", seed=seed, machines=machines, days=days)
    told = states.truth(small)
    for machine in range(machines):
        mine = by_machine(told, machine)
        assert mine["at"][0] == 0.0 and mine["until"][-1] == 24.0 * days
        np.testing.assert_array_equal(mine["at"][1:], mine["until"][:-1])
        assert (mine["until"] > mine["at"]).all()
        assert (mine["state"][1:] != mine["state"][:-1]).all()


def test_the_states_are_down_exactly_when_the_machine_is(true):
    rng = np.random.default_rng(0)
    machine, hour = rng.integers(0, 60, 20_000), rng.uniform(0.0, END, 20_000)
    life = dynamics.history(FLEET).at(machine, hour).down > 0.0
    place = np.searchsorted(true["machine"] * 1e6 + true["at"], machine * 1e6 + hour, side="right") - 1
    np.testing.assert_array_equal(np.isin(true["state"][place], ["SDT", "UDT"]), life)
    np.testing.assert_array_equal(states.down(FLEET, machine, hour), life)


def test_unscheduled_is_what_failed(true):
    failed = dynamics.history(FLEET).journal.read("failure")
    inside = failed["at"] >= 0.0
    begins = set(
        zip(true["machine"][true["state"] == "UDT"], true["at"][true["state"] == "UDT"], strict=True)
    )
    found = [pair in begins for pair in zip(failed["row"][inside], failed["at"][inside], strict=True)]
    assert np.mean(found) > 0.999


def test_the_fleet_is_up_as_scanners_are_said_to_be(true):
    lasts = true["until"] - true["at"]
    up = np.isin(true["state"], ["PRD", "SBY", "ENG"])
    assert 0.92 < lasts[up].sum() / lasts[true["state"] != "NST"].sum() < 0.96
    assert set(true["state"]) == set(states.E10)


def test_one_derived_interval_in_twenty_five_is_wrong_and_the_weekly_one_is_right(true):
    told = states.states(FLEET)
    auto, later = told["source"] == "auto", told["source"] == "reconciled"
    np.testing.assert_array_equal(told["state"][later], true["state"])
    assert abs((told["state"][auto] != true["state"]).mean() - 0.04) < 0.004
    assert ((told["seen"] - told["until"])[auto] * 60.0 < 10.1).all()
    waits = (told["seen"] - told["until"])[later]
    assert waits.min() > 24.0 and waits.max() < fleet.WEEK + 48.0
    assert np.unique(np.floor((told["seen"][later] % fleet.WEEK) / 24.0)).tolist() == [1.0]


def test_totals_are_those_of_a_stream_done_by_hand():
    state = np.array(["PRD", "UDT", "UDT", "ENG", "NST", "SBY", "SDT", "UDT"])
    at = np.array([0.0, 50.0, 52.0, 55.0, 60.0, 70.0, 80.0, 88.0])
    told = states.totals(state, at, np.append(at[1:], 90.0))
    assert told["failures"] == 2
    assert told["uptime"] == pytest.approx(65.0 / 80.0)
    assert told["utilization"] == pytest.approx(50.0 / 80.0)
    assert told["mtbf"] == pytest.approx(32.5) and told["mttr"] == pytest.approx(3.5)


def test_totals_without_a_failure_have_no_time_between_failures():
    told = states.totals(np.array(["PRD"]), np.array([0.0]), np.array([5.0]))
    assert told["uptime"] == 1.0 and np.isnan(told["mtbf"]) and np.isnan(told["mttr"])
    none = states.totals(np.zeros(0, dtype="U3"), np.zeros(0), np.zeros(0))
    assert np.isnan(none["uptime"]) and none["failures"] == 0
