import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.labels import plain

from flyball import data, features, labels
from flyball.units import days, hours, steps


@given(
    plain.logs(),
    plain.moments(),
    st.booleans(),
    st.none() | st.integers(1, 6),
    st.none() | st.integers(0, 18),
)
def test_as_the_oracle(table, asked, by_event, cap, as_of):
    final = data.Rows.of(["b"], at=[9], seen=[9], columns={"left": [40.0]})
    label = labels.RemainingLife(
        of="t",
        event="t.failed" if by_event else None,
        given="final.left",
        cap=None if cap is None else steps(cap),
    )
    found = label.label({"t": table, "final": final}, asked, as_of)
    for place, (key, m) in enumerate(zip(asked.names(), asked.at.tolist(), strict=True)):
        rows = plain.known(table, key, as_of)
        value, why = math.nan, "censored"
        events = [table.at[row] for row in rows if table.columns["failed"][row] == 1 and table.at[row] >= m]
        if key == "b" and rows and (as_of is None or as_of >= 9):
            value = table.at[rows[-1]] - m + 40.0
        elif by_event:
            value = events[0] - m if events else math.nan
        elif rows:
            value = table.at[rows[-1]] - m
        if value < 0:
            value, why = math.nan, "failed"
        if not math.isnan(value):
            value, why = min(value, cap or math.inf), None
        np.testing.assert_equal(found.value[place], float(value))
        assert found.why.texts()[place] == why and found.known[place] == (why is None)


def test_kinds():
    assert labels.RemainingLife("t", cap=steps(125)).kind() == labels.Quantity("1", low=0.0, high=125.0)
    assert labels.RemainingLife("t", per=days(1)).kind() == labels.Quantity("d", low=0.0)
    assert labels.RemainingLife("t", per=hours(1), cap=days(1)).kind() == labels.Quantity("h", 0.0, 24.0)


def test_days():
    table = data.Rows.of(["a", "a"], at=[0, days(3)])
    found = labels.RemainingLife("t", per=days(1)).label(
        {"t": table}, features.Moments.of(["a"], [days(1)]), None
    )
    assert found.value.tolist() == [2.0]


def test_without_the_table_that_gives_it():
    table = data.Rows.of(["a", "a"], at=[1, 3])
    label = labels.RemainingLife("t", given="final.left")
    assert label.label({"t": table}, features.Moments.of(["a"], [1]), None).value.tolist() == [2.0]


def test_problems(page):
    counter = page(data.Counter("n"), "t.x")
    assert list(labels.RemainingLife("t", event="t.on", cap=steps(125)).problems(counter)) == []
    assert "a bare 125" in str(*labels.RemainingLife("t", cap=125).problems(counter))
    assert "did you mean 't'?" in str(*labels.RemainingLife("tt").problems(counter))
    assert "a bool is needed" in str(*labels.RemainingLife("t", event="t.x").problems(counter))
    assert "the answer itself" in str(*labels.RemainingLife("t", given="t.x").problems(counter))
    assert "days(1)" in str(*labels.RemainingLife("t", per=days(1)).problems(counter))


def test_a_life_that_somebody_changed_is_not_known():
    cycles = data.Rows.of(["a"] * 5 + ["b"] * 3, at=[*range(1, 6), *range(1, 4)])
    acts = data.Rows.of(["a"], at=[3], seen=[4], columns={"found": [1.0]})
    asked = features.Moments.of(["a", "a", "a", "b"], [1, 3, 4, 1])
    tables = {"t": cycles, "alerts": acts}
    found = labels.RemainingLife("t").label(tables, asked, None)
    assert found.why.texts() == ["acted", None, None, None] and found.value.tolist()[1:] == [2.0, 1.0, 2.0]
    # Before the act was told, and where acts are ignored, it is what it looks like.
    assert labels.RemainingLife("t").label(tables, asked, 3).value.tolist()[0] == 2.0
    ignored = labels.RemainingLife("t", acted="ignored").label(tables, asked, None)
    assert ignored.value.tolist()[0] == 4.0 and ignored.known.all()


def test_a_life_cannot_be_what_was_found(page):
    (problem,) = labels.RemainingLife("t", acted="found").problems(page(data.Counter("n"), "t.x"))
    assert problem.place == "acted"
