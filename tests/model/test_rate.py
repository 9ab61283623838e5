"""Rates by bin, drawn toward the whole."""

import numpy as np
import pytest

from flyball import data, errors, features, labels, model

MOMENTS = features.Moments.of(["a"] * 8, range(8))


def test_bins_have_their_own_rate_and_missing_has_one_too(answered):
    x = features.Matrix(MOMENTS, {"age": np.array([1.0, 1, 2, 2, 9, 9, np.nan, np.nan])})
    y = answered([0, 0, 0, 0, 1, 1, 1, 0])
    told = model.Rate("age", bins=3, prior=0).fit(x, y, labels.Probability(), 0).predict(x)
    assert told.tolist() == [0, 0, 0, 0, 1, 1, 0.5, 0.5]


def test_few_rows_say_little(answered):
    x = features.Matrix(MOMENTS, {"kind": data.Words.of(["x"] * 7 + ["y"])})
    y = answered([0, 0, 0, 0, 0, 0, 0, 1])
    fitted = model.Rate("kind", prior=7).fit(x, y, labels.Probability(), 0)
    assert fitted.predict(x)[7] == pytest.approx((1 + 7 / 8) / 8)
    unseen = features.Matrix(MOMENTS, {"kind": data.Words.of(["z"] * 8)})
    assert fitted.predict(unseen)[0] == pytest.approx(1 / 8)


def test_a_sequence_has_no_bins(answered):
    x = features.Matrix(MOMENTS, {"age": np.zeros((8, 2, 1))})
    with pytest.raises(errors.DataError, match="no single number"):
        model.Rate("age").fit(x, answered([0] * 8), labels.Probability(), 0)
