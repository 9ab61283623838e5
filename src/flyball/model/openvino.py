"""Nets carried by OpenVINO where it is installed: bfloat16 and eight bits on what the processor has for them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flyball import errors, extras
from flyball.features import stage as features
from flyball.model import onnx, tensors, variant
from flyball.model.stage import Compressor, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: Rows that are scored at once when there are many.
CHUNK = 1_024
_TREES = "trees"


class OpenVino(Compressor):
    """The same graph, carried by OpenVINO, computing in `precision` "f32" or "bf16".

    A graph that was quantised before (`InTurn((Int8(), OpenVino()))`) runs in eight bits.  Faster than onnxruntime for
    most nets, larger in memory: measured and gated like any other variant.  None for trees, and where the extra
    `openvino` is not installed: the machines it ships to need it too.

    >>> OpenVino(precision="bf16").title()
    'OpenVino-bf16'
    """

    precision: str = "f32"

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the variant, its chain, blend or interval around it kept; None when there is none."""
        return variant.through(predictor, calibration, self._turned) if installed() else None

    def title(self) -> str:
        """Return what the variant is called."""
        return "OpenVino" if self.precision == "f32" else f"OpenVino-{self.precision}"

    def _turned(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        if not isinstance(predictor, onnx.OnnxPredictor) or predictor.settings["family"] == _TREES:
            return None
        return OpenVinoPredictor(predictor.model, {**predictor.settings, "precision": self.precision})

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a precision that there is not."""
        if self.precision not in ("f32", "bf16"):
            hint = errors.did_you_mean(self.precision, ("f32", "bf16"))
            yield errors.Problem("precision", f"no precision {self.precision!r}", hint)


class OpenVinoPredictor(Predictor):
    """Scores a matrix with one ONNX graph in OpenVINO, on one thread; `settings` are those of `onnx.OnnxPredictor`."""

    def __init__(self, model: bytes, settings: Mapping[str, Any]) -> None:
        self.model, self.settings = model, dict(settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "settings": self.settings}

    @cached_property
    def _makers(self) -> list[tensors.Maker]:
        return [tensors.read(one) for one in self.settings["inputs"]]

    @cached_property
    def _one(self) -> tuple[Any, list[Array], Array, threading.Lock]:
        """Return the graph compiled for a single row, the memory that it reads and writes, and who may use it.

        A known shape is faster, and so is its own memory: an answer then makes no objects of OpenVINO's at all.
        """
        request = _compiled(self.model, self.settings.get("precision", "f32"), 1)
        read = [request.get_input_tensor(number).data for number in range(len(self._makers))]
        return request, read, request.get_output_tensor(0).data, threading.Lock()

    @cached_property
    def _many(self) -> Any:
        return _compiled(self.model, self.settings.get("precision", "f32"), None)

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers in the shape of the kind, float64."""
        import numpy as np

        if not len(x):
            return np.zeros(onnx.shape(self.settings, 0))
        pieces = [x] if len(x) <= CHUNK else [x.take(slice(at, at + CHUNK)) for at in range(0, len(x), CHUNK)]
        given = ([maker.make(piece) for maker in self._makers] for piece in pieces)
        return onnx.answers(self.settings, np.concatenate([self._told(one) for one in given]))

    def score(self, given: list[Array]) -> Array:
        """Return the answers to tensors as the settings' inputs make them, in the shape of the kind."""
        return onnx.answers(self.settings, self._told(given))

    def _told(self, given: list[Array]) -> Array:
        if len(given[0]) > 1:
            self._many.infer(given)
            return self._many.get_output_tensor(0).data.copy()  # type: ignore[no-any-return]
        request, read, written, alone = self._one
        with alone:
            for place, tensor in zip(read, given, strict=True):
                place[:] = tensor
            request.start_async()
            request.wait()
            return written.copy()  # is written over by the next answer

    def influence(self) -> Mapping[str, float]:
        """Return how much each column counted in training, where the family can say."""
        return dict(self.settings.get("influence", {}))

    def pack(self) -> Packed:
        """Return the graph and its settings."""
        return Packed("openvino", self.settings, {"model.onnx": self.model})

    @staticmethod
    def unpack(packed: Packed) -> OpenVinoPredictor:
        """Return the predictor that was packed."""
        return OpenVinoPredictor(packed.files["model.onnx"], packed.settings)


def installed() -> bool:
    """Say whether OpenVINO is there."""
    import importlib.util

    return importlib.util.find_spec("openvino") is not None


def _compiled(model: bytes, precision: str, rows: int | None) -> Any:
    """Return a request of the graph, compiled for so many rows or for any number of them."""
    # Its telemetry is a package of its own: what is not there reports nothing, and takes no memory.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    openvino = extras.need("openvino", "openvino", "to carry this model")
    core = openvino.Core()
    read = core.read_model(model)
    if rows is not None:
        read.reshape({one.any_name: [rows, *list(one.partial_shape)[1:]] for one in read.inputs})
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(read, "CPU", wanted).create_infer_request()
