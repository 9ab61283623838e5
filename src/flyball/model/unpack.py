"""Packed predictors back into running ones, with numpy and onnxruntime alone: what a machine at the edge does."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from typing import Any

from flyball import errors
from flyball.model.stage import Packed, Predictor, Transform

# What carries each runner: its module and class, imported when one is met.
_RUNNERS: Mapping[str, tuple[str, str]] = {
    "onnxruntime": ("onnx", "OnnxPredictor"),
    "openvino": ("openvino", "OpenVinoPredictor"),
    "trees": ("native", "TreesPredictor"),
    "chain": ("chain", "Chained"),
    "blend": ("blend", "Blended"),
    "prior": ("constant", "Constant"),
    "rate": ("rate", "Rates"),
    "rule": ("rule", "Rule"),
    "linear": ("linear", "Linear"),
    "sigma": ("sigma", "Limits"),
    "weibull": ("weibull", "Lives"),
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
    found = _of_system(packed.runner)
    if found is None and packed.runner not in _RUNNERS:
        hint = errors.did_you_mean(packed.runner, _RUNNERS)
        raise errors.DataError(f"no runner {packed.runner!r} in this version of flyball, {hint}")
    if found is None:
        module, name = _RUNNERS[packed.runner]
        found = getattr(importlib.import_module(f"flyball.model.{module}"), name)
    return found.unpack(packed)  # type: ignore[no-any-return]


def _of_system(runner: str) -> Any:
    """Return what carries "SYSTEM.Name": a step or predictor that one ready-made system alone has, else None.

    Only a class of Flyball's own `systems` that packs itself under that name is taken; nothing else is looked up.
    """
    system, _, name = runner.partition(".")
    if not name.isidentifier() or not system.isidentifier():
        return None
    if importlib.util.find_spec(f"flyball.systems.{system}") is None:
        return None
    found = getattr(importlib.import_module(f"flyball.systems.{system}"), name, None)
    carries = isinstance(found, type) and issubclass(found, (Predictor, Transform))
    return found if carries and found.__module__.startswith(f"flyball.systems.{system}.") else None
