import types

from flyball import labels, model
from flyball.model import metrics

PAGE = types.SimpleNamespace()


def test_the_defaults_are_hours_times_prices():
    costs = model.Costs()
    assert (costs.unscheduled, costs.scheduled, costs.inspect) == (10 * 72_000, 4 * 20_000, 2 * 20_000)
    assert costs.saved() == 640_000 and list(costs.problems(PAGE)) == []


def test_costs_by_which_no_alert_could_save_are_told():
    told = [str(problem) for problem in model.Costs(10.0, 20.0, -1.0).problems(PAGE)]
    assert len(told) == 2 and "no alert could save" in told[1] and "a cost of -1" in told[0]
    assert "a cost of nan" in str(next(iter(model.Costs(float("nan")).problems(PAGE))))


def test_a_metric_that_needs_prices_or_a_following_label_says_so():
    names = ("net_saving_at_6_per_machine_year", "ipcw_auc", "brier")
    found = list(metrics.problems(names, labels.Probability(), priced=False, followed=False))
    assert [problem.place for problem in found] == ["metrics[0]", "metrics[1]"]
    assert "costs=model.Costs" in str(found[0]) and "labels.FailsWithin" in str(found[1])
    assert list(metrics.problems(names, labels.Probability(), priced=True, followed=True)) == []
