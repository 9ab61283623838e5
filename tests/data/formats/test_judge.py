import pathlib

import polars as pl
import pytest

from flyball import data, errors, units
from flyball.data.formats import judge, read

NOW = 1_767_225_600_000_000
TABLE = data.Table(
    "telemetry",
    columns={"power": "kW", "state": "category"},
    arrives=units.hours(1),
    time="time",
    unique=("at",),
)


def judged(text, table=TABLE, clock=None, binding=None, live=False, name="a.csv"):
    fleet = data.Fleet("machine", clock or data.WallClock(), (table,))
    judging = judge.Judge(fleet, table, binding, NOW, live)
    return judging.judge(read.read(pathlib.Path(name), text.encode(), judging.numbers()), name)


def reasons(found):
    return {bad.line: bad.reason for bad in found.bad}


def test_good_rows_carry_an_assumed_seen():
    found = judged("machine,time,power,state\nm1,2025-01-01,2,on\n")
    row = found.good.row(0, named=True)
    assert row["seen"] - row["at"] == int(units.hours(1)) and row["assumed"] and row["line"] == 2


def test_a_real_seen_is_taken_and_what_came_later_than_usual_is_counted():
    found = judged(
        "machine,time,seen,power,state\nm1,2025-01-01,2025-01-02,2,on\nm1,2025-01-02,2025-01-02,2,on\n"
    )
    assert not found.good["assumed"].any() and found.late == 1


def test_live_rows_are_seen_now():
    found = judged("machine,time,power,state\nm1,2025-01-01,2,on\n", live=True)
    assert found.good["seen"].to_list() == [NOW] and not found.good["assumed"].any()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (",2025-01-01,1,on", "no key"),
        ("m1,,1,on", "no time"),
        ("m1,tuesday,1,on", "is no time"),
        ("m1,1970-01-01,1,on", "clock"),
        ("m1,2026-01-03,1,on", "clock"),
        ("m1,1735689600,1,on", "clock"),
        ("m1,2025-01-01,much,on", "power: no number"),
        ("m1,2025-01-01,inf,on", "power: not finite"),
    ],
)
def test_a_bad_row_is_told_with_its_line_and_the_others_stay(line, why):
    found = judged(f"machine,time,power,state\nm1,2025-01-01,1,on\n{line}\nm2,2025-01-01,,\n")
    assert list(reasons(found)) == [3] and why in reasons(found)[3]
    assert found.good["line"].to_list() == [2, 4] and found.good["power"].to_list() == [1.0, None]


def test_a_missing_column_is_absent_and_a_new_one_is_noted_with_a_suggestion():
    found = judged("machine,time,pwer,state\nm1,2025-01-01,1,on\n")
    assert found.extra == ("pwer",) and "did you mean 'pwer'?" in found.absent["power"]
    assert found.good["power"].to_list() == [None]


@pytest.mark.parametrize("header", ["machina,time,power,state", "machine,tim,power,state"])
def test_without_key_or_time_no_row_can_be_placed(header):
    found = judged(f"{header}\nm1,2025-01-01,1,on\nm2,2025-01-01,1,on\n")
    assert not found.good.height and len(found.bad) == 2 and "no column" in found.bad[0].reason


def test_equal_rows_of_one_file_are_counted_once_where_facts_are_unique():
    text = "machine,time,power,state\n" + "m1,2025-01-01,1,on\n" * 3 + "m1,2025-01-01,2,on\n"
    found = judged(text)
    assert found.good["power"].to_list() == [1.0, 2.0] and found.duplicates == 2
    events = data.Table("telemetry", columns={"power": "kW", "state": "category"}, time="time")
    assert judged(text, events).good.height == 4


def test_a_binding_gives_names_units_zone_epoch_and_codes():
    binding = data.Binding(
        "north", names={"machine": "tool", "time": "t", "telemetry.power": "P", "state": "S"}, units={"power": "W"},
        zone="Asia/Tokyo", epoch="s", codes={"state": {"1": "on"}},
    )  # fmt: skip
    found = judged("tool,t,P,S\nm1,2025-01-01T09:00:00,1500,1\nm1,1735689600,1,7\n", binding=binding)
    assert found.good["power"].to_list() == [1.5, 0.001] and found.good["state"].to_list() == ["on", "7"]
    assert found.good["at"].n_unique() == 1


def test_a_unit_that_cannot_be_converted_is_an_error_that_says_where():
    with pytest.raises(errors.DataError, match=r"telemetry\.power.*'°C'.*'kW'"):
        judged("machine,time,power,state\n", binding=data.Binding("north", units={"power": "°C"}))


def test_a_counter_gives_steps_and_a_page_without_clock_the_order():
    table = data.Table("cycles", columns={"power": "kW"})
    text = "machine,cycle,power\nm1,3,1\nm1,-1,1\nm1,x,1\n"
    found = judged(text, table, data.Counter("cycle"))
    assert (
        found.good["at"].to_list() == [3]
        and "below zero" in reasons(found)[3]
        and "no step" in reasons(found)[4]
    )
    fleet = data.Fleet("machine", None, (table,))
    judging = judge.Judge(fleet, table, None, NOW)
    found = judging.judge(read.read(pathlib.Path("a.csv"), text.encode()), "a.csv")
    assert found.good["at"].to_list() == [0, 1, 2] and found.good["seen"].to_list() == [0, 0, 0]


def test_the_schema_is_that_of_the_good_rows():
    assert dict(judged("machine,time,power,state\nm1,2025-01-01,1,on\n").good.schema) == judge.schema(TABLE)
    assert judge.schema(TABLE)["power"] == pl.Float64
