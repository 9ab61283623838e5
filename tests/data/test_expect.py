import types

import pytest

from flyball import data
from flyball.data import stage

ROWS = stage.Rows.of(
    ["a"] * 5, range(5), columns={"x": [1.0, None, 3.0, 70.0, -1.0], "s": ["u", None, None, "v", "u"]}
)


@pytest.mark.parametrize(("column", "share"), [("t.x", 0.2), ("t.s", 0.4)])
def test_the_share_that_is_missing(column, share):
    (held,) = data.Missing(column, at_most=share).judge("t", ROWS)
    (broken,) = data.Missing(column, at_most=share - 0.01).judge("t", ROWS)
    assert held.figure == share and held.passed and not broken.passed


def test_the_share_outside():
    (found,) = data.Between("t.x", 0, 60).judge("t", ROWS)
    assert found.figure == 0.5 and not found.passed and "2 of 4" in found.why
    (found,) = data.Between("t.x", 0, 60, but=0.5).judge("t", ROWS)
    assert found.passed


def test_nothing_is_said_of_another_table_or_of_no_rows():
    empty = stage.Rows.of([], [], columns={"x": []})
    for check in (data.Missing("t.x", at_most=0), data.Between("t.x", 0, 1)):
        assert not list(check.judge("other", ROWS)) and not list(check.judge("t", empty))


def test_mistakes_are_told():
    table = data.Table("t", columns={"x": "number", "word": "category"})
    page = types.SimpleNamespace(data=data.Fleet("machine", None, (table,)))
    assert [problem.place for problem in data.Missing("t.x", at_most=2).problems(page)] == ["at_most"]
    assert [problem.place for problem in data.Between("t.x", 1, 1).problems(page)] == ["low"]
    assert [problem.place for problem in data.Between("t.word", 0, 1).problems(page)] == ["column"]
