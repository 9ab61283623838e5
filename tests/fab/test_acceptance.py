"""What the simulator must show before anybody believes what is shown on it; seven of its tests, of the law of wear.

The others stand with their part: the closed loop in test_channels, the same seed in test_files, the overlay fit and
the controllers in test_overlay and test_control, line edges in test_edges.
"""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import dynamics, fleet, truth, wear

DAY = 86_400_000_000
FLEET = fab.Fab("paper", seed=7, machines=400)
LIFE = FLEET.size().days / 365.25
#: Failures per machine-year that the law is meant to give; droplet generators of machines that have one.
RATES = {
    "DGEN": 2.6, "LASR": 0.6, "VACP": 0.5, "LEAK": 0.7, "WSTG": 1.0, "RSTG": 0.75, "COOL": 0.7, "HNDL": 2.5,
    "SOFT": 12.7,
}  # fmt: skip


def auc(happened, score):
    """The chance that a positive scores above a negative, ties half."""
    _, rank, count = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2.0
    positive = happened.sum()
    above = middle[rank][happened].sum() - positive * (positive + 1) / 2.0
    return above / (positive * (len(score) - positive))


@pytest.fixture(scope="module")
def asked():
    """Every tenth day of every machine that is up, and whether it fails within seven days."""
    names, days = fleet.plan(FLEET).names, np.arange(10, 1080, 10)
    keys, moments = np.repeat(names, len(days)), np.tile(fab.START_US + DAY * days, len(names))
    up = truth.latent(FLEET, keys, moments).down <= 0.0
    keys, moments = keys[up], moments[up]
    return keys, moments, fab.occurs(FLEET, keys, moments, 0, 7 * DAY)


@pytest.mark.parametrize("part", RATES)
def test_every_part_fails_as_often_as_it_is_meant_to(part):
    plan, failed = fleet.plan(FLEET), truth.failures(FLEET)
    machines = plan.euv.sum() if part == "DGEN" else len(plan.names)
    rate = (failed["part"] == part).sum() / (machines * LIFE)
    assert 0.8 < rate / RATES[part] < 1.2, rate


def test_the_fleet_is_up_as_much_as_such_fleets_are():
    assert 0.92 < truth.states(FLEET, every_h=12.0)["up"].mean() < 0.96


def test_severity_ranks_within_its_band_and_the_ceiling_above_it(asked):
    keys, moments, happened = asked
    severity = auc(happened, fab.severity_oracle(FLEET, keys, moments))
    some = np.arange(0, len(keys), 4)
    best = fab.ceiling(FLEET, keys[some], moments[some], 0, 7 * DAY, logged=False, draws=32)
    assert 0.70 < severity < 0.78
    assert auc(happened[some], best) > severity


def test_nothing_ranks_labels_that_were_dealt_at_random(asked):
    keys, moments, happened = asked
    dealt = np.random.default_rng(1).permutation(happened)
    assert abs(auc(dealt, fab.severity_oracle(FLEET, keys, moments)) - 0.5) < 0.02


def work_orders():
    return fab.tables(FLEET, "repairs")["repairs"]


def lives(machine, at, end):
    """Hours between two replacements of one machine, and whether the life was seen to its end."""
    order = np.lexsort((at, machine))
    machine, at = machine[order], at[order]
    same = machine[1:] == machine[:-1]
    return (at[1:] - at[:-1])[same], end - at[np.append(~same, True)]


def kaplan_meier(ended, censored, hour):
    """The share of parts that live longer than `hour`."""
    times = np.concatenate([ended, censored])
    event = np.arange(len(times)) < len(ended)
    order = np.argsort(times, kind="stable")
    at_risk = len(times) - np.arange(len(times))
    alive = np.cumprod(1.0 - event[order] / at_risk)
    return float(np.append(1.0, alive)[np.searchsorted(times[order], hour, side="right")])


def test_lives_from_the_logs_are_not_the_true_ones():
    """One order in ten is missing and one in twenty names another part: the logs tell of longer lives."""
    past, end = dynamics.history(FLEET), 24.0 * FLEET.size().days
    failed, orders = past.journal.read("failure"), work_orders()
    true = (failed["comp"] == wear.DGEN) & (failed["at"] >= 0.0)
    named = orders["failed"] & (orders["part"] == "DGEN")
    names, rows = np.unique(orders["machine"][named], return_inverse=True)
    told = lives(rows, fleet.to_hours(orders["at"][named]), end)
    real = lives(failed["row"][true], failed["at"][true], end)
    longer = [kaplan_meier(*told, hour) - kaplan_meier(*real, hour) for hour in (1000.0, 2000.0, 4000.0)]
    assert min(longer) > 0.01, longer
    assert len(names) > 100


def test_a_feature_that_reads_the_time_of_the_event_instead_of_its_entry_is_noticed():
    """A repair leaves faults behind, so knowing of it before it is entered helps: a leak raises the area."""
    days = np.arange(10, 1080, 2)
    moments = fab.START_US + DAY * days
    orders, plan = work_orders(), fleet.plan(FLEET)
    failed = orders["failed"]
    names = np.repeat(plan.names, len(moments))
    every = np.tile(moments, len(plan.names))
    up = truth.latent(FLEET, names, every).down <= 0.0
    names, every, machine = names[up], every[up], np.repeat(np.arange(len(plan.names)), len(moments))[up]
    happened = fab.occurs(FLEET, names, every, 0, 7 * DAY)
    repairs = {name: failed & (orders["machine"] == name) for name in plan.names}
    # What is true of a row goes into two counts of its machine, so that machines can be drawn again and again.
    rates = {}
    for clock in ("at", "seen"):
        score = np.concatenate(
            [_fresh(orders, repairs[n], clock, every[machine == i]) for i, n in enumerate(plan.names)]
        )
        counts = [np.bincount(machine, score & kind, len(plan.names)) for kind in (happened, ~happened)]
        rates[clock] = (score, *counts)
    of = [np.bincount(machine, kind, len(plan.names)) for kind in (happened, ~happened)]

    def area(clock, drawn):
        """The chance that a positive scores above a negative, of a score that is 0 or 1."""
        hits, alarms = (rates[clock][1 + i][drawn].sum() / of[i][drawn].sum() for i in (0, 1))
        return (hits - alarms + 1.0) / 2.0

    whole = np.arange(len(plan.names))
    assert all(
        np.isclose(area(clock, whole), auc(happened, rates[clock][0].astype(float))) for clock in rates
    )
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(plan.names), len(plan.names)) for _ in range(100)]
    assert np.quantile([area("at", drawn) - area("seen", drawn) for drawn in draws], 0.025) > 0.0


def _fresh(orders, mine, clock, moments):
    """Whether each moment has a repair of the last four days that is known to it by a clock."""
    known = orders[clock][mine][None, :] <= moments[:, None]
    return (known & (orders["at"][mine][None, :] > moments[:, None] - 4 * DAY)).any(axis=1)
