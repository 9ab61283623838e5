"""Small nets: they learn, and say the same as ONNX as they did in PyTorch."""

import numpy as np
import pytest

from flyball import features, labels, model
from flyball.model import metrics, nets, tensors

FAST = model.Training(epochs=12, batch=32, rate=1e-2)


@pytest.fixture(scope="module")
def pictures(rows, make_images):
    """Rows with a picture and a window that tell the event."""
    rng = np.random.default_rng(0)
    n = len(rows.x)
    images = (rng.random((n, 10, 12)) < 0.15).astype(np.uint8) + 1
    images[rows.event > 0.5, 3:6, 3:6] = 2
    window = rng.normal(size=(n, 6, 2))
    window[rows.event > 0.5, 3:, 0] += 2
    window[::9, :2] = np.nan
    return features.Matrix(rows.moments, {**rows.x.columns, "map": make_images(images), "window": window})


@pytest.mark.parametrize(
    "learner",
    [
        model.Dense(layers=(16,), training=FAST),
        model.Conv("map", size=(8, 8), channels=((2,), (1, 2)), width=4, training=FAST),
        model.Recurrent("window", units=8, width=8, kernel=3, columns=("b",), training=FAST),
    ],
    ids=lambda learner: type(learner).__name__,
)
def test_they_learn_what_there_is(rows, pictures, learner):
    kind = labels.Probability()
    fitted = learner.fit(pictures, rows.truth(kind), kind, 0)
    assert metrics.measure("roc_auc", kind, rows.event, fitted.predict(pictures)) > 0.85
    assert fitted.pack().settings["family"] == type(learner).__name__.lower()


def test_a_quantity_is_scaled_back_and_a_cut_head_answers_below_its_cap(rows):
    kind = labels.Quantity("h")
    net = model.Dense(layers=(16,), columns=("a", "b", "kind"), training=FAST)
    told = net.fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)
    assert metrics.measure("rmse", kind, rows.quantity, told) < 0.7 * rows.quantity.std()
    cut = model.Dense(layers=(16,), columns=("b",), training=FAST, caps=(11.0, None))
    below = cut.fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)
    assert below[:, 0].mean() == pytest.approx(np.minimum(rows.quantity, 11).mean(), abs=0.5)


def test_heads_are_mixed_as_declared(rows):
    kind = labels.Quantity("h")

    def told(mix):
        net = model.Dense(layers=(8,), columns=("b",), training=FAST, caps=(11.0, None), mix=mix)
        return net.fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)[:, 0]

    assert told((0.5, 0.5)) == pytest.approx((told((1.0,)) + told((0.0, 1.0))) / 2, abs=1e-5)
    assert [p.place for p in model.Dense(mix=(0.5, 0.5)).problems(None)] == ["mix"]


def test_targets_are_cut_and_standardised(answered):
    target, scale, offset = nets._targets(answered([0, 10, 200]), (100.0, None))
    assert (target * scale + offset)[:, 0] == pytest.approx([0, 10, 100])
    assert (target * scale + offset)[:, 1] == pytest.approx([0, 10, 200])


def test_pictures_are_kept_as_bytes_and_seen_as_they_will_be(pictures):
    image = tensors.Image("map", (5, 5), ((2,),))
    kept = nets._levels(image, pictures)
    assert kept.dtype == np.uint8
    assert np.array_equal(kept.astype(np.float32) / np.float32(255), image.make(pictures))
