"""Distances against the plain twin and against SciPy, ties, infinities and p-values included."""

import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars
import pytest
import scipy.stats

from flyball import kernels
from flyball.kernels import backend

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")

RAGGED = st.sampled_from(
    [np.nan, 0.0, -0.0, 1.0, 1.0, 1 + 2**-52, 2.5, -3.5, 5e-324, 1e30, -1e30, np.inf, -np.inf]
)


@st.composite
def pairs(draw, numbers=RAGGED):
    """A reference and current rows of the same columns."""
    columns = draw(st.sampled_from([1, 3]))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    sides = []
    for _ in range(2):
        many = columns * draw(st.integers(0, 60))
        side = np.array(draw(st.lists(numbers, min_size=many, max_size=many)), np.float64).reshape(
            -1, columns
        )
        sides.append(np.asarray(side.astype(dtype), order=draw(st.sampled_from(["C", "F"]))))
    return sides


@hypothesis.given(pairs())
@hypothesis.settings(
    max_examples=250, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)
def test_both_distances_are_those_of_the_twin(path, pair):
    held, current = pair
    got = kernels.SortedReference(held).distances(current)
    with backend.using("reference"):
        want = kernels.SortedReference(held).distances(current)
    assert np.array_equal(got.ks, want.ks, equal_nan=True)
    np.testing.assert_allclose(got.wasserstein, want.wasserstein, rtol=1e-12, atol=1e-300)
    assert np.array_equal(got.rows, want.rows) and np.array_equal(got.missing, want.missing)


SAMPLES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "ties": lambda rng, n: rng.integers(0, 30, n) / 7,
    "nearly equal": lambda rng, n: 1e9 + rng.random(n) * 1e-4,
    "far apart": lambda rng, n: np.exp(rng.normal(size=n) * 100),
    "one value": lambda rng, n: np.full(n, 2.5),
    "sorted": lambda rng, n: np.arange(n) * 0.1,
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("sizes", [(20_000, 20_000), (30_011, 501), (501, 30_011), (1, 7)])
def test_both_distances_are_those_of_scipy(path, kind, sizes):
    rng = np.random.default_rng(3)
    held, current = (SAMPLES[kind](rng, size) for size in sizes)
    current = current + current.dtype.type(0.25 * np.ptp(held) * (kind != "nearly equal"))
    found = kernels.SortedReference(held).distances(current)
    wide = held.astype(np.float64), current.astype(np.float64)
    assert found.ks[0] == pytest.approx(scipy.stats.ks_2samp(*wide, method="asymp").statistic, abs=1e-12)
    assert found.wasserstein[0] == pytest.approx(
        scipy.stats.wasserstein_distance(*wide), rel=1e-12, abs=1e-12
    )


def test_columns_are_held_apart_and_missing_values_counted(path):
    rng = np.random.default_rng(4)
    held, current = rng.normal(size=(2, 3000, 19))
    held[rng.random(held.shape) < 0.1] = np.nan
    current[rng.random(current.shape) < 0.2] = np.nan
    current[:, 5] = np.nan
    reference = pickle.loads(pickle.dumps(kernels.SortedReference(held)))
    found = reference.distances(current)
    assert np.array_equal(reference.missing, np.isnan(held).sum(axis=0))
    assert np.array_equal(found.missing, np.isnan(current).sum(axis=0))
    assert np.isnan(found.ks[5]) and np.isnan(found.wasserstein[5]) and found.rows[5] == 0
    for column in (0, 18):
        own = [side[:, column][~np.isnan(side[:, column])] for side in (held, current)]
        assert found.ks[column] == pytest.approx(scipy.stats.ks_2samp(*own).statistic, abs=1e-12)
    strided = np.repeat(np.repeat(current, 2, axis=0), 2, axis=1)[::2, ::2]
    strided.flags.writeable = False
    for other in (np.asfortranarray(current), strided):
        assert np.array_equal(reference.ks(other), found.ks, equal_nan=True)
        assert np.array_equal(reference.wasserstein(other), found.wasserstein, equal_nan=True)
    one = kernels.SortedReference(polars.Series(held[:, 0].tolist()))
    assert one.ks(polars.Series(current[:, 0].tolist()))[0] == found.ks[0]


@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (60, 60), (100, 37), (900, 1000)])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2, 0.6, 1.0])
def test_small_samples_have_the_exact_p_value_of_scipy(sizes, share):
    many = sizes[0] * sizes[1] // np.gcd(*sizes)
    left, right = np.arange(sizes[0]) / sizes[0], np.arange(sizes[1]) / sizes[1] + share
    told = scipy.stats.ks_2samp(left, right, method="exact")
    assert round(told.statistic * many) == pytest.approx(told.statistic * many, abs=1e-6)
    assert kernels.ks_pvalue(told.statistic, *sizes) == pytest.approx(told.pvalue, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("sizes", [(20_000, 30_000), (1_000_000, 1_000_000), (12_000, 300)])
@pytest.mark.parametrize("width", [0.01, 0.3, 0.8, 1.3, 2.5])
def test_large_samples_have_nearly_the_p_value_of_scipy(sizes, width):
    rows = sizes[0] * sizes[1] / sum(sizes)
    want = scipy.stats.kstwo.sf(width / np.sqrt(rows), round(rows))
    assert kernels.ks_pvalue(width / np.sqrt(rows), *sizes) == pytest.approx(want, abs=1e-3)


@pytest.mark.parametrize(
    "call, told",
    [
        (
            lambda: kernels.SortedReference(np.arange(3)),
            "values: needs a float64 or float32 array, not int64",
        ),
        (
            lambda: kernels.SortedReference(np.zeros(3)).ks(np.zeros((2, 2))),
            "current: 2 columns, the others have 1",
        ),
        (lambda: kernels.SortedReference(np.zeros(3)).ks([0.0]), "current: needs a float64"),
        (lambda: kernels.ks_pvalue(1.5, 3, 3), "statistic: 1.5 is none"),
        (lambda: kernels.ks_pvalue(float("nan"), 3, 3), "statistic: nan is none"),
        (lambda: kernels.ks_pvalue(0.5, 0, 3), "rows: 0 rows are no sample"),
    ],
)
def test_what_is_wrong_is_named(call, told):
    with pytest.raises(ValueError, match=told):
        call()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wide_tables_answer_alike_row_by_row_and_by_column(path, dtype):
    held, current = np.random.default_rng(8).normal(size=(2, 1031, 19)).astype(dtype)
    current[::7, 3] = np.nan
    want = kernels.SortedReference(np.asfortranarray(held)).distances(np.asfortranarray(current))
    for turned in (current, np.repeat(current, 2, axis=1)[:, ::2], current[::-1].copy()[::-1]):
        found = kernels.SortedReference(held).distances(turned)
        assert np.array_equal(found.ks, want.ks)
        assert np.array_equal(found.wasserstein, want.wasserstein)
        assert np.array_equal(found.missing, want.missing)
