"""The prior answers with what training saw, weights included."""

import numpy as np
import pytest

from flyball import model


def test_prior_is_the_weighted_mean(rows, answered, kinds):
    x = rows.x.take(slice(0, 4))
    probability, classes, quantity = kinds.values()
    y = answered([0, 1, 1, 0], weight=np.array([1.0, 1, 0, 0]))
    assert model.Prior().fit(x, y, probability, 0).predict(x).tolist() == [0.5] * 4
    shares = model.Prior().fit(x, answered([0, 2, 2, 2]), classes, 0).predict(x)
    assert shares.shape == (4, 3) and shares[0] == pytest.approx([0.25, 0, 0.75], abs=1e-6)
    assert model.Prior().fit(x, answered([1, 2, 3, 6]), quantity, 0).predict(x)[0].tolist() == [3.0, 3.0, 3.0]
