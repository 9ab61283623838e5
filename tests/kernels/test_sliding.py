"""The native windows against the plain twin, and against NumPy over what it means."""

import hypothesis
import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball import kernels
from flyball.kernels import checks, reference

EXACT = ("count", "min", "max", "median", "first", "last")
MOMENTS = ("sum", "mean", "std", "slope")

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")


def same(got, want):
    """Equal to the last bit, NaN equal to NaN."""
    return np.array_equal(got, want, equal_nan=True)


def twin(values, lo, hi, by, times=None):
    """The reference's answer to the same call."""
    positions = checks.positions(times, len(values))
    return reference.windows(checks.series("values", values), lo, hi, by, positions)


# Few values, so that ties are common; NaN runs, infinities, signed zeros and far apart magnitudes.
RAGGED = st.sampled_from(
    [np.nan, np.nan, 0.0, -0.0, 1.0, 1.0, 2.0, -3.5, 5e-324, 1e308, -1e308, np.inf, -np.inf]
)


@st.composite
def cases(draw, numbers=RAGGED, dtypes=(np.float64, np.float32)):
    """A series and windows over it: any order, or forward with overlap as a rolling feature has."""
    with np.errstate(over="ignore"):
        values = np.array(draw(st.lists(numbers, max_size=80)), dtype=draw(st.sampled_from(dtypes)))
    rows = len(values)
    if draw(st.booleans()):
        width, stride = draw(st.integers(0, 90)), draw(st.integers(1, 7))
        hi = np.arange(0, rows + 1, stride, dtype=np.int64)
        lo = np.maximum(0, hi - width)
    else:
        ends = draw(st.lists(st.tuples(st.integers(0, rows), st.integers(0, rows)), max_size=20))
        lo = np.array([min(pair) for pair in ends], np.int64)
        hi = np.array([max(pair) for pair in ends], np.int64)
    return values, lo, hi


@hypothesis.given(cases())
@hypothesis.settings(max_examples=300)
def test_order_statistics_and_counts_are_bit_equal_to_the_twin(case):
    values, lo, hi = case
    got, want = kernels.windows(values, lo, hi, EXACT), twin(values, lo, hi, EXACT)
    assert list(got) == list(EXACT)
    for name in EXACT:
        assert same(got[name], want[name]), name


@hypothesis.given(cases(numbers=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))))
@hypothesis.settings(max_examples=300)
def test_moments_agree_with_the_twin(case):
    values, lo, hi = case
    got, want = kernels.windows(values, lo, hi, MOMENTS), twin(values, lo, hi, MOMENTS)
    # What the values allow: a sum that cancels is as good as its terms.
    scale = np.nanmax(np.abs(values), initial=0.0)
    for name, size in (("sum", len(values) * scale), ("mean", scale), ("std", scale), ("slope", 2 * scale)):
        assert same(np.isnan(got[name]), np.isnan(want[name])), name
        np.testing.assert_allclose(got[name], want[name], rtol=1e-12, atol=1e-13 * size, err_msg=name)


@hypothesis.given(cases(numbers=st.sampled_from([np.nan, 1.0, 2.0, np.inf, -np.inf])))
def test_infinities_stay_in_the_moments(case):
    values, lo, hi = case
    got, want = kernels.windows(values, lo, hi, MOMENTS), twin(values, lo, hi, MOMENTS)
    for name in MOMENTS:
        np.testing.assert_allclose(got[name], want[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("width", [1, 2, 3, 10, 63, 64, 65, 300, 1000, 5000])
@pytest.mark.parametrize("decimals", [1, 9])
def test_long_series_take_every_path_and_stay_equal(width, decimals):
    rng = np.random.default_rng(width)
    values = rng.normal(size=4000).cumsum().round(decimals)
    values[rng.random(4000) < 0.05] = np.nan
    values[500:1900] = np.nan if width == 1000 else values[500:1900]
    hi = np.arange(0, 4001, max(1, width // 40), dtype=np.int64)
    lo = np.maximum(0, hi - width)
    sample = slice(None, None, 1 + len(hi) // 60)
    got = kernels.windows(values, lo, hi, EXACT)
    want = twin(values, lo[sample], hi[sample], EXACT)
    for name in EXACT:
        assert same(got[name][sample], want[name]), name


def test_forward_windows_equal_the_same_windows_shuffled():
    rng = np.random.default_rng(3)
    values = rng.normal(size=3000)
    lo = np.sort(rng.integers(0, 3000, 2000))
    hi = np.maximum(lo, np.minimum(3000, np.sort(rng.integers(0, 3600, 2000))))
    order = rng.permutation(2000)
    forward = kernels.windows(values, lo, hi, kernels.STATISTICS)
    shuffled = kernels.windows(values, lo[order], hi[order], kernels.STATISTICS)
    for name in kernels.STATISTICS:
        assert same(forward[name][order], shuffled[name]), name


def test_a_figure_depends_on_its_own_window_alone():
    rng = np.random.default_rng(4)
    values = rng.normal(size=1000)
    times = np.arange(1000) * 3_600_000_000
    lo, hi = np.arange(0, 800), np.arange(200, 1000)
    batch = kernels.windows(values, lo, hi, kernels.STATISTICS, times)
    for window in range(0, 800, 37):
        cut = slice(lo[window], hi[window])
        alone = kernels.windows(values[cut], np.array([0]), np.array([200]), kernels.STATISTICS, times[cut])
        for name in kernels.STATISTICS:
            assert batch[name][window] == alone[name][0], name


def test_a_whole_fleet_in_one_call():
    rng = np.random.default_rng(5)
    machines = [rng.normal(size=rows) for rows in (0, 40, 1, 700, 3)]
    start, lo, hi, alone = 0, [], [], []
    for rows in machines:
        ends = np.arange(1, len(rows) + 1)
        begins = np.maximum(0, ends - 24)
        alone.append(kernels.windows(rows, begins, ends, kernels.STATISTICS))
        lo.append(begins + start)
        hi.append(ends + start)
        start += len(rows)
    fleet = kernels.windows(
        np.concatenate(machines), np.concatenate(lo), np.concatenate(hi), kernels.STATISTICS
    )
    for name in kernels.STATISTICS:
        assert same(fleet[name], np.concatenate([one[name] for one in alone])), name


def test_small_changes_on_a_large_level_are_not_lost():
    small = np.random.default_rng(6).normal(size=500)
    small = (small * 2**20).round() / 2**20  # exact beside 1e9
    lo, hi = np.arange(0, 400), np.arange(100, 500)
    level = kernels.windows(1e9 + small, lo, hi, ("std", "slope", "mean"))
    plain = kernels.windows(small, lo, hi, ("std", "slope", "mean"))
    np.testing.assert_allclose(level["std"], plain["std"], rtol=1e-12)
    np.testing.assert_allclose(level["slope"], plain["slope"], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(level["mean"], 1e9 + plain["mean"], rtol=1e-15)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.3, -7.7e-9])
def test_a_constant_has_no_spread_and_no_slope(value):
    got = kernels.windows(np.full(100, value), np.array([0, 3]), np.array([100, 80]), ("std", "slope"))
    assert (got["std"] == 0).all()
    assert (got["slope"] == 0).all()


def test_slope_is_per_unit_of_times():
    hours = np.array([0, 1, 2, 5], np.int64)
    values = 4.0 + 2.5 * hours
    whole = np.array([0]), np.array([4])
    assert kernels.windows(values, *whole, ("slope",), hours)["slope"] == pytest.approx(2.5)
    later = hours * 3_600_000_000 + 1_700_000_000_000_000
    micro = kernels.windows(values, *whole, ("slope",), later)["slope"]
    assert micro * 3_600_000_000 == pytest.approx(2.5)
    assert kernels.windows(values, *whole, ("slope",), hours / 2)["slope"] == pytest.approx(5.0)


def test_a_slope_needs_two_positions():
    got = kernels.windows(
        np.array([1.0, 2.0, np.nan]), np.array([0, 1]), np.array([2, 3]), ("slope",), np.zeros(3)
    )
    assert np.isnan(got["slope"]).all()


def test_a_window_without_values():
    values = np.array([1.0, np.nan, np.nan])
    got = kernels.windows(values, np.array([0, 1]), np.array([0, 3]), kernels.STATISTICS)
    assert got["count"].tolist() == [0, 0]
    for name in set(kernels.STATISTICS) - {"count"}:
        assert np.isnan(got[name]).all(), name


def test_no_windows_and_no_statistics():
    none = np.array([], np.int64)
    assert {
        name: len(out) for name, out in kernels.windows(np.ones(3), none, none, ("median", "max")).items()
    } == {
        "median": 0,
        "max": 0,
    }
    assert kernels.windows(np.array([]), np.array([0]), np.array([0]), ()) == {}


def test_strided_read_only_and_untouched():
    values = np.random.default_rng(7).normal(size=200)
    ends = np.arange(0, 200)
    views = values[::-2], ends[0:100:3][::-1] // 2, ends[99:199:3][::-1] // 2
    for view in views:
        view.flags.writeable = False
    before = values.copy()
    got = kernels.windows(*views, kernels.STATISTICS)
    want = kernels.windows(*(np.ascontiguousarray(view) for view in views), kernels.STATISTICS)
    for name in kernels.STATISTICS:
        assert same(got[name], want[name]), name
    assert same(values, before)


def test_float32_is_computed_in_float64():
    values = np.random.default_rng(8).normal(size=300).astype(np.float32)
    lo, hi = np.arange(0, 250), np.arange(50, 300)
    got = kernels.windows(values, lo, hi, kernels.STATISTICS)
    want = kernels.windows(values.astype(np.float64), lo, hi, kernels.STATISTICS)
    assert all(same(got[name], want[name]) and got[name].dtype == np.float64 for name in got)


@hypothesis.given(
    arrays.arrays(np.float64, st.integers(1, 400), elements=st.floats(-1e3, 1e3)), st.integers(1, 200)
)
def test_against_brute_force(values, width):
    hi = np.arange(1, len(values) + 1)
    lo = np.maximum(0, hi - width)
    got = kernels.windows(values, lo, hi, ("count", "mean", "std", "min", "max", "median"))
    cuts = [values[a:b] for a, b in zip(lo, hi, strict=True)]
    assert same(got["count"], np.array([float(len(cut)) for cut in cuts]))
    assert same(got["median"], np.array([np.median(cut) for cut in cuts]) + 0.0)
    assert same(got["min"], np.array([cut.min() for cut in cuts]) + 0.0)
    assert same(got["max"], np.array([cut.max() for cut in cuts]) + 0.0)
    np.testing.assert_allclose(got["mean"], [cut.mean() for cut in cuts], rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(got["std"], [cut.std() for cut in cuts], rtol=1e-10, atol=1e-10)


def test_a_wrong_twin_would_be_noticed():
    values, lo, hi = np.array([1.0, 2.0, 4.0]), np.array([0]), np.array([3])
    got = kernels.windows(values, lo, hi, ("median",))
    assert not same(got["median"], twin(values, lo, hi - 1, ("median",))["median"])
