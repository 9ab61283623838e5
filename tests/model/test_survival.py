"""Survival curves and scores under censoring, against worked examples and plain O(n^2) sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import errors
from flyball.model import survival

#: Weeks of remission under 6-mercaptopurine (Freireich et al. 1963), the example of every textbook.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
ENDED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]

LIVES = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(0, 4)), min_size=2, max_size=25).map(
    lambda rows: [np.array(column) for column in zip(*rows, strict=True)]
)


def test_the_example_of_every_textbook():
    curve = survival.kaplan_meier(WEEKS, ENDED)
    assert curve.time.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6] and curve.events.tolist() == [
        3,
        1,
        1,
        1,
        1,
        1,
        1,
    ]
    assert curve.survival == pytest.approx([0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482], abs=5e-5)
    assert curve.error == pytest.approx([0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], abs=5e-5)
    low, high = curve.band()
    assert low[0] == pytest.approx(0.620, abs=1e-3) and high[0] == pytest.approx(0.952, abs=1e-3)
    assert (low < curve.survival).all() and (curve.survival < high).all()
    assert curve.at([5, 6, 9.9, 99]) == pytest.approx([1, 0.8571, 0.8067, 0.4482], abs=5e-5)
    assert curve.before([6, 7]) == pytest.approx([1, 0.8571], abs=5e-5)


def lost_before(time, event, when):
    """P(not lost from sight before `when`), step by step; an event at the same time came first."""
    kept = 1.0
    for moment in sorted({t for t, e in zip(time, event, strict=True) if not e and t < when}):
        at_risk = sum(t > moment or (t == moment and not e) for t, e in zip(time, event, strict=True))
        kept *= 1 - sum(t == moment and not e for t, e in zip(time, event, strict=True)) / at_risk
    return kept


@given(LIVES)
@settings(max_examples=60)
def test_without_censoring_the_curve_is_the_share_that_is_left(lives):
    time = lives[0]
    curve = survival.kaplan_meier(time, np.ones(len(time)))
    assert curve.at(range(11)) == pytest.approx([(time > when).mean() for when in range(11)])


@given(LIVES, st.integers(1, 9))
@settings(max_examples=120)
def test_scores_are_the_plain_sums_of_their_papers(lives, horizon):
    time, event, risk = lives
    n = len(time)
    seen = [lost_before(time, event, t) for t in time]
    kept = lost_before(time, event, horizon)

    def ended(i):
        return event[i] and time[i] <= horizon

    def beyond(i):
        return time[i] > horizon or (time[i] == horizon and not event[i])

    won = pairs = 0.0
    for i in range(n):
        for j in range(n):
            if ended(i) and (time[i] < time[j] or (time[i] == time[j] and not event[j])):
                weight = 1 / seen[i] ** 2
                pairs += weight
                won += weight * ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j]))
    told = survival.concordance(time, event, risk, horizon)
    assert told == pytest.approx(won / pairs) if pairs else np.isnan(told)

    said, score = risk / 5, 0.0
    for i in range(n):
        score += (said[i] - 1) ** 2 / seen[i] if ended(i) else said[i] ** 2 / kept if beyond(i) else 0.0
    assert survival.brier(time, event, said, horizon) == pytest.approx(score / n)

    won = pairs = 0.0
    for i in range(n):
        for j in range(n):
            if ended(i) and beyond(j):
                pairs += 1 / seen[i] / kept
                won += ((risk[i] > risk[j]) + 0.5 * (risk[i] == risk[j])) / seen[i] / kept
    told = survival.auc(time, event, risk, horizon)
    assert told == pytest.approx(won / pairs) if pairs else np.isnan(told)


def test_weights_make_up_for_independent_censoring_and_not_for_swaps_of_what_looks_worn():
    rng = np.random.default_rng(0)
    n, horizon = 40_000, 1.0
    pace = rng.choice([0.2, 1.5], n)
    life = rng.exponential(1 / pace)
    said = np.full(n, 0.2)
    whole = np.mean((said - (life <= horizon)) ** 2)

    def weighed(lost):
        return survival.brier(np.minimum(life, lost), life <= lost, said, horizon)

    lost = rng.exponential(1.0, n)
    assert weighed(lost) == pytest.approx(whole, abs=0.004)
    answered = (lost > horizon) | (life <= lost)  # dropping what was lost is no way out
    assert abs(np.mean((said - (life <= horizon))[answered] ** 2) - whole) > 0.02
    worn = np.where(pace > 1, rng.exponential(0.4, n), np.inf)
    assert abs(weighed(worn) - whole) > 0.02


def test_pairs_by_cluster_add_up():
    rng = np.random.default_rng(1)
    time, event, risk = rng.integers(1, 9, 60), rng.random(60) < 0.6, rng.random(60)
    cluster = rng.integers(0, 5, 60)
    won, pairs = survival.compared(time, event, risk, 7, cluster, 5)
    assert won.sum() / pairs.sum() == pytest.approx(survival.concordance(time, event, risk, 7))
    assert won.shape == (5, 5) and (won <= pairs + 1e-12).all()


def test_the_integrated_brier_score_is_the_mean_of_a_line():
    said = np.tile(np.linspace(1.0, 0.5, 5), (3, 1))
    times = [1.0, 2.0, 3.0, 4.0, 5.0]
    time, event = [9.0, 9.0, 9.0], [1, 1, 1]
    assert survival.integrated_brier(time, event, said, times) == pytest.approx(
        np.trapezoid([(1 - s) ** 2 for s in said[0]], times) / 4
    )
    with pytest.raises(errors.DataError, match="must rise"):
        survival.integrated_brier(time, event, said, [1, 1, 2, 3, 4])


def test_d_calibration_spreads_what_was_lost_and_is_flat_where_curves_are_right():
    assert survival.d_calibration([1, 1], [0.95, 0.05], bins=10)[[0, 9]].tolist() == [0.5, 0.5]
    # Lost when the curve said 0.25: four tenths of what may still come lies in each lower bin, the rest in its own.
    told = survival.spread([0], [0.25], bins=10)[0]
    assert told == pytest.approx([0.4, 0.4, 0.2, 0, 0, 0, 0, 0, 0, 0])
    rng = np.random.default_rng(2)
    life, lost = rng.exponential(1.0, 50_000), rng.exponential(1.5, 50_000)
    time, event = np.minimum(life, lost), life <= lost
    assert survival.d_calibration(event, np.exp(-time)) == pytest.approx(np.full(10, 0.1), abs=0.005)
    assert abs(survival.d_calibration(event, np.exp(-2 * time)) - 0.1).max() > 0.04
    for wrong in ([1.2], [np.nan]):
        with pytest.raises(errors.DataError, match="outside 0 and 1"):
            survival.d_calibration([1], wrong)
    with pytest.raises(errors.DataError, match="no life"):
        survival.d_calibration([], [])


def test_a_time_that_is_none_is_refused():
    with pytest.raises(errors.DataError, match="1 of them missing"):
        survival.kaplan_meier([1.0, np.nan], [1, 0])
    with pytest.raises(errors.DataError):
        survival.censoring([1.0, 2.0], [1])
