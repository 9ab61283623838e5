"""How a page is written: accepted by the check, and a stranger's names stay quoted text."""

import numpy as np
import polars as pl
import pytest

from flyball import system
from flyball.data.doctor import pieces, plan, script, table


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
    found = page(script.text(made))
    assert list(found.problems()) == []
    assert (found.data.key, found.data.clock) == ("id", None)


def test_without_a_truth_the_page_says_todo_and_the_check_names_it():
    made = plan.Plan(told(label=[1.5] * 400))
    text = script.text(made)
    assert "# TODO: no column was found that says what is to be known" in text
    assert [str(problem) for problem in page(text).problems()] == [
        "labels.column: no column 'rows.TODO', did you mean 'rows.x'?"
    ]


@pytest.mark.parametrize(
    "name",
    [
        "it's",
        'a"b',
        "back\\slash",
        "x\ny",
        "'''",
        '"""',
        "{x}",
        "#x",
        "Ü",
        "import os",
        "DAY, WEEK, MiB, hours, ms",
    ],
)
def test_hostile_names_stay_text(name):
    rng = np.random.default_rng(15)
    made = plan.Plan(told(**{name: rng.normal(size=400)}))
    found = page(script.text(made))
    assert f"rows.{name}" in found.data.columns()
    assert isinstance(system.read(repr(found)), system.System)


@pytest.mark.parametrize("name", ['label"""', "label\n\n", "_label'''", "Label\\"])
def test_a_hostile_truth_stays_text(name):
    frame = pl.DataFrame(
        {
            "id": np.arange(400), "x": np.random.default_rng(14).normal(size=400),
            name: np.random.default_rng(15).choice(["a", "b"], 400),
        }
    )  # fmt: skip
    made = plan.Plan(table.profile("rows", pieces.Pieces(frame, ["rows.csv"], np.zeros(400, np.int32))))
    assert made.answer == name
    found = page(script.text(made))
    assert list(found.problems()) == []
    assert repr(f"rows.{name}") in repr(found.labels)
