"""Channels that an upgrade renamed."""

import polars as pl

from flyball.data.doctor import renames

OLD = frozenset({"machine", "pump_temp", "duty", "flow"})
NEW = frozenset({"machine", "PumpTemp", "Duty", "pressure"})
FRAME = pl.DataFrame(
    {
        "machine": ["a"] * 4, "pump_temp": [20.0, 21.0, None, None], "duty": [0.5, 0.6, None, None], 
        "flow": [1.0, 1.0, None, None],
        "PumpTemp": [None, None, 20.5, 20.7], "Duty": [None, None, 51.0, 52.0], "pressure": [None, None, 3.0, 3.0],
    }
)  # fmt: skip


def test_a_channel_under_another_name_is_found_and_its_values_compared():
    found = {one["column"]: one for one in renames.find([OLD, OLD, NEW, NEW], FRAME)}
    assert {name: (one["of"], one["files"]) for name, one in found.items()} == {
        "Duty": ("duty", 2), "PumpTemp": ("pump_temp", 2)
    }  # fmt: skip
    assert (found["Duty"]["moved"], found["PumpTemp"]["moved"]) == ("93.64 times as large", "")


def test_columns_that_stand_together_in_one_file_are_two():
    assert renames.find([OLD, OLD | NEW, NEW], FRAME) == []


def test_a_column_that_only_comes_or_goes_is_no_rename():
    assert renames.find([OLD - {"duty"}, OLD], FRAME.select(sorted(OLD))) == []
    assert renames.find([OLD], FRAME) == []


def test_names_that_were_only_added_to_are_of_one_channel_before_others():
    frame = pl.DataFrame({"z7": [1.0, None], "z8": [2.0, None], "sw3_z7_nm": [None, 1.0], "zz8": [None, 2.0]})
    found = renames.find([frozenset({"z7", "z8"}), frozenset({"sw3_z7_nm", "zz8"})], frame)
    assert [(one["column"], one["of"]) for one in found] == [("sw3_z7_nm", "z7"), ("zz8", "z8")]
