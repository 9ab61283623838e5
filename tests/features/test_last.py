import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features
from flyball.units import days, steps


def known(table, rows):
    return [row for row in rows if table.columns["x"][row] == table.columns["x"][row]]


@given(plain.rows(), plain.moments(), st.none() | plain.spans())
def test_last_as_the_oracle(table, asked, at_most):
    def one(key, m):
        rows = known(table, plain.window(table, key, m, at_most or 10**6))
        if at_most is not None:
            rows = [row for row in known(table, plain.visible(table, key, m))[-1:] if row in rows]
        return table.columns["x"][rows[-1]] if rows else math.nan

    found = features.Last("t.x", at_most=at_most).compute({"t": table}, asked)["t.x.last"]
    np.testing.assert_array_equal(found, np.array(plain.ask(table, asked, one), dtype=float))


@given(plain.rows(), plain.moments())
def test_last_of_a_category(table, asked):
    codes = table.columns["code"].texts()

    def one(key, m):
        return [None, *(codes[row] for row in plain.visible(table, key, m) if codes[row] is not None)][-1]

    found = features.Last("t.code").compute({"t": table}, asked)["t.code.last"]
    assert found.texts() == plain.ask(table, asked, one)


@given(plain.rows(), plain.moments(), plain.spans())
def test_difference_as_the_oracle(table, asked, over):
    x = table.columns["x"]

    def since(key, m):
        rows = known(table, plain.visible(table, key, m))
        then = [row for row in rows if table.at[row] <= m - over]
        return x[rows[-1]] - x[then[-1]] if then else math.nan

    def first(key, m):
        rows = known(table, plain.visible(table, key, m))
        return x[rows[-1]] - x[rows[0]] if rows else math.nan

    found = features.Difference("t.x", over=(over, "first")).compute({"t": table}, asked)
    wanted = np.array(plain.ask(table, asked, since), dtype=float)
    np.testing.assert_array_equal(found[f"t.x.change.{int(over)}n"], wanted)
    wanted = np.array(plain.ask(table, asked, first), dtype=float)
    np.testing.assert_array_equal(found["t.x.change.first"], wanted)


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Last("t.x", at_most=days(2)).problems(wall)) == []
    assert "use features.Image" in str(*features.Last("t.map").problems(wall))
    assert "steps(3)" in str(*features.Last("t.x", at_most=steps(3)).problems(wall))
    assert list(features.Difference("t.x", over=(days(2), "first")).problems(wall)) == []
    assert "a number is needed" in str(*features.Difference("t.code").problems(wall))
    assert "a bare 'frist'" in str(*features.Difference("t.x", over="frist").problems(wall))


@pytest.mark.parametrize("feature", [features.Last("t.x"), features.Difference("t.x")])
def test_no_bound(feature):
    assert feature.lookback() is None


def test_a_bound():
    assert features.Last("t.x", at_most=days(2)).lookback() == days(2)
