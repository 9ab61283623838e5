"""The last rows are judged, whole moments at a time."""

import hypothesis
import numpy as np
from hypothesis import strategies as st

from flyball import errors, features, model, units


@hypothesis.given(
    times=st.lists(st.integers(0, 60), min_size=20, max_size=80),
    share=st.sampled_from((0.1, 0.2, 0.5)),
    guard=st.integers(0, 9),
)
def test_what_is_judged_comes_after_the_guard(times, share, guard):
    moments = features.Moments.of(["a", "b"] * (len(times) // 2) + ["a"] * (len(times) % 2), times)
    try:
        (fold,) = model.Latest(share=share, guard=guard).split(moments, {})
    except errors.DataError:
        return
    start = moments.at[fold.test].min()
    assert (moments.at >= start).sum() == len(fold.test)  # no moment is cut apart
    assert moments.at[fold.train].max() < start - guard
    assert len(fold.test) >= np.floor(share * len(times))


def test_a_week_of_daily_moments_is_seven_of_them():
    day = int(units.DAY)
    moments = features.Moments.of(["a"] * 40, np.arange(40) * day)
    (fold,) = model.Latest(span=units.WEEK, guard=units.WEEK).split(moments, {})
    assert (moments.at[fold.test] // day).tolist() == list(range(33, 40))
    assert moments.at[fold.train].max() // day == 25  # the truth of day 25 was over on day 32
