import datetime
import math

import hypothesis
import hypothesis.strategies as st
import polars as pl
import pytest

from flyball.data.formats import cells


def cast(values, kind, dtype=pl.String):
    found, wrong = cells.cast(pl.Series("x", values, dtype=dtype), kind)
    assert found.dtype == cells.dtype(kind) and len(found) == len(values)
    return found.to_list(), wrong.to_list()


@pytest.mark.parametrize("text", ["1.5abc", "1_0", "0x10", "1,5", "true", "--1", "1 5"])
def test_what_is_no_number_is_wrong_and_never_a_value(text):
    assert cast([text, "2"], "kW") == ([None, 2.0], [True, False])
    assert cast([text, "2"], "count") == ([None, 2], [True, False])


@pytest.mark.parametrize("text", ["", " ", "NA", "nan", "NaN", "null", "None"])
def test_missing_is_missing_and_not_wrong(text):
    assert cast([text], "kW") == ([None], [False])
    assert cast([text], "count") == ([None], [False])
    assert cast([text], "bool") == ([None], [False])


@hypothesis.given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, width=64)), min_size=1))
def test_floats_come_back_as_they_were_written(values):
    texts = [None if value is None else repr(value) for value in values]
    found, wrong = cast(texts, "number")
    assert not any(wrong)
    assert all(a == b for a, b in zip(found, values, strict=True))


@hypothesis.given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_counts_stay_exact(values):
    assert cast([str(v) for v in values], "count")[0] == values
    assert cast(values, "count", pl.Int64)[0] == values


def test_counts_written_as_floats_are_counts_only_when_whole():
    assert cast(["5.0", "5.5", "9007199254740993", "1e3"], "count") == (
        [5, None, 9007199254740993, 1000],
        [False, True, False, False],
    )
    assert cast([5.0, 5.5, math.nan], "count", pl.Float64) == ([5, None, None], [False, True, False])


def test_flags():
    texts = ["true", "False", "1", "0", "yes", "2", None]
    assert cast(texts, "bool") == ([True, False, True, False, True, None, None], [False] * 5 + [True, False])
    assert cast([1, 0, 2], "bool", pl.Int64) == ([True, False, None], [False, False, True])


def test_typed_columns_of_another_kind_are_wrong():
    assert cast([True], "kW", pl.Boolean) == ([None], [True])
    assert cast([[1]], "category", pl.List(pl.Int64)) == ([None], [True])
    assert cast([datetime.date(2025, 1, 1)], "kW", pl.Date) == ([None], [True])


def test_texts_from_numbers_print_whole_ones_without_a_point():
    assert cast([1.0, 1.5, None], "category", pl.Float64)[0] == ["1", "1.5", None]
    assert cast([" a ", ""], "category")[0] == ["a", None]


def when(values, zone="UTC", epoch="us", dtype=pl.String):
    found, wrong = cells.moment(pl.Series("t", values, dtype=dtype), zone, epoch)
    return found.to_list(), wrong.to_list()


def us(text):
    return int(datetime.datetime.fromisoformat(text).timestamp()) * 1_000_000


def test_times_of_every_spelling():
    texts = [
        "2025-01-02",
        "2025-01-02 03:04:05",
        "2025-01-02T03:04:05.5Z",
        "2025-01-02T03:04:05+02:00",
        "20250102",
    ]
    day, hour = us("2025-01-02T00:00:00+00:00"), us("2025-01-02T03:04:05+00:00")
    assert when(texts)[0] == [day, hour, hour + 500_000, hour - 7_200_000_000, day]


@pytest.mark.parametrize("text", ["yesterday", "2025-02-30", "2025-01-01T25:00:00", "12:00", "1e9"])
def test_what_is_no_time_is_wrong(text):
    assert when([text]) == ([None], [True])


def test_local_times_and_the_hours_that_do_not_exist_or_exist_twice():
    assert when(["2025-07-01T12:00:00"], "Europe/Amsterdam")[0] == [us("2025-07-01T10:00:00+00:00")]
    assert when(["2025-03-30T02:30:00"], "Europe/Amsterdam") == ([None], [True])
    assert when(["2025-10-26T02:30:00"], "Europe/Amsterdam")[0] == [us("2025-10-26T00:30:00+00:00")]
    typed = pl.Datetime("ms")
    local = [datetime.datetime(2025, 7, 1, 12), datetime.datetime(2025, 3, 30, 2, 30)]
    assert when(local, "Europe/Amsterdam", dtype=typed) == (
        [us("2025-07-01T10:00:00+00:00"), None],
        [False, True],
    )


@pytest.mark.parametrize(("epoch", "size"), [("s", 1_000_000), ("ms", 1_000), ("us", 1)])
def test_numbers_count_as_declared(epoch, size):
    assert when([1_700_000_000], epoch=epoch, dtype=pl.Int64)[0] == [1_700_000_000 * size]
    assert when(["1700000000"], epoch=epoch)[0] == [1_700_000_000 * size]
    assert when([1.5e9, math.nan, 1e300], epoch=epoch, dtype=pl.Float64) == (
        [int(1.5e9) * size, None, None],
        [False, False, True],
    )
