"""Events: warnings grow with wear, failures drag others along, chatter is heavy, and dictionaries change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import codes, dynamics, events, fleet, physics, truth, wear

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)
SECOND = 1.0 / 3600.0
FAILED = [*codes.FAILURES]


@pytest.fixture(scope="module")
def told():
    return events.events(FLEET)


@pytest.fixture(scope="module")
def known():
    return events.truth(FLEET)


def test_the_same_seed_says_the_same_and_another_does_not():
    small = fab.Fab("tiny", seed=5, machines=3, days=40)
    one = events.events(small)
    events.rows.cache_clear()
    assert all(np.array_equal(values, one[name]) for name, values in events.events(small).items())
    other = events.events(fab.Fab("tiny", seed=6, machines=3, days=40))
    assert len(other["at"]) != len(one["at"])


def test_warnings_come_at_the_rate_of_their_law(known):
    """Expected from the severities of a grid that the events do not use."""
    hours = np.tile(np.arange(0.5, 24.0 * 365, 12.0), 60)
    state = dynamics.history(FLEET).at(np.repeat(np.arange(60), 730), hours)
    up, severity = state.down <= 0.0, state.severity()
    for comp in (wear.LASR, wear.NAMES.index("WSTG"), wear.NAMES.index("VACP")):
        mine = np.isin(known["code"], codes.WARNINGS[comp])
        expected = ((0.02 + 1.2 * severity[:, comp] ** 1.5) * up).sum() * 12.0
        assert abs(mine.sum() / expected - 1.0) < 0.12, wear.NAMES[comp]


def test_warnings_come_with_wear_and_three_codes_share_them(known):
    warns = np.isin(known["code"], codes.WARNINGS[wear.DGEN])
    state = dynamics.history(FLEET).at(known["machine"][warns], known["true_at"][warns])
    grid = truth.states(FLEET, every_h=6.0)
    worn, at_worn = (grid["DGEN"] > 0.3).mean(), (state.severity()[:, wear.DGEN] > 0.3).mean()
    assert at_worn > 5 * worn
    shares = [(known["code"][warns] == code).mean() for code in codes.WARNINGS[wear.DGEN]]
    np.testing.assert_allclose(shares, events.SHARES, atol=0.02)


def test_a_machine_says_nothing_of_what_it_does_not_have(told):
    none = ~fleet.plan(FLEET).euv
    assert none.any()
    assert not np.isin(told["module"][none[told["machine"]]], ["DG", "CO"]).any()


def test_every_failure_says_so_and_a_machine_that_is_down_is_silent(known, told):
    failed = dynamics.history(FLEET).journal.read("failure")
    sets = np.isin(known["code"], FAILED) & (told["set_clear"] == "set")
    assert sets.sum() == (failed["at"] >= 0).sum()
    assert np.array_equal(known["true_at"][sets], failed["at"][known["root"][sets]])
    chatter = np.isin(known["role"], ["background", "nuisance", "precursor", "rare"])
    some = np.flatnonzero(chatter)[::10]
    state = dynamics.history(FLEET).at(known["machine"][some], known["true_at"][some])
    assert (state.down <= 0.0).all()


def test_dependents_follow_every_failure_and_clear_with_it(known, told):
    failed = dynamics.history(FLEET).journal.read("failure")
    mine = (known["role"] == "dependent") & (told["set_clear"] == "set")
    lag = (known["true_at"] - failed["at"][known["root"]])[mine] / SECOND
    assert lag.min() >= 0.1 and lag.max() <= 5.0 and mine.sum() == 4 * (failed["at"] >= 0).sum()
    cleared = (known["root"] >= 0) & (told["set_clear"] == "clear")
    ends = (failed["at"] + failed["value"])[known["root"]]
    np.testing.assert_array_equal(known["true_at"][cleared], ends[cleared])


def test_the_root_is_not_always_read_first_but_mostly(known, told):
    root, at = known["root"], told["at"]
    alarms = (root >= 0) & (told["set_clear"] == "set")
    order = np.lexsort((at[alarms], root[alarms]))
    first = np.append(True, np.diff(root[alarms][order]) != 0)
    begins = np.isin(known["code"][alarms][order][first], FAILED)
    assert 0.05 < 1.0 - begins.mean() < 0.5


def test_clocks_of_modules_are_off_by_a_constant_within_two_seconds(known, told):
    inside = (told["at"] > 1.0) & (told["at"] < 24.0 * 365 - 1.0)
    off = ((told["at"] - known["true_at"]) / SECOND)[inside]
    assert np.abs(off).max() <= 2.0 and np.abs(off).max() > 1.5
    mine = (told["machine"][inside] == 7) & (told["module"][inside] == "WS")
    assert np.ptp(off[mine]) < 1e-4
    assert (np.diff(told["at"]) >= 0.0).all()


def test_alarms_are_set_and_cleared_and_nothing_else_is(told):
    alarm = np.isin(told["severity"], ["E", "F"])
    assert (told["set_clear"][alarm] != "").all() and (told["set_clear"][~alarm] == "").all()


def test_the_interlock_trips_only_without_margin_and_is_an_assist(known, told):
    trips = (known["role"] == "interlock") & (told["set_clear"] == "set")
    assert trips.sum() > 50
    hour = np.floor(known["true_at"][trips])
    margin = physics.margin(dynamics.history(FLEET).at(known["machine"][trips], hour))
    assert (margin < 0.0).all()
    clears = (known["role"] == "interlock") & (told["set_clear"] == "clear")
    stopped = np.sort(known["true_at"][clears]) - np.sort(known["true_at"][trips])[: clears.sum()]
    assert clears.sum() == trips.sum() and 0.5 < np.mean(stopped) * 60.0 < 6.0


def test_visits_are_said_by_the_host(known):
    upkeep = dynamics.history(FLEET).journal.read("maintenance")
    begins = known["code"] == codes.of("visit")[0]
    assert begins.sum() == (upkeep["at"] >= 0.0).sum()


def test_the_second_dictionary_is_in_force_from_the_first_upgrade_of_its_sites(known, told):
    plan = fleet.plan(FLEET)
    site = plan.site[told["machine"]]
    new = (plan.dictionary[site] == 2) & (known["true_at"] >= plan.firmware[site, 0])
    assert new.any() and not new.all()
    np.testing.assert_array_equal(codes.translate(told["code"]), known["code"])
    first, second = (list(codes.dictionary(version)) for version in (1, 2))
    assert np.isin(told["code"][~new], first).all() and np.isin(told["code"][new], second).all()
    for halves in (names for names in codes.RENAMED.values() if len(names) == 2):
        assert all((told["code"] == name).sum() > 10 for name in halves)


@given(seed=st.integers(0, 2**20), machines=st.integers(1, 4), days=st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_any_fleet_has_events_within_its_days(seed, machines, days):
    small = fab.Fab("tiny", seed=seed, machines=machines, days=days)
    told = events.events(small)
    assert (told["at"] >= 0.0).all() and (told["at"] < 24.0 * days).all()
    assert told["machine"].max() < machines
    assert len({len(column) for column in told.values()}) == 1
