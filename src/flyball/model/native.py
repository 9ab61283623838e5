"""Boosted trees as Flyball's own kernels score them: no onnxruntime in the process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.model import onnx, tensors, variant
from flyball.model.stage import Compressor, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array


class NativeTrees(Compressor):
    """Boosted trees out of their ONNX graph, scored by the kernels: less memory, a smaller file, a faster answer.

    Sums are the same float32 numbers that onnxruntime makes; a link such as the sigmoid may differ in the last bit,
    which `Agreement` judges on the machine.  What is no single ensemble of trees has no such variant (None).

    >>> NativeTrees()
    model.NativeTrees()
    """

    def compress(self, predictor: Predictor, calibration: features.Matrix) -> Predictor | None:
        """Return the variant, its chain, blend or interval around it kept; None when there is none."""
        return variant.through(predictor, calibration, lambda one, _: _native(one))


def _native(predictor: Predictor) -> Predictor | None:
    from flyball.kernels import trees

    if not isinstance(predictor, onnx.OnnxPredictor) or predictor.settings["family"] != "trees":
        return None
    try:
        return TreesPredictor(trees.Trees.from_onnx(predictor.model).to_bytes(), predictor.settings)
    except errors.DataError:  # a graph with more in it than trees
        return None


class TreesPredictor(Predictor):
    """Scores a matrix with the tree kernels; `settings` are those of `onnx.OnnxPredictor`."""

    def __init__(self, model: bytes, settings: Mapping[str, Any]) -> None:
        from flyball.kernels import trees

        self.model, self.settings = model, dict(settings)
        self._trees = trees.Trees.from_bytes(model)
        (only,) = self.settings["inputs"]
        self._maker = tensors.read(only)

    def __reduce__(self) -> tuple[Any, ...]:
        return TreesPredictor, (self.model, self.settings)

    def predict(self, x: features.Matrix) -> Array:
        """Return the answers in the shape of the kind, float64."""
        import numpy as np

        if not len(x):
            return np.zeros(onnx.shape(self.settings, 0))
        return self.score([self._maker.make(x)])

    def score(self, given: list[Array]) -> Array:
        """Return the answers to the one tensor that trees take, in the shape of the kind."""
        return onnx.answers(self.settings, self._trees.predict(given[0]))

    def influence(self) -> Mapping[str, float]:
        """Return how much each column counted in training."""
        return dict(self.settings.get("influence", {}))

    def pack(self) -> Packed:
        """Return the trees and their settings."""
        return Packed("trees", self.settings, {"model.trees": self.model})

    @staticmethod
    def unpack(packed: Packed) -> TreesPredictor:
        """Return the predictor that was packed."""
        return TreesPredictor(packed.files["model.trees"], packed.settings)
