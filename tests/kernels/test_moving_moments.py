"""The compiled moving moments against the plain twin, against bottleneck and pandas, and against themselves."""

import copy
import pickle
import threading

import bottleneck as bn
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import polars as pl
import pytest

from flyball import kernels
from flyball.kernels import backend, reference

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")
slower = hypothesis.settings(
    max_examples=60, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)


def same(got, want):
    """Equal to the last bit, NaN equal to NaN, in each statistic."""
    assert list(got) == list(want)
    for name in got:
        assert np.array_equal(got[name], want[name], equal_nan=True), name


def close(got, want, rtol=1e-9, atol=1e-9):
    """Equal but for rounding."""
    assert list(got) == list(want)
    for name in got:
        exact = name in ("min", "max")
        np.testing.assert_allclose(got[name], want[name], rtol=0 if exact else rtol, atol=atol, err_msg=name)


def twin(*given, **named):
    """The reference's answer to the same call."""
    with backend.using("reference"):
        return kernels.moving_moments(*given, **named)


# Ties, missing runs, signed zeros, a level and infinities; magnitudes whose squares keep their digits.
RAGGED = st.sampled_from([np.nan, np.nan, np.nan, 0.0, -0.0, 1.0, 1.0, 2.0, -3.5, 1000.25, np.inf, -np.inf])
PLAIN = st.sampled_from([0.0, 1.0, 1.0, 2.0, -3.5, 7.25, 100.5])


@st.composite
def cases(draw, numbers=RAGGED):
    """Rows by channels, and a window or times and a length of them."""
    channels = draw(st.sampled_from([1, 1, 2, 8, 9]))
    rows = draw(st.integers(0, 60))
    values = np.array(draw(st.lists(numbers, min_size=rows * channels, max_size=rows * channels)))
    values = values.reshape(rows, channels).astype(draw(st.sampled_from([np.float64, np.float32])))
    named = {"min_count": None, "ddof": draw(st.integers(0, 2))}
    if draw(st.booleans()):
        named["window"] = draw(st.integers(1, 25))
        named["min_count"] = draw(st.one_of(st.none(), st.integers(1, named["window"])))
    else:
        named["over"] = draw(st.integers(1, 25))
        steps = draw(st.lists(st.sampled_from([0, 0, 1, 1, 3, 30]), min_size=rows, max_size=rows))
        named["times"] = np.cumsum(np.array(steps, np.int64)) + draw(st.integers(-40, 40))
        named["min_count"] = draw(st.one_of(st.none(), st.integers(1, 5)))
    return values, named


@hypothesis.given(case=st.one_of(cases(), cases(PLAIN)))
@slower
def test_as_the_twin(path, case):
    values, named = case
    loose = 1e-5 if values.dtype == np.float32 else 1e-9
    close(
        kernels.moving_moments(values, axis=0, **named), twin(values, axis=0, **named), rtol=loose, atol=loose
    )


@hypothesis.given(case=cases(), cuts=st.lists(st.integers(0, 60), max_size=6))
@slower
def test_any_chunks_give_the_bits_of_the_whole(path, case, cuts):
    values, named = case
    times = named.pop("times", None)
    moving = kernels.MovingMoments(channels=values.shape[1], **named)
    cuts = np.sort(cuts)
    made = []
    for number, chunk in enumerate(np.split(values, cuts)):
        when = None if times is None else np.split(times, cuts)[number]
        made.append(moving.push(chunk, when))
        moving = pickle.loads(pickle.dumps(moving)) if number % 2 else copy.deepcopy(moving)
    assert moving.seen == len(values)
    whole = kernels.moving_moments(values, axis=0, times=times, **named)
    same({name: np.concatenate([part[name] for part in made]) for name in whole}, whole)


@pytest.mark.parametrize("rows", [300, 5000])
@pytest.mark.parametrize("window", [1, 2, 7, 127, 128, 129, 200, 300])
def test_layouts_and_segments_give_the_same_bits(path, rows, window):
    rng = np.random.default_rng(rows + window)
    values = rng.normal(size=(11, rows)) * rng.choice([1e-3, 1.0, 50.0], size=(11, 1)) + 1e6
    values[3, rng.random(rows) < 0.1] = np.nan
    values[5, rows // 3 : rows // 2] = np.nan
    values[6, rng.integers(0, rows, 5)] = [np.inf, -np.inf, 1e300, -1e300, 0.0]
    whole = kernels.moving_moments(values, window, min_count=1)
    along = kernels.moving_moments(np.ascontiguousarray(values.T), window, min_count=1, axis=0)
    same({name: figures.T for name, figures in along.items()}, whole)
    for channel in (0, 3, 5, 6):
        alone = kernels.moving_moments(values[channel], window, min_count=1)
        same(alone, {name: figures[channel] for name, figures in whole.items()})
        moving = kernels.MovingMoments(window, min_count=1)
        parts = [moving.push(part) for part in np.array_split(values[channel], 7)]
        same({name: np.concatenate([part[name] for part in parts]) for name in alone}, alone)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("window", "least"), [(1, 1), (5, 1), (5, 3), (50, None), (400, 17)])
def test_as_bottleneck(path, dtype, window, least):
    rng = np.random.default_rng(window)
    values = rng.normal(size=(4, 1000)).astype(dtype)
    values[:, rng.random(1000) < 0.2] = np.nan
    got = kernels.moving_moments(values, window, min_count=least)
    for name, peer in (
        ("mean", bn.move_mean),
        ("std", bn.move_std),
        ("min", bn.move_min),
        ("max", bn.move_max),
    ):
        want = peer(values.astype(np.float64), window, least)
        assert got[name].dtype == dtype
        np.testing.assert_allclose(got[name], want, rtol=1e-6, atol=1e-6, err_msg=name)


def test_windows_of_time_as_pandas(path):
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.choice([0, 1, 5, 400, 3000], size=2000, p=[0.2, 0.4, 0.3, 0.09, 0.01]))
    values = rng.normal(size=2000)
    values[rng.random(2000) < 0.1] = np.nan
    for over in (1, 7, 1000, 50_000):
        got = kernels.moving_moments(values, over=over, times=times, ddof=1)
        peer = pd.Series(values, index=pd.to_datetime(times)).rolling(f"{over}ns", min_periods=1)
        for name in ("mean", "std", "min", "max"):
            want = getattr(peer, name)().to_numpy()
            np.testing.assert_allclose(got[name], want, rtol=1e-9, atol=1e-9, err_msg=name)


def test_windows_of_time_with_regular_times_are_windows_of_samples(path):
    values = np.random.default_rng(3).normal(size=(500, 3))
    of_time = kernels.moving_moments(values, over=40, times=np.arange(500), min_count=4, axis=0)
    same(of_time, kernels.moving_moments(values, 40, min_count=4, axis=0))


def test_the_edge_is_that_of_rolling_features(path):
    # (t - over, t]: the sample exactly `over` before is out, one unit later it is in.
    got = kernels.moving_moments(np.array([1.0, 2, 4]), by=("mean",), over=10, times=np.array([0, 1, 10]))
    assert got["mean"].tolist() == [1, 1.5, 3]


def test_small_noise_on_a_large_level(path):
    rng = np.random.default_rng(4)
    noise = rng.normal(scale=1e-3, size=3000)
    values = 1e9 + noise
    exact = pd.Series(values - 1e9)  # exact differences
    got = kernels.moving_moments(values, 101)
    rolled = np.lib.stride_tricks.sliding_window_view(exact.to_numpy(), 101)
    np.testing.assert_allclose(got["std"][100:], rolled.std(axis=1), rtol=1e-12)
    np.testing.assert_allclose(got["mean"][100:] - 1e9, rolled.mean(axis=1), atol=1.3e-7)
    score = (rolled[:, -1] - rolled.mean(axis=1)) / rolled.std(axis=1)
    np.testing.assert_allclose(got["zscore"][100:], score, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [0.1, 1e9 + 0.1, -1e300, 5e-324])
def test_a_flat_window_has_no_spread_and_no_score(path, level):
    values = np.concatenate([np.random.default_rng(5).normal(size=50), np.full(400, level)])
    got = kernels.moving_moments(values, 37)
    flat = slice(50 + 37, None)
    assert (got["std"][flat] == 0).all()
    assert (got["mean"][flat] == level).all()
    assert np.isnan(got["zscore"][flat]).all()
    assert (got["slope"][flat] == 0).all()


@pytest.mark.parametrize("shock", [np.inf, -np.inf, 1e300, np.nan])
def test_what_left_the_window_leaves_no_trace(path, shock):
    values = np.random.default_rng(6).normal(size=1000)
    for at in (0, 99, 100, 101, 150, 199):
        shocked = values.copy()
        shocked[at] = shock
        for named in ({"window": 100}, {"over": 100, "times": np.arange(1000)}):
            got = kernels.moving_moments(shocked, **named)
            want = kernels.moving_moments(values, **named)
            # The pivot may be another value while the shock's block lasts: the same but for rounding.
            close(
                {n: f[at + 100 :] for n, f in got.items()}, {n: f[at + 100 :] for n, f in want.items()}, 1e-10
            )


def test_float32_extremes(path):
    top = np.finfo(np.float32).max
    values = np.array([top, top, -top, 1e-45, 0], np.float32)
    got = kernels.moving_moments(values, 2, ("mean", "std", "max"))
    assert got["mean"].dtype == np.float32
    assert got["mean"][1:].tolist() == [top, 0, np.float32(-top / 2), 0]
    assert got["std"][1:3].tolist() == [0, top]


@pytest.mark.parametrize("axis", [0, -1])
def test_strided_and_read_only_and_polars(path, axis):
    rng = np.random.default_rng(7)
    wide = rng.normal(size=(90, 120))
    view = wide[::-3, 5:100:2]
    view.flags.writeable = False
    same(
        kernels.moving_moments(view, 7, axis=axis),
        kernels.moving_moments(np.ascontiguousarray(view), 7, axis=axis),
    )
    swapped = wide[0].astype(wide.dtype.newbyteorder())
    same(kernels.moving_moments(swapped, 7), kernels.moving_moments(wide[0], 7))
    same(kernels.moving_moments(pl.Series(wide[0]), 7), kernels.moving_moments(wide[0], 7))
    holed = kernels.moving_moments(pl.Series([1.0, None, 3.0]), 2, ("mean",), min_count=1)
    assert holed["mean"].tolist() == [1, 1, 3]


def test_empty_and_longer_than_the_data(path):
    for shape, axis in (((0,), -1), ((0, 4), 0), ((4, 0), -1), ((0, 4), -1)):
        got = kernels.moving_moments(np.empty(shape), 5, ("mean", "max"), axis=axis)
        assert {name: figures.shape for name, figures in got.items()} == {"mean": shape, "max": shape}
    assert np.isnan(kernels.moving_moments(np.ones(4), 10**9, ("mean",))["mean"]).all()
    assert kernels.moving_moments(np.ones(4), 10**9, ("mean",), min_count=1)["mean"].tolist() == [1] * 4
    assert kernels.moving_moments(np.ones(3), 2, ()) == {}
    moving = kernels.MovingMoments(3)
    assert moving.push(np.empty(0))["mean"].shape == (0,)
    assert pickle.loads(pickle.dumps(moving)).seen == 0


def test_a_stream_goes_on_along_another_path(path):
    values = np.random.default_rng(8).normal(size=(300, 3))
    values[40:70, 1] = np.nan
    for named, times in (({"window": 64}, None), ({"over": 90}, np.arange(300) * 2)):
        moving = kernels.MovingMoments(channels=3, min_count=1, **named)
        moving.push(values[:217], None if times is None else times[:217])
        sent = pickle.dumps(moving)
        rest = None if times is None else times[217:]
        want = moving.push(values[217:], rest)
        with backend.using("plain"):
            same(pickle.loads(sent).push(values[217:], rest), want)
        with backend.using("reference"):
            other = pickle.loads(sent)
            assert isinstance(other._engine, reference.MovingMoments)
            again = pickle.dumps(other)
            close(other.push(values[217:], rest), want)
        same(pickle.loads(again).push(values[217:], rest), want)


def test_memory_is_bounded(path):
    moving = kernels.MovingMoments(50, ("mean",))
    timed = kernels.MovingMoments(None, ("mean",), over=50)
    for start in range(0, 50_000, 1000):
        moving.push(np.ones(1000))
        timed.push(np.ones(1000), np.arange(start, start + 1000))
    assert len(moving.__getstate__()["rows"]) <= 100
    assert len(timed.__getstate__()["rows"]) <= 50


def test_threads_take_turns(path):
    moving = kernels.MovingMoments(11, ("mean",), channels=9)
    pushes = [threading.Thread(target=lambda: moving.push(np.ones((5000, 9)))) for _ in range(4)]
    for thread in pushes:
        thread.start()
    for thread in pushes:
        thread.join()
    assert (moving.push(np.ones((1, 9)))["mean"] == 1).all()


ONES = np.ones(4)
TIMES = np.arange(4)


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ({"window": 0}, "window: 0 is outside"),
        ({"window": -3}, "window: -3 is outside"),
        ({"window": 2.0}, "window: needs a whole number"),
        ({"window": True}, "window: needs a whole number"),
        ({}, "window: give either"),
        ({"window": 2, "over": 3, "times": TIMES}, "window: give either"),
        ({"window": 2, "times": TIMES}, "times: window counts samples"),
        ({"over": 2}, "times: over is a length"),
        ({"over": 0, "times": TIMES}, "over: 0 is outside"),
        ({"over": 2, "times": TIMES[:3]}, "times: 3 of them for 4"),
        ({"over": 2, "times": TIMES.astype(float)}, "times: needs an int64"),
        ({"over": 2, "times": TIMES[::-1]}, "times: 2 after 3 at 1"),
        ({"over": 2, "times": np.array([0, 1, 2, 2**62 + 1])}, "times: one is beyond"),
        ({"window": 2, "min_count": 0}, "min_count: 0 is outside 1..2"),
        ({"window": 2, "min_count": 3}, "min_count: 3 is outside 1..2"),
        ({"window": 2, "ddof": -1}, "ddof: -1 is outside"),
        ({"window": 2, "axis": 1}, "axis: 1 is outside"),
        ({"window": 2, "by": ("median",)}, "by: no statistic 'median'"),
        ({"window": 2, "by": "mean"}, "by: give a tuple"),
        ({"window": 2, "values": np.ones(4, int)}, "values: needs a float64"),
        ({"window": 2, "values": [1.0]}, "values: needs a float64"),
        ({"window": 2, "values": np.ones((2, 2, 2))}, "values: needs one or two"),
        ({"window": 2, "values": np.float64(3)}, "values: needs a float64"),
    ],
)
def test_wrong_arguments(named, told):
    with pytest.raises(ValueError, match=told):
        kernels.moving_moments(**{"values": ONES, **named})


def test_wrong_pushes_take_nothing_in():
    moving = kernels.MovingMoments(over=3, channels=2)
    moving.push(np.ones((2, 2)), np.array([5, 6]))
    for values, times, told in (
        (np.ones(2), TIMES[:2], r"values: needs the shape \(n, 2\)"),
        (np.ones((2, 3)), TIMES[:2], r"values: needs the shape \(n, 2\)"),
        (np.ones((2, 2)), None, "times: over is a length"),
        (np.ones((2, 2)), np.array([5, 6]), "times: 5 is before 6"),
    ):
        with pytest.raises(ValueError, match=told):
            moving.push(values, times)
    assert moving.seen == 2
    with pytest.raises(ValueError, match="channels: 0 is outside"):
        kernels.MovingMoments(3, channels=0)
    with pytest.raises(ValueError, match=r"needs the shape \(n,\)"):
        kernels.MovingMoments(3).push(np.ones((2, 2)))


@pytest.mark.parametrize(
    "wrong",
    [{"version": 2}, {"seen": 3}, {"seen": -1}, {"rows": np.ones((2, 1))}, {"over": 0}, {"by": ("x",)}],
)
def test_a_wrong_state_is_refused(wrong):
    moving = kernels.MovingMoments(3)
    moving.push(np.ones(5))
    state = moving.__getstate__()
    fresh = kernels.MovingMoments(3)
    fresh.__setstate__(state)
    assert fresh.seen == 5
    with pytest.raises(ValueError):
        fresh.__setstate__({**state, **wrong})


def test_a_wrong_twin_would_be_noticed():
    values = np.random.default_rng(9).normal(size=50)
    got = kernels.moving_moments(values, 5, ("mean",))
    with pytest.raises(AssertionError):
        close(got, twin(values, 6, ("mean",), min_count=5))


@pytest.mark.slow
def test_nothing_drifts(path):
    moving = kernels.MovingMoments(101, ("mean", "std"))
    rng = np.random.default_rng(10)
    for _ in range(60):
        chunk = 1e9 + rng.normal(scale=1e-3, size=100_000)
        got = moving.push(chunk)
    last = chunk[-101:] - 1e9
    assert got["std"][-1] == pytest.approx(last.std(), rel=1e-12)
    assert got["mean"][-1] - 1e9 == pytest.approx(last.mean(), abs=1.3e-7)
