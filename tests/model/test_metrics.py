"""Metrics against scikit-learn and against a slow bootstrap."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import metrics as peer

from flyball import errors, features, labels
from flyball.model import catalogue, metrics

YES_NO, QUANTITY = labels.Probability(), labels.Quantity()
CLASSES = labels.Classes(("a", "b", "c"))
DAY = 86_400_000_000


@st.composite
def ranked(draw):
    """Truth, scores with many ties, and whole weights, zero among them."""
    n = draw(st.integers(2, 30))
    truth = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    score = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    weight = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    truth, score, weight = np.array(truth, float), np.array(score) / 5, np.array(weight, float)
    hypothesis.assume((truth * weight).sum() > 0 and ((1 - truth) * weight).sum() > 0)
    return truth, score, weight


@hypothesis.given(ranked())
def test_ranking_equals_scikit_learn_with_ties_and_weights(case):
    truth, score, weight = case
    ap = metrics.measure("average_precision", YES_NO, truth, score, weight=weight)
    auc = metrics.measure("roc_auc", YES_NO, truth, score, weight=weight)
    assert ap == pytest.approx(peer.average_precision_score(truth, score, sample_weight=weight), abs=1e-12)
    assert auc == pytest.approx(peer.roc_auc_score(truth, score, sample_weight=weight), abs=1e-12)


def test_resampled_ranking_equals_repeated_rows():
    rng = np.random.default_rng(3)
    truth, score, group = rng.integers(0, 2, 60), rng.integers(0, 9, 60) / 9, rng.integers(0, 7, 60)
    metric = metrics.find("average_precision", YES_NO)
    counts = rng.integers(0, 3, (20, 7)).astype(float)
    judged = catalogue.Judged(YES_NO, truth.astype(float), score, np.ones(60), None)
    told = metric.prepare(judged).resampled(group, counts)
    for count, value in zip(counts, told, strict=True):
        repeat = np.repeat(np.arange(60), count[group].astype(int))
        assert value == pytest.approx(peer.average_precision_score(truth[repeat], score[repeat]), abs=1e-12)


def test_recall_at_k_per_day_counts_by_day():
    moments = features.Moments.of(["a", "b", "c", "a", "b", "c"], [0, 0, 0, DAY, DAY, DAY])
    truth = dict(
        zip(
            [("a", 0), ("b", 0), ("c", 0), ("a", DAY), ("b", DAY), ("c", DAY)],
            [1, 0, 0, 0, 1, 1],
            strict=True,
        )
    )
    score = dict(zip(truth, [0.9, 0.8, 0.1, 0.9, 0.8, 0.1], strict=True))
    asked = list(zip(moments.names(), moments.at.tolist(), strict=True))
    y, p = [truth[one] for one in asked], [score[one] for one in asked]
    assert metrics.measure("recall_at_1_per_day", YES_NO, y, p, moments) == pytest.approx(1 / 3)
    assert metrics.measure("recall_at_2_per_day", YES_NO, y, p, moments) == pytest.approx(2 / 3)
    assert metrics.measure("precision_at_1_per_day", YES_NO, y, p, moments) == pytest.approx(1 / 2)


def test_ties_at_the_budget_share_it():
    moments = features.Moments.of(["a", "b", "c", "d"], [0, 0, 0, 0])
    assert metrics.measure("recall_at_1_per_day", YES_NO, [1, 0, 0, 0], [0.5] * 4, moments) == pytest.approx(
        0.25
    )


def test_the_interval_covers_as_often_as_it_says():
    rng, hits = np.random.default_rng(1), 0
    for trial in range(60):
        level = rng.normal(size=40)
        group = np.repeat(np.arange(40), 5)
        answers = np.repeat((level[group] + 0.1 * rng.normal(size=200))[:, None], 3, axis=1)
        told = metrics.interval(
            "mae", QUANTITY, np.zeros(200), answers, clusters=group, resamples=200, seed=trial
        )
        hits += told.low <= np.sqrt(2 / np.pi) * np.sqrt(1.01) <= told.high
    assert 50 <= hits <= 60, f"{hits} of 60 intervals hold the true mean"


def test_rows_of_one_machine_are_not_taken_for_independent():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 50)
    answers = np.repeat(rng.normal(size=20)[group][:, None], 3, axis=1)
    by_machine = metrics.interval("mae", QUANTITY, np.zeros(1000), answers, clusters=group)
    by_row = metrics.interval("mae", QUANTITY, np.zeros(1000), answers)
    assert by_machine.high - by_machine.low > 4 * (by_row.high - by_row.low)


def test_paired_is_oriented_and_narrower_than_two_intervals():
    rng = np.random.default_rng(0)
    truth = (rng.random(500) < 0.3).astype(float)
    score = np.clip(0.3 + 0.3 * truth + 0.2 * rng.normal(size=500), 0.01, 0.99)
    worse = np.clip(score + 0.02 * rng.normal(size=500), 0.01, 0.99)
    for name in ("roc_auc", "log_loss"):
        told = metrics.paired(name, YES_NO, truth, score, worse)
        back = metrics.paired(name, YES_NO, truth, worse, score)
        assert told.value == pytest.approx(-back.value)
        assert told.high == pytest.approx(-back.low)
        one = metrics.interval(name, YES_NO, truth, score)
        assert told.high - told.low < (one.high - one.low) / 2
    perfect = metrics.paired("brier", YES_NO, truth, truth, np.full(500, 0.5))
    assert perfect.value == pytest.approx(0.25) and perfect.low > 0


def test_folds_are_told_apart_and_averaged():
    truth, fold = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.2, 0.8, 0.9])  # the second fold's model says more of everything
    assert metrics.interval("roc_auc", YES_NO, truth, score, folds=fold).value == 1.0
    assert metrics.interval("roc_auc", YES_NO, truth, score).value == 0.75


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 2, 100), rng.random(100)
    assert metrics.interval("roc_auc", YES_NO, truth, score, seed=4) == metrics.interval(
        "roc_auc", YES_NO, truth, score, seed=4
    )
    assert metrics.interval("roc_auc", YES_NO, truth, score, seed=4) != metrics.interval(
        "roc_auc", YES_NO, truth, score, seed=5
    )


def test_no_positive_has_no_figure():
    assert np.isnan(metrics.measure("average_precision", YES_NO, [0, 0], [0.1, 0.2]))


def test_answers_that_are_nan_are_refused():
    with pytest.raises(errors.GateError, match="1 answers are NaN"):
        metrics.measure("brier", YES_NO, [0, 1], [0.1, np.nan])


def test_a_metric_by_day_needs_moments():
    with pytest.raises(errors.GateError, match="moments"):
        metrics.measure("recall_at_5_per_day", YES_NO, [0, 1], [0.1, 0.2])


def test_unknown_metrics_are_named_with_the_nearest():
    found = list(metrics.problems(("rmse", "macro_f2"), CLASSES))
    assert [problem.place for problem in found] == ["metrics[0]", "metrics[1]"]
    assert "macro_f1" in found[1].fix
    assert metrics.find("recall_at_5_per_day", YES_NO).higher and metrics.find("recall.b", CLASSES).higher
