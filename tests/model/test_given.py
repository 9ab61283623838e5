"""A split that comes with the data."""

import types

import pytest

from flyball import data, errors, features, model

ROWS = data.Rows.of(
    ["w1", "w2", "w3", "w4"],
    at=[5, 6, 7, 8],
    columns={"split": ["train_a", "test", "train_b", "val"], "x": [1.0] * 4},
)


def test_rows_are_found_by_machine_and_time_whatever_is_asked():
    split = model.Given("maps.split", test=("test",), train=("train_a", "train_b"))
    moments = features.Moments.of(["w1", "w2", "w3", "w4"], [5, 6, 7, 8])
    (fold,) = split.split(moments, {"maps": ROWS})
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 2], [1])
    (fold,) = split.split(moments[[2, 1]], {"maps": ROWS})
    assert (fold.train.tolist(), fold.test.tolist()) == ([0], [1])


def test_a_moment_without_a_row_is_neither():
    split = model.Given("maps.split", test=("test",), train=("train_a",))
    moments = features.Moments.of(["w1", "w1", "w2", "w9"], [5, 50, 6, 6])
    (fold,) = split.split(moments, {"maps": ROWS})
    assert (fold.train.tolist(), fold.test.tolist()) == ([0], [2])


def test_an_empty_side_says_what_there_is():
    with pytest.raises(errors.DataError, match=r"0 to be judged on; it holds .*train_a"):
        model.Given("maps.split", test=("tset",)).split(features.Moments.of(["w1"], [5]), {"maps": ROWS})


def test_an_unknown_column_is_a_problem():
    fleet = data.Fleet("wafer", None, (data.Table("maps", columns={"split": "category"}),))
    page = types.SimpleNamespace(data=fleet)
    assert "did you mean 'maps.split'" in next(iter(model.Given("maps.splt").problems(page))).fix
