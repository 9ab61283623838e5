import numpy as np
import pytest
from hypothesis import given
from tests.features import plain

from flyball import data, errors, features
from flyball.units import days

PAGE = features.AsOf(
    features.Every(days(1)),
    (
        features.Last("t.x"),
        features.Last("t.code"),
        features.Count("u.y", over=days(2)),
        features.Age("t"),
        features.Sequence(("t.x",), last=2),
    ),
)
TABLE = data.Rows.of(["a", "b"], at=[0, 0], columns={"x": [1.0, 2.0], "code": ["A", None]})


def test_a_missing_column_stops_its_feature_with_the_reason():
    asked = features.Moments.of(["a"], [0])
    x = PAGE.compute({"t": TABLE}, asked, absent={"t.code": "the file of 2013-05-01 has no 'code'"})
    assert list(x.columns) == ["t.x.last", "t.age", "sequence"]
    assert x.stopped == {
        "t.code.last": "the file of 2013-05-01 has no 'code'",
        "u.y.count.2d": "column 'u.y' has not arrived",
    }
    assert PAGE.compute({}, asked).stopped["t.age"] == "table 't' has not arrived"


def test_what_a_page_reads():
    assert PAGE.reads() == {"t.x", "t.code", "u.y"}
    assert PAGE.tables() == ("t", "u")
    assert PAGE.lookback() is None
    assert features.AsOf(PAGE.asked, (features.Count("u.y", over=(days(2), days(9))),)).lookback() == days(9)


def test_a_matrix_is_taken_and_made_dense():
    x = PAGE.compute({"t": TABLE}, features.Moments.of(["a", "b"], [0, 0]))
    taken = x.take(np.array([1]))
    assert taken.moments.names() == ["b"] and taken.stopped == x.stopped
    np.testing.assert_array_equal(x.dense(["t.x.last", "t.code.last"]), [[1.0, 0.0], [2.0, np.nan]])
    with pytest.raises(errors.DataError, match="no single number"):
        x.dense()


def test_problems(page):
    wall = page(data.WallClock())
    asof = features.AsOf(
        features.Every(days(1)), (features.Last("t.y"), features.Last("t.x"), features.Last("t.x"))
    )
    found = [str(problem) for problem in asof.problems(wall)]
    assert len(found) == 2 and "no column 't.y'" in found[0] and "a second column" in found[1]
    assert "no column" in str(*features.AsOf(features.Every(days(1)), ()).problems(wall))


@given(plain.rows(), plain.moments())
def test_moments_sort_and_keep_their_pairs(table, asked):
    again = features.Moments.of(list(reversed(asked.names())), asked.at[::-1])
    assert again.names() == asked.names() and again.at.tolist() == asked.at.tolist()
