"""Departure is a statistic of the recent past less the mean of the longer one, from rows that were seen."""

import numpy as np
import pytest

from flyball import data, features
from flyball.units import days, hours


def rows(values, at):
    return data.Rows.of(["a"] * len(values), at=at, columns={"x": values})


@pytest.mark.parametrize("by", ["mean", "max", "min", "median"])
def test_it_is_the_difference_of_two_windows(by):
    rng = np.random.default_rng(0)
    at = np.sort(rng.integers(0, int(days(30)), 200))
    table = {"t": rows(rng.normal(size=200), at)}
    asked = features.Moments.of(["a"] * 20, rng.integers(int(days(10)), int(days(30)), 20))
    found = features.Departure("t.x", over=days(2), against=days(9), by=by).compute(table, asked)
    recent = features.Rolling("t.x", over=days(2), by=by).compute(table, asked)
    level = features.Rolling("t.x", over=days(9), by="mean").compute(table, asked)
    np.testing.assert_array_equal(
        found[f"t.x.{by}.2d.less.9d"], recent[f"t.x.{by}.2d"] - level["t.x.mean.9d"]
    )


def test_a_level_of_its_own_is_taken_off():
    at = [int(hours(n)) for n in range(0, 240, 6)]
    table = {"t": rows([40.0] * 36 + [43.0] * 4, at)}
    found = features.Departure("t.x", over=days(1), against=days(10)).compute(
        table, features.Moments.of(["a"], [at[-1]])
    )
    assert found["t.x.mean.1d.less.10d"].tolist() == pytest.approx([2.7])


def test_without_a_value_there_is_none():
    table = {"t": rows([1.0], [0])}
    found = features.Departure("t.x", over=days(1), against=days(10)).compute(
        table, features.Moments.of(["a"], [int(days(5))])
    )
    assert np.isnan(found["t.x.mean.1d.less.10d"]).all()


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (features.Departure("t.x", over=days(7), against=days(7)), "no longer than"),
        (features.Departure("t.code", over=days(1), against=days(7)), "a number is needed"),
        (features.Departure("t.x", over=days(1), against=7), "against: a bare 7"),
        (features.Departure("t.x", over=days(1), against=days(7), by="mode"), "no statistic 'mode'"),
    ],
)
def test_mistakes_are_told(page, feature, said):
    assert said in " ".join(map(str, feature.problems(page(data.WallClock()))))
