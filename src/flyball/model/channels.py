"""Which channels of a net's tensors are one and the same, so that one can be taken out of the whole graph at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints

#: What changes each channel by itself.
_ALONE = ("Relu", "Sigmoid", "Tanh", "Identity", "LeakyRelu", "HardSwish", "AveragePool", "MaxPool")


@dataclass
class Layer:
    """A convolution or dense layer: its node, its weights and bias by name, and the channels it takes and makes.

    `out` and `into` are the axes of the weights; `takes` is None where its input cannot be followed.
    """

    node: Any
    weight: str
    bias: str | None
    out: int
    into: int
    takes: list[int] | None
    makes: list[int]


class Channels:
    """The channels of a graph, followed from layer to layer; what is added together is one channel.

    Sums, products and activations join or keep channels, `Concat` puts them side by side, a mean or maximum over the
    picture keeps them.  Whatever goes through any other operator, comes in or goes out of the graph stays as it is.
    """

    def __init__(self, graph: Any) -> None:
        import onnx

        self.graph = graph
        self.constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        self.layers: list[Layer] = []
        self._parent: list[int] = []
        self._locked: set[int] = set()
        self._of: dict[str, list[int] | None] = {}
        self._by_weight: dict[str, Layer] = {}
        for one in graph.input:
            sizes = [size.dim_value for size in one.type.tensor_type.shape.dim]
            self._of[one.name] = self._lock(self._new(sizes[1])) if len(sizes) in (2, 4) else None
        for node in graph.node:
            self._follow(node)
        for one in graph.output:
            self._lock(self._of.get(one.name))

    def classes(self) -> dict[frozenset[str], dict[int, list[tuple[Layer, int]]]]:
        """Return, by the layers that make channels together, every channel that may go and where it is made."""
        made: dict[int, list[tuple[Layer, int]]] = {}
        for layer in self._by_weight.values():
            for place, channel in enumerate(layer.makes):
                made.setdefault(self.root(channel), []).append((layer, place))
        stays = {self.root(channel) for channel in self._locked}
        found: dict[frozenset[str], dict[int, list[tuple[Layer, int]]]] = {}
        for channel, places in made.items():
            if channel not in stays:
                key = frozenset(layer.weight for layer, _ in places)
                found.setdefault(key, {})[channel] = places
        return found

    def without(self, gone: set[int]) -> Mapping[str, Array]:
        """Return the weights and biases that are left when these channels are taken out."""
        left: dict[str, Array] = {}
        for layer in self._by_weight.values():
            weight = self.constants[layer.weight]
            kept = self.kept(layer.makes, gone)
            weight = weight.take(kept, axis=layer.out)
            if layer.takes is not None:
                weight = weight.take(self.kept(layer.takes, gone), axis=layer.into)
            left[layer.weight] = weight
            if layer.bias is not None:
                left[layer.bias] = self.constants[layer.bias].take(kept, axis=0)
        return left

    def root(self, channel: int) -> int:
        """Return the number that a channel and all that are one with it go by."""
        while self._parent[channel] != channel:
            channel = self._parent[channel]
        return channel

    def kept(self, channels: list[int], gone: set[int]) -> Ints:
        """Return the places of those channels that stay when some are taken out."""
        import numpy as np

        return np.array([n for n, one in enumerate(channels) if self.root(one) not in gone], dtype=np.int64)

    def _new(self, count: int) -> list[int]:
        first = len(self._parent)
        self._parent += range(first, first + count)
        return list(range(first, first + count))

    def _lock(self, channels: list[int] | None) -> list[int] | None:
        self._locked.update(channels or ())
        return channels

    def _join(self, one: list[int] | None, other: list[int] | None) -> None:
        for a, b in zip(one or (), other or (), strict=True):
            self._parent[self.root(a)] = self.root(b)

    def _follow(self, node: Any) -> None:
        import onnx

        told = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        given = [self._of.get(name) for name in node.input]
        out: list[int] | None = None
        if node.op_type in ("Conv", "Gemm") and self._is_layer(node, told):
            out = self._layer(node, told, given[0])
        elif node.op_type in _ALONE or (
            node.op_type in ("ReduceMean", "ReduceMax") and self._over_picture(node, told)
        ):
            out = given[0]
        elif node.op_type in ("Add", "Mul") and len({len(one) for one in given if one}) == 1 and all(given):
            self._join(*given)
            out = given[0]
        elif node.op_type == "Concat" and told["axis"] == 1 and all(one is not None for one in given):
            out = [channel for one in given for channel in one or ()]
        else:
            for one in given:
                self._lock(one)
        for name in node.output:
            self._of[name] = out

    def _is_layer(self, node: Any, told: Mapping[str, Any]) -> bool:
        known = node.input[1] in self.constants and all(name in self.constants for name in node.input[2:])
        plain = told.get("alpha", 1.0) == told.get("beta", 1.0) == 1.0 and not told.get("transA", 0)
        whole = told.get("group", 1) == 1 and set(told.get("dilations") or (1,)) == {1}
        return known and plain and whole and told.get("auto_pad", b"NOTSET") == b"NOTSET"

    def _layer(self, node: Any, told: Mapping[str, Any], takes: list[int] | None) -> list[int]:
        """Note a layer; one whose weights were met before makes the same channels again."""
        weight = node.input[1]
        before = self._by_weight.get(weight)
        if before is not None:
            if before.takes is not None and takes is not None:
                self._join(before.takes, takes)
            else:
                self._lock(before.takes)
                self._lock(takes)
            self._lock(before.makes)  # its users must agree: left as it is
            return before.makes
        turned = node.op_type == "Gemm" and not told.get("transB", 0)
        out, into = (1, 0) if turned else (0, 1)
        makes = self._new(self.constants[weight].shape[out])
        if takes is not None and len(takes) != self.constants[weight].shape[into]:
            takes = self._lock(takes) and None
        layer = Layer(node, weight, node.input[2] if len(node.input) > 2 else None, out, into, takes, makes)
        self._by_weight[weight] = layer
        self.layers.append(layer)
        return makes

    def _over_picture(self, node: Any, told: Mapping[str, Any]) -> bool:
        axes = told.get("axes") or (self.constants.get(node.input[1]) if len(node.input) > 1 else None)
        return axes is not None and set(map(int, axes)) <= {2, 3, -1, -2}
