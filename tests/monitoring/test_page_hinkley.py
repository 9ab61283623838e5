import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift
from tests.monitoring.streams import WALL, rivers, told

from flyball import monitoring

LOSSES = st.lists(st.floats(0, 10), max_size=120)


def carried(detector, values, state=None, begin=0):
    state, alarms = state or detector.start(), []
    for at, value in enumerate(values, start=begin):
        state, alarm = detector.update(state, at, value)
        alarms += [(alarm.at, alarm.statistic)] if alarm else []
    return state, alarms


def plain(values, limit, delta, wait):
    """Page and Hinkley's rule as written down, on the whole stream at once, restarted after each alarm."""
    alarms, begin = [], 0
    for end in range(1, len(values) + 1):
        seen = values[begin:end]
        total = least = 0.0
        for n, value in enumerate(seen, start=1):
            total += value - sum(seen[:n]) / n - delta
            least = min(least, total)
        if len(seen) >= wait and total - least > limit:
            alarms.append(end - 1)
            begin = end
    return alarms


@given(LOSSES, st.integers(0, 120))
def test_resumed_from_json_equals_one_pass(values, cut):
    detector = monitoring.PageHinkley("log_loss", limit=3.0, wait=5)
    whole = carried(detector, values)
    state, first = carried(detector, values[:cut])
    state, second = carried(detector, values[cut:], json.loads(json.dumps(state)), len(values[:cut]))
    assert (state, first + second) == whole


@given(st.lists(st.floats(0, 10), max_size=40))
def test_the_alarms_are_those_of_the_rule_as_written(values):
    detector = monitoring.PageHinkley("log_loss", limit=3.0, delta=0.05, wait=4)
    # The running mean is updated, not summed anew: exact ties with the limit may fall either way.
    assert [at for at, _ in carried(detector, values)[1]] == plain(values, 3.0, 0.05, 4)


def test_a_value_that_is_no_number_changes_nothing():
    detector = monitoring.PageHinkley("log_loss")
    state, _ = carried(detector, [0.5, 0.7])
    for odd in (float("nan"), float("inf")):
        assert detector.update(state, 9, odd) == (state, None)


def test_a_steady_stream_never_alarms_and_a_risen_one_does():
    detector = monitoring.PageHinkley("log_loss", limit=5.0)
    assert carried(detector, [0.3, 0.5] * 2000)[1] == []
    assert len(carried(detector, [0.3, 0.5] * 50 + [1.5] * 20)[1]) >= 1


@given(st.lists(st.floats(0, 10), max_size=200))
def test_the_alarms_are_rivers_where_it_forgets_nothing_and_looks_up_only(values):
    theirs = rivers(
        drift.PageHinkley(min_instances=8, delta=0.05, threshold=4.0, alpha=1.0, mode="up"), values
    )
    detector = monitoring.PageHinkley("log_loss", limit=4.0, delta=0.05, wait=8)
    assert [at for at, _ in carried(detector, values)[1]] == theirs


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        (monitoring.PageHinkley("log_loss"), []),
        (monitoring.PageHinkley("log_los"), ["no loss 'log_los' of Probability, did you mean 'log_loss'?"]),
        (monitoring.PageHinkley("log_loss", limit=0), ["a limit of 0 would always alarm"]),
        (
            monitoring.PageHinkley("log_loss", delta=-1, wait=0),
            ["a tolerated rise of -1", "waits for 0 values"],
        ),
    ],
)
def test_problems(detector, said):
    told(detector, said, clock=WALL)
