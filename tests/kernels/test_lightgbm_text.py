"""LightGBM's text: equal answers for all it can express, clear words for all it cannot."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.forest_samples import ODD, odd_rows

from flyball import errors
from flyball.kernels import Trees, backend
from flyball.kernels.ensemble import ZERO

lgb = pytest.importorskip("lightgbm")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1000, 6))
X[RNG.random(X.shape) < 0.1] = np.nan
X[:, 3] = RNG.integers(0, 40, len(X))
X[:, 4] = np.where(RNG.random(len(X)) < 0.5, 0, X[:, 4])
SCORE = np.nan_to_num(X[:, 0]) + (X[:, 3] % 3 == 0) - np.nan_to_num(X[:, 4]) + RNG.normal(size=len(X))
POSITIVE, CLASSES, BINARY = np.abs(SCORE) + 0.01, np.digitize(SCORE, [-0.5, 0.5]), (SCORE > 0) * 1.0
ASKED = odd_rows(X[:250], RNG)
MORE = (
    {"zero_as_missing": True},
    {"use_missing": False},
    {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    {"boosting": "dart"},
)


def grown(objective, truth, trees=8, **more):
    """A booster with a categorical column."""
    settings = {
        "objective": objective,
        "num_leaves": 15,
        "verbose": -1,
        "num_threads": 1,
        "min_data_per_group": 5,
    }
    data = lgb.Dataset(X, truth, categorical_feature=[3])
    return lgb.train({**settings, "cat_smooth": 1, **more}, data, trees)


@pytest.mark.parametrize(
    ("objective", "truth", "options"),
    [
        *(("binary", BINARY, more) for more in MORE),
        *(("multiclass", CLASSES, {"num_class": 3, **more}) for more in MORE),
        ("regression", SCORE, {"reg_sqrt": True, **MORE[2]}),
        ("binary", BINARY, {"sigmoid": 1.7}),
        ("regression", SCORE, {}),
        ("regression", SCORE, {"reg_sqrt": True}),
        ("poisson", POSITIVE, {}),
        ("gamma", POSITIVE, {}),
        ("tweedie", POSITIVE, {}),
        ("multiclass", CLASSES, {"num_class": 3}),
        ("multiclassova", CLASSES, {"num_class": 3, "sigmoid": 0.7}),
        ("cross_entropy", BINARY, {}),
        ("cross_entropy_lambda", BINARY, {}),
        ("quantile", SCORE, {}),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_equal_to_lightgbm_to_the_last_bit(objective, truth, options):
    booster = grown(objective, truth, **options)
    trees = Trees.from_lightgbm(booster.model_to_string())
    with np.errstate(over="ignore"):
        for rows in (ASKED, ASKED.astype(np.float32)):
            want = booster.predict(rows, num_threads=1)
            assert np.array_equal(trees.predict(rows), want)
            assert np.array_equal(trees.raw(rows), booster.predict(rows, raw_score=True, num_threads=1))
            assert np.array_equal([trees.predict_one(row) for row in rows[:30]], want[:30].tolist())
            with backend.using("reference"):
                assert np.array_equal(trees.predict(rows[:30]), want[:30])


def test_every_path_is_equal(path):
    booster = grown("binary", BINARY, trees=20)
    trees = Trees.from_lightgbm(booster.model_to_string())
    assert np.array_equal(trees.predict(ASKED), booster.predict(ASKED))


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_rankers(objective):
    data = lgb.Dataset(X, CLASSES, group=[100] * 10)
    booster = lgb.train({"objective": objective, "verbose": -1, "num_leaves": 7, "num_threads": 1}, data, 5)
    assert np.array_equal(
        Trees.from_lightgbm(booster.model_to_string()).predict(ASKED), booster.predict(ASKED)
    )


def test_a_custom_objective_is_raw():
    booster = grown(lambda at, data: (at - data.get_label(), np.ones_like(at)), SCORE)
    assert np.array_equal(
        Trees.from_lightgbm(booster.model_to_string()).predict(ASKED), booster.predict(ASKED)
    )


def test_a_file(tmp_path):
    booster = grown("binary", BINARY)
    booster.save_model(tmp_path / "model.txt")
    for path in (tmp_path / "model.txt", str(tmp_path / "model.txt")):
        assert np.array_equal(Trees.from_lightgbm(path).predict(ASKED), booster.predict(ASKED))


@pytest.mark.parametrize("threshold", [0.0, ZERO, -ZERO, 1e-36, -1e-36, 5e-324, -5e-324])
@pytest.mark.parametrize("decision", [0, 2, 4, 6, 8, 10])
def test_thresholds_at_zero(threshold, decision):
    text = with_field(
        grown("regression", SCORE, trees=1).model_to_string(), "threshold", lambda _: repr(threshold)
    )
    text = with_field(text, "decision_type", lambda _: str(decision))
    text = "\n".join(line for line in text.split("\n") if not line.startswith("tree_sizes"))
    rows = np.repeat(ODD[:, None], 6, axis=1)
    assert np.array_equal(Trees.from_lightgbm(text).predict(rows), lgb.Booster(model_str=text).predict(rows))


def with_field(text, name, change, line=0):
    """The text with every value of a field changed."""
    lines = text.split("\n")
    places = [place for place, told in enumerate(lines) if told.startswith(f"{name}=")]
    values = lines[places[line]].partition("=")[2].split()
    lines[places[line]] = f"{name}=" + " ".join(change(value) for value in values)
    return "\n".join(lines)


GOOD = grown("binary", BINARY, trees=2).model_to_string()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "its first line must be 'tree'"),
        ("no model\n", "its first line must be 'tree'"),
        (GOOD[: GOOD.index("Tree=1")], "tree 0: cut short"),
        (GOOD.replace("Tree=0", "Tree=7"), "tree 0: missing"),
        (GOOD.replace("version=v4", "version=v5"), "version: 'v5' is not known"),
        (GOOD.replace("objective=binary", "objective=bynary"), "did you mean 'binary'"),
        (GOOD.replace("sigmoid:1", "sigmoid:x"), "sigmoid is 'x'"),
        (GOOD.replace("is_linear=0", "is_linear=1"), "tree 0: is_linear"),
        (GOOD.replace("num_leaves=15", "num_leaves=16"), "tree 0: split_feature has 14 values, not 15"),
        (GOOD.replace("num_leaves=15", "num_leaves=-1"), "tree 0: num_leaves is -1"),
        (GOOD.replace("num_leaves=15", "num_leaves=99999999999"), "tree 0: num_leaves is 99999999999"),
        (GOOD.replace("num_leaves=15", "num_leaves=x"), "tree 0: num_leaves is 'x'"),
        (GOOD.replace("num_tree_per_iteration=1", "num_tree_per_iteration=3"), "does not divide 2 trees"),
        (GOOD.replace("max_feature_idx=5", "max_feature_idx=2"), "tree .: feature is none of 3"),
        (GOOD.replace("leaf_value", "leaf_walue"), "tree 0: leaf_value is missing"),
        (GOOD.replace("shrinkage=1", "threshold=1"), "tree 0: threshold stands there twice"),
        (with_field(GOOD, "decision_type", lambda _: "16"), "tree 0: decision_type is unknown"),
        (with_field(GOOD, "decision_type", lambda _: "14"), "tree 0: decision_type is unknown"),
        (with_field(GOOD, "left_child", lambda _: "0"), "tree 0: left points back"),
        (with_field(GOOD, "left_child", lambda _: "99"), "tree 0: left is outside the tree"),
        (with_field(GOOD, "left_child", lambda _: "-99"), "tree 0: left is outside the tree"),
        (with_field(GOOD, "left_child", lambda _: "-1"), "tree 0: left or right"),
        (with_field(GOOD, "left_child", lambda _: "9" * 30), "tree 0: left_child holds something else"),
        (with_field(GOOD, "threshold", lambda _: "nan"), "tree 0: threshold is NaN"),
        (with_field(GOOD, "leaf_value", lambda _: "nan"), "tree 0: leaf_value is NaN"),
        (with_field(GOOD, "leaf_value", lambda _: "0x1"), "tree 0: leaf_value holds something else"),
        (with_field(GOOD, "cat_threshold", lambda _: "-1"), "tree 0: cat_threshold holds something else"),
        (with_field(GOOD, "cat_boundaries", lambda _: "5"), "tree 0: cat_boundaries must rise"),
        (with_field(GOOD, "decision_type", lambda _: "1"), "tree 0: threshold names no set"),
        (with_field(GOOD, "num_cat", lambda _: "0"), "tree 0: num_cat is 0"),
        (with_field(GOOD, "num_cat", lambda _: "99999999999"), "tree 0: num_cat is"),
    ],
)
def test_a_wrong_model_is_told(text, said):
    with pytest.raises(errors.DataError, match=said):
        Trees.from_lightgbm(text + "\n")


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=80, deadline=None)
def test_a_damaged_model_is_told_or_scores(data):
    text = GOOD[: GOOD.index("feature_importances")]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text = (
            text[:at]
            + data.draw(st.sampled_from(["", "9", "-", " ", "\n", "=", "e", "x", "1 1", "."]))
            + text[at + 1 :]
        )
    try:
        trees = Trees.from_lightgbm(text + "\n")
    except errors.DataError:
        return
    trees.raw(np.zeros((20, trees.features)))
