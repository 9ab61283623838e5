"""PyTorch nets to ONNX: one self-contained file, the same bytes in every process."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

from flyball import extras


def export(module: Any, shapes: list[tuple[int, ...]], kind: str, views: int = 1) -> bytes:
    """Return a trained module as an ONNX graph from its inputs (n, *shape) to answers.

    `kind` puts the sigmoid or softmax at the end; `views` averages that many symmetries of the image.  What the
    exporter writes about where it ran (source paths, stack traces) is taken out.
    """
    torch = extras.need("torch", "nets", "to export a net")
    extras.need("onnxscript", "nets", "to export a net")
    ending = _ending(torch, module, kind, views).eval()
    examples = tuple(torch.zeros((2, *shape)) for shape in shapes)
    rows = torch.export.Dim("rows", min=1)
    with warnings.catch_warnings(), _hushed("torch.onnx._internal.exporter._registration"):
        # The exporters warn about their own internals (deprecated tree specs, dynamic axes), never about the model.
        for category in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category)
        program = torch.onnx.export(
            ending, examples, dynamo=True, external_data=False, verbose=False, optimize=True,
            input_names=[f"x{i}" for i in range(len(shapes))], output_names=["answer"],
            dynamic_shapes=(tuple({0: rows} for _ in shapes),),
        )  # fmt: skip
    return bare(program.model_proto)


@contextlib.contextmanager
def _hushed(name: str) -> Iterator[None]:
    """Keep a logger from telling which optional libraries are not there."""
    import logging

    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _ending(torch: Any, module: Any, kind: str, views: int) -> Any:
    """Return the module with what turns its outputs into answers, over one or more views of the image."""
    from flyball.model import training

    class Ending(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, *tensors: Any) -> Any:
            total = self._answer(*tensors)
            for number in range(1, views):
                total = total + self._answer(training.view(torch, tensors[0], number), *tensors[1:])
            return total / views if views > 1 else total

        def _answer(self, *tensors: Any) -> Any:
            out = self.inner(*tensors)
            if kind == "probability":
                return torch.sigmoid(out)
            return torch.softmax(out, dim=1) if kind == "classes" else out

    return Ending()


def bare(model: Any) -> bytes:
    """Return an ONNX model's bytes without notes on where and by what it was written."""
    model.producer_name, model.producer_version, model.doc_string = "flyball", "", ""
    del model.metadata_props[:]
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        graph.doc_string = ""
        del graph.metadata_props[:]
        for item in [*graph.node, *getattr(graph, "input", []), *getattr(graph, "output", [])]:
            if hasattr(item, "metadata_props"):
                del item.metadata_props[:]
                item.doc_string = ""
        for item in [*graph.value_info, *getattr(graph, "initializer", [])]:
            del item.metadata_props[:]
            item.doc_string = ""
        for node in graph.node:
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return model.SerializeToString(deterministic=True)  # type: ignore[no-any-return]
