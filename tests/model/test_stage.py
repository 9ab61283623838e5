"""A contest names every mistake before anything is learned."""

import types

from flyball import labels, model


def test_learners_and_metrics_must_fit_the_answer():
    page = types.SimpleNamespace(
        labels=types.SimpleNamespace(kind=lambda: labels.Quantity(), window=lambda: None),
        features=types.SimpleNamespace(names=lambda: ("a", "b")),
    )
    contest = model.Contest(
        model.Prior(),
        model.Logistic(),
        model.Rolling(),
        model.Latest(),
        ("rmse", "roc_auc"),
        peers={"rate": model.Rate("a")},
    )
    found = list(contest.problems(page))
    assert [problem.place for problem in found] == ["challenger", "metrics[1]"]
    assert "Probability" in found[0].fix


def test_a_step_applies_itself_to_its_training_rows(rows):
    step, x = model.Normalise().fit_apply(rows.x, rows.truth(labels.Probability()), 0)
    assert abs(x.columns["b"].mean()) < 1e-9 and step.pack().runner == "normalise"
