import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from flyball import errors
from flyball.serving import formats, release

onnx = pytest.importorskip("onnx")


class Bomb:
    """Says so when somebody unpickles it."""

    def __reduce__(self):
        return (print, ("executed",))


def graph(where=None):
    """A one-node graph; `where` puts its weights outside."""
    weights = onnx.numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    if where is not None:
        weights.ClearField("raw_data")
        weights.data_location = onnx.TensorProto.EXTERNAL
        entry = weights.external_data.add()
        entry.key, entry.value = "location", where
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    made = onnx.helper.make_graph(
        [node], "g", [value("x", 1, [1, 2])], [value("y", 1, [1, 2])], initializer=[weights]
    )
    return onnx.helper.make_model(made)


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def torch_file():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model/data.pkl", pickle.dumps(Bomb()))
    return out.getvalue()


CODE = {
    "model.pkl": pickle.dumps(Bomb()),
    "model.joblib": pickle.dumps(Bomb(), protocol=4),
    "model.pt": torch_file(),
    "model.npz": torch_file(),
    "weights.bin": torch_file(),
    "golden.npz": npz(x=np.array([Bomb()], dtype=object)),
    "mean.npy": npy(np.array([Bomb()], dtype=object)),
    "fields.npy": npy(np.zeros(2, dtype=[("a", float), ("b", object)])),
    "scale.npy": pickle.dumps(Bomb()),
    "model.h5": b"\x89HDF\r\n\x1a\n",
    "model.keras": torch_file(),
    "model.onnx": pickle.dumps(Bomb(), protocol=2),
    "packed.json": pickle.dumps(Bomb(), protocol=0),
    "page.txt": pickle.dumps(Bomb(), protocol=3),
    "graph.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><net>&b;</net>',
    "lib.so": b"\x7fELF",
    "plain": b"x",
}


@pytest.mark.parametrize("name", CODE)
def test_what_could_run_code_is_refused_by_format_and_nothing_runs(name, tmp_path, capsys):
    (tmp_path / name).write_bytes(CODE[name])
    with pytest.raises(errors.FormatError, match="refuse it"):
        formats.check(tmp_path / name)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("where", ["../out.bin", "/etc/passwd", "weights.bin", "link", "a/../../b"])
def test_weights_in_another_file_are_refused_wherever_it_lies(where, tmp_path):
    (tmp_path / "model.onnx").write_bytes(graph(where).SerializeToString())
    with pytest.raises(errors.FormatError, match="external data"):
        formats.check(tmp_path / "model.onnx")


def test_weights_hidden_in_a_subgraph_an_attribute_or_a_sparse_tensor_are_found(tmp_path):
    outside = graph("../out.bin").graph.initializer[0]
    inner = onnx.helper.make_graph([], "inner", [], [], initializer=[outside])
    sparse = onnx.SparseTensorProto(values=outside)
    for attribute in (
        onnx.helper.make_attribute("then_branch", inner),
        onnx.helper.make_attribute("value", outside),
        onnx.helper.make_attribute("sparse_value", sparse),
    ):
        model = graph()
        model.graph.node[0].attribute.append(attribute)
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(errors.FormatError, match="external data"):
            formats.check(tmp_path / "model.onnx")
    function = onnx.FunctionProto(
        name="f", node=[onnx.helper.make_node("Constant", [], ["c"], value=outside)]
    )
    model = graph()
    model.functions.append(function)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(errors.FormatError, match="external data"):
        formats.check(tmp_path / "model.onnx")


def test_what_a_release_holds_passes(tmp_path):
    for name, content in {
        "model.onnx": graph().SerializeToString(),
        "golden.npz": npz(x=np.arange(3.0), names=np.array(["a", "b"])),
        "mean.npy": npy(np.arange(3.0)),
        "packed.json": json.dumps({"runner": "rule"}).encode(),
        "page.txt": b"System()",
        "module.py": b"def f(): pass\n",
        "net.xml": b"<net/>",
        "net.bin": bytes(64),
    }.items():
        (tmp_path / name).write_bytes(content)
        formats.check(tmp_path / name)


def test_the_release_of_a_run_passes_whole(pumps):
    (made,) = [path for path in (pumps.store / "releases").iterdir() if (path / "page.txt").is_file()]
    assert "model/mean.npy" in release.admit(made)


@pytest.mark.parametrize("cut", [1, 7, 60, 100])
def test_a_torn_graph_is_told(cut, tmp_path):
    (tmp_path / "model.onnx").write_bytes(graph().SerializeToString()[:-cut])
    with pytest.raises(errors.FormatError):
        formats.check(tmp_path / "model.onnx")


def test_a_graph_nested_without_end_is_refused(tmp_path):
    content = b""
    for _ in range(200):  # a node holding an attribute holding a graph, again and again
        for key in (0x32, 0x2A, 0x0A):
            size, head = len(content), b""
            while size > 127:
                head += bytes([size & 127 | 128])
                size >>= 7
            content = bytes([key]) + head + bytes([size]) + content
    size, head = len(content), b""
    while size > 127:
        head += bytes([size & 127 | 128])
        size >>= 7
    (tmp_path / "model.onnx").write_bytes(bytes([0x3A]) + head + bytes([size]) + content)
    with pytest.raises(errors.FormatError, match="deeper"):
        formats.check(tmp_path / "model.onnx")


def test_trees_of_our_own_scorer_pass_and_what_only_begins_so_does_not(tmp_path):
    lgb = pytest.importorskip("lightgbm")
    from flyball.kernels import Trees

    rows = lgb.Dataset(
        np.random.default_rng(1).normal(size=(200, 3)), np.arange(200) % 2, params={"verbosity": -1}
    )
    grown = lgb.train({"objective": "binary", "verbosity": -1, "num_leaves": 4}, rows, num_boost_round=3)
    content = Trees.from_lightgbm(grown.model_to_string()).to_bytes()
    (tmp_path / "model.trees").write_bytes(content)
    formats.check(tmp_path / "model.trees")
    for wrong in (content[:24], b"flyball trees 9\n" + content[16:], b"\x80\x04" + content):
        (tmp_path / "model.trees").write_bytes(wrong)
        with pytest.raises(errors.FormatError):
            formats.check(tmp_path / "model.trees")
