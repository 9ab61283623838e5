import types

import numpy as np
import pytest

from flyball import data, units
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


def jumping(factor, noise=0.05, machines=("a", "b")):
    rng = np.random.default_rng(0)
    keys, at, x = [], [], []
    for key in machines:
        for day in range(20):
            for hour in range(24):
                keys.append(key)
                at.append(int(units.days(day) + units.hours(hour)))
                x.append(3.0 * (1 + noise * rng.normal()) * (factor if key == "b" and day >= 12 else 1))
    return data.Rows.of(keys, at=at, columns={"x": x})


@pytest.mark.parametrize(
    ("unit", "factor", "other"),
    [("kW", 1000, "W"), ("kW", 1e-3, "MW"), ("nm", 1e-3, "µm"), ("bar", 1000, "hPa"), ("min", 60, "s")],
)
def test_a_jump_by_the_factor_of_another_unit_is_named_with_its_machine_and_day(unit, factor, other):
    (found,) = data.SameUnit("t.x", unit).judge("t", jumping(factor))
    assert not found.passed and found.figure == 1
    assert found.why.startswith("b: ") and "from 1970-01-13 on" in found.why
    assert found.why.endswith(f"as if {unit} came as {other}")


@pytest.mark.parametrize("factor", [1.0, 1.5, 3.0, 40.0])
def test_other_jumps_are_no_change_of_unit(factor):
    (found,) = data.SameUnit("t.x", "kW").judge("t", jumping(factor))
    assert found.passed and found.why == ""


def test_a_unit_that_is_not_the_pages_is_a_problem(daily):
    for check, what in (
        (data.SameUnit("telemetry.vibration", "nm"), "declared 'mm/s'"),
        (data.SameUnit("telemetry.vibration", "mm/s", within=2), "no share"),
    ):
        assert any(what in str(problem) for problem in check.problems(daily.page))
