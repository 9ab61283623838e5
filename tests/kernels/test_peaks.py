"""Peaks of a whole series: every path and the twin against SciPy, to the last bit."""

import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy import signal

from flyball import kernels
from flyball.kernels import backend

# Few values, so that ties and plateaus are common; NaN, infinities, signed zeros, far apart magnitudes.
RAGGED = st.sampled_from(
    [np.nan, 0.0, -0.0, 1.0, 1.0, 2.0, 2.0, -3.5, 5e-324, 1e308, -1e308, np.inf, -np.inf]
)
NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(-3, 3))


def scipy_peaks(values, **rules):
    """What SciPy gives; its warnings on a prominence or width of 0 are not ours."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return signal.find_peaks(values, **rules)


def assert_same(got, want):
    """Places, names, dtypes and bits."""
    assert got[0].dtype == want[0].dtype
    assert got[0].tolist() == want[0].tolist()
    assert list(got[1]) == list(want[1])
    for name, figures in want[1].items():
        assert got[1][name].dtype == figures.dtype, name
        assert np.array_equal(got[1][name], figures, equal_nan=figures.dtype.kind == "f"), name
        assert np.array_equal(np.signbit(got[1][name]), np.signbit(figures)) or np.isnan(figures).any(), name


def intervals(rows):
    """A number, a pair, or borders for each sample."""
    number = st.one_of(st.none(), NUMBERS)
    each = st.lists(NUMBERS, min_size=rows, max_size=rows).map(np.array)
    pair = st.tuples(st.one_of(number, each), st.one_of(number, each))
    return st.one_of(NUMBERS, pair, pair if rows == 2 else each.map(lambda low: (low, None)))


@st.composite
def questions(draw, longest=60):
    """A series and rules."""
    numbers = draw(st.sampled_from([RAGGED, st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.floats(-5, 5)]))
    values = np.array(draw(st.lists(numbers, max_size=longest)), np.float64)
    if draw(st.booleans()):
        values = np.concatenate([values, values, values])
    names = draw(st.sets(st.sampled_from(["height", "threshold", "prominence", "width", "plateau_size"])))
    rules = {name: draw(intervals(len(values))) for name in sorted(names)}
    if draw(st.booleans()):
        rules["distance"] = draw(st.sampled_from([1, 2.5, 3, 4, 7, 20, 1e9]))
    if draw(st.booleans()):
        rules["wlen"] = draw(st.sampled_from([2, 3, 5.5, 16, 17, 18, 40, 1e6]))
    if draw(st.booleans()):
        rules["rel_height"] = draw(st.sampled_from([0, 0.3, 1, 2]))
    return values, rules


@hypothesis.given(questions())
@hypothesis.settings(max_examples=120, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_equal_to_scipy(path, question):
    values, rules = question
    assert_same(kernels.find_peaks(values, **rules), scipy_peaks(values, **rules))


@hypothesis.given(questions(longest=30))
@hypothesis.settings(max_examples=80)
def test_the_twin_is_equal_to_scipy(question):
    values, rules = question
    with backend.using("reference"), np.errstate(all="ignore"):
        assert_same(kernels.find_peaks(values, **rules), scipy_peaks(values, **rules))


LONG = {
    "noise": lambda rng: rng.normal(size=12_000),
    "walk": lambda rng: rng.normal(size=12_000).cumsum(),
    "counts": lambda rng: rng.integers(0, 50, 12_000).astype(float),
    "periodic": lambda rng: np.sin(np.arange(12_000) * 2 * np.pi / 50).round(9),
    "ramp": lambda rng: np.arange(12_000) + 3 * rng.normal(size=12_000),
    "gaps": lambda rng: np.where(rng.random(12_000) < 0.001, np.nan, rng.normal(size=12_000).cumsum()),
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"height": 0.5},
        {"distance": 100},
        {"prominence": 1.5},
        {"prominence": (0.5, 9), "wlen": 1001},
        {"height": 0.5, "distance": 30, "prominence": 1, "width": (None, None)},
        {"distance": 3000, "plateau_size": (None, None), "threshold": 0},
    ],
    ids=str,
)
def test_long_series(path, kind, rules):
    values = LONG[kind](np.random.default_rng(5))
    assert_same(kernels.find_peaks(values, **rules), scipy_peaks(values, **rules))


def test_strided_read_only_and_float32(path):
    values = np.random.default_rng(2).normal(size=999).astype(np.float32)[::-2]
    values.flags.writeable = False
    assert_same(kernels.find_peaks(values, prominence=1), scipy_peaks(values, prominence=1))
    extremes = np.array([0, 3e38, -3e38, 1e-45, 0, 3e38, np.inf, 0], np.float32)
    assert_same(kernels.find_peaks(extremes, prominence=0), scipy_peaks(extremes, prominence=0))


def test_a_polars_column():
    polars = pytest.importorskip("polars")
    column = polars.Series([0.0, 2.0, 1.0, 3.0, None, 1.0, 4.0, 1.0])
    assert kernels.find_peaks(column)[0].tolist() == [1, 6]


@pytest.mark.parametrize("size", range(5))
def test_the_shortest(path, size):
    assert_same(kernels.find_peaks(np.zeros(size), width=0), scipy_peaks(np.zeros(size), width=0))


WRONG = {
    "values": [{"values": [1.0]}, {"values": np.zeros((2, 2))}, {"values": np.zeros(3, np.complex128)}],
    "distance": [{"distance": 0.5}, {"distance": np.nan}, {"distance": "near"}],
    "wlen": [{"wlen": 1}, {"wlen": -3}, {"wlen": np.nan}],
    "rel_height": [{"rel_height": -1}, {"rel_height": None}],
    "height": [
        {"height": "high"},
        {"height": (1, 2, 3)},
        {"height": np.zeros(4)},
        {"height": (np.zeros(2), 1)},
    ],
    "prominence": [{"prominence": (None, "low")}],
    "width": [{"width": np.zeros(3, complex)}],
    "plateau_size": [{"plateau_size": "wide"}],
    "threshold": [{"threshold": np.zeros((3, 1))}],
}


@pytest.mark.parametrize(
    ("name", "given"), [(name, given) for name in WRONG for given in WRONG[name]], ids=str
)
def test_a_wrong_argument_is_named(name, given):
    with pytest.raises(ValueError, match=f"^{name}: "):
        kernels.find_peaks(**{"values": np.zeros(3), **given})


def test_another_order_of_equal_heights_is_noticed(path, monkeypatch):
    values, sort = np.array([0.0, 2.0, 1.0, 2.0, 0.0]), np.argsort
    assert_same(kernels.find_peaks(values, distance=3), scipy_peaks(values, distance=3))
    monkeypatch.setattr(np, "argsort", lambda keys: sort(keys)[::-1])
    got = kernels.find_peaks(values, distance=3)[0]
    monkeypatch.undo()
    assert got.tolist() != scipy_peaks(values, distance=3)[0].tolist()
