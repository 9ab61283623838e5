import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.labels import plain

from flyball import data, features, labels
from flyball.units import days

CLASSES = labels.Classes(("B", "A"))


@given(plain.logs(), plain.moments(), st.none() | st.integers(0, 18))
def test_classes_as_the_oracle(table, asked, as_of):
    found = labels.Given("t.label", answer=CLASSES).label({"t": table}, asked, as_of)
    texts = table.columns["label"].texts()
    for place, (key, m) in enumerate(zip(asked.names(), asked.at.tolist(), strict=True)):
        rows = [row for row in plain.known(table, key, as_of) if table.at[row] <= m]
        text = texts[rows[-1]] if rows else None
        if text in CLASSES.names:
            assert found.value[place] == CLASSES.names.index(text) and found.known[place]
        else:
            assert math.isnan(found.value[place]) and not found.known[place]
            assert found.why.texts()[place] == ("missing" if text is None else "no such class")


def test_a_number_that_is_given_later():
    table = data.Rows.of(["a", "a"], at=[1, 1], seen=[1, 5], columns={"y": [math.nan, 2.5]}, unique=("at",))
    asked = features.Moments.of(["a"], [1])
    label = labels.Given("t.y", answer=labels.Quantity("kW"))
    assert label.label({"t": table}, asked, 4).known.tolist() == [False]
    assert label.label({"t": table}, asked, 5).value.tolist() == [2.5]
    assert label.horizon() == 0


def test_no_rows_at_all():
    empty = data.Rows.of([], [], columns={"y": np.empty(0)})
    found = labels.Given("t.y", answer=labels.Quantity()).label(
        {"t": empty}, features.Moments.of(["a"], [1]), None
    )
    assert found.known.tolist() == [False]


def test_problems(page):
    wall = page(data.WallClock(), "t.x")
    assert list(labels.Given("t.code", answer=CLASSES).problems(wall)) == []
    assert list(labels.Given("t.on", answer=labels.Probability()).problems(wall)) == []
    assert "no column" in str(*labels.Given("t.lable", answer=CLASSES).problems(wall))
    assert "a category is needed" in str(*labels.Given("t.on", answer=CLASSES).problems(wall))
    assert "a bool is needed" in str(*labels.Given("t.code", answer=labels.Probability()).problems(wall))
    assert "fewer than two" in str(*labels.Given("t.code", answer=labels.Classes(("A",))).problems(wall))
    found = str(*labels.Given("t.x", answer=labels.Quantity()).problems(wall))
    assert "the answer itself is among the features" in found


def test_a_feature_may_read_what_is_no_answer(page):
    assert (
        list(labels.Given("t.x", answer=labels.Quantity()).problems(page(data.WallClock(), "t.code"))) == []
    )
    assert days(1)
