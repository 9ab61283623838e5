"""A gate judges the lower bound, not the hope."""

import types

import pytest

from flyball import errors, evidence, model, part


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


def per(name, low, n=9):
    return {name: evidence.Measurement(name, low + 0.1, low, low + 0.2, n)}


SITES = {
    **per("site=a.difference.roc_auc", -0.01),
    **per("site=b.difference.roc_auc", -0.3),
    **per("recipe=r.difference.roc_auc", -0.5),
    **per("site=c.difference.roc_auc", -0.9, n=1),
    **per("site=a.difference.plain.roc_auc", -0.4),
    **per("rolling.site=a.difference.roc_auc", -0.6),
    **per("difference.roc_auc", 0.0),
}


def test_no_site_pays_for_the_mean():
    assert model.NotWorse("roc_auc", than=0.02).judge(SITES)[0].passed
    gate = model.NotWorse("roc_auc", than=0.02, per="site")
    found = gate.judge(SITES)
    assert [(verdict.figure, verdict.passed) for verdict in found] == [(-0.01, True), (-0.3, False)]
    assert "site=b.difference.roc_auc" in found[1].why
    assert "cannot be judged: site=c.difference.roc_auc (1 machines)" in found[1].why
    assert [v.figure for v in part.replace(gate, against="all").judge(SITES)] == [-0.01, -0.3, -0.4]
    assert [v.figure for v in part.replace(gate, on="rolling").judge(SITES)] == [-0.6]
    assert [v.figure for v in part.replace(gate, per="recipe").judge(SITES)] == [-0.5]


def test_slices_of_a_single_column_go_by_their_labels():
    told = per("FD001.difference.rmse", -1.0) | per("FD002.difference.rmse", -2.0)
    found = model.NotWorse("rmse", than=1.0, per="subset").judge(told)
    assert [verdict.passed for verdict in found] == [True, False]
    with pytest.raises(errors.GateError, match="no slice of 'subset' can be judged"):
        model.NotWorse("rmse", per="subset", least=10).judge(told)


def test_a_column_that_is_no_slice_is_a_problem():
    contest = types.SimpleNamespace(metrics=("roc_auc",), sliced=lambda: ("site",))
    found = list(model.NotWorse("roc_auc", per="sites").problems(types.SimpleNamespace(model=contest)))
    assert [problem.place for problem in found] == ["per"] and "site" in found[0].fix
