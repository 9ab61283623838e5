"""Packed predictors back into running ones, with numpy and onnxruntime alone: what a machine at the edge does."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from flyball import errors
from flyball.model.stage import Packed, Predictor, Transform

# What carries each runner: its module and class, imported when one is met.
_RUNNERS: Mapping[str, tuple[str, str]] = {
    "onnxruntime": ("onnx", "OnnxPredictor"),
    "chain": ("chain", "Chained"),
    "blend": ("blend", "Blended"),
    "prior": ("constant", "Constant"),
    "rate": ("rate", "Rates"),
    "rule": ("rule", "Rule"),
    "linear": ("linear", "Linear"),
    "conformal": ("conformal", "Interval"),
    "normalise": ("normalise", "Normalised"),
    "regimes": ("regimes", "Assigned"),
    "encode": ("encode", "Encoded"),
    "log": ("log", "Logged"),
    "flag": ("flag", "Flagged"),
    "quantiles": ("quantiles", "Ranks"),
}


def unpack(packed: Packed) -> Predictor:
    """Return the predictor that was packed.

    Raises DataError for a runner that this version does not have, and for a packed step of a chain.

    >>> unpack(Packed("prior", {"answer": [0.25]})).pack().runner
    'prior'
    """
    found = _carried(packed)
    if not isinstance(found, Predictor):
        raise errors.DataError(f"runner {packed.runner!r} carries a step, not a predictor")
    return found


def transform(packed: Packed) -> Transform:
    """Return a packed step of a chain; raises DataError when it is a predictor."""
    found = _carried(packed)
    if not isinstance(found, Transform):
        raise errors.DataError(f"runner {packed.runner!r} carries a predictor, not a step")
    return found


def _carried(packed: Packed) -> Predictor | Transform:
    if packed.runner not in _RUNNERS:
        hint = errors.did_you_mean(packed.runner, _RUNNERS)
        raise errors.DataError(f"no runner {packed.runner!r} in this version of flyball, {hint}")
    module, name = _RUNNERS[packed.runner]
    found = getattr(importlib.import_module(f"flyball.model.{module}"), name)
    return found.unpack(packed)  # type: ignore[no-any-return]
