"""Channels are followed through a graph; what cannot be followed stays."""

import numpy as np
import pytest

from flyball.model import channels

onnx = pytest.importorskip("onnx")
helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT


def graph(nodes, weights, width=4, out="y"):
    held = [onnx.numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    shapes = [helper.make_tensor_value_info(n, FLOAT, [None, width]) for n in ("x", out)]
    return helper.make_graph(nodes, "g", shapes[:1], shapes[1:], held)


def dense(into, weight, out, **named):
    return helper.make_node("Gemm", [into, weight], [out], **{"transB": 1, **named})


def random(*shape):
    return np.random.default_rng(0).normal(size=shape)


def test_channels_between_two_layers_may_go_those_that_come_in_or_out_may_not():
    nodes = [dense("x", "w", "h"), helper.make_node("Relu", ["h"], ["r"]), dense("r", "v", "y")]
    found = channels.Channels(graph(nodes, {"w": random(6, 4), "v": random(4, 6)}))
    assert {key: len(value) for key, value in found.classes().items()} == {frozenset({"w"}): 6}
    gone = set(list(found.classes()[frozenset({"w"})])[:2])
    left = found.without(gone)
    assert left["w"].shape == (4, 4) and left["v"].shape == (4, 4)
    assert np.array_equal(left["w"], found.constants["w"][2:])
    assert np.array_equal(left["v"], found.constants["v"][:, 2:])


def test_what_is_added_together_goes_together():
    nodes = [
        dense("x", "w", "h"), dense("x", "u", "g", transB=0), helper.make_node("Add", ["h", "g"], ["s"]),
        helper.make_node("Concat", ["s", "x"], ["c"], axis=1), dense("c", "v", "y"),
    ]  # fmt: skip
    found = channels.Channels(graph(nodes, {"w": random(6, 4), "u": random(4, 6), "v": random(4, 10)}))
    ((key, one),) = found.classes().items()
    assert key == {"w", "u"} and all(len(places) == 2 for places in one.values())
    left = found.without({next(iter(one))})
    assert (left["w"].shape, left["u"].shape, left["v"].shape) == ((5, 4), (4, 5), (4, 9))


@pytest.mark.parametrize("between", ["Softmax", "Cos"])
def test_what_goes_through_another_operator_stays(between):
    nodes = [dense("x", "w", "h"), helper.make_node(between, ["h"], ["r"]), dense("r", "v", "y")]
    assert not channels.Channels(graph(nodes, {"w": random(6, 4), "v": random(4, 6)})).classes()


def test_weights_that_are_used_twice_stay():
    nodes = [dense("x", "w", "h"), dense("h", "w", "g"), dense("g", "v", "y")]
    assert not channels.Channels(graph(nodes, {"w": random(4, 4), "v": random(4, 4)})).classes()


def test_a_layer_whose_weights_are_computed_is_no_layer():
    nodes = [helper.make_node("Cos", ["w"], ["t"]), dense("x", "t", "h"), dense("h", "v", "y")]
    found = channels.Channels(graph(nodes, {"w": random(6, 4), "v": random(4, 6)}))
    assert [layer.weight for layer in found.layers] == ["v"] and not found.classes()
