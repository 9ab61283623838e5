"""Eight bits where they pay: statically quantised convolutions and dense layers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import extras
from flyball.features import stage as features
from flyball.model import onnx, onnx_nets, variant
from flyball.model.stage import Compressor, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: The families that gain; trees and recurrent nets lose speed or accuracy and stay as they are.
FAMILIES = ("dense", "conv")


class Int8(Compressor):
    """Unsigned 8-bit activations and signed 8-bit weights per channel, ranges from training rows.

    Why so: dynamic quantisation slows convolutions down, signed activations are refused or slow on some processors.
    Weights use seven of their eight bits: a processor without VNNI adds two products in 16 bits, which full weights
    overflow, and answers far off are the result.
    At most `rows` calibration rows are used (1000 are given).  Trees and recurrent nets have no such variant (None).

    >>> Int8(rows=512)
    model.Int8(rows=512)
    """

    rows: int = 4096

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the quantised variant, its chain, blend or interval around it kept; None when there is none."""
        return variant.through(predictor, calibration, self._turned)

    def _turned(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        if isinstance(predictor, onnx.OnnxPredictor) and predictor.settings["family"] in FAMILIES:
            return self._quantised(predictor, calibration)
        return None

    def _quantised(self, predictor: onnx.OnnxPredictor, calibration: features.Matrix) -> Predictor:
        import numpy as np

        extras.need("onnx", "lab", "to quantise a net")
        count = min(self.rows, len(calibration))
        rows = np.unique(np.linspace(0, len(calibration) - 1, count).astype(np.int64))
        content = quantised(predictor.model, predictor.tensors(calibration.take(rows)))
        return onnx.OnnxPredictor(content, predictor.settings)


def quantised(model: bytes, tensors: list[Array]) -> bytes:
    """Return the graph with QDQ nodes around its convolutions and matrix products, the same bytes every time."""
    import pathlib
    import tempfile

    import onnx as standard
    import onnxruntime.quantization as quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    names = [one.name for one in standard.load_from_string(model).graph.input]

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, Array]] = iter(
                dict(zip(names, (t[at : at + 64] for t in tensors), strict=True))
                for at in range(0, len(tensors[0]), 64)
            )

        def get_next(self) -> Any:
            return next(self.batches, None)

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category)
        source, ready, out = (str(pathlib.Path(folder) / name) for name in ("source", "ready", "out"))
        pathlib.Path(source).write_bytes(model)
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantization.quantize_static(
            ready, out, Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
            activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["Conv", "Gemm", "MatMul"], reduce_range=True,
        )  # fmt: skip
        return onnx_nets.bare(standard.load(out))
