import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import drift
from scipy import stats
from tests.monitoring.streams import WALL, alarms, told

from flyball import labels, monitoring
from flyball.monitoring import kswin


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 40), st.integers(0, 10_000), st.booleans())
def test_the_test_is_scipys_exact_one(n, seed, tied):
    rng = np.random.default_rng(seed)
    one, two = rng.normal(0, 1, n), rng.normal(rng.random(), 1, n)
    if tied:
        one, two = one.round(), two.round()
    found = stats.ks_2samp(one, two, method="asymp" if tied else "exact")
    steps = kswin._steps(one.tolist(), two.tolist())
    assert steps == round(found.statistic * n)
    assert tied or math.exp(kswin._log_p(n, steps)) == pytest.approx(found.pvalue, rel=1e-9)


def test_a_change_is_found_about_when_river_finds_it():
    # The draws are others, so the alarms are not the same.
    for seed in range(3):
        rng = np.random.default_rng(seed)
        values = np.concatenate([rng.normal(0, 1, 150), rng.normal(2.5, 1, 60)]).tolist()
        peer, theirs = drift.KSWIN(alpha=0.0001, seed=1), []
        for at, value in enumerate(values):
            peer.update(value)
            theirs += [at] if peer.drift_detected else []
        ours = alarms(monitoring.Kswin("absolute_error", alpha=0.0001), values)
        assert abs(ours[0] - theirs[0]) <= 10, (ours, theirs)


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        (monitoring.Kswin("absolute_error"), []),
        (monitoring.Kswin("absolute_error", alpha=1.5, window=40), ["alpha", "newest"]),
    ],
)
def test_problems(detector, said):
    told(detector, said, kind=labels.Quantity, clock=WALL)
