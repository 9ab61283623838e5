"""Trees without onnxruntime: the same answers, a smaller file, a smaller process."""

import pickle

import numpy as np
import pytest

from flyball import labels, model
from flyball.model import blend, chain, native, stage, unpack


@pytest.mark.parametrize("kind", [labels.Probability, labels.Classes, labels.Quantity])
def test_every_kind_of_answer_is_that_of_the_graph(rows, kinds, kind):
    fitted = model.BoostedTrees(trees=15, min_rows=5).fit(rows.x, rows.truth(kind), kinds[kind], 0)
    small = model.NativeTrees().compress(fitted, rows.x)
    assert isinstance(small, native.TreesPredictor)
    told, expected = small.predict(rows.x), fitted.predict(rows.x)
    assert told.dtype == np.float64 and told.shape == expected.shape
    assert np.abs(told - expected).max() < 1e-6
    assert small.predict(rows.x.take(slice(0, 0))).shape == expected[:0].shape
    assert small.influence() == fitted.influence() != {}


def test_it_travels_as_its_bytes(rows):
    kind = labels.Probability()
    fitted = model.BoostedTrees(trees=5, min_rows=5, negatives=0.5).fit(rows.x, rows.truth(kind), kind, 0)
    small = model.NativeTrees().compress(fitted, rows.x)
    packed = small.pack()
    assert packed.runner == "trees" and list(packed.files) == ["model.trees"]
    assert len(packed.files["model.trees"]) < len(fitted.model)
    for again in (unpack.unpack(packed), pickle.loads(pickle.dumps(small))):
        assert np.array_equal(again.predict(rows.x), small.predict(rows.x))
        assert again.pack() == packed


def test_what_stands_around_the_trees_is_kept_and_other_models_have_no_such_variant(rows):
    kind = labels.Probability()
    truth = rows.truth(kind)
    several = model.BoostedTrees(trees=5, min_rows=5, seeds=2).fit(rows.x, truth, kind, 0)
    step = model.Normalise().fit(rows.x, truth, 0)
    chained = model.NativeTrees().compress(chain.Chained((step,), several), rows.x)
    assert isinstance(chained.last, blend.Blended) and chained.steps == (step,)
    assert all(isinstance(one, native.TreesPredictor) for one in chained.last.members)
    assert model.NativeTrees().compress(model.Logistic().fit(rows.x, truth, kind, 0), rows.x) is None


def test_a_graph_with_more_in_it_than_trees_has_no_such_variant(rows, monkeypatch):
    from flyball.model import onnx

    mislabelled = onnx.OnnxPredictor(b"\xff\xff", {"family": "trees", "kind": "probability", "inputs": []})
    assert model.NativeTrees().compress(mislabelled, rows.x) is None


def test_monotone_trees_stay_monotone(rows):
    kind = labels.Probability()
    fitted = model.BoostedTrees(trees=20, min_rows=5, monotone={"a": 1}).fit(
        rows.x, rows.truth(kind), kind, 0
    )
    gate = model.Physics(low=0.0, high=1.0, monotone={"a": 1})
    small = model.NativeTrees().compress(fitted, rows.x)
    assert all(verdict.passed for verdict in gate.judge(gate.probe(small, rows.x)))


def test_the_compressor_asks_for_a_plain_name_and_some_rows():
    class Other(stage.Compressor):
        pass

    assert model.NativeTrees().title() == "NativeTrees" and Other().wants() == 1000
