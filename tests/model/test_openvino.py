"""The same graph in OpenVINO: the same answers, nothing reported to anybody."""

import pickle
import subprocess
import sys
import types

import numpy as np
import pytest

from flyball import errors, labels, model
from flyball.model import openvino, unpack

KIND = labels.Probability()


@pytest.fixture(scope="module")
def dense(rows):
    fast = model.Training(epochs=4, batch=64, rate=1e-2)
    learner = model.Dense(layers=(32, 16), columns=("a", "b", "kind"), training=fast)
    return learner.fit(rows.x, rows.truth(KIND), KIND, 0)


@pytest.fixture
def there():
    pytest.importorskip("openvino")


def test_it_answers_as_onnxruntime_does_one_row_or_many(rows, dense, there):
    carried = model.OpenVino().compress(dense, rows.x)
    told = carried.predict(rows.x)
    assert np.abs(told - dense.predict(rows.x)).max() < 1e-5
    single = np.concatenate([carried.predict(rows.x.take(np.array([n]))) for n in range(20)])
    assert np.abs(single - told[:20]).max() < 1e-6
    assert carried.predict(rows.x.take(slice(0, 0))).shape == (0,)
    assert carried.influence() == dense.influence()


def test_fewer_bits_are_nearly_the_same(rows, dense, there):
    half = model.OpenVino("bf16").compress(dense, rows.x)
    eight = model.InTurn((model.Int8(), model.OpenVino())).compress(dense, rows.x)
    for one, most in ((half, 0.05), (eight, 0.1)):
        assert np.abs(one.predict(rows.x) - dense.predict(rows.x)).max() < most


def test_it_travels_as_the_graph_and_its_settings(rows, dense, there):
    carried = model.OpenVino("bf16").compress(dense, rows.x)
    packed = carried.pack()
    assert packed.runner == "openvino" and packed.settings["precision"] == "bf16"
    for again in (unpack.unpack(packed), pickle.loads(pickle.dumps(carried))):
        assert again.pack() == packed and np.array_equal(again.predict(rows.x), carried.predict(rows.x))


def test_more_rows_than_a_piece_are_cut(rows, dense, there, monkeypatch):
    whole = model.OpenVino().compress(dense, rows.x).predict(rows.x)
    monkeypatch.setattr(openvino, "CHUNK", 100)
    assert np.allclose(model.OpenVino().compress(dense, rows.x).predict(rows.x), whole, atol=1e-6)


def test_its_telemetry_is_never_imported(dense, there, tmp_path):
    (tmp_path / "model.onnx").write_bytes(dense.model)
    code = (
        "import pathlib, sys\nfrom flyball.model import openvino\n"
        "openvino._compiled(pathlib.Path(sys.argv[1]).read_bytes(), 'f32', 1)\n"
        "print(sys.modules['openvino_telemetry'], 'onnxruntime' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model.onnx")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]


def test_where_it_is_not_installed_there_is_no_such_variant_and_no_silence(rows, dense, monkeypatch):
    monkeypatch.setattr(openvino, "installed", lambda: False)
    assert model.OpenVino().compress(dense, rows.x) is None
    monkeypatch.setitem(sys.modules, "openvino", None)
    carried = openvino.OpenVinoPredictor(dense.model, dense.settings)
    with pytest.raises(errors.MissingExtraError, match=r"pip install 'flyball\[openvino\]'"):
        carried.predict(rows.x)


def test_trees_and_odd_precisions_are_not_for_it(rows):
    trees = model.BoostedTrees(trees=3, min_rows=5).fit(rows.x, rows.truth(KIND), KIND, 0)
    assert model.OpenVino().compress(trees, rows.x) is None
    page = types.SimpleNamespace()
    assert [problem.place for problem in model.OpenVino("f16").problems(page)] == ["precision"]
    assert not list(model.OpenVino().problems(page))
