"""Moving medians and quantiles: the C++ on every path beside the twin, bottleneck and NumPy; streams; bad input."""

import concurrent.futures
import copy
import itertools
import pickle
import warnings

import bottleneck
import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars
import pytest
from hypothesis.extra import numpy as arrays

from flyball import kernels
from flyball.kernels import backend

DTYPES = (np.float64, np.float32)
ODD = [0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, 1e-45, 3e38, -3e38]
ELEMENTS = st.one_of(st.sampled_from(ODD), st.floats(-1e3, 1e3, width=32), st.integers(-2, 2).map(float))


def same(got, want):
    return got.dtype == want.dtype and np.array_equal(got, want, equal_nan=True)


def bits(values):
    return np.where(np.isnan(values), np.nan, values).tobytes()


def twin(call):
    with backend.using("reference"):
        return call()


@st.composite
def cases(draw):
    dtype = draw(st.sampled_from(DTYPES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = draw(arrays.arrays(np.float64, st.integers(0, 150), elements=ELEMENTS)).astype(dtype)
    window = draw(st.integers(1, 200))
    return values, window, draw(st.integers(1, window))


SLOWLY = hypothesis.settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)


@SLOWLY
@hypothesis.given(cases())
def test_the_median_is_that_of_the_twin(path, case):
    values, window, fewest = case
    got = kernels.moving_median(values, window, fewest)
    assert bits(got) == bits(twin(lambda: kernels.moving_median(values, window, fewest)))


@SLOWLY
@hypothesis.given(cases(), st.one_of(st.sampled_from([0, 0.05, 0.25, 1 / 3, 0.5, 0.9, 1]), st.floats(0, 1)))
def test_the_quantile_is_that_of_the_twin(path, case, q):
    values, window, fewest = case
    got = kernels.moving_quantile(values, window, q, fewest)
    assert bits(got) == bits(twin(lambda: kernels.moving_quantile(values, window, q, fewest)))


def signal(rows, rng, dtype=np.float64, missing=0.05, kind="noise"):
    values = rng.normal(size=rows)
    if kind == "walk":
        values = values.cumsum()
    if kind == "ties":
        values = values.round(1)
    if kind == "levels":
        values = np.where(rng.random(rows) < 0.5, 0, 1e6) + values * 1e-3
    if kind == "wild":
        values = values**9 * 1e5
    values[rng.random(rows) < missing] = np.nan
    values[rows // 3 : rows // 3 + rows // 20] = np.nan
    return values.astype(dtype)


@pytest.mark.parametrize("kind", ["noise", "walk", "ties", "levels", "wild"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [1, 2, 3, 8, 11, 64, 101, 127, 500, 1001, 2500])
def test_every_bit_is_bottlenecks(path, window, dtype, kind):
    rng = np.random.default_rng(window)
    values = signal(6000, rng, dtype, kind=kind) + dtype(0)
    for fewest in {1, (window + 1) // 2, window}:
        want = bottleneck.move_median(values, window, fewest)
        # Ours knows one zero.
        assert bits(kernels.moving_median(values, window, fewest)) == bits(want + dtype(0))


def test_bottlenecks_infinities_are_ours(path):
    rng = np.random.default_rng(3)
    values = signal(3000, rng)
    values[rng.random(3000) < 0.2] = np.inf
    values[rng.random(3000) < 0.2] = -np.inf
    for window in (2, 5, 40, 900):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert same(
                kernels.moving_median(values, window, 1), bottleneck.move_median(values, window, 1)
            ), window


def test_where_we_differ_from_bottleneck_on_purpose(path):
    huge = np.full(4, np.finfo(np.float64).max)
    assert np.isinf(bottleneck.move_median(huge, 2)[1])
    assert kernels.moving_median(huge, 2)[1] == huge[0]
    zeros = np.array([-0.0, -0.0])
    assert np.signbit(bottleneck.move_median(zeros, 1)).any()
    assert not np.signbit(kernels.moving_median(zeros, 1)).any()
    with pytest.raises(ValueError):
        bottleneck.move_median(np.ones(3), 4)
    assert kernels.moving_median(np.ones(3), 4, 1).tolist() == [1, 1, 1]


def test_float32_extremes(path):
    most, least = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    values = np.array([most, most, -most, least, least, 3 * least, 0, least], np.float32)
    assert same(kernels.moving_median(values, 2, 1), bottleneck.move_median(values, 2, 1))


@pytest.mark.parametrize("q", [0, 0.1, 0.25, 0.5, 0.77, 1])
@pytest.mark.parametrize("window", [1, 2, 7, 50, 400])
def test_every_bit_is_numpys(path, window, q):
    values = signal(500, np.random.default_rng(window))
    got = kernels.moving_quantile(values, window, q, 1)
    for row in range(0, 500, 7):
        cut = values[max(0, row - window + 1) : row + 1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert same(got[row], np.float64(np.nanquantile(cut, q))), row


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [11, 101, 1300])
def test_channels_in_either_layout(path, dtype, window):
    rng = np.random.default_rng(9)
    table = np.stack([signal(1700, rng, dtype, missing) for missing in np.linspace(0, 0.3, 19)])
    want = np.stack([kernels.moving_median(channel, window, 5) for channel in table])
    across = np.ascontiguousarray(table.T)
    assert bits(kernels.moving_median(table, window, 5)) == bits(want)
    assert bits(kernels.moving_median(across, window, 5, axis=0).T.copy()) == bits(want)
    assert bits(kernels.moving_median(table.T, window, 5, axis=0).T.copy()) == bits(want)
    assert bits(kernels.moving_median(across.T, window, 5).copy()) == bits(want)
    assert bits(kernels.moving_median(table[::-2, ::3], window, 5)) == bits(
        kernels.moving_median(table[::-2, ::3].copy(), window, 5)
    )


def test_strided_read_only_unaligned_and_untouched(path):
    values = signal(900, np.random.default_rng(1))
    view = values[::-3]
    view.flags.writeable = False
    before = values.copy()
    assert same(kernels.moving_median(view, 9, 1), kernels.moving_median(view.copy(), 9, 1))
    odd = np.frombuffer(b"x" + values.tobytes(), np.uint8)[1:].view(np.float64)
    assert same(kernels.moving_median(odd, 9, 1), kernels.moving_median(values, 9, 1))
    assert same(values, before)


def test_polars_columns(path):
    values = np.array([3.0, 1.0, np.nan, 2.0])
    want = kernels.moving_median(values, 2, 1)
    assert same(kernels.moving_median(polars.Series(values), 2, 1), want)
    assert same(kernels.moving_median(polars.Series([3.0, 1.0, None, 2.0]), 2, 1), want)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (5, 0), (0, 0)])
def test_nothing_gives_nothing(path, shape):
    for axis in range(len(shape)):
        assert kernels.moving_median(np.empty(shape), 3, axis=axis).shape == shape


def test_all_missing_and_too_few(path):
    assert np.isnan(kernels.moving_median(np.full(50, np.nan), 5, 1)).all()
    assert np.isnan(kernels.moving_median(np.ones(50), 60)).all()
    assert np.isnan(kernels.moving_median(np.ones(50), 2**28)).all()
    assert kernels.moving_median(np.ones(50), 2**28, 50)[-1] == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize(("window", "q"), [(1, None), (7, None), (101, 0.3), (900, None)])
def test_any_chunks_give_the_same_bits(path, window, q, channels, dtype):
    rng = np.random.default_rng(2)
    values = signal(2000, rng, dtype)
    if channels:
        values = np.stack([values, np.roll(values, 5), values[::-1]], axis=1)
    whole = (
        kernels.moving_median(values, window, 2 if window > 1 else 1, axis=0)
        if q is None
        else kernels.moving_quantile(values, window, q, 2, axis=0)
    )
    for most in (3, 70, 1500):
        fewest = 2 if window > 1 else 1
        stream = (
            kernels.MovingMedian(window, fewest, channels, dtype)
            if q is None
            else kernels.MovingQuantile(window, q, fewest, channels, dtype)
        )
        made, at = [], 0
        while at < len(values):
            size = int(rng.integers(0, most + 1))
            made.append(stream.push(values[at : at + size]))
            at += size
            if rng.random() < 0.2:
                stream = pickle.loads(pickle.dumps(stream))
            if rng.random() < 0.2:
                copy.deepcopy(stream).push(values[:10])
        assert bits(np.concatenate(made)) == bits(whole), most


@SLOWLY
@hypothesis.given(
    cases(),
    st.lists(st.sampled_from([0, 1, 2, 5, 15, 16, 17, 22, 23, 28, 29, 60]), min_size=1),
    st.sampled_from([None, 1, 2, 9]),
    st.sampled_from([None, 0.2, 1]),
)
def test_long_and_short_chunks_take_turns(path, case, sizes, channels, q):
    values, window, fewest = case
    if channels:
        values = np.stack([np.roll(values, channel) for channel in range(channels)], axis=1)
    if q is None:
        stream, whole = kernels.MovingMedian(window, fewest, channels, values.dtype), kernels.moving_median
    else:
        stream = kernels.MovingQuantile(window, q, fewest, channels, values.dtype)
        whole = lambda *args, **named: kernels.moving_quantile(*args[:2], q, *args[2:], **named)  # noqa: E731
    made, at = [], 0
    for size in itertools.chain(sizes, itertools.repeat(7)):
        made.append(stream.push(values[at : at + size]))
        at += size
        if at >= len(values):
            break
    assert bits(np.concatenate(made)) == bits(whole(values, window, fewest, axis=0))


def test_chunks_as_they_lie(path):
    values = signal(900, np.random.default_rng(6))
    table = np.stack([values, values[::-1]], axis=1)
    want = kernels.moving_median(table, 30, 1, axis=0)
    apart = np.zeros((900, 4))[:, ::-2]
    apart[:] = table
    apart.flags.writeable = False
    unaligned = np.frombuffer(b"x" + table.tobytes(), np.uint8)[1:].view(np.float64).reshape(-1, 2)
    for chunk in (table, apart, unaligned, np.asfortranarray(table)):
        for size in (10, 400):
            stream = kernels.MovingMedian(30, 1, channels=2)
            made = [stream.push(chunk[at : at + size]) for at in range(0, 900, size)]
            assert bits(np.concatenate(made)) == bits(want)
    series = kernels.MovingMedian(30, 1).push(polars.Series(values))
    assert bits(series) == bits(np.ascontiguousarray(want[:, 0]))


def test_pushes_at_the_same_time_take_turns():
    stream, chunk = kernels.MovingMedian(5), np.arange(1000.0)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda size: stream.push(chunk[:size]), [1, 1000, 10, 400] * 20))
    assert [len(one) for one in made] == [1, 1000, 10, 400] * 20
    assert stream.push(chunk)[-1] == 997


def test_a_stream_goes_on_from_another_path():
    values = signal(300, np.random.default_rng(4))
    whole = kernels.moving_median(values, 20, 1)
    stream, made = kernels.MovingMedian(20, 1), []
    for number, path in enumerate(2 * backend.available()):
        with backend.using(path):
            stream = pickle.loads(pickle.dumps(stream))
            made.append(stream.push(values[number * 30 : number * 30 + 30]))
    made = np.concatenate(made)
    assert bits(made) == bits(whole[: len(made)])


def test_a_stream_keeps_a_bounded_past():
    stream = kernels.MovingMedian(50)
    sizes = set()
    for _ in range(20):
        stream.push(np.ones(1000))
        sizes.add(len(pickle.dumps(stream)))
    assert len(sizes) == 1 and sizes.pop() < 1000
    assert repr(stream) == "MovingMedian(window=50, min_count=50, channels=None, dtype='float64')"


ONES = np.ones(5)


@pytest.mark.parametrize(
    ("named", "call"),
    [
        ("values", lambda: kernels.moving_median([1.0], 1)),
        ("values", lambda: kernels.moving_median(np.ones(5, int), 1)),
        ("values", lambda: kernels.moving_median(np.ones((2, 2, 2)), 1)),
        ("values", lambda: kernels.moving_median(np.array(1.0), 1)),
        ("values", lambda: kernels.moving_median(polars.Series(["a"]), 1)),
        ("window", lambda: kernels.moving_median(ONES, 0)),
        ("window", lambda: kernels.moving_median(ONES, -3)),
        ("window", lambda: kernels.moving_median(ONES, 2.0)),
        ("window", lambda: kernels.moving_median(ONES, True)),
        ("window", lambda: kernels.moving_median(ONES, 2**28 + 1)),
        ("min_count", lambda: kernels.moving_median(ONES, 3, 0)),
        ("min_count", lambda: kernels.moving_median(ONES, 3, 4)),
        ("axis", lambda: kernels.moving_median(ONES, 3, axis=1)),
        ("axis", lambda: kernels.moving_median(ONES, 3, axis=None)),
        ("q", lambda: kernels.moving_quantile(ONES, 3, 1.1)),
        ("q", lambda: kernels.moving_quantile(ONES, 3, np.nan)),
        ("q", lambda: kernels.moving_quantile(ONES, 3, "half")),
        ("q", lambda: kernels.MovingQuantile(3, -1)),
        ("channels", lambda: kernels.MovingMedian(3, channels=0)),
        ("dtype", lambda: kernels.MovingMedian(3, dtype="int64")),
        ("chunk", lambda: kernels.MovingMedian(3).push(np.ones((5, 1)))),
        ("chunk", lambda: kernels.MovingMedian(3, channels=2).push(np.ones((5, 3)))),
        ("chunk", lambda: kernels.MovingMedian(3).push(np.ones(5, np.float32))),
        ("chunk", lambda: kernels.MovingMedian(3).push(np.array(1.0))),
        ("chunk", lambda: kernels.MovingMedian(3).push(np.array(["a", None], object))),
        ("chunk", lambda: kernels.MovingMedian(3).push([1.0])),
        ("chunk", lambda: kernels.MovingMedian(3, channels=2).push(np.ones(6))),
        ("state", lambda: kernels.MovingMedian(3).__setstate__({"version": 2})),
        (
            "state",
            lambda: kernels.MovingMedian(3).__setstate__(
                kernels.MovingMedian(3).__getstate__() | {"rows": ONES}
            ),
        ),
    ],
)
def test_bad_input_is_named(path, named, call):
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).partition(":")[0] == named


def test_a_wrong_twin_would_be_noticed(monkeypatch):
    values = signal(100, np.random.default_rng(5))
    got = kernels.moving_median(values, 9, 1)
    monkeypatch.setattr(
        "flyball.kernels.reference.quantiles._median", lambda ordered: ordered[len(ordered) // 2]
    )
    assert bits(got) != bits(twin(lambda: kernels.moving_median(values, 9, 1)))
