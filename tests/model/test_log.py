"""Logarithms of counts."""

import numpy as np
import pytest

from flyball import errors, features, model


def test_negatives_are_zero_and_missing_stays(answered):
    moments = features.Moments.of(["a"] * 4, range(4))
    x = features.Matrix(moments, {"n.1d": np.array([0, np.e - 1, -5, np.nan]), "other": np.zeros(4)})
    told = model.Log(("n.*",), suffix=".log").fit(x, answered([0] * 4), 0).apply(x)
    assert told.columns["n.1d.log"][:3] == pytest.approx([0, 1, 0]) and np.isnan(told.columns["n.1d.log"][3])
    assert set(told.columns) == {"n.1d", "n.1d.log", "other"}
    with pytest.raises(errors.DataError, match="no column 'm\\.\\*'"):
        model.Log(("m.*",)).fit(x, answered([0] * 4), 0)
