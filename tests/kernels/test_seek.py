"""The as-of look-up against the plain twin and against a search by hand."""

import hypothesis
import hypothesis.strategies as st
import numpy as np

from flyball import kernels
from flyball.kernels import reference


@st.composite
def questions(draw):
    """Machines with sorted times, some without rows, and moments in any order."""
    small = st.integers(-5, 12)
    machines = draw(st.lists(st.lists(small, max_size=40).map(sorted), min_size=1, max_size=5))
    asked = draw(st.lists(st.tuples(small, st.integers(0, len(machines) - 1)), max_size=40))
    if draw(st.booleans()):
        asked.sort()
    times = np.array([time for machine in machines for time in machine], np.int64)
    starts = np.array([0, *np.cumsum([len(machine) for machine in machines])], np.int64)
    moments = np.array([moment for moment, _ in asked], np.int64)
    segments = np.array([segment for _, segment in asked], np.int64)
    return times, starts, moments, segments


def by_hand(times, starts, moments, segments):
    """The definition: look at every row."""
    found = []
    for moment, segment in zip(moments, segments, strict=True):
        rows = [row for row in range(starts[segment], starts[segment + 1]) if times[row] <= moment]
        found.append(max(rows, default=-1))
    return found


@hypothesis.given(questions())
@hypothesis.settings(max_examples=300)
def test_both_give_what_the_definition_gives(question):
    want = by_hand(*question)
    assert kernels.asof(*question).tolist() == want
    assert reference.asof(*question).tolist() == want


def test_a_large_fleet_equals_the_twin():
    rng = np.random.default_rng(0)
    segment_of = np.sort(rng.integers(0, 50, 20_000))
    times = rng.integers(0, 10**12, 20_000)
    order = np.lexsort((times, segment_of))
    starts = np.searchsorted(segment_of, np.arange(51))
    moments, segments = rng.integers(0, 10**12, 5_000), rng.integers(0, 50, 5_000)
    want = reference.asof(times[order], starts, moments, segments)
    assert np.array_equal(kernels.asof(times[order], starts, moments, segments), want)
    by_time = np.argsort(moments)
    got = kernels.asof(times[order], starts, moments[by_time], segments[by_time])
    assert np.array_equal(got, want[by_time])


def test_the_last_of_equal_times_wins():
    assert kernels.asof(np.array([3, 3, 3]), np.array([0, 3]), np.array([3]), np.array([0])).tolist() == [2]


def test_the_ends_of_time():
    ends = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])
    got = kernels.asof(ends, np.array([0, 2]), ends, np.array([0, 0]))
    assert got.tolist() == [0, 1]


def test_nobody_and_nothing():
    none = np.array([], np.int64)
    assert kernels.asof(none, np.array([0]), none, none).tolist() == []
    assert kernels.asof(none, np.array([0, 0]), np.array([4]), np.array([0])).tolist() == [-1]


def test_strided_and_read_only():
    times = np.arange(20)[::2]
    times.flags.writeable = False
    assert kernels.asof(times, np.array([0, 10]), np.array([7, 0])[::-1], np.array([0, 0])).tolist() == [0, 3]
