"""Counts in bins against the plain twin and NumPy; divergences against their definitions and SciPy."""

import copy
import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars
import pytest
import scipy.spatial.distance
import scipy.stats

from flyball import kernels
from flyball.kernels import backend, reference
from flyball.monitoring import bins

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")

# Ties, signed zeros, infinities, the ends of float32 and beyond, and what lies between two of its values.
RAGGED = st.sampled_from(
    [
        np.nan,
        np.nan,
        0.0,
        -0.0,
        1.0,
        1.0,
        1 + 1e-12,
        2.5,
        -3.5,
        5e-324,
        1e-46,
        3.4e38,
        1e39,
        -1e300,
        np.inf,
        -np.inf,
    ]
)


def laid(table, how):
    """The same rows in another layout."""
    wide = np.full((2 * len(table), 2 * table.shape[1]), np.nan, table.dtype)
    if how == "strided":
        wide[::2, ::2] = table
        return wide[::2, ::2]
    if how == "reversed":
        return table[::-1, ::-1].copy()[::-1, ::-1]
    return np.asfortranarray(table) if how == "columns" else np.ascontiguousarray(table)


@st.composite
def cases(draw):
    columns = draw(st.sampled_from([1, 2, 3, 8, 11]))
    rows = draw(st.integers(0, 40))
    numbers = draw(st.lists(RAGGED, min_size=rows * columns, max_size=rows * columns))
    with np.errstate(over="ignore"):
        table = (
            np.array(numbers).reshape(rows, columns).astype(draw(st.sampled_from([np.float64, np.float32])))
        )
    edges = draw(st.lists(st.lists(RAGGED, max_size=13), min_size=columns, max_size=columns))
    edges = [np.unique(np.array(row)[~np.isnan(row)]).tolist() for row in edges]
    if draw(st.booleans()):
        more = np.linspace(-9, 9, draw(st.sampled_from([20, 33, 64, 70]))).tolist()
        edges[0] = sorted({*more, *edges[0]})
    return laid(table, draw(st.sampled_from(["rows", "columns", "strided", "reversed"]))), edges


@hypothesis.given(cases())
@hypothesis.settings(
    max_examples=250, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)
def test_counts_are_those_of_the_twin(path, case):
    table, edges = case
    got = kernels.histogram(table, edges)
    with backend.using("reference"):
        want = kernels.histogram(table, edges)
    assert np.array_equal(got, want)
    assert (got.sum(axis=1) == len(table)).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("how", ["rows", "columns", "strided", "reversed"])
@pytest.mark.parametrize("width", [1, 9, 25, 64, 200])
def test_counts_are_those_of_numpy(path, dtype, how, width):
    rng = np.random.default_rng(width)
    table = rng.normal(size=(5003, 13)).astype(dtype)
    table[rng.random(table.shape) < 0.05] = np.nan
    edges = np.sort(rng.normal(size=(13, width)), axis=1)
    got = kernels.histogram(laid(table, how), edges)
    for column, own, counts in zip(table.T.astype(np.float64), edges, got, strict=True):
        there = column[~np.isnan(column)]
        want = np.bincount(np.searchsorted(own, there, side="right"), minlength=width + 1)
        assert np.array_equal(counts, [*want, len(column) - len(there)])


def test_read_only_unaligned_and_polars_columns(path):
    values = np.array([0.5, np.nan, 3.0])
    values.flags.writeable = False
    want = [[1, 1, 1]]
    assert kernels.histogram(values, [1.0]).tolist() == want
    assert kernels.histogram(polars.Series([0.5, None, 3.0]), [1.0]).tolist() == want
    raw = np.zeros(3, np.dtype([("odd", "i1"), ("value", "f8")], align=False))
    raw["value"] = values
    assert kernels.histogram(raw["value"], [1.0]).tolist() == want
    assert kernels.histogram(values[:0], [1.0]).tolist() == [[0, 0, 0]]
    assert kernels.histogram(values, []).tolist() == [[2, 1]]


@hypothesis.given(cases(), st.lists(st.integers(0, 40), max_size=4))
@hypothesis.settings(deadline=None)
def test_a_stream_counts_what_the_batch_does(case, cuts):
    table, edges = case
    whole = kernels.Histogram(edges)
    for chunk in np.split(table, sorted(min(cut, len(table)) for cut in cuts)):
        whole = pickle.loads(pickle.dumps(copy.deepcopy(whole))).push(chunk)
    assert np.array_equal(whole.counts, kernels.histogram(table, edges))
    assert whole.rows == len(table)
    twice = kernels.Histogram(edges).push(table).merge(whole)
    assert np.array_equal(twice.counts, 2 * whole.counts)


COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=12)


@hypothesis.given(COUNTS, st.randoms(use_true_random=False))
def test_divergences_are_those_of_the_twin_and_of_monitoring(counts, random):
    other = [random.randint(0, 50) for _ in counts]
    for name in ("psi", "kl", "js"):
        got = getattr(kernels, name)(counts, other)
        assert got == pytest.approx(getattr(reference, name)(counts, other, 1e-4), rel=1e-9, abs=1e-14), name
        if any(counts) and any(other):
            p, q = np.array(counts) / sum(counts), np.array(other) / sum(other)
            assert got == pytest.approx(bins.divergences(p, q)[name], rel=1e-9, abs=1e-14), name


def test_divergences_are_those_of_scipy():
    rng = np.random.default_rng(0)
    p, q = rng.integers(100, 1000, (2, 10))
    tiny = 1e-15
    assert kernels.kl(p, q, tiny) == pytest.approx(scipy.stats.entropy(q / q.sum(), p / p.sum()))
    want = scipy.spatial.distance.jensenshannon(p / p.sum(), q / q.sum()) ** 2
    assert kernels.js(p, q, tiny) == pytest.approx(want)
    assert kernels.psi([p, q], [q, p]).tolist() == pytest.approx([float(kernels.psi(p, q))] * 2)


def test_a_binned_reference_finds_the_column_that_moved():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 20_000, 3))
    before[:, 1] = before[:, 1].round()  # ties: fewer bins than the others
    after[:, 1] = after[:, 1].round()
    after[:, 2] += 1
    held = kernels.BinnedReference.of(before)
    assert np.isnan(held.edges[1]).any()
    current = held.histogram().push(after)
    assert held.psi(current)[:2].max() < 0.01 < 0.5 < held.psi(current)[2]
    own = (~np.isnan(held.edges[1])).sum() + 1
    alone = kernels.psi(held.counts[1, :own], current.counts[1, :own])
    assert held.psi(current)[1] == alone
    assert held.kl(current)[2] > 0.1 and 0.05 < held.js(current)[2] < np.log(2)
    again = pickle.loads(pickle.dumps(held))
    assert np.array_equal(again.psi(current.counts), held.psi(current))
    with pytest.raises(ValueError, match="read-only"):
        held.counts[0, 0] = 1


@pytest.mark.parametrize(
    "call, told",
    [
        (
            lambda: kernels.histogram(np.arange(3), [1.0]),
            "values: needs a float64 or float32 array, not int64",
        ),
        (lambda: kernels.histogram([1.0], [1.0]), "values: needs a float64"),
        (lambda: kernels.histogram(np.zeros((2, 2, 2)), [1.0]), "values: needs one dimension or two"),
        (lambda: kernels.histogram(np.zeros(2), [2.0, 1.0]), "edges: those of column 0 do not rise at 1.0"),
        (lambda: kernels.histogram(np.zeros(2), [1.0, 1.0]), "merge equal ones"),
        (lambda: kernels.histogram(np.zeros(2), [np.nan, 1.0]), "edges: those of column 0"),
        (lambda: kernels.histogram(np.zeros((2, 2)), [[1.0]]), "edges: of shape"),
        (lambda: kernels.Histogram([[1.0]]).push(np.zeros((2, 2))), "chunk: 2 columns"),
        (lambda: kernels.Histogram([[1.0]]).merge(kernels.Histogram([[2.0]])), "other: is no histogram"),
        (lambda: kernels.Histogram([[1.0]], [[1, 2]]), "counts: needs whole counts of shape"),
        (lambda: kernels.Histogram([[1.0]], [[1, 2, -3]]), "counts: needs whole counts"),
        (lambda: kernels.BinnedReference.of(np.zeros(3), bins=0), "bins: 0 is no number of bins"),
        (lambda: kernels.psi([1, 2], [1, 2], floor=0), "floor: 0 keeps no empty bin finite"),
        (lambda: kernels.psi([1, -2], [1, 2]), "reference: needs rows of counts"),
    ],
)
def test_what_is_wrong_is_named(call, told):
    with pytest.raises(ValueError, match=told):
        call()
