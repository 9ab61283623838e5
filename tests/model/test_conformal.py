"""Intervals hold on machines that were never learned from."""

import numpy as np
import pytest

from flyball import data, errors, labels, model
from flyball.model import metrics


def machines_that_err_together(make_rows, seed, n=4000):
    made = make_rows(n, machines=80, seed=seed)
    rng = np.random.default_rng(seed)
    own = rng.normal(size=80)[made.moments.codes]
    # Each machine has an offset of its own, and the error grows with the answer.
    return made, 20 + 4 * made.b + (1 + 0.5 * np.maximum(made.b, 0)) * (own + rng.normal(size=n))


@pytest.mark.parametrize("how", [{"share": 0.4}, {"folds": 5}])
def test_coverage_is_as_declared(make_rows, answered, how):
    kind, told = labels.Quantity(), []
    learner = model.Conformal(model.Ridge(columns=("b",)), coverage=0.9, **how)
    for seed in range(4):
        learned, truth = machines_that_err_together(make_rows, seed)
        new, new_truth = machines_that_err_together(make_rows, 100 + seed)
        fitted = learner.fit(learned.x, answered(truth), kind, seed)
        told.append(metrics.measure("coverage", kind, new_truth, fitted.predict(new.x)))
    assert 0.85 <= np.mean(told) <= 0.95, told


def test_the_interval_is_wider_where_errors_are(make_rows, answered):
    learned, truth = machines_that_err_together(make_rows, 1)
    fitted = model.Conformal(model.Ridge(columns=("b",)), folds=3).fit(
        learned.x, answered(truth), labels.Quantity(), 0
    )
    told = fitted.predict(learned.x)
    width = told[:, 2] - told[:, 1]
    assert width[learned.b > 1.5].mean() > 1.3 * width[learned.b < 0].mean()


def test_bounds_of_the_quantity_hold(rows):
    kind = labels.Quantity("h", low=9.0, high=14.0)
    told = model.Conformal(model.Ridge(), folds=3).fit(rows.x, rows.truth(kind), kind, 0).predict(rows.x)
    assert told.min() >= 9.0 and told.max() <= 14.0
    assert (told[:, 1] <= told[:, 0]).all() and (told[:, 0] <= told[:, 2]).all()


def test_groups_are_held_out_together(rows, monkeypatch):
    from flyball import features
    from flyball.model import machines

    twin = data.Words((rows.moments.codes // 2).astype(np.int32), tuple(f"pair {i}" for i in range(6)))
    x = features.Matrix(rows.moments, {**rows.x.columns, "twin": twin})
    dealt = []
    split = machines.ByMachine.split
    monkeypatch.setattr(machines.ByMachine, "split", lambda *args: dealt.extend(split(*args)) or tuple(dealt))
    learner = model.Conformal(model.Ridge(columns=("b",)), folds=3, by="twin")
    learner.fit(x, rows.truth(labels.Quantity()), labels.Quantity(), 0)
    for fold in dealt:
        assert not set(twin.codes[fold.train]) & set(twin.codes[fold.test])
    with pytest.raises(errors.DataError, match="does not name a group"):
        model.Conformal(model.Ridge(), by="b").fit(x, rows.truth(labels.Quantity()), labels.Quantity(), 0)
