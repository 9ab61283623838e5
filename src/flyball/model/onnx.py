"""A predictor that onnxruntime carries: a self-contained graph and the plain settings of what goes in and out."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.model import tensors
from flyball.model.stage import Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats

#: Rows that are scored at once, by family; more are cut into pieces, so memory stays bounded.
CHUNKS = {"trees": 16_384, "dense": 16_384}


class OnnxPredictor(Predictor):
    """Scores a matrix with one ONNX graph, on one thread unless OMP_NUM_THREADS allows more for many rows.

    `settings`: "family" (trees, dense, conv, recurrent), "kind" (probability, classes, quantity), "inputs" (how the
    tensors are made, see `tensors`), "shift" of the log-odds, "scale" and "offset" of a quantity and the "mix" of
    its heads, its "low" and "high", "influence".
    """

    def __init__(self, model: bytes, settings: Mapping[str, Any]) -> None:
        self.model = model
        self.settings = dict(settings)

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "settings": self.settings}

    @cached_property
    def _makers(self) -> list[tensors.Maker]:
        return [tensors.read(one) for one in self.settings["inputs"]]

    @cached_property
    def _session(self) -> Any:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_cpu_mem_arena = False  # the arena keeps the largest batch ever seen
        return ort.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    def tensors(self, x: features.Matrix) -> list[Array]:
        """Return the tensors that the graph is given for these rows."""
        return [maker.make(x) for maker in self._makers]

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers in the shape of the kind, float64."""
        import numpy as np

        if not len(x):
            return np.zeros(shape(self.settings, 0))
        size = CHUNKS.get(self.settings["family"], 1_024)
        pieces = [x] if len(x) <= size else [x.take(slice(at, at + size)) for at in range(0, len(x), size)]
        workers = min(len(pieces), max(1, int(os.environ.get("OMP_NUM_THREADS", "1") or 1)))
        if workers == 1:
            return answers(self.settings, np.concatenate([self._run(piece) for piece in pieces]))
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers) as pool:
            return answers(self.settings, np.concatenate(list(pool.map(self._run, pieces))))

    def score(self, given: list[Array]) -> Array:
        """Return the answers to tensors as `tensors` makes them, in the shape of the kind."""
        return answers(self.settings, self._told(given))

    @cached_property
    def _names(self) -> list[str]:
        names = [one.name for one in self._session.get_inputs()]
        if len(names) != len(self._makers):
            raise errors.DataError(
                f"the graph takes {len(names)} tensors, its settings make {len(self._makers)}"
            )
        return names

    def _told(self, given: list[Array]) -> Array:
        return self._session.run(None, dict(zip(self._names, given, strict=True)))[0]  # type: ignore[no-any-return]

    def _run(self, x: features.Matrix) -> Array:
        return self._told(self.tensors(x))

    def influence(self) -> Mapping[str, float]:
        """Return how much each column counted in training, where the family can say."""
        return dict(self.settings.get("influence", {}))

    def pack(self) -> Packed:
        """Return the graph and its settings."""
        return Packed("onnxruntime", self.settings, {"model.onnx": self.model})

    @staticmethod
    def unpack(packed: Packed) -> OnnxPredictor:
        """Return the predictor that was packed."""
        return OnnxPredictor(packed.files["model.onnx"], packed.settings)


def shape(settings: Mapping[str, Any], n: int) -> tuple[int, ...]:
    """Return the shape of n answers of the kind that the settings tell."""
    width = len(settings.get("classes", ()))
    return {"probability": (n,), "classes": (n, width), "quantity": (n, 3)}[settings["kind"]]


def answers(settings: Mapping[str, Any], raw: Array) -> Floats:
    """Return what a graph gave as answers, float64, in the shape of the kind that the settings tell."""
    import numpy as np

    if len(raw) == 1 and settings["kind"] != "quantity":
        return np.array(_one(settings, raw.ravel().tolist()))
    out = np.asarray(raw, dtype=np.float64)
    if settings["kind"] == "classes":
        out = np.maximum(np.minimum(out, 1.0), 0.0)
        return np.asarray(out / out.sum(axis=1, keepdims=True))
    if settings["kind"] == "probability":
        p = np.maximum(np.minimum(out[:, -1] if out.ndim == 2 else out, 1.0), 0.0)
        shift = float(np.exp(settings.get("shift", 0.0)))
        return p if shift == 1.0 else p * shift / (p * shift + 1 - p)
    heads = out.reshape(len(out), -1) * settings.get("scale", 1.0) + settings.get("offset", 0.0)
    mix = settings.get("mix", (1.0,))
    value = heads[:, : len(mix)] @ np.asarray(mix, dtype=np.float64)
    return as_quantity(value, settings.get("low"), settings.get("high"))


def _one(settings: Mapping[str, Any], told: list[float]) -> Any:
    """Return the answer to one row, as `answers` does.

    Python's own numbers: beside a net that has filled the caches each call of NumPy takes microseconds.
    """
    kept = [0.0 if value < 0.0 else 1.0 if value > 1.0 else value for value in told]  # NaN stays
    if settings["kind"] == "classes":
        total = sum(kept)
        return [[value / total if total else math.nan for value in kept]]
    p, shift = kept[-1], math.exp(settings.get("shift", 0.0))
    return [p if shift == 1.0 else p * shift / (p * shift + 1 - p)]


def as_quantity(value: Any, low: float | None = None, high: float | None = None) -> Floats:
    """Return (n, 3) value, low, high without an interval, kept within the bounds of the quantity.

    >>> as_quantity([1.0, -2.0], low=0.0).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    import numpy as np

    bounded = np.clip(
        np.asarray(value, dtype=np.float64), -np.inf if low is None else low, np.inf if high is None else high
    )
    return np.repeat(bounded[:, None], 3, axis=1)
