"""Trees beside the libraries that grew them and beside ONNX Runtime: equal answers first, then times."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import sidebyside
from flyball.kernels import HalfSpaceTrees, IsolationForest, Trees

LIBRARIES = ("lightgbm", "xgboost-cpu", "onnxruntime", "onnxmltools", "scikit-learn", "river")
COLUMNS, TREES = 50, 100
MANY, FEW, SINGLE = 200_000, 40_000, 2_000


def rows() -> list[dict[str, Any]]:
    """Return the comparisons, all on one thread."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MANY, COLUMNS)).astype(np.float32)
    x[rng.random(x.shape) < 0.05] = np.nan
    known = np.nan_to_num(x)
    y = (known @ rng.normal(size=COLUMNS) + 3 * known[:, 0] * known[:, 1] + rng.normal(size=MANY) > 0) * 1.0
    return [*_lightgbm(x, y, 31), *_lightgbm(x, y, 255), *_xgboost(x, y), *_isolation(known), *_half_space()]


def _each(ask: Callable[[Any], Any], asked: list[Any]) -> Callable[[], None]:
    """Work that asks one question after another."""

    def work() -> None:
        for row in asked:
            ask(row)

    return work


def _row(
    case: str, ours: Any, peer: Any, of: tuple[int, int], name: str, unit: str, goal: float | None
) -> dict[str, Any]:
    scale = 1e6 if unit.startswith("us") else 1e9
    mine, theirs = sidebyside.versus(ours, peer, runs=3)
    return sidebyside.row(case, mine / of[0] * scale, theirs / of[1] * scale, name, unit, goal)


def _alone(case: str, work: Callable[[], Any], count: int, unit: str, goal: float) -> dict[str, Any]:
    scale = 1e6 if unit.startswith("us") else 1e9
    return sidebyside.row(case, sidebyside.seconds(work) / count * scale, None, "", unit, goal)


def _lightgbm(x: Any, y: Any, leaves: int) -> list[dict[str, Any]]:
    import lightgbm as lgb

    few, headline = x[:FEW], leaves == 31
    wide = few.astype(np.float64)
    settings = {"objective": "binary", "num_leaves": leaves, "verbose": -1, "num_threads": 1}
    booster = lgb.train(settings, lgb.Dataset(few, y[:FEW]), TREES)
    trees = Trees.from_lightgbm(booster.model_to_string())
    peer = functools.partial(booster.predict, num_threads=1)
    assert np.array_equal(trees.predict(few), peer(few))
    assert np.array_equal(trees.raw(few), peer(few, raw_score=True))

    told = f"{TREES} trees x {leaves} leaves x {COLUMNS} columns"
    one, batch = f"trees, one row, {told}", f"trees, batch, {told}"
    ours = _each(trees.predict_one, list(few[:SINGLE]))
    theirs = _each(peer, [row[None, :] for row in few[:200]])
    goals = (1 / 8, 1 / 9) if headline else (None, None)
    made = [
        _row(one, ours, theirs, (SINGLE, 200), "lightgbm", "us/row", goals[0]),
        _row(
            batch, lambda: trees.predict(few), lambda: peer(few), (FEW, FEW), "lightgbm", "ns/row", goals[1]
        ),
        _row(
            f"{batch}, float64",
            lambda: trees.predict(wide),
            lambda: peer(wide),
            (FEW, FEW),
            "lightgbm",
            "ns/row",
            None,
        ),
    ]
    if headline:
        made.append(_alone(one, ours, SINGLE, "us/row", 2.5))
        made.append(_alone(batch, lambda: trees.predict(x), MANY, "ns/row", 250))
        made += _onnx(booster, trees, few, told, ours)
        made += sidebyside.each_path(batch, lambda n: trees.predict(few[:n]), FEW, 20, "ns/row")
    return made


def _onnx(booster: Any, trees: Any, few: Any, told: str, ours: Any) -> list[dict[str, Any]]:
    import onnxruntime

    from flyball.model import onnx_trees

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(onnx_trees.export(booster, COLUMNS), options)
    # ONNX sums in float32, and adds both classes.
    assert np.allclose(session.run(None, {"x": few})[0][:, 1], trees.predict(few), atol=1e-5)
    one = _each(lambda row: session.run(None, {"x": row}), [row[None, :] for row in few[:SINGLE]])
    batch, peer = lambda: trees.predict(few), lambda: session.run(None, {"x": few})
    return [
        _row(f"trees, one row, {told}", ours, one, (SINGLE, SINGLE), "onnxruntime", "us/row", 1 / 2.4),
        _row(f"trees, batch, {told}", batch, peer, (len(few), len(few)), "onnxruntime", "ns/row", 1 / 7),
    ]


def _xgboost(x: Any, y: Any) -> list[dict[str, Any]]:
    import xgboost as xgb

    few = x[:FEW]
    settings = {"objective": "binary:logistic", "max_depth": 6, "nthread": 1}
    booster = xgb.train(settings, xgb.DMatrix(few, y[:FEW], nthread=1), TREES)
    booster.set_param({"nthread": 1})
    trees = Trees.from_xgboost(booster.save_raw("ubj"))
    assert np.array_equal(trees.predict(few), booster.inplace_predict(few))
    told = f"{TREES} trees of depth 6 x {COLUMNS} columns"
    ours = _each(trees.predict_one, list(few[:SINGLE]))
    theirs = _each(booster.inplace_predict, [row[None, :] for row in few[:100]])
    batch, peer = lambda: trees.predict(few), lambda: booster.inplace_predict(few)
    return [
        _row(f"trees, one row, {told}", ours, theirs, (SINGLE, 100), "xgboost", "us/row", 1 / 40),
        _row(f"trees, batch, {told}", batch, peer, (FEW, FEW), "xgboost", "ns/row", None),
    ]


def _isolation(x: Any) -> list[dict[str, Any]]:
    from sklearn import ensemble

    x = np.ascontiguousarray(x[:FEW, :20])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = ensemble.IsolationForest(n_estimators=TREES, random_state=0, n_jobs=1).fit(x)
    forest = IsolationForest.from_sklearn(fitted)
    # NumPy's powers by AVX-512 end a bit beside the C library's; elsewhere both are equal.
    np.testing.assert_array_max_ulp(forest.score_samples(x), fitted.score_samples(x), maxulp=1)
    told = f"isolation forest, {TREES} trees x 20 columns"
    ours = _each(forest.score_one, list(x[:SINGLE]))
    theirs = _each(fitted.score_samples, [row[None, :] for row in x[:50]])
    batch, peer = lambda: forest.score_samples(x), lambda: fitted.score_samples(x)
    return [
        _alone(f"{told}, one row", ours, SINGLE, "us/row", 5),
        _row(f"{told}, one row", ours, theirs, (SINGLE, 50), "scikit-learn", "us/row", 1 / 900),
        _row(f"{told}, batch", batch, peer, (FEW, FEW), "scikit-learn", "ns/row", 1 / 3.5),
    ]


def _half_space() -> list[dict[str, Any]]:
    from river import anomaly

    x = np.random.default_rng(1).random((FEW, 20))
    count = 1_000
    named = [dict(enumerate(row)) for row in x[:count].tolist()]
    ours, theirs = HalfSpaceTrees(20, n_trees=25, seed=1), anomaly.HalfSpaceTrees(n_trees=25, seed=1)

    def peer() -> list[float]:
        scores = []
        for row in named:
            scores.append(theirs.score_one(row))
            theirs.learn_one(row)
        return scores

    assert ours.push(x[:count]).tolist() == peer()
    told = "half-space trees, 25 x height 8 x 20 columns, score and learn"
    return [
        _alone(told, lambda: ours.push(x), FEW, "us/sample", 1),
        _row(told, lambda: ours.push(x), peer, (FEW, count), "river", "us/sample", 1 / 60),
    ]
