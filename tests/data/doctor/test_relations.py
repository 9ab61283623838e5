"""Columns that follow from another one exactly, up to rounding."""

import numpy as np
import polars as pl

from flyball.data.doctor import relations

RNG = np.random.default_rng(4)
X = RNG.normal(20, 5, 1_000)


def found(**columns):
    frame = pl.DataFrame(columns)
    return [(told["column"], told["of"]) for told in relations.exact(frame, frame.columns)]


def test_scale_offset_and_sign_are_told():
    frame = pl.DataFrame({"c": X, "f": 1.8 * X + 32, "minus": -X})
    told = relations.exact(frame, frame.columns)
    assert [(one["column"], round(one["scale"], 6), round(one["offset"], 6)) for one in told] == [
        ("f", 1.8, 32.0),
        ("minus", -1.0, 0.0),
    ]


def test_rounding_does_not_hide_a_relation():
    assert found(c=X.round(3), f=(1.8 * X + 32).round(2)) == [("f", "c")]


def test_close_is_not_exact():
    far_apart = X + 1e5 * (np.arange(1_000) % 2)
    assert found(a=far_apart, b=far_apart + RNG.normal(0, 0.5, 1_000)) == []
    assert found(a=X, b=X + RNG.normal(0, 0.01, 1_000)) == []


def test_what_holds_in_a_sample_is_held_to_all_rows():
    x = RNG.normal(size=20_000)
    y = 2 * x
    y[relations.ROWS + 1] = 99.0
    assert found(x=x, y=y) == []


def test_missing_cells_must_agree_and_few_values_tell_nothing():
    gaps = [None if place % 7 == 0 else value for place, value in enumerate(X)]
    assert found(a=gaps, b=[None if value is None else 3 * value for value in gaps]) == [("b", "a")]
    assert found(a=X, b=gaps) == []
    assert found(a=[0, 1] * 50, b=[1, 0] * 50) == []
    assert found(a=[1.0] * 100, b=[2.0] * 100) == []


def test_equal_columns_are_told_elsewhere():
    assert found(a=X, b=X) == []
