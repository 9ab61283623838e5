"""Channels go and the answers stay nearly as they were; single weights go and the file shrinks."""

import types

import numpy as np
import pytest

from flyball import features, labels, model
from flyball.model import chain, pruned

FAST = model.Training(epochs=8, batch=32, rate=1e-2)
KIND = labels.Probability()


@pytest.fixture(scope="module")
def dense(rows):
    learner = model.Dense(layers=(64, 32), columns=("a", "b", "kind"), training=FAST)
    return learner.fit(rows.x, rows.truth(KIND), KIND, 0)


def apart(one, other, x):
    return float(np.abs(one.predict(x) - other.predict(x)).max())


def test_half_the_channels_go_and_a_refit_without_answers_mends_it(rows, dense):
    plain = model.Pruned(0.5, refit=False).compress(dense, rows.x)
    mended = model.Pruned(0.5).compress(dense, rows.x)
    assert len(mended.model) < 0.5 * len(dense.model)
    assert apart(mended, dense, rows.x) < 0.5 * apart(plain, dense, rows.x)
    assert apart(mended, dense, rows.x) < 0.05
    assert model.Pruned(0.5).compress(dense, rows.x).model == mended.model


@pytest.fixture(scope="module")
def pictures(make_images, answered):
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 3, 240)
    arrays = (rng.random((240, 24, 24)) * 120).astype(np.uint8)
    for number, kind in enumerate(kinds):
        arrays[number, kind * 8 : kind * 8 + 8] += 100
    moments = features.Moments.of([f"m{n}" for n in range(240)], [0] * 240)
    x = features.Matrix(moments, {"map": make_images(arrays), "z": rng.normal(size=240)})
    learner = model.Conv(
        "map", size=(16, 16), columns=("z",), width=4, training=model.Training(epochs=8, batch=32)
    )
    return x, kinds, learner.fit(x, answered(kinds), labels.Classes(("a", "b", "c")), 0)


def test_convolutions_with_sums_beside_them_are_pruned_and_refitted(pictures):
    x, kinds, net = pictures
    right = (net.predict(x).argmax(axis=1) == kinds).mean()
    small = model.Pruned(0.4).compress(net, x)
    assert len(small.model) < 0.7 * len(net.model)
    assert (small.predict(x).argmax(axis=1) == kinds).mean() >= right - 0.02 > 0.9
    plain = model.Pruned(0.4, refit=False).compress(net, x)
    assert apart(small, net, x) < 0.5 * apart(plain, net, x)


def test_a_recurrent_net_loses_what_can_be_followed(rows, answered):
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(len(rows.x), 6, 2))
    x = features.Matrix(rows.moments, {"window": steps})
    learner = model.Recurrent("window", units=8, width=8, training=model.Training(epochs=2, batch=64))
    net = learner.fit(x, answered(steps[:, -1, 0]), labels.Quantity("h"), 0)
    small = model.Pruned(0.5).compress(net, x)
    assert len(small.model) < len(net.model) and np.isfinite(small.predict(x)).all()


def test_the_smallest_weights_go_and_are_stored_sparse_where_that_is_less(rows, dense):
    many, few = (model.Pruned(share, structured=False).compress(dense, rows.x) for share in (0.9, 0.3))
    assert len(many.model) < 0.6 * len(dense.model) and abs(len(few.model) - len(dense.model)) < 200
    assert apart(few, dense, rows.x) < apart(many, dense, rows.x)
    one = rows.x.take(np.array([3]))
    assert np.allclose(few.predict(one), few.predict(rows.x)[3], atol=1e-6)


def test_what_has_no_channel_to_spare_has_no_such_variant(rows, dense):
    truth = rows.truth(KIND)
    assert model.Pruned(0.001).compress(dense, rows.x) is None
    assert model.Pruned().compress(model.Logistic().fit(rows.x, truth, KIND, 0), rows.x) is None
    trees = model.BoostedTrees(trees=3, min_rows=5).fit(rows.x, truth, KIND, 0)
    for structured in (True, False):
        assert model.Pruned(structured=structured).compress(trees, rows.x) is None
    step = model.Normalise().fit(rows.x, truth, 0)
    kept = model.Pruned().compress(chain.Chained((step,), dense), rows.x)
    assert isinstance(kept, chain.Chained) and len(kept.last.model) < len(dense.model)


def test_a_share_of_all_or_nothing_is_a_problem():
    page = types.SimpleNamespace()
    assert [problem.place for problem in model.Pruned(1.0).problems(page)] == ["share"]
    assert not list(model.Pruned(0.3).problems(page))


def test_sabotage_refitted_to_other_channels_the_answers_are_lost(rows, dense, monkeypatch):
    whole = pruned._solved
    monkeypatch.setattr(pruned, "_solved", lambda layer, arrays, x, aim: whole(layer, arrays, x, -aim))
    assert apart(model.Pruned(0.5).compress(dense, rows.x), dense, rows.x) > 0.1
