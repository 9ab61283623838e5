"""What a machine reads is what the store reads: the two readers are held against each other, cell by cell."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, errors
from flyball.data.formats import csv, jsonl, plain
from flyball.data.formats.judge import Judge

NOW = 1_767_312_000_000_000
TABLE = data.Table(
    "t", columns={"x": "kW", "n": "count", "ok": "bool", "code": "category", "v": "number"}, time="time"
)
FLEET = data.Fleet("machine", data.WallClock(), (TABLE,))
NORTH = data.Binding(
    "north", names={"t.x": "X_1", "machine": "tool"}, units={"x": "W"}, zone="Europe/Amsterdam", epoch="ms",
    codes={"code": {"E1": "door"}},
)  # fmt: skip
NAMES = ["tool", "time", "X_1", "n", "ok", "code", "v", "seen"]
CELLS = (
    st.sampled_from(["s1", "s2", "", " s3 "]),
    st.sampled_from([
        "2026-01-01", "2025-12-31 12:00:00", "2025-12-31T12:00:00.25+01:00", "1767200000000", "?", "", "1970-01-01",
        "2030-01-01", "2025-03-30 02:30:00", "2025-10-26 02:30:00",
    ]),
    st.sampled_from(["1500", " 2.5 ", "", "na", "NaN", "x", "1e3", "inf", "1_0"]),
    st.sampled_from(["3", "3.0", "3.5", "", "null", "a", "-1"]),
    st.sampled_from(["true", "0", "Yes", "", "2", "n/a"]),
    st.sampled_from(["E1", " E2", "", "na"]),
    st.sampled_from(["7", "-7.25", "none", ""]),
    st.sampled_from(["", "2026-01-02T00:00:00Z", "2025-01-01", "1767300000000"]),
)  # fmt: skip


def same(found, bad, judged):
    frame = judged.good
    wanted = data.Rows.of(
        frame["key"], frame["at"].to_numpy(), frame["seen"].to_numpy(),
        {
            name: data.Words.of(frame[name].to_list())
            if kind == "category"
            else np.array([np.nan if v is None else float(v) for v in frame[name].to_list()], dtype=np.float64)
            for name, kind in TABLE.columns.items()
        },
    )  # fmt: skip
    assert [(one.line, one.reason) for one in bad] == [(one.line, one.reason) for one in judged.bad]
    assert found.keys == wanted.keys and found.at.tolist() == wanted.at.tolist()
    assert found.seen.tolist() == wanted.seen.tolist()
    for name, column in wanted.columns.items():
        if isinstance(column, data.Words):
            assert found.words(name).texts() == column.texts()
        else:
            np.testing.assert_array_equal(found.floats(name), column, err_msg=name)


@given(st.lists(st.tuples(*CELLS), max_size=4), st.booleans())
def test_rows_of_csv_are_those_of_the_store(rows, seen):
    names = NAMES if seen else NAMES[:-1]
    content = "\n".join([",".join(names), *(",".join(row[: len(names)]) for row in rows), ""]).encode()
    _, _, body = content.partition(b"\n")
    lines = list(plain.csv_lines(names, ",", body, 2))
    found, bad = plain.Plain(FLEET, TABLE, NORTH).rows(
        [one for one in lines if not isinstance(one, plain.Bad)], NOW
    )
    if rows:
        judged = Judge(FLEET, TABLE, NORTH, NOW, live=True).judge(csv.read(Path("t.csv"), content), "t.csv")
        same(found, bad, judged)


@given(st.lists(st.tuples(*CELLS), min_size=1, max_size=4))
def test_rows_of_json_lines_are_those_of_the_store(rows):
    content = "".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows).encode()
    lines = list(plain.json_lines(content, 1))
    found, bad = plain.Plain(FLEET, TABLE, NORTH).rows(lines, NOW)
    same(
        found,
        bad,
        Judge(FLEET, TABLE, NORTH, NOW, live=True).judge(jsonl.read(Path("t.jsonl"), content), "t"),
    )


def test_a_line_that_is_no_row_is_told_with_its_number():
    found = list(plain.csv_lines(["a", "b"], ";", b'1;"x\ny"\n1;2;3\n\xff;1\n\n4;5\n', 2))
    assert [one[0] for one in found] == [2, 4, 5, 7]
    assert found[0] == (2, {"a": "1", "b": "x\ny"})
    assert found[1].reason == "3 fields, 2 expected" and found[2].reason == "not UTF-8"
    assert [one.reason for one in plain.json_lines(b"[1]\n{\n", 1)] == ["no JSON object", "no JSON"]


def test_items_of_a_ring_are_rows_of_the_machine():
    items = np.array(
        [(1767200000000, 1500.0, b"E1"), (1767200000001, np.nan, b"")],
        [("time", "i8"), ("X_1", "f8"), ("code", "S4")],
    )
    rows, bad = plain.Plain(FLEET, TABLE, NORTH).samples(items, NOW, "s1")
    assert rows.keys == ("s1",) and not bad
    assert rows.at.tolist() == [1767200000000000, 1767200000001000]
    assert rows.words("code").texts() == ["door", None] and rows.floats("x")[0] == 1.5


@pytest.mark.parametrize("fleet, binding, why", [
    (data.Fleet("m", None, (TABLE,)), None, "no clock"),
    (data.Fleet("m", data.WallClock(), (data.Table("t", columns={"p": "image"}),)), None, "images"),
])  # fmt: skip
def test_what_takes_more_than_the_core_is_refused_beforehand(fleet, binding, why):
    with pytest.raises(errors.DeclarationError, match=why):
        plain.Plain(fleet, fleet.tables[0], binding)
