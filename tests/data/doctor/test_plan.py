"""What stands on a proposed page, and that a stranger's names stay quoted text."""

import numpy as np
import polars as pl
import pytest

from flyball import system
from flyball.data.doctor import pieces, plan, table


def told(**extra):
    rng = np.random.default_rng(14)
    n = 400
    frame = pl.DataFrame(
        {"id": np.arange(n), "x": rng.normal(size=n), "label": rng.choice(["a", "b"], n)} | extra
    )
    return table.profile("rows", pieces.Pieces(frame, ["rows.csv"], np.zeros(n, np.int32)))


def page(text):
    names: dict = {}
    exec(compile(text, "page", "exec"), names)
    return names["system"]


def test_rows_that_stand_alone():
    made = plan.Plan(told())
    found = page(made.text())
    assert list(found.problems()) == []
    assert (found.data.key, found.data.clock) == ("id", None)
    assert "every row stands alone" in made.decisions[1]


def test_without_a_truth_the_page_says_todo_and_the_check_names_it():
    made = plan.Plan(told(label=[1.5] * 400))
    text = made.text()
    assert "# TODO: no column was found that says what is to be known" in text
    assert [str(problem) for problem in page(text).problems()] == [
        "labels.column: no column 'rows.TODO', did you mean 'rows.x'?"
    ]


def test_how_late_rows_arrive_is_told_by_a_clock_that_comes_after():
    at = np.datetime64("2026-01-01", "us") + np.arange(400) * np.timedelta64(3600 * 10**6, "us")
    late = at + np.timedelta64(120 * 10**6, "us") + np.arange(400) % 7 * np.timedelta64(10**6, "us")
    made = plan.Plan(told(time=at, received=late))
    assert any("'received' comes 2.05 min later" in missing for missing in made.missing), made.missing
    assert not any("arrives=" in missing for missing in plan.Plan(told(time=at, seen=late)).missing)


def test_what_leaks_is_constant_or_only_numbers_rows_is_left_off():
    rng = np.random.default_rng(14)
    rng.normal(size=400)
    label = rng.choice(["a", "b"], 400)
    made = plan.Plan(
        told(knows=[{"a": 7, "b": 9}[one] for one in label], same=[1.0] * 400, repair_note=["r"] * 400)
    )
    assert [column["name"] for column in made.columns] == ["x"]
    left = " ".join(made.decisions)
    assert (
        "'knows'" in left
        and "as it is constant: 'same'" in left
        and "written down after the event: 'repair_note'" in left
    )


@pytest.mark.parametrize(
    "name", ["it's", 'a"b', "back\\slash", "x\ny", "'''", '"""', "{x}", "#x", "Ü", "import os"]
)
def test_hostile_names_stay_text(name):
    rng = np.random.default_rng(15)
    made = plan.Plan(told(**{name: rng.normal(size=400)}))
    found = page(made.text())
    assert f"rows.{name}" in found.data.columns()
    assert isinstance(system.read(repr(found)), system.System)
