"""Limits as columns."""

import numpy as np

from flyball import features, model


def test_missing_is_within(answered):
    x = features.Matrix(features.Moments.of(["a"] * 4, range(4)), {"n": np.array([0, 3, 9, np.nan])})
    step = model.Flag("n", above=0, below=5).fit(x, answered([0] * 4), 0)
    assert step.apply(x).columns["n>0<5"].tolist() == [0, 1, 0, 0]
