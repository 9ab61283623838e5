"""Ranks are even on the training rows and stop at their ends."""

import numpy as np
import pytest

from flyball import features, model


def matrix(values):
    return features.Matrix(
        features.Moments.of(["a"] * len(values), range(len(values))), {"x": np.asarray(values, float)}
    )


def test_ranks_are_even_and_ordered(answered):
    values = np.exp(np.random.default_rng(0).normal(size=1000) * 3)
    step = model.Quantiles().fit(matrix(values), answered(np.zeros(1000)), 0)
    told = step.apply(matrix(values)).columns["x"]
    assert np.histogram(told, bins=5, range=(0, 1))[0] == pytest.approx([200] * 5, abs=5)
    assert (np.diff(told[np.argsort(values)]) >= 0).all()
    assert step.apply(matrix([-1, 1e9, np.nan])).columns["x"].tolist()[:2] == [0, 1]
    assert np.isnan(step.apply(matrix([np.nan])).columns["x"][0])


def test_many_equal_values_stand_in_their_middle(answered):
    step = model.Quantiles(points=11).fit(matrix([0.0] * 80 + [1.0] * 20), answered(np.zeros(100)), 0)
    zero = step.apply(matrix([0.0])).columns["x"][0]
    assert 0.3 < zero < 0.5
