import json

import numpy as np
import pytest

from flyball import labels
from flyball.features import stage as features
from flyball.model import metrics
from flyball.monitoring import estimate, losses

KIND = labels.Probability()
RNG = np.random.default_rng(0)
CHANCE = RNG.beta(0.6, 3, 20_000)
CAME = (RNG.random(20_000) < CHANCE).astype(float)
MACHINE = np.arange(20_000) % 200


def test_of_calibrated_answers_the_expected_losses_are_the_realised_ones():

    realised = losses.of_rows(KIND, CHANCE, CAME)
    for name, expected in estimate.losses(KIND, CHANCE, CHANCE).items():
        apart = realised[name] - expected
        assert abs(apart.mean()) < 4 * apart.std() / np.sqrt(len(apart)), name


def test_the_expected_ranking_and_confusion_are_the_mean_of_what_may_come():
    chance = RNG.beta(0.6, 3, 120)
    said = chance + RNG.normal(0, 0.05, 120)
    found = estimate.figures(said, chance, 0.3)
    drawn = {"average_precision": [], "roc_auc": []}
    hits = []
    for _ in range(400):
        came = (RNG.random(120) < chance).astype(float)
        for name, values in drawn.items():
            values.append(metrics.measure(name, KIND, came, said))
        hits.append(came[said >= 0.3].sum())
    for name, values in drawn.items():
        assert found[name] == pytest.approx(np.mean(values), abs=0.02), name
    assert found["true_positives"] == pytest.approx(np.mean(hits), rel=0.05)
    assert sum(found[name] for name in found if name.endswith("tives")) == pytest.approx(120)


def test_answers_that_say_too_much_are_set_right_and_good_ones_left_alone():
    loud = CHANCE**0.5
    kept = json.loads(json.dumps(estimate.calibration(KIND, loud, CAME, MACHINE)))
    assert np.abs(estimate.calibrated(KIND, kept, loud) - CHANCE).mean() < 0.02 < np.abs(loud - CHANCE).mean()
    assert len(kept["curves"][0][0]) <= estimate.POINTS
    few = slice(0, 150)
    assert estimate.calibration(KIND, CHANCE[few], CAME[few], MACHINE[few]) == {}
    assert estimate.calibration(labels.Quantity(), CHANCE, CAME, MACHINE) == {}


def test_classes_are_estimated_by_the_chance_of_the_named_one():
    kind = labels.Classes(("a", "b", "c"))
    rng = np.random.default_rng(3)
    chance = rng.dirichlet([0.5, 0.5, 0.5], 8000)
    truth = (chance.cumsum(axis=1) < rng.random(8000)[:, None]).sum(axis=1).astype(float)
    named = chance.argmax(axis=1)
    expected = estimate.losses(kind, named, chance)["error"].mean()
    assert expected == pytest.approx(losses.of_rows(kind, named, truth)["error"].mean(), abs=0.02)
    blunt = chance**3 / (chance**3).sum(axis=1, keepdims=True)  # named the same, said too surely
    kept = estimate.calibration(kind, blunt, truth, np.arange(8000) % 50)
    set_right = estimate.losses(kind, named, estimate.calibrated(kind, kept, blunt))["error"].mean()
    assert abs(set_right - expected) < abs(estimate.losses(kind, named, blunt)["error"].mean() - expected) / 2


def test_the_loss_of_a_quantity_is_told_from_what_comes_in():
    rng = np.random.default_rng(1)

    def rows(n, spread):
        moments = features.Moments.of([f"m{i % 20:02d}" for i in range(n)], np.arange(n))
        noise = rng.uniform(0, spread, n)
        return features.Matrix(moments, {"noise": noise}), np.abs(rng.normal(0, noise + 0.1, n))

    x, lost = rows(3000, 1.0)
    answers = np.zeros((3000, 3))
    model = estimate.loss_model(x, answers, lost, seed=0)
    easy, realised_easy = rows(2000, 0.3)
    expected = estimate.told(model, easy, np.zeros((2000, 3)))
    assert expected.mean() == pytest.approx(realised_easy.mean(), rel=0.15)
    assert realised_easy.mean() < 0.6 * lost.mean()
