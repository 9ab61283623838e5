"""The training rows choose, and a contest pays for it."""

import numpy as np
import pytest

from flyball import errors, labels, model


def test_the_better_learner_is_chosen(rows):
    kind, y = labels.Probability(), rows.truth(labels.Probability())
    lot = model.Candidates((model.Prior(), model.Logistic(), model.Rate("noise")), metric="log_loss")
    assert lot.best(rows.x, y, kind, 0) == 1
    told = lot.fit(rows.x, y, kind, 0).predict(rows.x)
    assert np.array_equal(told, model.Logistic().fit(rows.x, y, kind, 0).predict(rows.x))


def test_less_is_better_where_it_is(rows):
    kind = labels.Quantity()
    lot = model.Candidates((model.Ridge(), model.Prior()), metric="rmse")
    assert lot.best(rows.x, rows.truth(kind), kind, 0) == 0


def test_no_figure_no_choice(rows, answered):
    lot = model.Candidates((model.Prior(), model.Logistic()), metric="roc_auc")
    with pytest.raises(errors.DataError, match="not defined on any inner fold"):
        lot.fit(rows.x, answered(np.zeros(len(rows.x))), labels.Probability(), 0)
