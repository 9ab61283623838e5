import math

import numpy as np
from hypothesis import given
from tests.features import plain

from flyball import data, features
from flyball.units import days, hours, steps


@given(plain.rows(), plain.moments(), plain.spans())
def test_counts_as_the_oracle(table, asked, over):
    codes, x = table.columns["code"].texts(), table.columns["x"]

    def count(holds):
        return plain.ask(
            table, asked, lambda key, m: sum(holds(row) for row in plain.window(table, key, m, over))
        )

    tables = {"t": table}
    total = features.Count("t.code", over=over).compute(tables, asked)
    assert total[f"t.code.count.{int(over)}n"].tolist() == count(lambda row: codes[row] is not None)
    each = features.Count("t.code", over=over, each=("B", "no such code")).compute(tables, asked)
    assert each[f"t.code.B.count.{int(over)}n"].tolist() == count(lambda row: codes[row] == "B")
    assert each[f"t.code.no such code.count.{int(over)}n"].tolist() == [0.0] * len(asked)
    numbers = features.Count("t.x", over=over).compute(tables, asked)
    wanted = count(lambda row: x[row] == x[row] and x[row] != 0)
    assert numbers[f"t.x.count.{int(over)}n"].tolist() == wanted


@given(plain.rows(), plain.moments())
def test_since_and_age_as_the_oracle(table, asked):
    codes = table.columns["code"].texts()

    def since(key, m, wanted):
        rows = [row for row in plain.visible(table, key, m) if codes[row] in wanted]
        return m - table.at[rows[-1]] if rows else math.nan

    def age(key, m):
        rows = plain.visible(table, key, m)
        return m - table.at[rows[0]] if rows else math.nan

    found = features.Since("t.code", per=steps(1)).compute({"t": table}, asked)["t.code.since"]
    wanted = plain.ask(table, asked, lambda key, m: since(key, m, plain.CODES))
    np.testing.assert_array_equal(found, np.array(wanted, dtype=float))
    each = features.Since("t.code", each=("A",), per=steps(2)).compute({"t": table}, asked)
    wanted = plain.ask(table, asked, lambda key, m: since(key, m, ("A",)) / 2)
    np.testing.assert_array_equal(each["t.code.A.since"], np.array(wanted, dtype=float))
    found = features.Age("t", per=steps(1)).compute({"t": table}, asked)["t.age"]
    np.testing.assert_array_equal(found, np.array(plain.ask(table, asked, age), dtype=float))


def test_since_counts_days_or_what_is_said():
    table = data.Rows.of(["a"], at=[0], columns={"on": [1.0]})
    asked = features.Moments.of(["a"], [days(3)])
    assert features.Since("t.on").compute({"t": table}, asked)["t.on.since"].tolist() == [3.0]
    found = features.Since("t.on", per=hours(1)).compute({"t": table}, asked)
    assert found["t.on.since"].tolist() == [72.0]


def test_problems(page):
    wall, counter = page(data.WallClock()), page(data.Counter("n"))
    assert list(features.Count("t.code", over=days(1), each=("A",)).problems(wall)) == []
    assert "a category is needed" in str(*features.Count("t.x", over=days(1), each=("A",)).problems(wall))
    assert "a bare 1" in str(*features.Count("t.code", over=1).problems(wall))
    assert "steps" in str(*features.Since("t.code").problems(counter))
    assert list(features.Since("t.code", per=steps(1)).problems(counter)) == []
    assert "did you mean 't'?" in str(*features.Age("tt").problems(wall))
