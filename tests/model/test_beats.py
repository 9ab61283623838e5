"""A gate judges the lower bound, not the hope."""

import types

import pytest

from flyball import errors, evidence, model


def told(name, value, low, high):
    return {name: evidence.Measurement(name, value, low, high)}


MEASURED = {
    **told("difference.roc_auc", 0.05, 0.01, 0.09),
    **told("difference.plain.roc_auc", 0.02, -0.01, 0.05),
    **told("rolling.difference.roc_auc", 0.06, 0.03, 0.09),
    **told("challenger.roc_auc", 0.9, 0.8, 0.95),
}


@pytest.mark.parametrize(
    ("gate", "passed"),
    [
        (model.Beats("roc_auc"), [True]),
        (model.Beats("roc_auc", by=0.02), [False]),
        (model.Beats("roc_auc", by=0.02, on="rolling"), [True]),
        (model.Beats("roc_auc", against="all"), [True, False]),
        (model.NotWorse("roc_auc", than=0.02, against="all"), [True, True]),
    ],
)
def test_the_lower_bound_decides(gate, passed):
    assert [verdict.passed for verdict in gate.judge(MEASURED)] == passed


def test_no_figure_is_no_pass():
    nan = float("nan")
    assert not model.Beats("roc_auc").judge(told("difference.roc_auc", nan, nan, nan))[0].passed
    with pytest.raises(errors.GateError, match=r"difference\.brier was not measured"):
        model.Beats("brier").judge(MEASURED)


def test_a_metric_nobody_measures_is_a_problem():
    page = types.SimpleNamespace(model=types.SimpleNamespace(metrics=("roc_auc",)))
    found = list(model.Beats("roc_au", on="tests").problems(page))
    assert [problem.place for problem in found] == ["metric", "on"] and "roc_auc" in found[0].fix
