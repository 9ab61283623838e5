"""Survival metrics of a probability under resampling, against the plain functions."""

import numpy as np
import pytest

from flyball import errors, features, labels
from flyball.model import catalogue, followed, metrics, survival

KIND, WINDOW = labels.Probability(), (2, 9)


@pytest.fixture(scope="module")
def seen():
    rng = np.random.default_rng(0)
    n = 400
    moments = features.Moments.of([f"m{i}" for i in rng.integers(0, 20, n)], rng.integers(0, 50, n))
    time, came, said = rng.integers(3, 15, n), rng.random(n) < 0.6, np.round(rng.random(n), 2)
    return moments, time, came, said, catalogue.Context(None, moments.at + time, came, WINDOW)


def measured(name, seen, rows=slice(None)):
    moments, _, came, said, context = seen
    return metrics.measure(
        name, KIND, came[rows].astype(float), said[rows], moments[rows], context=context.take(rows)
    )


def test_each_is_the_plain_function(seen):
    _, time, came, said, _ = seen
    assert measured("uno_concordance", seen) == pytest.approx(survival.concordance(time, came, said, 9))
    assert measured("ipcw_auc", seen) == pytest.approx(survival.auc(time, came, said, 9))
    assert measured("ipcw_brier", seen) == pytest.approx(survival.brier(time, came, said, 9))
    times = np.linspace(2, 9, followed.STEPS + 1)
    curves = (1 - said[:, None]) ** ((times - 2) / 7)
    told = survival.integrated_brier(time, came, curves, times)
    assert measured("ipcw_integrated_brier", seen) == pytest.approx(told)
    at = (1 - said) ** ((np.minimum(time, 9) - 2) / 7)
    shares = survival.d_calibration(came & (time <= 9), at)
    assert measured("d_calibration", seen) == pytest.approx(abs(shares - 0.1).sum() / 2)


def test_without_censoring_they_are_the_usual_figures(seen):
    moments, time, _, said, _ = seen
    came = np.ones(len(time), dtype=bool)
    context = catalogue.Context(None, moments.at + time, came, WINDOW)
    truth = (time <= 9).astype(float)
    for name, usual in (("ipcw_auc", "roc_auc"), ("ipcw_brier", "brier")):
        told = metrics.measure(name, KIND, truth, said, moments, context=context)
        assert told == pytest.approx(metrics.measure(usual, KIND, truth, said))


def test_pairs_resample_as_machines_do(seen):
    moments, time, came, said, context = seen
    figure = metrics.find("uno_concordance", KIND).prepare(
        catalogue.Judged(KIND, came.astype(float), said, np.ones(len(said)), moments, context)
    )
    codes = moments.codes.astype(np.int64)
    ones = figure.resampled(codes, np.ones((1, 20)))[0]
    assert ones == pytest.approx(survival.concordance(time, came, said, 9))
    some = np.array([[2.0] + [0.0] * 9 + [1.0] * 10])
    won, pairs = survival.compared(time, came, said, 9, codes, 20)
    by_hand = (np.outer(some, some) * won).sum() / (np.outer(some, some) * pairs).sum()
    assert figure.resampled(codes, some)[0] == pytest.approx(by_hand)
    assert np.isnan(figure.resampled(codes, np.zeros((1, 20)))[0])


def test_intervals_hold_the_figure(seen):
    moments, _, came, said, context = seen
    for name in followed.METRICS:
        told = metrics.interval(name, KIND, came.astype(float), said, moments, context=context, resamples=100)
        assert told.low <= told.high and np.isfinite([told.low, told.value, told.high]).all(), name
        assert metrics.find(name, KIND).follows


def test_rows_that_nobody_followed_are_refused(seen):
    moments, _, came, said, context = seen
    with pytest.raises(errors.GateError, match="FailsWithin"):
        metrics.measure("ipcw_auc", KIND, came.astype(float), said, moments)
    late = catalogue.Context(None, moments.at + 2, came, WINDOW)
    with pytest.raises(errors.GateError, match="not followed into their window"):
        metrics.measure("ipcw_auc", KIND, came.astype(float), said, moments, context=late)
    assert context.take([0, 1]).until.tolist() == context.until[:2].tolist()
