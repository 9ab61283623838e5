import numpy as np
import pytest

from flyball import data, errors
from flyball.features import values

ROWS = data.Rows.of(
    ["a"] * 4,
    at=[1, 2, 3, 4],
    seen=[1, 9, 3, 4],
    columns={"x": [0.0, 1.0, np.nan, 2.0], "code": ["A", None, "B", "A"]},
)


def test_what_holds_something():
    assert values.holds(ROWS, "x").tolist() == [False, True, False, True]
    assert values.holds(ROWS, "code").tolist() == [True, False, True, True]
    assert values.holds(ROWS, "code", "A").tolist() == [True, False, False, True]
    assert values.holds(ROWS, "code", "C").tolist() == [False] * 4
    with pytest.raises(errors.DataError, match="did you mean 'code'"):
        values.holds(ROWS, "cod")


def test_what_has_a_value():
    assert values.known(ROWS, "x").tolist() == [True, True, False, True]
    assert values.known(ROWS, "code").tolist() == [True, False, True, True]


def test_pick():
    rows = np.array([3, -1])
    np.testing.assert_array_equal(values.pick(ROWS, "x", rows), [2.0, np.nan])
    assert values.pick(ROWS, "code", rows).texts() == ["A", None]


def test_what_a_stream_must_keep():
    every = np.ones(4, dtype=bool)
    # At 3 the row of 2 has not been seen, so the last one known is that of 3.
    assert values.since_last(ROWS, every, 3).tolist() == [False, False, True, True]
    assert values.since_last(ROWS, values.known(ROWS, "x"), 3).tolist() == [True] * 4
    assert values.since_last(ROWS, every, 0).tolist() == [True] * 4
    assert values.until_first(ROWS, every, 3).tolist() == [True, False, False, False]
    assert values.until_first(ROWS, values.holds(ROWS, "x"), 4).tolist() == [True] * 4
    assert values.until_first(ROWS, every, 0).tolist() == [True] * 4


def test_floats_are_wide():
    narrow = data.Rows.of(["a"], [1], columns={"x": np.array([1.5], dtype=np.float32)})
    assert values.floats(narrow, "x").dtype == np.float64
