"""The ceiling is the conditional probability of the event, and nothing knows more."""

import dataclasses
import itertools

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import dynamics, fleet, lives, oracle, service, wear

DAY = 86_400_000_000
MANY = fab.Fab("tiny", seed=5, machines=500, days=60)


@pytest.fixture(scope="module")
def asked():
    """Moments far enough apart that a machine's windows do not overlap."""
    days = np.arange(3, 50, 9)
    keys = np.repeat(fleet.plan(MANY).names, len(days))
    return keys, np.tile(fab.START_US + DAY * days, 500)


@pytest.fixture(scope="module")
def answers(asked):
    return fab.ceiling(MANY, *asked, DAY, 7 * DAY, logged=False), fab.occurs(MANY, *asked, DAY, 7 * DAY)


def auc(truth_, score):
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.bincount(inverse, rank) / count)[inverse]
    positive = truth_.sum()
    return (rank[truth_].sum() - positive * (positive + 1) / 2) / (positive * (len(score) - positive))


def off(p, y):
    """Return by how many standard errors the frequency differs from the mean probability."""
    return (y.mean() - p.mean()) / np.sqrt((p * (1.0 - p)).mean() / len(p) + 1e-12)


def test_the_ceiling_is_calibrated_in_every_bin(answers):
    p, y = answers
    edges = np.array([0.0, 0.06, 0.08, 0.1, 0.15, 0.5, 0.9, 1.01])
    for low, high in itertools.pairwise(edges):
        inside = (p >= low) & (p < high)
        assert inside.sum() >= 50
        assert abs(off(p[inside], y[inside])) < 3.5, (low, high)


@pytest.fixture(scope="module")
def before_visits():
    """Moments an hour before maintenance of a machine whose degradation it can see."""
    plan, past = fleet.plan(MANY), dynamics.history(MANY)
    week = np.tile(np.arange(14, 21), 500)
    machine = np.repeat(np.arange(500), 7)
    hour = plan.tick(machine, week) - 1.0
    state = past.at(machine, hour)
    some = (state.severity()[:, wear.hard()] > service.VISIBLE).any(axis=1) & (state.down == 0.0)
    return np.array(plan.names)[machine[some]], fleet.to_us(hour[some])


def test_the_ceiling_is_calibrated_where_maintenance_may_step_in(before_visits):
    assert len(before_visits[0]) > 80
    p = fab.ceiling(MANY, *before_visits, 0, 7 * DAY, logged=False)
    assert abs(off(p, fab.occurs(MANY, *before_visits, 0, 7 * DAY))) < 3.5


@pytest.mark.parametrize("lie", ["no maintenance", "eternal parts", "slow wear"])
def test_a_ceiling_of_another_law_would_be_caught(before_visits, asked, monkeypatch, lie):
    if lie == "no maintenance":
        monkeypatch.setattr(service, "VISIBLE", 2.0)
    elif lie == "slow wear":
        slow = tuple(dataclasses.replace(c, lead_h=20.0 * c.lead_h) for c in wear.COMPONENTS)
        monkeypatch.setattr(wear, "COMPONENTS", slow)
    else:
        monkeypatch.setattr(
            wear, "rates", lambda plan, machine, duty: np.full((len(duty), len(wear.NAMES)), 1e-6)
        )
    rows = before_visits if lie == "no maintenance" else asked
    p = fab.ceiling(MANY, *rows, 0, 7 * DAY, logged=False, draws=32)
    z = off(p, fab.occurs(MANY, *rows, 0, 7 * DAY))
    assert z < -3.5 if lie == "no maintenance" else z > 3.5, z


def test_the_ceiling_ranks_better_than_severity_alone_and_labels_at_random_are_not_ranked(asked, answers):
    p, y = answers
    severity = fab.severity_oracle(MANY, *asked)
    assert auc(y, p) > auc(y, severity) > 0.55
    assert auc(y, p) > 0.68
    shuffled = np.random.default_rng(0).permutation(y)
    assert abs(auc(shuffled, p) - 0.5) < 0.05


def test_what_the_work_orders_show_is_less_than_what_happened(asked, answers):
    keys, moments = (a[:600] for a in asked)
    logged = fab.ceiling(MANY, keys, moments, DAY, 7 * DAY)
    early = fab.ceiling(MANY, keys, moments, DAY, 7 * DAY, as_of_us=fab.START_US + 12 * DAY)
    true = answers[0][:600]
    assert early.mean() < logged.mean() < true.mean()
    assert abs(logged.mean() / true.mean() - (1.0 - service.UNLOGGED)) < 0.02
    over = moments + DAY > fab.START_US + 12 * DAY
    assert (early[over] == 0.0).all()


def test_the_label_from_the_work_orders_meets_the_logged_ceiling():
    orders, cut = fab.tables(MANY, "repairs")["repairs"], fab.START_US + 60 * DAY
    moments = np.full(500, fab.START_US + 51 * DAY)
    names = fleet.plan(MANY).names
    failed = orders["failed"]
    inside = failed & (orders["at"] > moments[0] + DAY) & (orders["at"] <= moments[0] + 8 * DAY)
    y = np.isin(names, orders["machine"][inside])
    p = fab.ceiling(MANY, names, moments, DAY, 7 * DAY, as_of_us=cut)
    assert abs(off(p, y)) < 3.5


def test_a_draw_more_or_less_changes_little():
    keys, moments = list(fleet.plan(MANY).names[:60]), np.full(60, fab.START_US + 20 * DAY)
    few, more = (fab.ceiling(MANY, keys, moments, DAY, 7 * DAY, draws=d) for d in (64, 512))
    assert np.sqrt(((few - more) ** 2).mean()) < 0.03
    again = fab.ceiling(MANY, keys, moments, DAY, 7 * DAY, draws=64)
    np.testing.assert_array_equal(few, again)


def test_the_spent_hazard_covers_every_onset_that_comes():
    plan, past = fleet.plan(MANY), dynamics.history(MANY)
    state = past.at(np.arange(500), np.full(500, 240.0))
    reached = past.at(np.arange(500), np.full(500, 240.0 + 192.0))
    same = (reached.stage == wear.HEALTHY) & (state.stage == wear.HEALTHY) & (reached.age >= state.age)
    life, shape = plan.life, np.array([c.shape for c in wear.COMPONENTS])
    met = (reached.age / life) ** shape - (state.age / life) ** shape
    spent = lives.spent(state, plan, 192.0, wear.hard())
    assert (met <= spent + 1e-9)[same & wear.hard()].all()


def test_a_window_that_cannot_be_is_refused():
    with pytest.raises(errors.DataError, match="gap plus horizon"):
        fab.ceiling(MANY, [fleet.plan(MANY).names[0]], np.array([fab.START_US]), DAY, 400 * DAY)


def test_no_rows_no_answers():
    assert fab.ceiling(MANY, [], np.zeros(0, dtype=np.int64), DAY, 7 * DAY).shape == (0,)


@pytest.mark.parametrize("parts", [("DGEN",), ("HNDL", "WSTG")])
def test_the_ceiling_of_some_parts_is_calibrated(asked, parts):
    p = fab.ceiling(MANY, *asked, DAY, 7 * DAY, parts=parts, logged=False, draws=32)
    y = fab.occurs(MANY, *asked, DAY, 7 * DAY, parts=parts)
    assert abs(off(p, y)) < 3.5
    assert auc(y, p) > 0.6
    if parts == ("DGEN",):
        lacks = np.isin(asked[0], np.array(fleet.plan(MANY).names)[~fleet.plan(MANY).euv])
        assert p[lacks].max() < 1e-9 and not y[lacks].any()


def test_a_label_by_part_from_the_work_orders_meets_its_ceiling():
    orders, cut = fab.tables(MANY, "repairs")["repairs"], fab.START_US + 60 * DAY
    names = np.array(fleet.plan(MANY).names)
    keys, moments = np.tile(names, 6), np.repeat(fab.START_US + DAY * np.arange(2, 50, 8), 500)
    shown = orders["failed"] & (orders["part"] == "WSTG")
    y = np.zeros(len(keys), dtype=bool)
    for machine, at in zip(orders["machine"][shown], orders["at"][shown], strict=True):
        y |= (keys == machine) & (moments < at) & (at <= moments + 7 * DAY)
    p = fab.ceiling(MANY, keys, moments, 0, 7 * DAY, parts=("WSTG",), as_of_us=cut, draws=32)
    assert abs(off(p, y)) < 3.5


def test_the_life_that_is_left_meets_its_mean_and_band():
    names = fleet.plan(MANY).names
    keys, moments = np.tile(names, 3), np.repeat(fab.START_US + DAY * np.array([2, 17, 32]), 500)
    left = fab.remaining(MANY, keys, moments, cap_us=15 * DAY, draws=128)
    failed, hours = fab.failures(MANY), np.full(len(keys), 360.0)
    for machine, at in zip(failed["machine"][failed["hard"]], failed["at"][failed["hard"]], strict=True):
        ahead = (keys == machine) & (at > moments)
        hours[ahead] = np.minimum(hours[ahead], (at - moments[ahead]) / 3.6e9)
    off_by = hours - left[:, 0]
    assert abs(off_by.mean()) < 3.5 * off_by.std() / np.sqrt(len(keys))
    assert np.sqrt((off_by**2).mean()) < 0.98 * hours.std()
    inside = (hours >= left[:, 1] - 1e-9) & (hours <= left[:, 2] + 1e-9)
    assert 0.87 < inside.mean() <= 1.0


def test_an_unknown_part_is_named():
    with pytest.raises(errors.DeclarationError, match="no part 'DGENN', did you mean 'DGEN'"):
        fab.ceiling(MANY, ["A-001"], np.array([fab.START_US]), 0, DAY, parts=("DGENN",))


def test_scores_are_the_answers_of_the_oracle_on_a_grid():
    small = fab.Fab("tiny", seed=3, days=60)
    told = oracle.scores(small, every_h=48.0)
    np.testing.assert_array_equal(told["severity"], fab.severity_oracle(small, told["machine"], told["at"]))
    assert len(told["at"]) > 100 and set(np.diff(np.unique(told["at"]))) == {2 * DAY}
    assert abs(off(told["ceiling"], told["happened"])) < 3.5
    assert np.corrcoef(told["ceiling"], told["remaining_h"])[0, 1] < -0.8
