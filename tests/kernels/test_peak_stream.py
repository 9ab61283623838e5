"""Peaks of a stream: what is promised of them, on ragged input, and the same from the twin and any chunking."""

import copy
import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from tests.kernels.test_peaks import NUMBERS, RAGGED, scipy_peaks

from flyball import kernels
from flyball.kernels import backend
from flyball.kernels.peak_stream import Open


def told(values, cuts=(), path="reference", between=lambda stream: stream, **rules):
    """All that a stream tells of a series that is cut at some places."""
    with backend.using(path), np.errstate(all="ignore"):
        stream, records = kernels.Peaks(**rules), []
        for chunk in np.split(values, cuts):
            records.append(stream.push(chunk))
            stream = between(stream)
        return np.concatenate([*records, stream.finish()])


def assert_equal_records(got, want):
    """Every field, to the last bit."""
    assert got.dtype.names == want.dtype.names
    assert len(got) == len(want)
    for name in want.dtype.names:
        assert np.array_equal(got[name], want[name], equal_nan=want[name].dtype.kind == "f"), name


def broken(values, records, delay, **rules):
    """What is broken of the promise, in words; nothing if all holds."""
    places, properties = scipy_peaks(values, **rules)
    said = []
    if len(np.unique(records["peak"])) != len(records):
        said.append("a peak told twice")
    if not np.isin(places, records["peak"]).all():
        said.append("a peak lost")
    certain = np.sort(records[records["open"] == 0], order="peak")
    if not np.isin(certain["peak"], places).all():
        return [*said, "a certain peak that is none"]
    rows = np.searchsorted(places, certain["peak"])
    for name, figures in properties.items():
        if not np.array_equal(figures[rows], certain[name], equal_nan=figures.dtype.kind == "f"):
            said.append(f"a certain peak with another {name}")
    on_time = records["seen"] <= records["peak"] + delay
    if not (on_time | (records["open"] & Open.PLATEAU > 0)).all():
        said.append("a peak told late")
    if (np.diff(records["seen"]) < 0).any():
        said.append("out of order")
    return said


@st.composite
def streams(draw, longest=60):
    """A series with ties, plateaus, ramps and NaN; rules; a delay; where the series is cut."""
    numbers = draw(st.sampled_from([RAGGED, st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.floats(-5, 5)]))
    values = np.array(draw(st.lists(numbers, max_size=longest)), np.float64)
    if draw(st.booleans()):
        values = np.repeat(values, draw(st.integers(1, 4)))
    values = values + draw(st.sampled_from([0.0, 0.3, -0.3])) * np.arange(len(values))
    pair = st.tuples(st.one_of(st.none(), NUMBERS), st.one_of(st.none(), NUMBERS))
    names = draw(st.sets(st.sampled_from(["height", "threshold", "prominence", "width", "plateau_size"])))
    rules = {name: draw(st.one_of(NUMBERS, pair)) for name in sorted(names)}
    if draw(st.integers(0, 2)):
        rules["distance"] = draw(st.sampled_from([1, 2.5, 3, 4, 7, 20]))
    if draw(st.booleans()):
        rules["wlen"] = draw(st.sampled_from([2, 3, 5.5, 18, 40]))
    delay = draw(st.sampled_from([1, 2, 3, 5, 9, 30, 1000]))
    cuts = sorted(draw(st.lists(st.integers(0, len(values)), max_size=8)))
    return values, cuts, {"delay": delay, **rules}


FIXTURE = [hypothesis.HealthCheck.function_scoped_fixture]


@hypothesis.given(streams())
@hypothesis.settings(max_examples=150, suppress_health_check=FIXTURE)
def test_the_promise_holds(path, question):
    values, cuts, rules = question
    records = told(values, cuts, path, **rules)
    assert not broken(values, records, **rules)
    assert_equal_records(records, told(values, (), path, **rules))


@hypothesis.given(streams(longest=30))
@hypothesis.settings(max_examples=80, suppress_health_check=FIXTURE, deadline=None)
def test_the_twin_tells_the_same(path, question):
    values, cuts, rules = question
    assert_equal_records(told(values, cuts, path, **rules), told(values, cuts, "reference", **rules))


@hypothesis.given(streams(longest=40))
@hypothesis.settings(max_examples=40, suppress_health_check=FIXTURE, deadline=None)
def test_goes_on_from_a_pickle_on_any_path(path, question):
    values, cuts, rules = question
    want = told(values, (), path, **rules)
    turns = iter([path, "reference", "plain"] * 10)

    def moved(stream):
        with backend.using(next(turns)):
            return copy.deepcopy(pickle.loads(pickle.dumps(stream)))

    assert_equal_records(told(values, cuts, path, moved, **rules), want)


@pytest.mark.parametrize(
    ("rule", "rules"),
    [
        (Open.DISTANCE, {"delay": 12, "distance": 8}),
        (Open.TIE, {"delay": 200, "distance": 8}),
        (Open.PROMINENCE, {"delay": 12, "prominence": 1.0, "wlen": 61}),
        (Open.PROMINENCE, {"delay": 12, "prominence": 1.0}),
        (Open.WIDTH, {"delay": 12, "width": 0, "wlen": 61}),
        (Open.PLATEAU, {"delay": 1, "prominence": 0, "wlen": 3}),
    ],
    ids=str,
)
def test_without_its_flag_the_promise_breaks(path, rule, rules):
    """The sabotage: were a rule never called open, the test above would find it."""
    values = np.random.default_rng(3).integers(0, 9, 600).astype(float)
    records = told(values, (), path, **rules)
    assert not broken(values, records, **rules)
    sabotaged = records.copy()
    sabotaged["open"] &= ~int(rule | (Open.PROMINENCE if rule == Open.PLATEAU else 0))
    assert broken(values, sabotaged, **rules)
    assert "a peak lost" in broken(values, records[records["open"] & rule == 0], **rules)


@pytest.mark.parametrize("chunk", [1, 7, 1000, 20_000])
def test_long_and_any_chunk(path, chunk):
    rng = np.random.default_rng(4)
    values = rng.normal(size=20_000) + rng.normal(size=20_000).cumsum() * 0.05
    rules = {"delay": 1000, "height": 0.5, "distance": 100, "prominence": 1, "wlen": 1001, "width": 1}
    records = told(values, range(chunk, len(values), chunk), path, **rules)
    assert not records["open"].any()
    assert not broken(values, records, **rules)
    assert (
        sorted(records["peak"].tolist())
        == scipy_peaks(values, **{k: rules[k] for k in rules if k != "delay"})[0].tolist()
    )


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        (np.arange(60_000) % 2 + np.arange(60_000) * 1e-3, {"delay": 300, "distance": 50}),
        (np.arange(60_000) % 3.0, {"delay": 300, "distance": 50, "prominence": 1}),
        (np.repeat([0.0, 1.0, 0.0], 20_000), {"delay": 300, "distance": 50, "prominence": 1, "width": 1}),
    ],
    ids=["a ramp that never ends", "equal peaks", "a plateau longer than all memory"],
)
def test_memory_is_bounded_and_nothing_is_lost(path, values, rules):
    with backend.using(path):
        stream, records, largest = kernels.Peaks(**rules), [], 0
        for chunk in np.split(values, 60):
            records.append(stream.push(chunk))
            largest = max(largest, len(pickle.dumps(stream)))
        records.append(stream.finish())
    assert largest < 60_000
    assert not broken(values, np.concatenate(records), **rules)


def test_by_hand(path):
    records = told(np.array([0, 3, 1, 2, 0, 0, 5, 5, 0, 4, 0, 0.0]), (), path, delay=4, distance=3)
    # 2 at sample 3 is taken by 3. What begins at sample 3, 8 and 11 must have ended: the last with the series.
    assert records["peak"].tolist() == [1, 6, 9]
    assert records["open"].tolist() == [0, 0, 0]
    assert records["seen"].tolist() == [4, 9, 12]
    late = told(np.array([0, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0.0]), (), path, delay=2, distance=3)
    assert late["peak"].tolist() == [1, 3, 5, 7]
    assert late["open"].tolist() == [Open.DISTANCE] * 4
    assert late["seen"].tolist() == [3, 5, 7, 9]


def test_float32_and_polars_chunks(path):
    values = np.random.default_rng(6).normal(size=500).astype(np.float32)
    want = told(values.astype(np.float64), (), path, delay=20, height=0)
    assert_equal_records(told(values, (100,), path, delay=20, height=0), want)
    polars = pytest.importorskip("polars")
    with backend.using(path):
        stream = kernels.Peaks(delay=20, height=0)
        assert_equal_records(np.concatenate([stream.push(polars.Series(values)), stream.finish()]), want)


@pytest.mark.parametrize("used", ["reference", backend.path])
def test_wrong_arguments(used):
    with backend.using(used):
        for delay in (0, -1, 1.5, None, True, 2**60):
            with pytest.raises(ValueError, match=r"^delay: "):
                kernels.Peaks(delay=delay)
        with pytest.raises(ValueError, match=r"^height: a stream takes numbers"):
            kernels.Peaks(delay=1, height=np.zeros(3))
        stream = kernels.Peaks(delay=1)
        for chunk in (np.zeros((2, 2)), np.zeros(2, complex), 1.0, None):
            with pytest.raises(ValueError, match=r"^chunk: "):
                stream.push(chunk)
        stream.finish()
        with pytest.raises(ValueError, match=r"^push: the stream was finished"):
            stream.push(np.zeros(1))


def test_a_damaged_state_is_refused():
    stream = kernels.Peaks(delay=9, distance=3, prominence=1)
    stream.push(np.random.default_rng(0).normal(size=100))
    for damage in ({"count": 3}, {"run": -1}, {"expired": 10**6}, {"samples": np.zeros(1)}):
        state = stream.__getstate__()
        with pytest.raises(ValueError, match=r"^state: "):
            kernels.Peaks.__new__(kernels.Peaks).__setstate__(
                {**state, "stream": {**state["stream"], **damage}}
            )
    with pytest.raises(ValueError, match=r"^state: version 99"):
        kernels.Peaks.__new__(kernels.Peaks).__setstate__({**stream.__getstate__(), "version": 99})
