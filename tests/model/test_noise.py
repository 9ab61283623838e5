import numpy as np
import pytest
from tests.model.test_unlabelled import answers

from flyball import features, labels, model
from flyball.model import metrics, noise

FLIPPED = np.array([[0.95, 0.05], [0.2, 0.8]])


@pytest.fixture(scope="module")
def world():
    """Two clouds; of the healthy one label in twenty is wrong, of the failing one in five: x, labels, truth."""
    rng = np.random.default_rng(2)
    truth = (rng.random(3000) < 0.4).astype(float)
    a = rng.normal(2.6 * truth, 1.0)
    b = rng.normal(2.0 * truth, 1.0)
    wrong = rng.random(3000) < np.where(truth > 0, 0.2, 0.05)
    moments = features.Moments.of([f"m{n // 100:02d}" for n in range(3000)], np.arange(3000) % 100)
    return (
        features.Matrix(moments, {"a": a, "b": b}),
        answers(np.where(wrong, 1 - truth, truth)),
        truth,
        wrong,
    )


def test_the_matrix_is_the_one_that_made_the_noise(world):
    x, y, _, wrong = world
    said = noise.unlabelled.out_of_fold(model.Logistic(), x, y, labels.Probability(), 0, 5)
    found = noise.noise(y.value, said)
    assert np.abs(found.matrix - FLIPPED).max() < 0.06, found.matrix
    # Most of what is suspected is wrong, and most of what is wrong is suspected, the most doubtful first.
    assert wrong[found.suspect].mean() > 0.7 and found.suspect[wrong].mean() > 0.7
    worst = np.argsort(-found.doubt)[:100]
    assert wrong[worst].mean() > 0.9 and (found.doubt[~found.suspect] == 0).all()


def test_labels_without_noise_are_hardly_suspected(world):
    x, _, truth, _ = world
    said = noise.unlabelled.out_of_fold(model.Logistic(), x, answers(truth), labels.Probability(), 0, 5)
    assert noise.noise(truth, said).suspect.mean() < 0.06


def test_classes_have_a_matrix_of_their_own():
    said = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.95, 0.0, 0.05]] * 5)
    found = noise.noise([0, 1, 2, 2] * 5, said)
    assert found.suspect.tolist() == [False, False, False, True] * 5 and found.matrix.shape == (3, 3)
    assert found.matrix[0].round(2).tolist() == [0.5, 0.0, 0.5]


def test_learning_without_suspects_is_better_than_with_them(world):
    x, y, truth, _ = world
    train, test = np.arange(2000), np.arange(2000, 3000)
    trees = model.BoostedTrees(trees=30, leaves=31, rate=0.15, min_rows=2)
    loss = {}
    for name, learner in (("with", trees), ("without", model.WithoutSuspects(trees, folds=3, at_most=0.2))):
        fitted = learner.fit(x.take(train), y.take(train), labels.Probability(), 0)
        loss[name] = metrics.measure(
            "log_loss", labels.Probability(), truth[test], fitted.predict(x.take(test))
        )
    assert loss["without"] < loss["with"] - 0.02, loss
    said = model.WithoutSuspects(model.Logistic()).assumes(x, y, labels.Probability(), 0)
    assert "were left out" in said and int(said.split("; ")[1].split()[0]) > 100


def test_no_class_is_learned_away(world):
    x, y, *_ = world
    few = answers(np.where(np.arange(len(y)) < 3, 1.0, 0.0))
    learner = model.WithoutSuspects(model.Logistic(), folds=2, at_most=0.5)
    fitted = learner.fit(x, few, labels.Probability(), 0)
    assert fitted.predict(x).max() > 0


def test_problems():
    wrong = model.WithoutSuspects(model.Logistic(), folds=1, at_most=1.0)
    assert [problem.place for problem in wrong.problems(None)] == ["folds", "at_most"]
    assert wrong.accepts() == (labels.Probability,)
