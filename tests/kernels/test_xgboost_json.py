"""XGBoost's JSON and UBJSON: equal answers for all it can express, clear words for all it cannot."""

import copy
import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.forest_samples import odd_rows

from flyball import errors
from flyball.kernels import Trees, backend

xgb = pytest.importorskip("xgboost")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(700, 6))
X[RNG.random(X.shape) < 0.1] = np.nan
X[:, 3] = RNG.integers(0, 40, len(X))
SCORE = np.nan_to_num(X[:, 0]) + (X[:, 3] % 3 == 0) - np.nan_to_num(X[:, 4]) + RNG.normal(size=len(X))
POSITIVE, CLASSES, BINARY = np.abs(SCORE) + 0.01, np.digitize(SCORE, [-0.5, 0.5]), (SCORE > 0) * 1.0
# XGBoost itself refuses infinities, and categories below zero.
ASKED = odd_rows(X[:200], RNG)
ASKED[np.abs(ASKED) > 3e38] = 7
ASKED[:, 3] = np.clip(np.abs(ASKED[:, 3]), 0, 100)
TYPES = ["q", "q", "q", "c", "q", "q"]


def matrix(rows, truth=None):
    return xgb.DMatrix(rows, truth, feature_types=TYPES, enable_categorical=True)


def grown(objective, truth, trees=6, **more):
    """A booster with a categorical column."""
    data = matrix(X, truth)
    if objective == "survival:aft":
        data.set_float_info("label_lower_bound", POSITIVE)
        data.set_float_info("label_upper_bound", POSITIVE + 1)
    return xgb.train({"objective": objective, "max_depth": 4, "eta": 0.3, "nthread": 1, **more}, data, trees)


GROWN = (
    {"booster": "dart", "rate_drop": 0.5},
    {"num_parallel_tree": 2, "subsample": 0.5},
    {"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0},
)


@pytest.mark.parametrize(
    ("objective", "truth", "options"),
    [
        *(("binary:logistic", BINARY, more) for more in GROWN),
        *(("multi:softprob", CLASSES, {"num_class": 3, **more}) for more in GROWN),
        ("binary:logistic", BINARY, {}),
        ("binary:logitraw", BINARY, {}),
        ("binary:hinge", BINARY, {}),
        ("reg:logistic", BINARY, {}),
        ("multi:softprob", CLASSES, {"num_class": 3}),
        ("multi:softmax", CLASSES, {"num_class": 3}),
        ("count:poisson", POSITIVE, {}),
        ("reg:gamma", POSITIVE, {}),
        ("reg:tweedie", POSITIVE, {}),
        ("survival:cox", SCORE, {}),
        ("survival:aft", None, {}),
        ("reg:squarederror", SCORE, {}),
        ("reg:pseudohubererror", SCORE, {}),
        ("reg:absoluteerror", SCORE, {}),
        ("reg:quantileerror", SCORE, {"quantile_alpha": [0.1, 0.5]}),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
@pytest.mark.parametrize("base", [{}, {"base_score": 0.3}], ids=["fitted base", "given base"])
def test_equal_to_xgboost_to_the_last_bit(objective, truth, options, base):
    booster = grown(objective, truth, **options, **base)
    trees = Trees.from_xgboost(booster.save_raw("ubj"))
    for rows in (ASKED, ASKED.astype(np.float32)):
        want = booster.predict(matrix(rows))
        assert np.array_equal(trees.raw(rows), booster.predict(matrix(rows), output_margin=True))
        assert np.array_equal(trees.predict(rows), want)
        assert np.array_equal([trees.predict_one(row) for row in rows[:30]], want[:30].tolist())
        with backend.using("reference"):
            # The twin's float32 exp is rounded from float64.
            np.testing.assert_array_almost_equal_nulp(trees.predict(rows[:30]), want[:30], 1)


def test_every_path_is_equal(path):
    booster = grown("binary:logistic", BINARY, trees=20)
    trees = Trees.from_xgboost(booster.save_raw("ubj"))
    assert np.array_equal(trees.predict(ASKED), booster.predict(matrix(ASKED)))


def test_all_forms_are_one(tmp_path):
    booster = grown("multi:softprob", CLASSES, num_class=3)
    want = Trees.from_xgboost(booster.save_raw("ubj")).to_bytes()
    text = booster.save_raw("json").decode()
    for name in ("model.json", "model.ubj"):
        booster.save_model(tmp_path / name)
    forms = [text, text.encode(), bytearray(text.encode()), json.loads(text)]
    for form in (*forms, tmp_path / "model.json", tmp_path / "model.ubj", str(tmp_path / "model.ubj")):
        assert Trees.from_xgboost(form).to_bytes() == want


GOOD = json.loads(grown("binary:logistic", BINARY, trees=2).save_raw("json"))
TREE = ("learner", "gradient_booster", "model", "trees", 0)
PARAM = ("learner", "learner_model_param")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("learner",), None, "learner is missing"),
        (("learner", "gradient_booster", "name"), "gblinear", "'gblinear' has no trees"),
        (("learner", "objective", "name"), "binary:logistik", "did you mean 'binary:logistic'"),
        ((*PARAM, "num_feature"), "x", "num_feature is 'x'"),
        ((*PARAM, "num_feature"), "2", "feature is none of 2"),
        ((*PARAM, "base_score"), "[2E0]", "a probability lies between 0 and 1"),
        ((*PARAM, "base_score"), "[1,2,3]", "base_score is"),
        ((*PARAM, "base_score"), "much", "base_score is 'much'"),
        ((*PARAM, "num_class"), "99999999", "does not go with its trees"),
        (("learner", "gradient_booster", "model", "tree_info"), [0], "tree_info has 1 values, not 2"),
        (("learner", "gradient_booster", "model", "tree_info"), [0, 1], "tree 1: group is of no group"),
        (TREE, 3, "tree 0: is no object"),
        ((*TREE, "left_children"), None, "tree 0: left_children is missing"),
        ((*TREE, "left_children"), [], "tree 0: left_children has 0 values"),
        ((*TREE, "left_children", 0), 0, "tree 0: left_children or right_children of node 0 make no tree"),
        ((*TREE, "left_children", 0), 99, "tree 0: left_children or right_children of node 0 make no tree"),
        ((*TREE, "left_children", 0), 2, "tree 0: left_children or right_children of node 0 make no tree"),
        ((*TREE, "left_children", 0), -1, "tree 0: left_children and right_children differ"),
        ((*TREE, "left_children", 0), 0.5, "tree 0: left_children holds something else than whole"),
        ((*TREE, "left_children", 0), 10**400, "tree 0: left_children is missing or not"),
        ((*TREE, "split_conditions", 0), float("nan"), "tree 0: split_conditions is NaN"),
        ((*TREE, "split_conditions", 0), float("-inf"), "tree 0: split_conditions is -inf"),
        ((*TREE, "split_indices", 0), -1, "feature is none of 6"),
        ((*TREE, "split_indices", 0), "x", "tree 0: split_indices is missing or not a list of numbers"),
        ((*TREE, "default_left"), [1], "tree 0: default_left has 1 values"),
        ((*TREE, "categories_segments", 0), 9999, "tree 0: categories_segments of node"),
        ((*TREE, "categories", 0), -1, "tree 0: categories holds something else"),
        ((*TREE, "categories", 0), 1 << 30, "tree 0: categories holds something else"),
        ((*TREE, "categories_nodes", 0), 9999, "tree 0: categories_nodes lacks"),
        ((*TREE, "tree_param", "size_leaf_vector"), "3", "tree 0: size_leaf_vector"),
    ],
)
def test_a_wrong_model_is_told(place, value, said):
    model = copy.deepcopy(GOOD)
    inside = model
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = value
    with pytest.raises(errors.DataError, match=said):
        Trees.from_xgboost(model)


@pytest.mark.parametrize(
    "bytes_", [b"", b"{", b"[1]", b"\xff\x00", b'{"learner": {', b"{" * 5000, b'{"a":' * 100_000]
)
def test_what_is_no_model_is_told(bytes_):
    with pytest.raises(errors.DataError):
        Trees.from_xgboost(bytes_)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=80, deadline=None)
def test_a_damaged_model_is_told_or_scores(data):
    raw = bytearray(UBJ)
    for _ in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        trees = Trees.from_xgboost(bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2]))]))
    except errors.DataError:
        return
    trees.raw(np.zeros((20, trees.features)))


UBJ = bytes(grown("binary:logistic", BINARY, trees=2).save_raw("ubj"))
