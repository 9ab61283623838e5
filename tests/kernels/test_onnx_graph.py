"""Trees read out of an ONNX graph answer as onnxruntime does."""

import numpy as np
import pytest

from flyball import errors
from flyball.kernels import onnx_graph
from flyball.kernels.trees import Trees

lgb = pytest.importorskip("lightgbm")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


def some_rows(n=600):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 3] = rng.integers(0, 40, n)
    x[rng.random(n) < 0.05, 3] = np.nan
    event = np.nan_to_num(x[:, 0]) + np.isin(x[:, 3], [1, 4, 5, 17, 33]) > 0.5
    return x, event.astype(float), rng.integers(0, 3, n)


def graph(objective, trees=12, **options):
    from flyball.model import onnx_trees

    x, event, classes = some_rows()
    truth = classes if objective == "multiclass" else event
    settings = {"objective": objective, "verbosity": -1, "num_leaves": 9, "num_threads": 1, **options}
    rows = lgb.Dataset(x, truth, categorical_feature=[3])
    return onnx_trees.export(lgb.train(settings, rows, trees), x.shape[1]), x


def as_onnxruntime(model, x):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@pytest.mark.parametrize(
    ("objective", "options", "apart"),
    [
        ("regression", {}, 0.0),
        ("mae", {}, 0.0),
        ("binary", {}, 2e-7),
        ("poisson", {}, 4e-7),
        ("multiclass", {"num_class": 3}, 4e-7),
    ],
)
def test_it_answers_as_onnxruntime_does_missing_values_and_categories_included(objective, options, apart):
    model, x = graph(objective, **options)
    told = as_onnxruntime(model, x)
    found = Trees.from_onnx(model).predict(x)
    expected = told[:, 1] if objective == "binary" else told if objective == "multiclass" else told[:, 0]
    assert np.abs(found - expected).max() <= apart


def test_a_chain_of_categories_is_one_node_with_a_set():
    model, _ = graph("regression")
    read = onnx_graph.read(model)
    nodes = sum(
        mode != b"LEAF" for mode in onnx.helper.get_attribute_value(
            next(a for a in onnx.load_from_string(model).graph.node[0].attribute if a.name == "nodes_modes")
        )
    )  # fmt: skip
    assert len(read.set_from) > 1 and len(read.feature) < nodes
    assert len(read.to_bytes()) < len(model)


def altered(model, change):
    proto = onnx.load_from_string(model)
    change(proto.graph)
    return proto.SerializeToString()


def set_attribute(name, value):
    def change(graph):
        (found,) = (one for one in graph.node[0].attribute if one.name == name)
        graph.node[0].attribute.remove(found)
        graph.node[0].attribute.append(onnx.helper.make_attribute(name, value))

    return change


def then(operator):
    def change(graph):
        graph.node.append(onnx.helper.make_node(operator, [graph.output[0].name], ["more"]))

    return change


def modes(kind):
    def change(graph):
        (found,) = (one for one in graph.node[0].attribute if one.name == "nodes_modes")
        found.strings[:] = [kind if one != b"LEAF" else one for one in found.strings]

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (then("Sqrt"), "Sqrt after the trees"),
        (modes(b"BRANCH_GT"), "only <= and =="),
        (set_attribute("post_transform", "PROBIT"), "post_transform PROBIT"),
        (lambda graph: graph.node.insert(0, onnx.helper.make_node("Neg", ["x"], ["y"])), "begins with Neg"),
        (lambda graph: graph.ClearField("node"), "begins with None"),
    ],
)
def test_what_has_no_such_form_is_refused_by_name(change, said):
    model, _ = graph("regression", trees=2)
    with pytest.raises(errors.DataError, match=said):
        onnx_graph.read(altered(model, change))


def test_bytes_that_are_no_graph_are_told():
    with pytest.raises(errors.DataError, match="no ONNX graph"):
        onnx_graph.read(b"\xff\xff\xff")


def test_a_tree_that_leads_to_nowhere_is_refused():
    model, _ = graph("regression", trees=2)

    def loop(graph_):
        (found,) = (one for one in graph_.node[0].attribute if one.name == "nodes_truenodeids")
        found.ints[0] = 10_000

    with pytest.raises(errors.DataError, match="is not there"):
        onnx_graph.read(altered(model, loop))
