"""Boosted trees to ONNX, such that every float32 value takes the same way as in the source model."""

from __future__ import annotations

import re
import warnings
from typing import Any

from flyball import errors, extras

# kZeroThreshold of LightGBM: 1e-35 as a float32.
_ZERO = 1.0000000180025095e-35


def export(booster: Any, width: int) -> bytes:
    """Return a LightGBM booster as a self-contained ONNX graph: x (n, width) float32 to answers, no label output.

    Why so: thresholds are float64 in LightGBM and float32 in ONNX.  Rounded to nearest, values next to a threshold
    change sides; rounded toward minus infinity, x <= t holds for the same float32 x as before.  The bytes are equal
    for equal boosters.

    Raises DeclarationError for linear trees and zero-as-missing, which the converter gets wrong without a word.
    """
    lgb = extras.need("lightgbm", "lab", "to export boosted trees")
    mltools = extras.need("onnxmltools", "lab", "to export boosted trees")
    from onnxmltools.convert.common.data_types import FloatTensorType

    text = booster.model_to_string()
    if re.search(r"^is_linear=1", text, re.MULTILINE) or "[linear_tree: 1]" in text:
        raise errors.DeclarationError("linear trees have no faithful ONNX form: leave linear_tree out")
    if "[zero_as_missing: 1]" in text:
        raise errors.DeclarationError(
            "zero_as_missing has no faithful ONNX form: leave it out, NaN is missing"
        )
    rounded = lgb.Booster(model_str=floored(text))
    with warnings.catch_warnings():
        # Both speak about the converter's own calls, not about the model.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        graph = mltools.convert_lightgbm(
            rounded,
            name="flyball",
            initial_types=[("x", FloatTensorType([None, width]))],
            zipmap=False,
            target_opset=15,
        )
    return _only_answers(graph)


def floored(text: str) -> str:
    """Return a LightGBM model text with every threshold rounded to float32 toward minus infinity.

    >>> floored("tree_sizes=10\\nthreshold=0.1 0.3\\n")
    'threshold=0.09999999403953552 0.29999998211860657\\n'
    """
    lines = []
    for line in text.splitlines(keepends=True):
        if line.startswith("tree_sizes="):
            continue  # byte counts that would no longer be right; without them the text is read in order
        if line.startswith("threshold="):
            values = line[len("threshold=") :].split()
            line = "threshold=" + " ".join(repr(_floor(float(value))) for value in values) + "\n"
        lines.append(line)
    return "".join(lines)


def _floor(value: float) -> float:
    """Return the largest float32 that is not above the value.

    LightGBM takes anything within 1e-35 of zero for zero, so what equals its own -1e-35 must not pass as below it.
    """
    import numpy as np

    if value == -_ZERO:
        return float(np.nextafter(np.float32(value), np.float32(-np.inf)))

    with np.errstate(over="ignore"):
        near = np.float32(value)
    return float(near if float(near) <= value else np.nextafter(near, np.float32(-np.inf)))


def _only_answers(graph: Any) -> bytes:
    """Drop the label output with all that serves it, and what tells who wrote the file."""
    answers = (
        "probabilities" if any(one.name == "probabilities" for one in graph.graph.output) else "variable"
    )
    for output in [one for one in graph.graph.output if one.name != answers]:
        graph.graph.output.remove(output)
    needed = {answers}
    for node in reversed(list(graph.graph.node)):
        if needed & set(node.output):
            needed |= set(node.input)
        else:
            graph.graph.node.remove(node)
    del graph.metadata_props[:]
    graph.doc_string = graph.producer_name = graph.producer_version = ""
    return graph.SerializeToString(deterministic=True)  # type: ignore[no-any-return]
