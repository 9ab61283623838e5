"""One column: its kind, what is missing, constant, a mark for "none", and what looks wrong."""

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import columns


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5], "number"), ([1, 2, 3], "count"), ([-1, 2, 3], "number"), ([0, 1, 1], "bool"), ([0.0, 1.0], "bool"),
        ([True, None], "bool"), ([None, None], "nothing"), (["a", "b"], "category"), ([float("nan")] * 3, "nothing"),
        ([[1], [2]], "nested"), ([b"\x89PNG..", b"\x89PNG.."], "image"), ([b"x", b"y"], "bytes"),
        (["a.png", "b.png"], "image"), (["word " * 30, "x " * 80], "text"),
    ],
)  # fmt: skip
def test_kinds(values, kind):
    assert columns.profile(pl.Series("x", values))["kind"] == kind


def test_missing_constant_and_the_usual_value():
    told = columns.profile(pl.Series("x", [3.0, None, 3.0, float("nan")]))
    assert (told["missing"], told["constant"], told["distinct"]) == (0.5, True, 1)
    told = columns.profile(pl.Series("x", [0] * 995 + [1, 2, 3, 4, 5]))
    assert (told["usual"], told["usual_share"], told["constant"]) == (0, 0.995, False)
    assert columns.profile(pl.Series("x", range(100)))["usual"] is None


@pytest.mark.parametrize("mark", [-999.0, -1.0, 65535.0, 9999.0])
def test_a_mark_for_none_is_found_and_left_out_of_the_range(mark):
    values = np.random.default_rng(1).normal(20.0, 0.1, 500)
    values[::50] = mark
    told = columns.profile(pl.Series("temp", values))
    assert told["sentinel"] == mark
    assert f"{mark:g} stands 10 times" in told["notes"][0]
    assert told["unit"] == "°C"


def test_a_value_within_the_range_is_no_mark():
    values = np.random.default_rng(1).normal(-999.0, 20.0, 500).round()
    assert columns.profile(pl.Series("x", values))["sentinel"] is None


def test_words_written_in_more_than_one_way_and_words_for_missing():
    notes = columns.profile(pl.Series("state", ["run", "Run", "idle", "N/A"] * 9))["notes"]
    assert "more than one way" in notes[0]
    assert "'N/A' among the values" in notes[1]


def test_a_date_that_python_does_not_know_is_told():
    values = pl.Series("t", [-(10**17), 10**15]).cast(pl.Datetime("us"))
    told = columns.profile(values)
    assert (told["kind"], told["low"][:5]) == ("time", "-1199")
    assert told["high"].startswith("2001-09-09")


def test_infinite_values_are_counted():
    assert columns.profile(pl.Series("x", [1.5, float("inf"), -2.0]))["notes"] == ["1 values are infinite"]


def test_equal_columns_are_found_and_missing_cells_count():
    frame = pl.DataFrame(
        {"a": [1.0, None, 2.0], "b": [1.0, None, 2.0], "c": [1.0, 2.0, None], "d": [1, None, 2]}
    )
    assert columns.same(frame, frame.columns) == {"b": "a"}
