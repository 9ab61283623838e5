import numpy as np

from flyball.monitoring import bins, null

RNG = np.random.default_rng(0)


def limits(values, machines, window, share=0.05, seed=0):
    told = {name: bins.describe(column) for name, column in values.items()}
    codes = {name: bins.codes(told[name], column) for name, column in values.items()}
    return null.limits(codes, told, machines, window, share, seed)


def fleet(machines=20, windows=10, rows=7):
    code = np.repeat(np.arange(machines), windows * rows).astype(np.int32)
    window = np.tile(np.repeat(np.arange(windows), rows), machines)
    return code, window, {"x": RNG.normal(size=len(code)), "y": RNG.normal(size=len(code))}


def test_the_machines_own_levels_are_no_drift():
    code, window, values = fleet()
    plain = limits(values, code, window)[0]["limit"]["x"]
    far = limits({**values, "x": values["x"] + 10 * code}, code, window)[0]["limit"]["x"]
    assert far < 1.5 * plain


def test_what_moves_the_whole_fleet_at_once_widens_the_limits():
    code, window, values = fleet()
    plain = limits(values, code, window)[0]["limit"]["x"]
    shocks = RNG.normal(0, 1, 10)[window]
    assert limits({**values, "x": values["x"] + shocks}, code, window)[0]["limit"]["x"] > 3 * plain


def test_a_smaller_budget_gives_wider_limits():
    code, window, values = fleet(windows=40)
    often, seldom = (limits(values, code, window, share)[0]["limit"]["x"] for share in (0.3, 0.03))
    assert often < seldom


def test_machines_come_and_go_and_groups_stand_in_for_many():
    code, window, values = fleet(machines=null.MOST_UNITS + 200, windows=4, rows=1)
    there = RNG.random(len(code)) < 0.7
    found = limits({name: column[there] for name, column in values.items()}, code[there], window[there])
    assert [round(one["rows"] / found[0]["rows"], 4) for one in found] == list(null.SIZES)
    assert 0 < found[0]["limit"]["x"] < found[1]["limit"]["x"] < found[2]["limit"]["x"]
    assert found[0]["limit"]["x"] < 0.3


def test_one_block_says_nothing():
    code, window, values = fleet(machines=1, windows=1)
    assert limits(values, code, window) == []


def test_a_reference_of_few_windows_keeps_the_usual_band():
    """Three windows do not tell how the whole fleet moves from one to the next."""
    for windows, least in ((null.LEAST_WINDOWS - 1, null.BAND), (null.LEAST_WINDOWS, 0.0)):
        code, window, values = fleet(machines=300, windows=windows, rows=4)
        found = limits(values, code, window)[0]["limit"]["x"]
        assert found >= least
        assert (found == null.BAND) == bool(least)
