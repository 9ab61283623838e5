import types

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball import data, units
from flyball.data import stage

row = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 6), st.integers(0, 4), st.sampled_from([None, 1.0, 2.0, 3.0])
)


def rows_of(table):
    keys, at, lag, x = ([one[i] for one in table] for i in range(4))
    return stage.Rows.of(keys, at, [t + late for t, late in zip(at, lag, strict=True)], {"x": x})


@hypothesis.given(st.lists(row, max_size=12), st.integers(1, 5))
def test_held_gaps_are_the_slow_reference(table, span):
    rows = rows_of(table)
    found = data.HoldGaps(units.steps(span), columns=("t.x",)).clean("t", rows).floats("x")
    x, segment = rows.floats("x"), rows.segments()
    for i in range(len(rows)):
        expected = x[i]
        if np.isnan(expected):
            fits = [
                j for j in range(i)
                if segment[j] == segment[i] and not np.isnan(x[j]) and rows.seen[j] <= rows.seen[i]
            ]  # fmt: skip
            if fits and rows.at[i] - rows.at[fits[-1]] <= span:
                expected = x[fits[-1]]
        assert np.array_equal(found[i], expected, equal_nan=True)


@hypothesis.given(st.lists(row, min_size=1, max_size=12), st.integers(0, 8))
@pytest.mark.parametrize(
    "cleaner", [data.HoldGaps(units.steps(3), columns=("t.x",)), data.Clip("t.x", 1.5, 2.5)]
)
def test_what_is_seen_later_never_changes_an_earlier_value(cleaner, table, cut):
    rows = rows_of(table)
    before = rows.floats("x").copy()
    whole = cleaner.clean("t", rows)
    assert np.array_equal(rows.floats("x"), before, equal_nan=True), "the input was touched"
    known = rows.seen <= cut
    early = cleaner.clean("t", rows.take(known))
    assert np.array_equal(early.floats("x"), whole.floats("x")[known], equal_nan=True)


def test_a_table_it_does_not_name_comes_back_as_it_is():
    rows = rows_of([("a", 0, 0, 9.0)])
    assert data.Clip("other.x", 0, 1).clean("t", rows) is rows
    assert data.HoldGaps(units.steps(2), columns=("other.x",)).clean("t", rows).floats("x").tolist() == [9.0]


def test_categories_are_held_when_named():
    rows = stage.Rows.of(["a"] * 3, [0, 1, 2], columns={"s": ["on", None, "off"]})
    held = data.HoldGaps(units.steps(1), columns=("t.s",)).clean("t", rows)
    assert held.words("s").texts() == ["on", "on", "off"]


def test_mistakes_are_told():
    table = data.Table("t", columns={"x": "number", "word": "category"})
    page = types.SimpleNamespace(data=data.Fleet("machine", None, (table,)))
    assert [problem.place for problem in data.Clip("t.x", 2, 1).problems(page)] == ["low"]
    assert [problem.place for problem in data.Clip("t.word", 0, 1).problems(page)] == ["column"]
    assert [problem.place for problem in data.HoldGaps(units.steps(0)).problems(None)] == ["at_most"]
    assert (
        data.HoldGaps(units.days(1)).lookback() == int(units.DAY) and not data.Clip("t.x", 0, 1).fleetwide()
    )
