"""Nets with less in them: whole channels taken out, or the smallest weights set to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, extras
from flyball.features import stage as features
from flyball.model import onnx, onnx_nets, variant
from flyball.model.stage import Compressor, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array
    from flyball.model.channels import Channels, Layer

#: How strongly a refitted layer is drawn to the weights it had, as a share of its inputs' mean square.
HELD = 1e-4
#: At most so many places of a picture, over all rows, that a convolution is refitted on.
PLACES = 60_000


class Pruned(Compressor):
    """A net without the `share` of its channels of the least norm (Li et al. 2017), or of its smallest weights.

    `structured` takes whole channels out: less work for any runner.  Each layer is then refitted in closed form, so
    that on the calibration rows it gives what it gave before (He et al. 2017); no answers are needed.  Unstructured,
    single weights go: a smaller file (they are stored sparse where that is less), yet no less work for a runner that
    multiplies zeros.  None for trees and for a net that has no channel to spare.

    >>> Pruned(0.25).title(), Pruned(0.9, structured=False).title()
    ('Pruned25', 'Sparse90')
    """

    share: float = 0.5
    structured: bool = True
    refit: bool = True

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the variant, its chain, blend or interval around it kept; None when there is none."""
        return variant.through(predictor, calibration, self._turned)

    def title(self) -> str:
        """Return what the variant is called."""
        return f"{'Pruned' if self.structured else 'Sparse'}{self.share * 100:.0f}"

    def _turned(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        if not isinstance(predictor, onnx.OnnxPredictor) or predictor.settings["family"] == "trees":
            return None
        extras.need("onnx", "lab", "to prune a net")
        if not self.structured:
            model = sparse(predictor.model, self.share)
        else:
            model = narrower(
                predictor.model, self.share, predictor.tensors(calibration) if self.refit else None
            )
        return None if model is None else onnx.OnnxPredictor(model, predictor.settings)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a share that leaves all or nothing."""
        if not 0 < self.share < 1:
            yield errors.Problem("share", f"a share of {self.share:g}", "give more than 0 and less than 1")


def sparse(model: bytes, share: float) -> bytes | None:
    """Return the graph with that share of each layer's weights, the smallest, set to zero; None without layers."""
    import numpy as np
    import onnx as standard

    proto = standard.load_from_string(model)
    used = {
        name for node in proto.graph.node if node.op_type in ("Conv", "Gemm", "MatMul") for name in node.input
    }
    heavy = [one for one in proto.graph.initializer if one.name in used and len(one.dims) > 1]
    for one in heavy:
        weight = standard.numpy_helper.to_array(one).copy()
        limit = np.quantile(np.abs(weight), share)
        weight[np.abs(weight) <= limit] = 0
        kept = np.flatnonzero(weight).astype(np.int64)
        if kept.nbytes + 4 * len(kept) < weight.nbytes:
            values = standard.numpy_helper.from_array(weight.ravel()[kept], one.name)
            places = standard.numpy_helper.from_array(kept, f"{one.name}.places")
            proto.graph.initializer.remove(one)
            proto.graph.sparse_initializer.append(
                standard.helper.make_sparse_tensor(values, places, weight.shape)
            )
        else:
            one.CopyFrom(standard.numpy_helper.from_array(weight, one.name))
    return onnx_nets.bare(proto) if heavy else None


def narrower(model: bytes, share: float, tensors: list[Array] | None) -> bytes | None:
    """Return the graph without that share of the channels of every set of layers; None where none can go.

    With tensors, what the graph is given for some rows, each layer is refitted on them to what it gave.
    """
    import numpy as np
    import onnx as standard

    from flyball.model.channels import Channels

    proto = standard.load_from_string(model)
    found = Channels(proto.graph)
    gone: set[int] = set()
    for channels in found.classes().values():
        norms = {channel: _norm(found, places) for channel, places in channels.items()}
        ranked = sorted(norms, key=lambda channel: (norms[channel], channel))
        gone |= set(ranked[: int(np.floor(share * len(ranked)))])
    if not gone:
        return None
    _put(proto.graph, found.without(gone))
    del proto.graph.value_info[:]
    if tensors is not None:
        _refit(standard, model, proto, found, gone, tensors)
    return onnx_nets.bare(proto)


def _norm(found: Channels, places: list[tuple[Layer, int]]) -> float:
    """Return the norm of what makes a channel, each layer's scaled to its mean, so that no layer outweighs another."""
    import numpy as np

    told = 0.0
    for layer, place in places:
        weight = np.moveaxis(found.constants[layer.weight], layer.out, 0).astype(np.float64)
        each = np.sqrt((weight.reshape(len(weight), -1) ** 2).sum(axis=1))
        told += float(each[place] / (each.mean() or 1.0))
    return told / len(places)


def _put(graph: Any, arrays: Mapping[str, Array]) -> None:
    import onnx as standard

    for one in graph.initializer:
        if one.name in arrays:
            one.CopyFrom(standard.numpy_helper.from_array(arrays[one.name], one.name))


def _refit(
    standard: Any, before: bytes, proto: Any, found: Channels, gone: set[int], tensors: list[Array]
) -> None:
    """Refit each layer of the pruned graph, first to last, to what the same channels of it gave before."""
    names = [layer.node.output[0] for layer in found.layers]
    aims = dict(zip(names, _inside(standard, standard.load_from_string(before), names, tensors), strict=True))
    for layer in found.layers:
        (given,) = _inside(standard, proto, [layer.node.input[0]], tensors)
        aim = aims[layer.node.output[0]].take(found.kept(layer.makes, gone), axis=1)
        rows, wanted = (given, aim) if given.ndim == 2 else _places(standard, layer.node, given, aim)
        arrays = {one.name: standard.numpy_helper.to_array(one) for one in proto.graph.initializer}
        _put(proto.graph, _solved(layer, arrays, rows, wanted))


def _inside(standard: Any, proto: Any, names: list[str], tensors: list[Array]) -> list[Array]:
    """Return what stands at some places of a graph for these inputs."""
    import onnxruntime as ort

    given = dict(zip((one.name for one in proto.graph.input), tensors, strict=True))
    wanted = [name for name in names if name not in given]
    if wanted:
        shown = standard.ModelProto()
        shown.CopyFrom(proto)
        del shown.graph.output[:]
        shown.graph.output.extend(standard.helper.make_empty_tensor_value_info(name) for name in wanted)
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = ort.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])
        given |= dict(zip(wanted, session.run(wanted, given), strict=True))
    return [given[name] for name in names]


def _places(standard: Any, node: Any, given: Array, aim: Array) -> tuple[Array, Array]:
    """Return what a convolution sees at places spread through the pictures, and what it is to give there."""
    import numpy as np

    told = {one.name: standard.helper.get_attribute_value(one) for one in node.attribute}
    kernel = tuple(told["kernel_shape"])
    space = len(kernel)
    pads, strides = told.get("pads") or [0] * 2 * space, told.get("strides") or [1] * space
    edges = [(pads[axis], pads[axis + space]) for axis in range(space)]
    padded = np.pad(given, [(0, 0), (0, 0), *edges])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=tuple(range(2, 2 + space)))
    windows = windows[(slice(None), slice(None), *(slice(None, None, step) for step in strides))]
    sizes = (windows.shape[0], *windows.shape[2 : 2 + space])
    total = int(np.prod(sizes))
    at = np.unravel_index(np.linspace(0, total - 1, min(total, PLACES)).astype(np.int64), sizes)
    place: Any = (at[0], slice(None), *at[1:])
    return windows[place].reshape(len(at[0]), -1), aim[place]


def _solved(layer: Layer, arrays: Mapping[str, Array], rows: Array, wanted: Array) -> dict[str, Array]:
    """Return the weights and bias that come nearest to what is wanted, drawn to those that are there (ridge)."""
    import numpy as np

    weight = np.moveaxis(arrays[layer.weight], layer.out, 0).astype(np.float64)
    old, rows = weight.reshape(len(weight), -1), rows.astype(np.float64)
    if layer.bias is not None:
        old = np.concatenate([old, arrays[layer.bias].astype(np.float64)[:, None]], axis=1)
        rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
    pull = HELD * len(rows) * max(float((rows**2).mean()), 1e-12)
    square = rows.T @ rows + pull * np.eye(rows.shape[1])
    new = np.linalg.solve(square, rows.T @ wanted.astype(np.float64) + pull * old.T).T.astype(np.float32)
    made = new[:, :-1] if layer.bias is not None else new
    out = {layer.weight: np.ascontiguousarray(np.moveaxis(made.reshape(weight.shape), 0, layer.out))}
    return out if layer.bias is None else {**out, layer.bias: np.ascontiguousarray(new[:, -1])}
