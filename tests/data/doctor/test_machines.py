"""Clocks of single machines: back, ahead and back, at another pace, beside the collector's."""

import numpy as np

from flyball.data.doctor import clocks, machines

START, MINUTE = 1_767_225_600_000_000, 60_000_000
NAMES = [f"m{code}" for code in range(6)]


def fleet(rows=100):
    codes = np.repeat(np.arange(6), rows).astype(np.int32)
    return np.tile(START + np.arange(rows) * MINUTE, 6), codes


def clock(at, name="time"):
    return clocks.Clock(name, np.asarray(at, np.int64), np.ones(len(at), bool), "", "UTC")


def test_a_clean_fleet_has_nothing_to_tell():
    at, codes = fleet()
    told = machines.judge(clock(at), codes, NAMES)
    assert told == {"judged": 6, "back": [], "ahead": [], "pace": []}


def test_machines_that_run_backwards_are_named_the_worst_first():
    at, codes = fleet()
    at[150] -= 5 * MINUTE
    at[350] -= 50 * MINUTE
    told = machines.judge(clock(at), codes, NAMES)
    assert [one[:2] for one in told["back"]] == [("m3", 1), ("m1", 1)]
    assert told["back"][0][2] == "49 min"


def test_a_jump_ahead_that_is_set_right_again_is_told():
    at, codes = fleet()
    at[230:260] += 180 * MINUTE
    told = machines.judge(clock(at), codes, NAMES)
    assert told["ahead"] == [("m2", "3.017 h", clocks.text(int(at[229])))]
    at, codes = fleet()
    at[240] -= 20 * MINUTE
    assert machines.judge(clock(at), codes, NAMES)["ahead"] == []


def test_another_pace_is_told():
    at, codes = fleet()
    at[codes == 4] = START + np.arange(100) * 10 * MINUTE
    assert machines.judge(clock(at), codes, NAMES)["pace"] == [("m4", "10 min")]


def test_machines_without_a_name_or_with_few_rows_are_not_judged():
    at, codes = fleet(5)
    assert machines.judge(clock(at), codes, NAMES)["judged"] == 0
    assert machines.judge(clock(at), np.full(len(at), -1, np.int32), NAMES)["judged"] == 0


def test_a_machine_whose_second_clock_lies_elsewhere_is_named():
    at, codes = fleet()
    late = at + 2_000_000
    assert machines.lags(clock(at), clock(late, "seen"), codes, NAMES) == []
    late[codes == 5] += 3600 * 10**6
    assert machines.lags(clock(at), clock(late, "seen"), codes, NAMES) == [("m5", "1.001 h")]
