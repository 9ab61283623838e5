import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from tests.monitoring.streams import alarms, told

from flyball import monitoring
from flyball.monitoring import adwin

STREAMS = st.lists(st.tuples(st.integers(5, 60), st.floats(-2, 2)), min_size=1, max_size=5)


def plain(values, delta, clock, wait):
    """The rule as written down, on all values of the window; only the sizes of the buckets are kept beside them."""
    window, sizes, found = [], [], []
    for at, value in enumerate(values):
        window.append(value)
        sizes.append(1)
        while True:  # the two oldest of a size that there are too many of become one
            size = next((s for s in sorted(set(sizes)) if sizes.count(s) > adwin.BUCKETS), None)
            if size is None:
                break
            first = sizes.index(size)
            sizes[first : first + 2] = [2 * size]
        if (at + 1) % clock:
            continue
        rose = False
        while len(window) >= 2 * wait:
            cuts, parted, rises = np.cumsum(sizes)[:-1].tolist(), False, False
            for cut in cuts:
                old, new = window[:cut], window[cut:]
                if min(len(old), len(new)) < wait:
                    continue
                m = 1 / len(old) + 1 / len(new)
                confidence = math.log(2 * math.log(len(window)) / delta)
                bound = math.sqrt(2 * m * np.var(window) * confidence) + 2 / 3 * m * confidence
                if abs(np.mean(new) - np.mean(old)) > bound + 1e-12:
                    parted, rises = True, rises or np.mean(new) > np.mean(old)
            if not parted:
                break
            rose = rose or rises
            del window[: sizes.pop(0)]
        found += [at] if rose else []
    return found


@settings(max_examples=25, deadline=None)
@given(STREAMS, st.integers(0, 9))
def test_the_alarms_are_those_of_the_rule_as_written(levels, seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(level, 0.3, n) for n, level in levels]).tolist()
    detector = monitoring.Adwin("error", delta=0.05, clock=4, wait=4)
    assert alarms(detector, values) == plain(values, 0.05, 4, 4)


def test_a_change_is_found_within_one_look_of_rivers():
    # river leaves out the newest bucket of every size when it cuts, shortens both sides by `wait` in its bound, and
    # starts anew after an alarm; so alarms come at about the same look, not always at the same.
    apart = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = (rng.random(1200) < np.where(np.arange(1200) < 700, 0.2, 0.6)).astype(float).tolist()
        theirs, peer = [], drift.ADWIN()
        for at, value in enumerate(values):
            peer.update(value)
            theirs += [at] if peer.drift_detected else []
        ours = alarms(monitoring.Adwin("error", delta=0.002), values)
        assert [at for at in ours if at < 700] == []
        first = next(at for at in theirs if at >= 700)
        apart.append(next(at for at in ours if at >= 700) - first)
    assert np.mean(np.abs(apart) <= 32) >= 0.9, apart


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        (monitoring.Adwin("error", delta=0.01), []),
        (monitoring.Adwin("eror", delta=0.01), ["no loss 'eror'"]),
        (monitoring.Adwin("error"), ["per: a budget per days(365) on a page without a wall clock"]),
        (monitoring.Adwin("error", delta=0, clock=0, wait=0), ["delta", "clock", "wait"]),
        (monitoring.Adwin("error", delta=0.1, false_alarms=0), ["false_alarms"]),
    ],
)
def test_problems(detector, said):
    told(detector, said)
