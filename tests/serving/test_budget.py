import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, serving, units
from flyball.features import stage as features

DAY = int(units.DAY)


@st.composite
def questions(draw, most=60):
    """Some machines, asked at hours of a few days, with probabilities that often tie."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abcdef"),
                st.integers(0, 10 * 24),
                st.sampled_from([0.0, 0.2, 0.5, 0.5, 0.9, 1.0]),
            ),
            unique_by=lambda row: row[:2],
            max_size=most,
        )
    )
    rows.sort()
    moments = features.Moments.of([name for name, _, _ in rows], [hour * DAY // 24 for _, hour, _ in rows])
    return np.array([score for _, _, score in rows]), moments


budgets = st.builds(
    serving.Budget,
    alerts=st.integers(1, 3),
    per=st.sampled_from([units.hours(6), units.days(1), units.days(3)]),
    lockout=st.sampled_from([units.Duration(0), units.hours(5), units.days(2), units.days(7)]),
)


@given(budgets, questions(), st.sampled_from([0.0, 0.3, 0.5, 2.0]))
def test_the_budget_and_the_lockout_are_never_exceeded(budget, asked, threshold):
    answers, moments = asked
    found = budget.decide(answers, moments, threshold)
    assert all(alert.score >= threshold for alert in found)
    spent = Counter(alert.moment // int(budget.per) for alert in found)
    assert max(spent.values(), default=0) <= budget.alerts
    for name in {alert.key for alert in found}:
        mine = [alert.moment for alert in found if alert.key == name]
        assert mine == sorted(set(mine))
        assert all(later - earlier >= budget.lockout for earlier, later in itertools.pairwise(mine))
    assert list(found) == sorted(found, key=lambda alert: (alert.moment, alert.rank))
    assert budget.decide(answers, moments, threshold) == found


@given(budgets, questions(), st.sampled_from([0.0, 0.5]))
def test_nobody_is_passed_over_while_there_is_room(budget, asked, threshold):
    answers, moments = asked
    found = budget.decide(answers, moments, threshold)
    alerted = {(alert.key, alert.moment) for alert in found}
    for name, at, score in zip(moments.names(), moments.at.tolist(), answers.tolist(), strict=True):
        if score >= threshold and (name, at) not in alerted:
            silent = any(
                a.key == name and a.moment <= at < a.moment + max(int(budget.lockout), 1) for a in found
            )
            before = [
                a for a in found if a.moment // int(budget.per) == at // int(budget.per) and a.moment <= at
            ]
            full = len(before) >= budget.alerts and all(a.moment < at or a.score >= score for a in before)
            assert silent or full


@given(budgets, questions(), st.integers(0, 11), st.integers(0, 11))
def test_day_by_day_equals_in_one_go(budget, asked, first, second):
    answers, moments = asked
    whole = budget.decide(answers, moments, 0.3)
    state, found = budget.start(), ()
    cuts = [-1, *sorted((first * DAY, second * DAY)), 99 * DAY]
    for since, until in itertools.pairwise(cuts):
        rows = np.flatnonzero((moments.at > since) & (moments.at <= until))
        state, more = budget.step(json.loads(json.dumps(state)), answers[rows], moments[rows], 0.3)
        found += more
    assert found == whole


def test_the_state_stays_small():
    budget, state = serving.Budget(alerts=5, per=units.DAY, lockout=units.days(2)), None
    state = budget.start()
    for day in range(400):
        moments = features.Moments.of([f"m{day}-{i}" for i in range(20)], [day * DAY] * 20)
        state, _ = budget.step(state, np.ones(20), moments, 0.5)
    assert len(state["silent"]) <= 15
    assert len(state["spent"]) == 1


@given(budgets, questions())
def test_the_threshold_fills_the_budget_of_an_average_period(budget, asked):
    answers, moments = asked
    threshold = budget.settle(answers, moments)
    if len(answers) == 0:
        assert threshold == 1.0
        return
    assert threshold in answers
    # Told by its own rule without the cap: what passes at the threshold fits, and at the next lower score does not.
    free = serving.Budget(alerts=10**6, per=budget.per, lockout=budget.lockout)
    room = budget.alerts * len(set((moments.at // int(budget.per)).tolist()))
    passed = {score: len(free.decide(answers, moments, score)) for score in sorted(set(answers.tolist()))}
    assert passed[threshold] <= room or threshold == answers.max()
    assert all(count > room for score, count in passed.items() if score < threshold)


def test_no_number_is_no_alert():
    moments = features.Moments.of(["a", "b"], [0, 0])
    budget = serving.Budget(alerts=2, per=units.DAY)
    answers = np.array([np.nan, 0.7])
    assert [alert.key for alert in budget.decide(answers, moments, budget.settle(answers, moments))] == ["b"]


class Page:
    data = data.Fleet("machine", data.WallClock(), ())


@pytest.mark.parametrize(
    ("budget", "places"),
    [
        (serving.Budget(5, units.DAY), []),
        (serving.Budget(0, units.DAY), ["alerts"]),
        (serving.Budget(5, units.days(0)), ["per"]),
        (serving.Budget(5, 7), ["per"]),
        (serving.Budget(5, units.steps(10)), ["per"]),
        (serving.Budget(5, units.DAY, units.days(-1)), ["lockout"]),
    ],
)
def test_problems(budget, places):
    assert [problem.place for problem in budget.problems(Page)] == places
