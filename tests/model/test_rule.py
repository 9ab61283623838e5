"""A rule keeps the order of its score exactly and says probabilities that mean something."""

import numpy as np
import pytest

from flyball import features, labels, model


def matrix(rng, n):
    moments = features.Moments.of(["a"] * n, range(n))
    return features.Matrix(
        moments, {"s5": rng.poisson(2, n) ** 3.0, "s197": np.where(rng.random(n) < 0.5, np.nan, 4.0)}
    )


@pytest.mark.parametrize("by", ["sum", "max"])
def test_the_order_of_the_score_is_kept(answered, by):
    rng = np.random.default_rng(0)
    x = matrix(rng, 500)
    pair = np.nan_to_num(np.stack([x.columns["s5"], x.columns["s197"]]))
    score = pair.sum(axis=0) if by == "sum" else pair.max(axis=0)
    y = answered(rng.random(500) < 0.02 + 0.3 * (score > 20))
    told = model.Threshold(("s5", "s197"), by=by).fit(x, y, labels.Probability(), 0).predict(x)
    _, ranks = np.unique(score, return_inverse=True)
    _, told_ranks = np.unique(told, return_inverse=True)
    assert np.array_equal(ranks, told_ranks)
    assert told.mean() == pytest.approx(y.value.mean(), abs=1e-3)


def test_a_score_that_misleads_is_kept_low_not_turned_round(answered):
    rng = np.random.default_rng(1)
    x = matrix(rng, 300)
    y = answered(np.nan_to_num(x.columns["s5"]) < 1)
    told = model.Threshold(("s5",)).fit(x, y, labels.Probability(), 0).predict(x)
    assert np.all(np.diff(told[np.argsort(x.columns["s5"])]) >= 0)
