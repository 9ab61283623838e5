import math

import numpy as np
import pytest

from flyball import monitoring, units
from flyball.monitoring import rates

DAY = int(units.DAY)


def losses(days, machines, seed, rho=0.0, level=0.0):
    """Losses of a fleet: AR(1) from day to day in what all machines share, and noise of their own."""
    rng = np.random.default_rng(seed)
    shared, now = [], 0.0
    for _ in range(days):
        now = rho * now + rng.normal(0, math.sqrt(1 - rho**2))
        shared.append(now)
    value = np.array(shared)[:, None] * 0.2 + rng.normal(1, 0.5, (days, machines)) + level
    at, machine = np.meshgrid(np.arange(days) * DAY, np.arange(machines), indexing="ij")
    return rates.Losses(at.reshape(-1), machine.reshape(-1), value.reshape(-1))


def alarms(detector, reference):
    state, found = detector.start(), 0
    for at, value in zip(*reference.stream(), strict=True):
        state, alarm = detector.update(state, int(at), float(value))
        found += alarm is not None
    return found


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_a_settled_detector_keeps_about_its_budget_and_the_textbook_is_blind_or_wild(rho):
    budget, years = 2.0, 0
    ours = 0
    for seed in range(4):
        detector = monitoring.PageHinkley("absolute_error", false_alarms=budget)
        found = rates.settle(detector, losses(200, 10, seed, rho), 3 * DAY, seed=0)
        assert found.expected == budget
        ours += alarms(found.detector, losses(3 * 365, 10, 100 + seed, rho))
        years += 3
    assert 0.2 * budget <= ours / years <= 2.0 * budget, ours / years


def test_a_settled_detector_sees_what_the_textbooks_limit_does_not():
    reference = losses(200, 10, seed=1)
    later = losses(120, 10, seed=2)
    worse = rates.Losses(later.at, later.machine, later.value + 0.25 * (later.at > 60 * DAY))
    settled = rates.settle(monitoring.PageHinkley("absolute_error"), reference, DAY, seed=0).detector
    assert alarms(monitoring.PageHinkley("absolute_error"), worse) == 0
    assert alarms(settled, worse) == 1


@pytest.mark.parametrize("kind", [monitoring.Adwin, monitoring.Kswin, monitoring.Ddm])
def test_every_detector_settles(kind, monkeypatch):
    reference = losses(120, 5, seed=1)
    reference = rates.Losses(reference.at, reference.machine, np.clip(reference.value / 4, 0, 1))
    monkeypatch.setattr(rates, "LONGEST", 2000)
    found = rates.settle(kind("error", false_alarms=1), reference, DAY, seed=0)
    assert found == rates.settle(kind("error", false_alarms=1), reference, DAY, seed=0)
    assert found.detector.threshold() is not None
    looser = rates.settle(kind("error", false_alarms=20), reference, DAY, seed=0)
    assert looser.detector.threshold() < found.detector.threshold()


def test_a_declared_threshold_stays_and_its_rate_is_told():
    reference = losses(200, 10, seed=1)
    wild = rates.settle(monitoring.PageHinkley("absolute_error", limit=0.2), reference, DAY, seed=0)
    blind = rates.settle(monitoring.PageHinkley("absolute_error", limit=50.0), reference, DAY, seed=0)
    assert wild.detector.limit == 0.2
    assert wild.expected > 2 > 0.01 > blind.expected >= 0


def test_rivers_detectors_tell_their_rate():
    reference = losses(100, 10, seed=1)
    found = rates.settle(
        monitoring.River("PageHinkley", "absolute_error", {"threshold": 0.2}), reference, DAY, 0
    )
    assert found.expected > 2


def test_too_short_a_reference_settles_nothing_and_says_so():
    found = rates.settle(monitoring.PageHinkley("absolute_error"), losses(3, 10, 0), DAY, seed=0)
    assert found.detector.limit is None and math.isnan(found.expected)
    assert found.why.startswith("3 moments of known truth settle nothing")


def test_a_budget_in_steps_counts_values():
    detector = monitoring.PageHinkley("absolute_error", false_alarms=1, per=units.steps(400))
    found = rates.settle(detector, losses(200, 10, seed=1), 0, seed=0)
    assert found.period == 400
    assert alarms(found.detector, losses(2000, 10, seed=5)) <= 12


def test_the_threshold_of_a_rare_alarm_is_told_from_the_tail(monkeypatch):
    monkeypatch.setattr(rates, "LONGEST", 2000)
    reference = losses(200, 10, seed=1)
    rare = monitoring.PageHinkley("absolute_error", false_alarms=0.01)
    often = monitoring.PageHinkley("absolute_error", false_alarms=5)
    limits = [rates.settle(one, reference, DAY, seed=0).detector.limit for one in (rare, often)]
    assert limits[0] > 1.5 * limits[1]
    highest = np.random.default_rng(0).gumbel(10, 2, 100)
    assert rates._rate(highest, 10 - 2 * math.log(0.001)) == pytest.approx(0.001, rel=0.5)
