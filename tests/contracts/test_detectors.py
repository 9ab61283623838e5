"""What holds for every detector of a stream: state in, state out, plain JSON, resumable, bounded, input untouched."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts import examples

from flyball.monitoring import stage

DETECTORS = [example for example in examples.MONITORING if isinstance(example, stage.Detector)]
#: Levels that change, so that detectors alarm, too.
STREAMS = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=1, max_size=6)


@pytest.fixture(params=DETECTORS, ids=lambda example: type(example).__name__, scope="module")
def detector(request):
    return request.param


def values(levels):
    return [
        float((level * 97 + n * 0.618) % 1 < level) for n_values, level in levels for n in range(n_values)
    ]


def carried(detector, stream, state=None, first=0):
    state, alarms = detector.start() if state is None else state, []
    for at, value in enumerate(stream, start=first):
        state, alarm = detector.update(state, at, value)
        alarms += [alarm] if alarm else []
    return state, alarms


@settings(max_examples=15, deadline=None)
@given(levels=STREAMS, cut=st.integers(0, 300))
def test_resumed_from_json_equals_one_pass(detector, levels, cut):
    stream = values(levels)
    whole = carried(detector, stream)
    state, first = carried(detector, stream[:cut])
    state, second = carried(
        detector, stream[cut:], json.loads(json.dumps(state)), first=min(cut, len(stream))
    )
    assert first + second == whole[1]
    assert json.loads(json.dumps(state)) == json.loads(json.dumps(whole[0]))


def test_the_state_that_goes_in_is_left_alone(detector):
    state = detector.start()
    for at, value in enumerate(values([(80, 0.2), (80, 0.9)])):
        before = copy.deepcopy(state)
        after, _ = detector.update(state, at, value)
        assert state == before
        assert detector.update(state, at, value)[0] == after
        state = after


def test_memory_is_bounded(detector):
    state, _ = carried(detector, values([(150, 0.3)] * 2))
    longer, _ = carried(detector, values([(150, 0.3)] * 20))
    assert len(json.dumps(longer)) < 3 * len(json.dumps(state)) + 2000


def test_what_is_no_number_changes_nothing(detector):
    state, _ = carried(detector, values([(50, 0.5)]))
    for odd in (float("nan"), float("inf")):
        assert detector.update(state, 9, odd) == (state, None)


def test_a_rise_is_found_and_a_fall_is_none(detector):
    rise, fall = values([(300, 0.1), (300, 0.9)]), values([(300, 0.9), (300, 0.1)])
    found = [alarm for alarm in carried(detector, rise)[1] if 300 <= alarm.at < 400]
    assert found
    if not isinstance(detector, examples.monitoring.River):  # those of river tell of any change
        assert not any(300 <= alarm.at < 400 for alarm in carried(detector, fall)[1])
        assert 285 <= found[0].since <= found[0].at


def test_the_threshold_is_what_the_statistic_is_held_against(detector):
    if isinstance(detector, examples.monitoring.River):
        return
    quiet = detector.settled(float("inf"))
    stream = values([(300, 0.1), (100, 0.9)])
    state, highest, first = quiet.start(), [], None
    for at, value in enumerate(stream):
        state, alarm = quiet.update(state, at, value)
        assert alarm is None
        highest.append(quiet.statistic(state))
    for share in (0.5, 0.9):
        some = detector.settled(max(highest) * share)
        assert some.threshold() == pytest.approx(max(highest) * share)
        first = next(at for at, statistic in enumerate(highest) if statistic > max(highest) * share)
        assert carried(some, stream)[1][0].at == first
