"""The quantile sketch: its stated error against exact ranks, its twin to the last bit, and what is sent of it."""

import copy
import itertools
import pickle

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars
import pytest

from flyball import kernels
from flyball.kernels import backend
from flyball.kernels.sketch import QuantileSketch

pytestmark = pytest.mark.skipif(not kernels.native, reason="NOT RUN: the native kernels are not built here")

ROWS = 60_000
SAMPLES = {
    "uniform": lambda rng: rng.random(ROWS),
    "normal": lambda rng: rng.normal(size=ROWS),
    "heavy tails": lambda rng: rng.standard_cauchy(ROWS),
    "sorted": lambda rng: np.sort(rng.random(ROWS)),
    "reversed": lambda rng: -np.sort(rng.random(ROWS)),
    "zigzag": lambda rng: np.arange(ROWS) * np.where(np.arange(ROWS) % 2, 1.0, -1.0),
    "zoom": lambda rng: np.where(np.arange(ROWS) % 2, np.arange(ROWS), 2.0 * ROWS - np.arange(ROWS)),
    "ties": lambda rng: rng.integers(0, 12, ROWS) * 0.5,
    "mostly one": lambda rng: np.where(rng.random(ROWS) < 0.9, 1.0, rng.normal(size=ROWS)),
    "walk": lambda rng: rng.normal(size=ROWS).cumsum(),
    "steps": lambda rng: rng.random(ROWS) + np.arange(ROWS) // 5000,
    "waves": lambda rng: np.sin(np.arange(ROWS) / 700) + rng.random(ROWS) / 20,
}


def errors(sketch, values, points=99):
    """How far cdf lies from the true share at or below some values, in shares of the rows."""
    ordered = np.sort(values)
    asked = ordered[np.linspace(0, len(values) - 1, points).astype(int)]
    return sketch.cdf(asked)[0] - np.searchsorted(ordered, asked, side="right") / len(values)


def told(sketch):
    """All of a sketch's state."""
    return [sketch._made.told(column) for column in range(sketch.columns)]


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_stated_error_holds_in_99_of_100(kind):
    found = []
    for seed in range(30):
        values = SAMPLES[kind](np.random.default_rng(seed))
        sketch = kernels.QuantileSketch(1, seed).push(values)
        found.append(errors(QuantileSketch.from_bytes(sketch.to_bytes()), values))
    assert (
        np.mean(np.abs(found) <= QuantileSketch.ERROR, axis=0).min() >= 0.96
    )  # of 30: one may be out by chance
    assert np.mean(np.abs(found) <= QuantileSketch.ERROR) >= 0.99
    assert np.sqrt(np.mean(np.square(found), axis=0)).max() < 0.0025


@pytest.mark.slow
def test_the_stated_error_holds_over_millions():
    found = []
    for seed in range(12):
        values = np.random.default_rng(seed).random(1_400_000)
        found.append(errors(kernels.QuantileSketch(1).push(values), values))
    assert np.mean(np.abs(found) <= QuantileSketch.ERROR) >= 0.99
    assert np.abs(np.mean(found, axis=0)).max() < 0.0025  # no side is favoured


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("sent", [False, True])
def test_a_hundred_machines_merge_within_the_error(kind, sent):
    found = []
    for seed in range(4):
        values = SAMPLES[kind](np.random.default_rng(seed))
        machines = [kernels.QuantileSketch(1).push(part) for part in np.array_split(values, 100)]
        while len(machines) > 1:
            if sent:
                machines = [QuantileSketch.from_bytes(machine.to_bytes()) for machine in machines]
            pairs = itertools.zip_longest(machines[::2], machines[1::2])
            machines = [left.merge(right) if right is not None else left for left, right in pairs]
        assert machines[0].count[0] == ROWS
        assert (machines[0].min[0], machines[0].max[0]) == (values.min(), values.max())
        found.append(errors(machines[0], values))
    assert np.mean(np.abs(found) <= QuantileSketch.ERROR) >= 0.98


def test_a_biased_coin_would_be_noticed():
    values = np.random.default_rng(0).random(ROWS)
    sketch = kernels.QuantileSketch(1).push(values)
    figures, (ends, *levels) = sketch._made.told(0)
    top = max(level for level, items in enumerate(levels) if items)
    levels[top] = levels[top][: len(levels[top]) // 2] * 2  # half of a level told twice
    sketch._made.restore(0, figures, [ends, *map(sorted, levels)])
    assert np.abs(errors(sketch, values)).max() > QuantileSketch.ERROR


def test_small_columns_are_exact_and_empty_ones_unknown(path):
    values = np.array([[3.0, np.nan], [1.0, np.nan], [np.inf, np.nan], [-0.0, np.nan], [1.0, np.nan]])
    sketch = kernels.QuantileSketch(2).push(values)
    for one in (sketch, QuantileSketch.from_bytes(sketch.to_bytes()), pickle.loads(pickle.dumps(sketch))):
        assert one.count.tolist() == [5, 0] and one.missing.tolist() == [0, 5]
        assert one.quantile([0.0, 0.4, 0.41, 0.8, 1.0])[0].tolist() == [0.0, 1.0, 1.0, 3.0, np.inf]
        assert one.cdf([-1.0, 0.0, 1.0, 2.9, np.inf])[0].tolist() == [0.0, 0.2, 0.6, 0.6, 1.0]
        assert np.isnan(one.cdf([0.0, np.nan])).tolist() == [[False, True], [True, True]]
        assert (one.min[0], one.max[0]) == (0.0, np.inf) and np.isnan([one.min[1], one.max[1]]).all()
        assert one.ks(sketch)[0] == 0 and np.isnan(one.ks(sketch)[1])


NUMBERS = st.sampled_from([np.nan, 0.0, -0.0, 1.0, 2.5, 5e-324, 1e300, np.inf, -np.inf])


@hypothesis.given(st.lists(NUMBERS, max_size=30), st.integers(1, 2500), st.integers(0, 2**63 - 1), st.data())
@hypothesis.settings(
    max_examples=25, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_twin_holds_the_same_bits_however_rows_are_cut(path, odd, rows, seed, data):
    values = np.random.default_rng(rows).normal(size=(rows, 2))
    values[: len(odd), 0] = odd[:rows]
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=4)))
    streamed = kernels.QuantileSketch(2, seed)
    for chunk in np.split(values, cuts):
        streamed = copy.deepcopy(pickle.loads(pickle.dumps(streamed.push(np.asfortranarray(chunk)))))
    with backend.using("reference"):
        twin = kernels.QuantileSketch(2, seed).push(values)
        assert told(twin) == told(streamed)
        assert twin.to_bytes() == streamed.to_bytes()
    assert told(kernels.QuantileSketch(2, seed).push(values)) == told(streamed)


def test_long_streams_and_merges_hold_the_bits_of_the_twin(path):
    rng = np.random.default_rng(5)
    long, short = rng.normal(size=(400_001, 1)), rng.normal(size=(3001, 1)).astype(np.float32)
    native = kernels.QuantileSketch(1).push(long), kernels.QuantileSketch(1).push(short)
    with backend.using("reference"):
        twin = kernels.QuantileSketch(1).push(long), kernels.QuantileSketch(1).push(short)
        assert [told(one) for one in twin] == [told(one) for one in native]
        twins = [copy.deepcopy(twin[0]).merge(twin[1]), copy.deepcopy(twin[1]).merge(twin[0])]
        mixed = copy.deepcopy(twin[0]).merge(native[1])
        again = [QuantileSketch.from_bytes(one.to_bytes()) for one in twins]
    natives = [copy.deepcopy(native[0]).merge(native[1]), copy.deepcopy(native[1]).merge(native[0])]
    assert [told(one) for one in natives] == [told(one) for one in twins]
    assert told(mixed) == told(natives[0])
    assert [told(QuantileSketch.from_bytes(one.to_bytes())) for one in natives] == [
        told(one) for one in again
    ]


def test_what_is_sent_is_small_and_goes_on_as_a_stream():
    values = np.random.default_rng(6).normal(size=(300_000, 5))
    sketch = kernels.QuantileSketch(5).push(values)
    sent = sketch.to_bytes()
    assert len(sent) <= 4096 * 5
    assert len(kernels.QuantileSketch(1).push(values[:, 0]).to_bytes()) <= 4096
    again = QuantileSketch.from_bytes(sent)
    assert again.ks(sketch).max() < 0.002
    again.push(values + 10)
    assert again.cdf(5.0) == pytest.approx(0.5, abs=QuantileSketch.ERROR)
    again.merge(again)
    assert again.count.tolist() == [1_200_000] * 5
    assert again.cdf(5.0) == pytest.approx(0.5, abs=QuantileSketch.ERROR)
    state = pickle.dumps(kernels.QuantileSketch(1).push(np.random.default_rng(0).random(1_000_000)))
    assert len(state) < 48_000


def test_polars_and_strided_rows_are_taken(path):
    values = np.random.default_rng(7).normal(size=5000)
    want = told(kernels.QuantileSketch(1).push(values))
    assert told(kernels.QuantileSketch(1).push(polars.Series(values))) == want
    doubled = np.repeat(values, 2)
    doubled.flags.writeable = False
    assert told(kernels.QuantileSketch(1).push(doubled[::2])) == want


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wide_tables_answer_alike_row_by_row_and_by_column(path, dtype):
    table = np.random.default_rng(8).normal(size=(1031, 19)).astype(dtype)
    table[::7, 3] = np.nan
    want = told(kernels.QuantileSketch(19).push(np.asfortranarray(table)))
    assert told(kernels.QuantileSketch(19).push(table)) == want
    assert told(kernels.QuantileSketch(19).push(np.repeat(table, 2, axis=1)[:, ::2])) == want
    assert told(kernels.QuantileSketch(19).push(table[::-1].copy()[::-1])) == want


@hypothesis.given(st.integers(0, 10**6), st.integers(0, 255))
@hypothesis.settings(max_examples=300, deadline=None)
def test_damaged_bytes_are_refused_or_harmless(place, byte):
    sent = bytearray(kernels.QuantileSketch(2, 1).push(np.arange(2000.0).reshape(-1, 2)).to_bytes())
    sent[place % len(sent)] = byte
    try:
        made = QuantileSketch.from_bytes(bytes(sent))
    except ValueError as error:
        assert str(error).startswith("sent: ")
    else:
        made.push(np.zeros((2000, 2))).quantile(0.5)


def restored(change):
    """A pickled state with one part changed."""
    restore, (version, columns, state) = kernels.QuantileSketch(1).push(np.arange(2000.0)).__reduce__()
    figures, items = state[0]
    figures, items = list(figures), [list(item) for item in items]
    version = change(figures, items) or version
    return restore(version, columns, [(figures, items)])


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda: kernels.QuantileSketch(0), "columns: 0 is no number of columns"),
        (lambda: kernels.QuantileSketch(1, -1), "seed: -1 is no seed"),
        (lambda: kernels.QuantileSketch(1).push(np.zeros((2, 2))), "chunk: 2 columns, the others have 1"),
        (
            lambda: kernels.QuantileSketch(1).merge(kernels.QuantileSketch(2)),
            "other: is no sketch of 1 columns",
        ),
        (lambda: kernels.QuantileSketch(1).ks(3), "other: is no sketch of 1 columns"),
        (lambda: kernels.QuantileSketch(1).quantile(1.5), "q: 1.5 is no share"),
        (lambda: kernels.QuantileSketch(1).quantile(np.nan), "q: nan is no share"),
        (lambda: QuantileSketch.from_bytes(b"what"), "sent: is no quantile sketch of version 1"),
        (lambda: QuantileSketch.from_bytes(kernels.QuantileSketch(3).to_bytes()[:-1]), "sent: is cut short"),
        (
            lambda: QuantileSketch.from_bytes(kernels.QuantileSketch(3).to_bytes() + b"x"),
            "sent: 1 bytes follow",
        ),
        (lambda: restored(lambda figures, items: 2), "state: of version 2"),
        (lambda: restored(lambda figures, items: figures.pop()), "state: column 0 is damaged"),
        (lambda: restored(lambda figures, items: items[2].reverse()), "state: column 0 is damaged"),
        (lambda: restored(lambda figures, items: items[2].append(np.nan)), "state: column 0 is damaged"),
        (lambda: restored(lambda figures, items: items[50].append(1.0)), "state: column 0 is damaged"),
    ],
)
def test_what_is_wrong_is_named(call, told):
    with pytest.raises(ValueError, match=told):
        call()
