"""The profile of one table: what each column is, and what was put into the rows is found again."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import pieces, table


@pytest.fixture(scope="module")
def frame():
    """Eight pumps, an hour apart, with one of each kind of mess."""
    rng = np.random.default_rng(11)
    rows, pumps = 300, 8
    n = rows * pumps
    at = [datetime(2026, 1, 1) + timedelta(hours=hour) for _ in range(pumps) for hour in range(rows)]
    codes = np.repeat(np.arange(pumps), rows)
    failed = rng.random(n) < 0.05
    length = rng.normal(5, 0.2, n)
    length[codes == 3] *= 1000
    hangs = rng.normal(size=n)
    hangs[700:760] = hangs[700]
    celsius = rng.normal(40, 3, n).round(2)
    return pl.DataFrame(
        {
            "machine": [f"p{code}" for code in codes], "time": at, "temp_degC": celsius, 
            "temp_degF": (1.8 * celsius + 32).round(2),
            "length": length, "hangs": hangs, "copy": hangs, "site": ["north"] * n, "nothing": [None] * n,
            "repair_code": [("R1" if rng.random() < 0.5 else "R2") if hit else None for hit in failed], 
            "failed": failed,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(frame):
    return table.profile("pump", pieces.Pieces(frame, ["pump.csv"], np.zeros(frame.height, np.int32)))


def test_roles(told):
    assert (told["key"], told["moment"], told["truth"], told["machines"]) == ("machine", "time", "failed", 8)
    assert told["clocks"][0]["interval"] == "1 h"
    assert told["clocks"][0]["machines"] == {"judged": 8, "back": [], "ahead": [], "pace": []}


def test_every_piece_of_mess_is_found(told):
    columns = {one["name"]: one for one in told["columns"]}
    assert columns["length"]["mixed"]["machines"] == ("p3",)
    assert (columns["hangs"]["stuck"]["longest"], columns["hangs"]["stuck"]["machine"]) == (60, "p2")
    assert columns["hangs"]["stuck"]["since"] == "2026-01-05 04:00:00"
    assert columns["site"]["constant"] and columns["nothing"]["kind"] == "nothing"
    assert told["same"] == {"copy": "hangs"}
    assert [(one["column"], one["of"]) for one in told["related"]] == [("temp_degF", "temp_degC")]
    assert [one["column"] for one in told["leaks"]] == ["repair_code"]


def test_nothing_else_is_found(told):
    columns = {one["name"]: one for one in told["columns"]}
    assert [name for name, one in columns.items() if one["mixed"]] == ["length"]
    assert [name for name, one in columns.items() if one["stuck"]] == ["hangs", "copy"]
    assert told["repeated"] == 0 and told["shared"] == [] and told["leaks_unjudged"] == ""


def test_a_column_that_never_changes_on_a_machine_is_steady(frame):
    told = table.profile(
        "pump",
        pieces.Pieces(
            frame.with_columns(model=pl.col("machine").str.slice(1)), ["a"], np.zeros(frame.height, np.int32)
        ),
    )
    steady = {one["name"]: one.get("steady") for one in told["columns"]}
    assert steady["model"] and not steady["length"]


def test_files_of_splits_share_machines(frame):
    got = pieces.Pieces(
        frame, ["train/a.csv", "test/a.csv"], (np.arange(frame.height) >= 1_000).astype(np.int32)
    )
    (shared,) = table.profile("a", got)["shared"]
    assert (shared["of"], shared["in"], shared["machines"], shared["out_of"]) == ("test", "train", 1, 5)
    assert shared["earlier"] == pytest.approx(1.0)


def test_a_table_of_one_row_is_profiled():
    told = table.profile(
        "one", pieces.Pieces(pl.DataFrame({"a": [1], "b": ["x"]}), ["a.csv"], np.zeros(1, np.int32))
    )
    assert (told["rows"], told["truth"]) == (1, None)
