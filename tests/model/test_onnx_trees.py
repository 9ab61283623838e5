"""The exported graph goes the source model's way on every float32 value."""

import warnings

import lightgbm as lgb
import numpy as np
import onnxruntime as ort
import pytest

from flyball import errors
from flyball.model import onnx_trees


def grown(objective, **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 4)).astype(np.float32)
    x[:, 2] = rng.integers(0, 6, 600)
    x[rng.random(600) < 0.15, 0] = np.nan  # the first column has gaps, the others never
    y = np.nan_to_num(x[:, 0]) + x[:, 1] + (x[:, 2] == 3) + rng.normal(size=600)
    y = (
        np.digitize(y, (0, 1.5))
        if objective == "multiclass"
        else (y > 1)
        if objective == "binary"
        else 30 * y
    )
    told = {
        "objective": objective,
        "verbosity": -1,
        "num_threads": 1,
        "num_leaves": 15,
        "deterministic": True,
        **options,
    }
    if objective == "multiclass":
        told["num_class"] = 3
    rows = lgb.Dataset(x, y, categorical_feature=options.pop("sets", []), params=told)
    return lgb.train(told, rows, num_boost_round=30)


def score(model, x):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    assert len(session.get_outputs()) == 1
    return session.run(None, {"x": x})[0]


def hard(booster):
    """Rows at and next to every threshold, and values no sensor should send."""
    thresholds = sorted(
        {t for tree in booster.dump_model()["tree_info"] for t in cuts(tree["tree_structure"])}
    )
    near = np.array(thresholds, dtype=np.float32)
    values = [near, np.nextafter(near, np.float32(-np.inf)), np.nextafter(near, np.float32(np.inf))]
    wild = [
        np.nan,
        np.inf,
        -np.inf,
        3.4e38,
        -3.4e38,
        1e-40,
        -1e-40,
        1e-35,
        -1e-35,
        0.0,
        -0.0,
        2.0,
        3.0,
        7.0,
        -1.0,
    ]
    pool = np.concatenate([*values, np.array(wild, dtype=np.float32)])
    rng = np.random.default_rng(1)
    x = rng.choice(pool, size=(20_000, 4)).astype(np.float32)
    x[:, 2] = rng.choice(np.array([0, 1, 2, 3, 4, 5, 9, np.nan], dtype=np.float32), 20_000)
    return x


def cuts(node):
    if "threshold" in node:
        if isinstance(node["threshold"], float):
            yield node["threshold"]
        yield from cuts(node["left_child"])
        yield from cuts(node["right_child"])


@pytest.mark.parametrize(
    "options", [{}, {"monotone_constraints": [1, 1, 0, 0]}, {"sets": [2]}, {"path_smooth": 1.0}]
)
@pytest.mark.parametrize("objective", ["binary", "multiclass", "regression"])
def test_answers_equal_the_source_model(objective, options):
    if objective == "multiclass" and "monotone_constraints" in options:
        options = {"lambda_l2": 3.0}
    booster = grown(objective, **dict(options))
    x = hard(booster)
    source = booster.predict(x)
    told = score(onnx_trees.export(booster, 4), x)
    told = told[:, 1] if objective == "binary" else told[:, 0] if objective == "regression" else told
    scale = np.abs(source).max() if objective == "regression" else 1.0
    assert np.abs(told - source).max() / scale < 1e-6


def test_thresholds_to_nearest_would_not_do():
    booster = grown("binary")
    x = hard(booster)
    nearest = onnx_trees.export.__globals__["floored"]
    try:
        onnx_trees.export.__globals__["floored"] = lambda text: text
        wrong = score(onnx_trees.export(booster, 4), x)[:, 1]
    finally:
        onnx_trees.export.__globals__["floored"] = nearest
    assert np.abs(wrong - booster.predict(x)).max() > 1e-3


def test_bytes_are_equal_and_tell_nothing_of_the_writer():
    booster = grown("binary")
    first = onnx_trees.export(booster, 4)
    assert first == onnx_trees.export(booster, 4)
    assert b"site-packages" not in first and b"OnnxMLTools" not in first


@pytest.mark.parametrize("option", [{"linear_tree": True}, {"zero_as_missing": True}])
def test_what_would_be_silently_wrong_is_refused(option):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        booster = grown("regression", **option)
    with pytest.raises(errors.DeclarationError, match="no faithful ONNX form"):
        onnx_trees.export(booster, 4)
