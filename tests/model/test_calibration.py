import numpy as np
import pytest

from flyball import labels
from flyball.model import calibration, metrics

KIND = labels.Probability()


def test_groups_keep_equal_answers_together_and_are_of_equal_size():
    rng = np.random.default_rng(0)
    assert np.bincount(calibration.groups(rng.random(1000))).tolist() == [100] * 10
    tied = np.repeat([0.1, 0.2, 0.9], [500, 300, 200])
    for value in (0.1, 0.2, 0.9):
        assert len(set(calibration.groups(tied)[tied == value])) == 1
    assert calibration.groups([]).tolist() == [] and calibration.groups([0.5] * 4).tolist() == [0] * 4


def test_the_parts_of_the_brier_score_add_up():
    # Where answers within a group are equal, Brier = reliability - resolution + uncertainty (Murphy 1973).
    rng = np.random.default_rng(1)
    said = rng.choice([0.05, 0.3, 0.8], 900)
    truth = (rng.random(900) < 0.8 * said + 0.1).astype(float)
    told = {name: metrics.measure(name, KIND, truth, said) for name in ("brier", "reliability", "resolution")}
    rate = truth.mean()
    assert told["brier"] == pytest.approx(told["reliability"] - told["resolution"] + rate * (1 - rate))
    by_hand = sum(
        (said == value).mean() * abs(truth[said == value].mean() - value) for value in (0.05, 0.3, 0.8)
    )
    assert metrics.measure("calibration_error", KIND, truth, said) == pytest.approx(by_hand)


def test_saying_too_much_is_seen_and_the_truth_is_not():
    rng = np.random.default_rng(2)
    chance = rng.random(20_000)
    truth = (rng.random(20_000) < chance).astype(float)
    assert metrics.measure("calibration_error", KIND, truth, chance) < 0.02
    assert metrics.measure("calibration_error", KIND, truth, chance**3) > 0.2
    assert metrics.measure("resolution", KIND, truth, np.full(20_000, 0.5)) == pytest.approx(0.0, abs=1e-12)
    told = metrics.interval("calibration_error", KIND, truth, chance**3, clusters=np.arange(20_000) % 40)
    assert told.low <= told.value <= told.high
    assert not metrics.higher_is_better("reliability", KIND) and metrics.higher_is_better("resolution", KIND)
    assert metrics.measure("calibration_error", KIND, [0, 1], [0.2, 0.4], weight=[1, 0]) == pytest.approx(0.2)
