"""Blends are weighted means, arithmetic or geometric."""

import numpy as np
import pytest

from flyball import errors, labels, model
from flyball.model import blend, constant


def test_means_are_weighted(rows):
    x = rows.x.take(slice(0, 2))
    two = (constant.Constant([0.2]), constant.Constant([0.8]))
    assert blend.Blended(two, (1, 3)).predict(x) == pytest.approx([0.65, 0.65])
    p = blend.Blended(two, (1, 1), geometric=True).predict(x)
    assert p == pytest.approx([0.5, 0.5])
    certain = (constant.Constant([0.0, 1.0, 0.0]), constant.Constant([0.5, 0.25, 0.25]))
    assert blend.Blended(certain, geometric=True).predict(x)[0] == pytest.approx([0, 1, 0], abs=1e-9)


def test_members_learn_from_the_same_rows(rows):
    kind, y = labels.Probability(), rows.truth(labels.Probability())
    both = model.Blend((model.Prior(), model.Logistic())).fit(rows.x, y, kind, 0)
    alone = [learner.fit(rows.x, y, kind, 0).predict(rows.x) for learner in (model.Prior(), model.Logistic())]
    assert np.allclose(both.predict(rows.x), np.mean(alone, axis=0))
    assert sum(both.influence().values()) == pytest.approx(0.5)


def test_wrong_weights_and_kinds():
    assert model.Blend((model.Prior(), model.Logistic())).accepts() == (labels.Probability,)
    assert labels.Quantity not in model.Blend((model.Prior(), model.Prior()), geometric=True).accepts()
    with pytest.raises(errors.DeclarationError, match="1 weights for 2"):
        model.Blend((model.Prior(), model.Prior()), weights=(1.0,)).fit(None, None, labels.Probability(), 0)
