import numpy as np
import pytest

from flyball import data, errors, features, labels, model
from flyball.model import metrics, unlabelled

KIND = labels.Probability()


def answers(value):
    n = len(value)
    return labels.Answers(
        np.asarray(value, float), np.ones(n, bool), data.stage.Words(np.full(n, -1, np.int32), ())
    )


@pytest.fixture(scope="module")
def world():
    """Rows whose chance is known, of which four events in ten are labelled, by chance: x, labels, truth, chance."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 4000))
    chance = 1 / (1 + np.exp(-(3.0 * a - 2.0 * b - 2.0)))
    truth = (rng.random(4000) < chance).astype(float)
    labelled = truth * (rng.random(4000) < 0.4)
    moments = features.Moments.of([f"m{n % 40:02d}" for n in range(4000)], np.arange(4000) // 40)
    order = np.lexsort((np.arange(4000) // 40, np.arange(4000) % 40))
    x = features.Matrix(moments, {"a": a[order], "b": b[order]})
    return x, answers(labelled[order]), truth[order], chance[order]


def test_it_is_better_than_taking_no_label_for_no_event(world):
    x, y, truth, _ = world
    train, test = np.arange(3000), np.arange(3000, 4000)
    plain = model.Logistic().fit(x.take(train), y.take(train), KIND, 0).predict(x.take(test))
    ours = (
        model.PositiveUnlabelled(model.Logistic())
        .fit(x.take(train), y.take(train), KIND, 0)
        .predict(x.take(test))
    )
    known = model.Logistic().fit(x.take(train), answers(truth[train]), KIND, 0).predict(x.take(test))
    loss = {
        name: metrics.measure("log_loss", KIND, truth[test], said)
        for name, said in (("plain", plain), ("ours", ours), ("known", known))
    }
    # More than four fifths of what the missing labels cost is won back.
    assert loss["ours"] - loss["known"] < 0.2 * (loss["plain"] - loss["known"]), loss
    # It says rather too much than too little, as its share is estimated rather too low.
    assert abs(ours.mean() - truth[test].mean()) < 0.08 and plain.mean() < 0.6 * truth[test].mean()


def test_the_labelled_share_is_estimated_and_said(world):
    x, y, *_ = world
    said = model.PositiveUnlabelled(model.Logistic()).assumes(x, y, KIND, 0)
    share = float(said.split("; ")[1].split("%")[0]) / 100
    # The mean over labelled events is below c where no event is sure: the known bias of the estimator.
    assert 0.25 < share < 0.45 and "by chance" in said and "5-fold" in said
    declared = model.PositiveUnlabelled(model.Logistic(), share=0.4)
    assert "40% of them are (as declared)" in declared.assumes(x, y, KIND, 0)
    assert model.Logistic().assumes(x, y, KIND, 0) == ""


def test_where_every_event_is_labelled_it_changes_little(world):
    x, _, truth, _ = world
    found = model.PositiveUnlabelled(model.Logistic(), share=1.0).fit(x, answers(truth), KIND, 0).predict(x)
    assert np.abs(found - model.Logistic().fit(x, answers(truth), KIND, 0).predict(x)).max() < 1e-6


def test_out_of_fold_answers_come_from_other_machines(world):
    x, y, *_ = world
    fitted = []

    class Spy(model.Prior):
        def fit(self, x, y, kind, seed):
            fitted.append(set(x.moments.codes.tolist()))
            return model.Logistic().fit(x, y, kind, seed)

    said = unlabelled.out_of_fold(Spy(), x, y, KIND, 0, 4)
    assert len(fitted) == 4 and set.intersection(*fitted) == set() and np.isfinite(said).all()


def test_no_event_is_an_error_and_problems_are_told(world):
    x, y, *_ = world
    with pytest.raises(errors.DataError, match="no event"):
        model.PositiveUnlabelled(model.Logistic()).fit(x, answers(np.zeros(len(y))), KIND, 0)
    wrong = model.PositiveUnlabelled(model.Logistic(), folds=1, share=2.0)
    assert [problem.place for problem in wrong.problems(None)] == ["folds", "share"]
