"""Isolation forests against scikit-learn, half-space trees against river, all paths against the twins."""

import copy
import math
import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.forest_samples import odd_rows, random_ensemble

from flyball import errors
from flyball.kernels import HalfSpaceTrees, IsolationForest, Trees, backend

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(700, 6))


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.ensemble")


def same(told, want):
    """Equal to the last bit, or to the one before it where NumPy takes powers by other means than the C library."""
    powers = np.linspace(-1.0, 0.0, 20_001)
    by_c = np.array([math.pow(2.0, power) for power in powers])
    if np.array_equal(2.0**powers, by_c):
        return np.array_equal(told, want)
    return (np.abs(told - want) <= np.spacing(np.abs(want))).all()


@pytest.mark.parametrize(
    ("gaps", "settings"),
    [
        (True, {}),
        (False, {"max_features": 3}),
        (False, {"max_samples": 1}),
        (False, {"max_samples": 2}),
        (False, {"contamination": 0.1, "bootstrap": True}),
    ],
    ids=str,
)
def test_scores_equal_scikit_learn(sklearn, path, gaps, settings):
    rows = np.where(RNG.random(ROWS.shape) < 0.05, np.nan, ROWS) if gaps else ROWS
    fitted = sklearn.IsolationForest(n_estimators=30, random_state=0, **settings).fit(rows)
    forest = IsolationForest.from_sklearn(fitted)
    with np.errstate(over="ignore"):
        asked = odd_rows(rows, RNG, 0.05)
        asked[np.abs(asked) > 3e38] = np.inf
    for kind in (np.float64, np.float32):
        asked = asked.astype(kind)
        want, told = fitted.score_samples(asked), forest.score_samples(asked)
        assert same(told, want)
        assert same(
            forest.decision_function(asked) + fitted.offset_, fitted.decision_function(asked) + fitted.offset_
        )
        assert [forest.score_one(row) for row in asked[:50]] == told[:50].tolist()
        with backend.using("reference"):
            assert np.array_equal(forest.score_samples(asked[:20]), told[:20])


def test_a_forest_is_carried_as_bytes(sklearn):
    forest = IsolationForest.from_sklearn(sklearn.IsolationForest(n_estimators=10, random_state=0).fit(ROWS))
    for other in (IsolationForest.from_bytes(forest.to_bytes()), pickle.loads(pickle.dumps(forest))):
        assert np.array_equal(other.decision_function(ROWS), forest.decision_function(ROWS))


def test_what_is_no_forest_is_told(sklearn):
    for wrong in (None, sklearn.IsolationForest(), object()):
        with pytest.raises(ValueError, match="fitted: needs a fitted IsolationForest"):
            IsolationForest.from_sklearn(wrong)
    with pytest.raises(errors.DataError, match="no isolation forest"):
        IsolationForest.from_bytes(Trees(random_ensemble(0, 3, 5)).to_bytes())


def as_river(rows, **settings):
    """Scores of river, given before each row is learned; NaN is left out after the first row."""
    anomaly = pytest.importorskip("river.anomaly")
    trees, scores = anomaly.HalfSpaceTrees(**settings), []
    for number, row in enumerate(rows.tolist()):
        named = {column: value for column, value in enumerate(row) if value == value or not number}
        scores.append(trees.score_one(named))
        trees.learn_one(named)
    return scores


@pytest.mark.parametrize("limits", [None, [(-1, 2), (0, 1), (0.2, 0.4), (0, 5), (3, 3), (-3, 3)]])
@pytest.mark.parametrize(
    "settings", [{}, {"n_trees": 25, "height": 3, "window_size": 40}, {"n_trees": 9, "height": 1}]
)
def test_scores_equal_river(path, limits, settings):
    rows = RNG.random((600, 6))
    rows[1:][RNG.random((599, 6)) < 0.1] = np.nan
    rows[RNG.random(rows.shape) < 0.02] = np.inf
    named = None if limits is None else dict(enumerate(limits))
    want = as_river(rows, limits=named, seed=3, **settings)
    assert HalfSpaceTrees(6, limits=limits, seed=3, **settings).push(rows).tolist() == want
    with backend.using("reference"):
        assert HalfSpaceTrees(6, limits=limits, seed=3, **settings).push(rows).tolist() == want


@hypothesis.given(
    st.integers(0, 99),
    st.integers(1, 19),
    st.integers(1, 6),
    st.integers(1, 9),
    st.lists(st.integers(0, 30), max_size=6),
)
@hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_any_chunks_any_path_one_stream(path, seed, n_trees, height, window, cuts):
    rows = np.random.default_rng(seed).random((60, 3))
    rows[np.random.default_rng(seed).random(rows.shape) < 0.2] = np.nan
    make = lambda: HalfSpaceTrees(3, n_trees=n_trees, height=height, window_size=window, seed=seed)  # noqa: E731
    with backend.using("reference"):
        want = make().push(rows)
    trees, got, at = make(), [], 0
    for number, cut in enumerate(cuts):
        part = rows[at : at + cut]
        got.append(trees.push(part))
        at += len(part)
        with backend.using("reference" if number % 2 else path):
            trees = (copy.deepcopy, lambda told: pickle.loads(pickle.dumps(told)))[number % 2](trees)
    for row in rows[at:]:
        got.append([trees.score_one(row)])
        trees.learn_one(row)
    assert np.array_equal(np.concatenate(got), want)


def test_rows_may_lie_anyhow(path):
    rows = RNG.random((300, 8)).astype(np.float32)
    want = HalfSpaceTrees(4, window_size=50).push(np.ascontiguousarray(rows[:, ::2]))
    view = rows[:, ::2]
    view.flags.writeable = False
    assert np.array_equal(HalfSpaceTrees(4, window_size=50).push(view), want)
    assert np.array_equal(HalfSpaceTrees(4, window_size=50).push(view.astype(np.float64)), want)
    one = HalfSpaceTrees(4, window_size=50)
    for row, score in zip(view, want, strict=True):
        assert one.score_one(row) == score
        one.learn_one(row)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("features", 0),
        ("features", 2.0),
        ("n_trees", 0),
        ("n_trees", -1),
        ("height", 0),
        ("height", 21),
        ("window_size", 0),
        ("window_size", 1 << 31),
        ("limits", [(0, 1)]),
        ("limits", [(0, 1), (1, 0)]),
        ("limits", [(0, 1), (0, np.inf)]),
        ("limits", [(1, 1), (1, 1)]),
        ("limits", "wide"),
    ],
)
def test_wrong_settings_are_told(name, value):
    with pytest.raises(ValueError, match=f"{name}: "):
        HalfSpaceTrees(**({"features": 2} | {name: value}))
    with pytest.raises(ValueError, match="n_trees: too many nodes"):
        HalfSpaceTrees(2, n_trees=1 << 20, height=20)


@pytest.mark.parametrize("asked", ["native", "reference"])
def test_wrong_rows_are_told_and_nothing_is_learned(asked):
    with backend.using(backend.path if asked == "native" else asked):
        trees = HalfSpaceTrees(2, window_size=5)
        for row in (np.zeros(3), np.zeros((1, 2)), [0.0, 0.0], None, np.zeros(2, int)):
            for use in (trees.score_one, trees.learn_one):
                with pytest.raises(ValueError, match="row: needs"):
                    use(row)
        for rows in (np.zeros(2), np.zeros((2, 3)), np.zeros((2, 2), int), None):
            with pytest.raises(ValueError, match="rows: needs"):
                trees.push(rows)
        assert trees.__getstate__()["seen"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 2),
        ("shape", (1, 1, 1)),
        ("shape", (10, 9, 2, 250)),
        ("shape", None),
        ("feature", np.full(2550, 2, np.int32)),
        ("feature", np.full(2550, -1, np.int32)),
        ("threshold", np.zeros(3)),
        ("present", np.full(5110, -1, np.int32)),
        ("last", np.zeros(5110)),
        ("seen", 250),
        ("seen", "1"),
        ("first", 1),
    ],
)
def test_a_wrong_state_is_told(name, value):
    state = HalfSpaceTrees(2).__getstate__()
    with pytest.raises(errors.DataError, match="state: "):
        HalfSpaceTrees.__new__(HalfSpaceTrees).__setstate__(state | {name: value})
