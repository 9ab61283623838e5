import numpy as np

from flyball import data
from flyball.features import stage as features
from flyball.monitoring import clocks

S = 1_000_000


def test_the_newest_row_that_a_moment_sees_counts_and_what_came_late_does_not_hide_it():
    rows = data.Rows.of(
        ["a"] * 4 + ["b"],
        at=[0, 10 * S, 20 * S, 30 * S, 40 * S],
        seen=[
            5 * S,
            300 * S,
            24 * S,
            33 * S,
            10 * S,
        ],  # the second is 290 s late, the last an hour ahead: 30 s
    )
    asked = features.Moments.of(["a"] * 4 + ["b", "c"], [4 * S, 25 * S, 40 * S, 400 * S, 40 * S, 50 * S])
    found = clocks.lag(rows, asked, usual=0)
    np.testing.assert_array_equal(found, [np.nan, 4.0, 3.0, 3.0, -30.0, np.nan])


def test_history_of_which_nobody_knows_when_it_came_has_no_lag():
    rows = data.Rows.of(["a"] * 2, at=[0, 100 * S], seen=[60 * S, 161 * S])
    asked = features.Moments.of(["a"] * 2, [90 * S, 200 * S])
    np.testing.assert_array_equal(clocks.lag(rows, asked, usual=60 * S), [np.nan, 61.0])
    assert np.isnan(clocks.lag(data.Rows.of([], at=[], seen=[]), asked, usual=0)).all()
