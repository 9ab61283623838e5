"""Figures under resampling: speed, and shares of a day's budget."""

import time

import numpy as np

from flyball import labels
from flyball.model import figures, metrics


def test_two_hundred_thousand_rows_resample_in_seconds():
    rng = np.random.default_rng(0)
    n = 200_000
    truth = (rng.random(n) < 0.003).astype(float)
    score, group = rng.random(n), rng.integers(0, 5000, n)
    start = time.perf_counter()
    metrics.interval("average_precision", labels.Probability(), truth, score, clusters=group, resamples=200)
    assert time.perf_counter() - start < 15


def test_looked_at_adds_up_to_the_budget():
    rng = np.random.default_rng(0)
    score, day = rng.integers(0, 4, 200), rng.integers(0, 10, 200)
    looked = figures.looked_at(score, day, k=3)
    assert np.allclose(np.bincount(day, weights=looked), np.minimum(3, np.bincount(day)))
    assert looked.min() >= 0 and looked.max() <= 1


def test_a_confusion_is_summed_by_cluster():
    told = figures.Confusion(np.array([0, 3, 1]), 2, np.ones(3), lambda m: m[:, 0, 1] / m.sum(axis=(1, 2)))
    shares = told.resampled(np.array([0, 0, 1]), np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 2.0]]))
    assert np.allclose(shares, [1 / 3, 0, 1])
