import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from tests.monitoring.streams import WALL, alarms, rivers, told

from flyball import errors, monitoring

BITS = st.lists(st.tuples(st.integers(20, 150), st.floats(0.05, 0.95)), min_size=1, max_size=5)


@settings(max_examples=40, deadline=None)
@given(BITS, st.integers(0, 9))
def test_the_alarms_are_rivers_from_the_first_error_on(levels, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.random(n) < p for n, p in levels]).astype(float).tolist()
    # With an error and a right answer in front the least spread is never zero, where river would alarm at once.
    values = [value for pair in zip([1.0, 0.0] * 20, values, strict=False) for value in pair] + values
    theirs = rivers(drift.binary.DDM(warm_start=30, drift_threshold=3.0), values)
    ours = alarms(monitoring.Ddm("error", limit=3.0, wait=30), values)
    assert ours[:1] == theirs[:1]


def test_a_first_error_after_many_right_answers_is_no_alarm_as_it_is_in_river():
    values = [0.0] * 60 + [1.0] + [0.0] * 60
    theirs = rivers(drift.binary.DDM(), values)
    assert theirs == [60]
    assert alarms(monitoring.Ddm("error", limit=3.0), values) == []


def test_a_value_that_is_no_rate_is_refused():
    detector = monitoring.Ddm("error")
    with pytest.raises(errors.DataError, match=r"2\.0 is no error rate"):
        detector.update(detector.start(), 0, 2.0)


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        (monitoring.Ddm("error"), []),
        (monitoring.Ddm("log_loss"), ["'log_loss' is no rate within 0 and 1"]),
        (monitoring.Ddm("error", limit=0, wait=0), ["limit", "wait"]),
    ],
)
def test_problems(detector, said):
    told(detector, said, clock=WALL)
