"""Linear models against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as PeerRidge

from flyball import features, labels, model
from flyball.model import linear


def test_logistic_equals_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    y = (x[:, 0] - x[:, 1] + rng.normal(size=300) > 1).astype(float)
    slopes, start = linear.logistic(x, y, None, l2=1.0)
    peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    assert slopes == pytest.approx(peer.coef_[0], abs=1e-5)
    assert start == pytest.approx(peer.intercept_[0], abs=1e-5)


def test_weights_are_repeats():
    rng = np.random.default_rng(1)
    x, y, times = rng.normal(size=(80, 2)), rng.integers(0, 2, 80).astype(float), rng.integers(0, 4, 80)
    weighted = linear.logistic(x, y, times.astype(float), l2=0.5)
    repeated = linear.logistic(np.repeat(x, times, axis=0), np.repeat(y, times), None, l2=0.5)
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-6)


def test_separable_rows_stay_finite():
    x = np.linspace(-1, 1, 50)[:, None]
    slopes, start = linear.logistic(x, x[:, 0] > 0, None, l2=1e-3)
    assert np.isfinite(slopes).all() and np.isfinite(start)


def test_ridge_equals_scikit_learn_on_standardised_columns(answered):
    rng = np.random.default_rng(2)
    moments = features.Moments.of(["a"] * 100, range(100))
    raw = rng.normal(size=(100, 3)) * (1, 10, 100) + 5
    x = features.Matrix(moments, {name: raw[:, i] for i, name in enumerate("abc")})
    y = raw @ (1, 0.2, 0.03) + rng.normal(size=100)
    told = model.Ridge(l2=2.0).fit(x, answered(y), labels.Quantity(), 0).predict(x)
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    assert told[:, 0] == pytest.approx(PeerRidge(alpha=2.0).fit(scaled, y).predict(scaled), abs=1e-4)


def test_a_column_that_never_moves_does_no_harm(answered):
    moments = features.Moments.of(["a"] * 20, range(20))
    x = features.Matrix(
        moments, {"flat": np.full(20, 3.0), "none": np.full(20, np.nan), "a": np.arange(20.0)}
    )
    fitted = model.Logistic().fit(x, answered(np.arange(20) > 9), labels.Probability(), 0)
    assert np.isfinite(fitted.predict(x)).all()
