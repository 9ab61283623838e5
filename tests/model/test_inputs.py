"""Columns by name, categories by text."""

import numpy as np
import pytest

from flyball import data, errors, features
from flyball.model import inputs

MOMENTS = features.Moments.of(["a", "a"], [0, 1])


def matrix(**columns):
    return features.Matrix(MOMENTS, columns)


def test_order_and_new_columns_do_not_matter():
    x = matrix(b=np.array([1.0, 2.0]), a=np.array([3.0, np.nan]))
    chosen = inputs.Inputs.of(x)
    again = matrix(new=np.zeros(2), a=x.columns["a"], b=x.columns["b"])
    assert np.array_equal(chosen.dense(x), chosen.dense(again), equal_nan=True)
    assert chosen.names == ("a", "b")


def test_a_category_is_its_text_not_its_code():
    chosen = inputs.Inputs.of(matrix(kind=data.Words.of(["x", "y"])))
    other = matrix(kind=data.Words(np.array([0, 1], np.int32), ("y", "never seen")))
    assert chosen.dense(other)[0, 0] == 1.0 and np.isnan(chosen.dense(other)[1, 0])


def test_what_is_missing_is_named():
    chosen = inputs.Inputs.of(matrix(pressure=np.zeros(2)))
    with pytest.raises(errors.DataError, match="'pressure' is missing, did you mean 'pressures'"):
        chosen.dense(matrix(pressures=np.zeros(2)))
    with pytest.raises(errors.DataError, match="was one number per row in training"):
        chosen.dense(matrix(pressure=np.zeros((2, 3, 1))))
    with pytest.raises(errors.DataError, match="was a category"):
        inputs.Inputs.of(matrix(kind=data.Words.of(["x", "y"]))).dense(matrix(kind=np.zeros(2)))


def test_sequences_are_left_to_those_who_take_them():
    assert inputs.Inputs.of(matrix(a=np.zeros(2), window=np.zeros((2, 3, 4)))).names == ("a",)
    with pytest.raises(errors.DataError, match="no column that is one number"):
        inputs.Inputs.of(matrix(window=np.zeros((2, 3, 4))))


def test_settings_come_back():
    chosen = inputs.Inputs.of(matrix(a=np.zeros(2), kind=data.Words.of(["x", "y"])))
    assert inputs.Inputs.read(chosen.settings()) == chosen


def test_a_row_asked_alone_is_the_row_asked_among_others(rows):
    chosen = inputs.Inputs.of(rows.x)
    stopped = features.Matrix(
        rows.moments, {n: c for n, c in rows.x.columns.items() if n != "b"}, {"b": "gone"}
    )
    for x in (rows.x, stopped):
        whole = chosen.dense(x)
        for number in (0, 7, len(x) - 1):
            one = chosen.dense(x.take(np.array([number])))
            assert one.dtype == np.float32 and one.flags.c_contiguous
            assert np.array_equal(one[0], whole[number], equal_nan=True)
