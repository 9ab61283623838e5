"""Trees on every path against the plain twin, and against the libraries that grew them."""

import copy
import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.forest_samples import ensembles, odd_rows, random_ensemble

from flyball import errors
from flyball.kernels import Trees, backend
from flyball.kernels.ensemble import LINKS

ROWS = np.random.default_rng(5).normal(size=(150, 4))


def equal(got, want, exact=True):
    """Equal to the last bit; where exp is rounded from float64 in the twin, to the last but one."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if exact:
        assert np.array_equal(got, want, equal_nan=True)
    else:
        np.testing.assert_array_almost_equal_nulp(np.nan_to_num(got), np.nan_to_num(want), 2)


@hypothesis.given(ensembles, st.integers(0, 2**32), st.integers(0, 150), st.booleans())
@hypothesis.settings(
    max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_every_path_equals_the_twin(path, ensemble, seed, count, narrow):
    trees = Trees(ensemble)
    rows = odd_rows(ROWS[:count], np.random.default_rng(seed))
    if narrow:
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        got, raw = trees.predict(rows), trees.raw(rows)
        ones = [trees.predict_one(row) for row in rows[:20]]
        with backend.using("reference"):
            want, want_raw = trees.predict(rows), trees.raw(rows)
            assert np.array_equal(
                [trees.predict_one(row) for row in rows[:1]], want[:1].tolist(), equal_nan=True
            ) or (ensemble.single)
    equal(raw, want_raw)
    equal(got, want, exact=not ensemble.single)
    assert np.array_equal(ones, got[:20].tolist(), equal_nan=True)


@pytest.mark.parametrize("most_leaves", [255, 256, 257, 700])
def test_large_trees_are_walked_and_small_ones_struck(path, most_leaves):
    trees = Trees(random_ensemble(most_leaves, 6, most_leaves))
    rows = odd_rows(ROWS, np.random.default_rng(0))
    with backend.using("reference"):
        want = trees.raw(rows)
    equal(trees.raw(rows), want)


def test_a_feature_with_thousands_of_thresholds(path):
    ensemble = random_ensemble(3, 40, 60, features=1)
    object.__setattr__(ensemble, "marks", (ensemble.marks & 1).copy())
    threshold = np.random.default_rng(1).normal(size=len(ensemble.threshold))
    object.__setattr__(ensemble, "threshold", threshold)
    rows = np.concatenate([threshold, [np.nan, np.inf, -np.inf]])[:, None]
    rows = rows[np.random.default_rng(2).permutation(len(rows))[:300]]
    trees = Trees(ensemble)
    with backend.using("reference"):
        want, narrow = trees.raw(rows), trees.raw(rows.astype(np.float32))
    equal(trees.raw(rows), want)
    equal(trees.raw(rows.astype(np.float32)), narrow)


def test_a_deep_tree_of_many_nodes(path):
    # A chain: every node has a leaf and the rest of the tree.
    n = 40_000
    ensemble = random_ensemble(0, 1, 1)
    made = dict(
        node_from=np.array([0, n]), leaf_from=np.array([0, n + 1]), feature=np.zeros(n, np.int32),
        left=~np.arange(n, dtype=np.int32), right=np.append(np.arange(1, n, dtype=np.int32), np.int32(~n)),
        threshold=np.arange(n, dtype=float), marks=np.zeros(n, np.uint8), leaf=np.arange(n + 1.0), start=np.zeros(1),
    )  # fmt: skip
    for name, value in made.items():
        object.__setattr__(ensemble, name, value)
    rows = np.array([[0.0, 0, 0, 0], [20_000.5, 0, 0, 0], [np.inf, 0, 0, 0]])
    assert Trees(ensemble).raw(rows).tolist() == [0, 20_001, n]
    assert [Trees(ensemble).predict_one(row) * ensemble.divisor for row in rows] == [0, 20_001, n]


def test_rows_may_lie_anyhow(path):
    trees = Trees(random_ensemble(2, 9, 20))
    rows = np.random.default_rng(0).normal(size=(100, 8))
    for kind in (np.float64, np.float32):
        wide = rows.astype(kind)
        want = trees.predict(np.ascontiguousarray(wide[::3, ::2]))
        equal(trees.predict(wide[::3, ::2]), want)
        equal(trees.predict(np.asfortranarray(wide[::3, ::2])), want)
        equal(
            trees.predict(wide[::-3, ::-2][::-1, ::-1]),
            trees.predict(wide[wide.shape[0] - 1 :: -3, 7::-2][::-1, ::-1].copy()),
        )
        kept = wide[::3, ::2]
        kept.flags.writeable = False
        equal(trees.predict(kept), want)
        assert [trees.predict_one(row) for row in kept] == want.tolist()
        packed = np.zeros(5, np.dtype([("a", "u1"), ("x", kind, 4)]))["x"]  # not aligned
        equal(trees.predict(packed), trees.predict(packed.copy()))


def test_a_polars_frame():
    polars = pytest.importorskip("polars")
    trees = Trees(random_ensemble(2, 9, 20))
    frame = polars.DataFrame(ROWS, schema=["a", "b", "c", "d"])
    equal(trees.predict(frame), trees.predict(ROWS))


def test_an_answer_depends_on_its_row_alone(path):
    trees = Trees(random_ensemble(4, 30, 31))
    whole = trees.predict(ROWS)
    for cut in (1, 15, 16, 17, 64, 65):
        equal(np.concatenate([trees.predict(ROWS[:cut]), trees.predict(ROWS[cut:])]), whole)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[1.0] * 4], "rows: needs a float64 or float32 array, not list"),
        (np.zeros((2, 4), int), "rows: needs a float64 or float32 array, not int64"),
        (np.zeros((2, 5)), r"rows: needs two dimensions with 4 columns, not the shape \(2, 5\)"),
        (np.zeros(4), "rows: needs two dimensions"),
        (None, "rows: needs"),
    ],
)
def test_wrong_rows_are_told(rows, said):
    with pytest.raises(ValueError, match=said):
        Trees(random_ensemble(0, 3, 5)).predict(rows)


@pytest.mark.parametrize(
    "row",
    [
        np.zeros(3),
        np.zeros((1, 4)),
        np.zeros(4, int),
        [1.0] * 4,
        None,
        np.zeros(4, complex),
        np.zeros(4, object),
    ],
)
@pytest.mark.parametrize("asked", ["native", "reference"])
def test_a_wrong_row_is_told(row, asked):
    trees = Trees(random_ensemble(0, 3, 5))
    with backend.using(backend.path if asked == "native" else asked):
        trees.predict_one(np.zeros(4))
        with pytest.raises(ValueError, match="row: needs"):
            trees.predict_one(row)


def test_they_pickle_copy_and_are_carried_as_bytes(path):
    trees = Trees(random_ensemble(7, 9, 20, groups=3, link="softmax"))
    for other in (
        pickle.loads(pickle.dumps(trees)),
        copy.deepcopy(trees),
        Trees.from_bytes(trees.to_bytes()),
    ):
        equal(other.predict(ROWS), trees.predict(ROWS))
        assert other.to_bytes() == trees.to_bytes()


def test_no_trees_and_no_rows(path):
    none = Trees(random_ensemble(0, 0, 5))
    assert none.raw(ROWS[:3]).tolist() == none.ensemble.start.tolist() * 3
    assert Trees(random_ensemble(0, 3, 5)).predict(ROWS[:0]).shape == (0,)
    assert Trees(random_ensemble(0, 3, 5, groups=3)).predict(ROWS[:0]).shape == (0, 3)


def test_a_missing_file_and_a_wrong_model_are_told(tmp_path):
    for read in (Trees.from_lightgbm, Trees.from_xgboost):
        with pytest.raises(errors.DataError, match="neither a model nor a file"):
            read(tmp_path / "nothing")
        with pytest.raises(errors.DataError, match="neither a model nor a file"):
            read("nothing at all")
        with pytest.raises(ValueError, match="model: needs"):
            read(3)


def test_every_link_has_its_number():
    assert LINKS.index("isolation") == len(LINKS) - 1 == 9
