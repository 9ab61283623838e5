import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features, kernels
from flyball.features import rolling
from flyball.units import days, hours, steps

EXACT = ("count", "min", "max", "median", "first", "last")


def test_the_statistics_are_those_of_the_kernels():
    assert set(rolling.STATISTICS) == set(kernels.STATISTICS)


@given(plain.rows(), plain.moments(), st.tuples(plain.spans(), plain.spans()))
def test_as_the_oracle(table, asked, over):
    feature = features.Rolling("t.x", over=over, by=rolling.STATISTICS)
    found = feature.compute({"t": table}, asked)
    for span in over:
        for name in rolling.STATISTICS:

            def one(key, m, span=span, name=name):
                rows = plain.window(table, key, m, span)
                return plain.statistic(name, table.columns["x"][rows], table.at[rows])

            wanted = np.array(plain.ask(table, asked, one), dtype=float)
            got = found[f"t.x.{name}.{int(span)}n"]
            if name in EXACT:
                np.testing.assert_array_equal(got, wanted)
            else:
                np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_a_planted_correction_is_not_known_before_it_was_seen():
    table = data.Rows.of(["a"] * 2, at=[1, 1], seen=[1, 9], columns={"x": [5.0, 99.0]}, unique=("at",))
    asked = features.Moments.of(["a"] * 3, [1, 8, 9])
    feature = features.Rolling("t.x", over=steps(20), by=("max", "count"))
    found = feature.compute({"t": table}, asked)
    assert found["t.x.max.20n"].tolist() == [5.0, 5.0, 99.0]
    assert found["t.x.count.20n"].tolist() == [1.0, 1.0, 1.0]


def test_a_slope_is_per_day_on_a_wall_clock():
    table = data.Rows.of(["a"] * 3, at=[0, hours(12), days(1)], columns={"x": [0.0, 1.0, 2.0]})
    asked = features.Moments.of(["a"], [days(1)])
    feature = features.Rolling("t.x", over=days(2), by="slope")
    assert feature.compute({"t": table}, asked)["t.x.slope.2d"].tolist() == pytest.approx([2.0])


@pytest.mark.parametrize(
    "clock, column, over, by, said",
    [
        (data.WallClock(), "t.x", 7, "mean", "a bare 7"),
        (data.WallClock(), "t.x", steps(3), "mean", "a page with a wall clock"),
        (data.Counter("n"), "t.x", days(3), "mean", "a page that counts steps"),
        (data.WallClock(), "t.x", days(-1), "mean", "look ahead"),
        (data.WallClock(), "t.x", days(0), "mean", "an empty window"),
        (None, "t.x", days(1), "mean", "without a clock"),
        (data.WallClock(), "t.x", days(1), "medain", "did you mean 'median'?"),
        (data.WallClock(), "t.code", days(1), "mean", "a number is needed"),
        (data.WallClock(), "t.x", days(1), (), "nothing is asked"),
    ],
)
def test_problems(page, clock, column, over, by, said):
    found = [str(problem) for problem in features.Rolling(column, over=over, by=by).problems(page(clock))]
    assert len(found) == 1 and said in found[0], found


def test_no_problem(page):
    assert list(features.Rolling("t.x", over=(days(1), days(7))).problems(page(data.WallClock()))) == []
