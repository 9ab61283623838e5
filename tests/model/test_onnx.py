"""Answers in the shape of the kind, whatever the number of rows or threads."""

import pickle

import numpy as np
import pytest

from flyball import features, labels, model
from flyball.model import onnx


@pytest.fixture(scope="module")
def fitted(rows, kinds):
    trees = model.BoostedTrees(trees=5, leaves=7, min_rows=5)
    return {kind: trees.fit(rows.x, rows.truth(kinds[kind]), kinds[kind], 0) for kind in kinds}


def test_shapes_and_sums(rows, fitted):
    one, many, three = (
        fitted[kind].predict(rows.x) for kind in (labels.Probability, labels.Classes, labels.Quantity)
    )
    n = len(rows.x)
    assert (one.shape, many.shape, three.shape) == ((n,), (n, 3), (n, 3))
    assert {one.dtype, many.dtype, three.dtype} == {np.dtype(np.float64)}
    assert many.sum(axis=1) == pytest.approx(np.ones(n))
    assert (three[:, 0] == three[:, 1]).all() and (three[:, 0] == three[:, 2]).all()


def test_no_rows_no_answers(rows, fitted):
    none = rows.x.take(slice(0, 0))
    assert [fitted[kind].predict(none).shape for kind in fitted] == [(0,), (0, 3), (0, 3)]


def test_pieces_and_threads_change_nothing(rows, fitted, monkeypatch):
    predictor = fitted[labels.Probability]
    whole = predictor.predict(rows.x)
    monkeypatch.setitem(onnx.CHUNKS, "trees", 37)
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        assert np.array_equal(predictor.predict(rows.x), whole)
    alone = np.concatenate([predictor.predict(rows.x.take(slice(i, i + 1))) for i in range(20)])
    assert np.array_equal(alone, whole[:20])


def test_it_pickles_without_its_session(rows, fitted):
    predictor = fitted[labels.Probability]
    before = predictor.predict(rows.x)
    assert np.array_equal(pickle.loads(pickle.dumps(predictor)).predict(rows.x), before)


def test_wild_values_still_get_an_answer(rows, fitted):
    wild = np.resize([np.nan, np.inf, -np.inf, 1e300, -1e300, 1e-300], len(rows.x))
    x = features.Matrix(rows.moments, {**rows.x.columns, "a": wild, "b": wild[::-1].copy()})
    for predictor in fitted.values():
        assert np.isfinite(predictor.predict(x)).all()


@pytest.mark.parametrize(
    ("settings", "raw"),
    [
        (
            {"kind": "classes", "classes": list("abc")},
            [[0.2, 0.7, 0.1], [1.0000001, -1e-9, 0.0], [0.3, np.nan, 0.4]],
        ),
        ({"kind": "classes", "classes": list("ab")}, [[0.0, 0.0]]),
        ({"kind": "probability"}, [[0.4, 0.6], [1.0, -0.1], [0.0, 1.1], [0.5, np.nan]]),
        ({"kind": "probability", "shift": -0.7}, [[0.4, 0.6], [0.0, 1.1]]),
        ({"kind": "quantity", "scale": 2.0, "low": 0.0}, [[0.4], [-3.0]]),
    ],
)
def test_a_row_asked_alone_is_answered_as_among_others(settings, raw):
    raw = np.array(raw, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        whole = onnx.answers(settings, np.concatenate([raw, raw]))
    for number, row in enumerate(raw):
        one = onnx.answers(settings, row[None])
        assert one.dtype == np.float64 and one.shape == whole[:1].shape
        assert np.allclose(one[0], whole[number], rtol=1e-15, atol=0, equal_nan=True)
