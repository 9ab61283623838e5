"""Eight bits where they pay, nothing elsewhere."""

import numpy as np
import pytest

from flyball import labels, model
from flyball.model import blend, chain, conformal

FAST = model.Training(epochs=6, batch=32, rate=1e-2)
DENSE = model.Dense(layers=(128, 64), columns=("a", "b"), training=FAST)


@pytest.fixture(scope="module")
def dense(rows):
    return DENSE.fit(rows.x, rows.truth(labels.Probability()), labels.Probability(), 0)


def test_a_dense_net_shrinks_and_nearly_agrees(rows, dense):
    small = model.Int8().compress(dense, rows.x)
    assert len(small.model) < 0.7 * len(dense.model)
    apart = np.abs(small.predict(rows.x) - dense.predict(rows.x))
    assert 0 < apart.max() < 0.05
    assert model.Int8().compress(dense, rows.x).model == small.model


def test_what_stands_around_a_net_is_kept(rows, dense):
    step = model.Normalise().fit(rows.x, rows.truth(labels.Probability()), 0)
    chained = model.Int8().compress(chain.Chained((step,), dense), rows.x)
    assert isinstance(chained, chain.Chained) and chained.steps == (step,)
    prior = model.Prior().fit(rows.x, rows.truth(labels.Probability()), labels.Probability(), 0)
    mixed = model.Int8().compress(blend.Blended((dense, prior), (1, 3)), rows.x)
    assert mixed.members[1] is prior and mixed.weights == (0.25, 0.75)
    held = model.Int8().compress(conformal.Interval(dense, np.zeros(1), np.ones(1), (None, None)), rows.x)
    assert isinstance(held, conformal.Interval) and held.inner.model != dense.model


def test_trees_and_recurrent_nets_stay_as_they_are(rows):
    kind = labels.Probability()
    trees = model.BoostedTrees(trees=3, min_rows=5).fit(rows.x, rows.truth(kind), kind, 0)
    assert model.Int8().compress(trees, rows.x) is None
    assert model.Int8().compress(model.Prior().fit(rows.x, rows.truth(kind), kind, 0), rows.x) is None
    trees.settings["family"] = "recurrent"
    assert model.Int8().compress(blend.Blended((trees, trees)), rows.x) is None
