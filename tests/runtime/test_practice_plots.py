import numpy as np
import pytest
from tests.runtime.test_practice import found  # noqa: F401

from flyball.model import events, metrics
from flyball.runtime import plots, practice_plots


@pytest.fixture
def axes():
    return plots.canvas(2, rows=2)[1]


def test_the_curve_of_recall_passes_through_the_metric(found, axes):  # noqa: F811
    practice_plots.recall(found, axes[0])
    lines = {line.get_label(): line for line in axes[0].lines}
    assert {"baseline", "age", "challenger", "ceiling", "severity"} <= set(lines)
    test = found.held.test
    moments, until = found.x.moments[test.rows], found.y.until[test.rows]
    rates, recalls = lines["challenger"].get_data()
    one = events.curve(moments, test.truth, test.answers["challenger"], until=until)[0][1]
    assert (rates[1], recalls[1]) == (one.false_alarm_rate(), one.recall())
    assert max(rates) <= 12 and rates[0] == recalls[0] == 0


def test_leads_are_those_of_the_threshold_at_the_rate(found, axes):  # noqa: F811
    practice_plots.leads(found, axes[1])
    test = found.held.test
    moments, until = found.x.moments[test.rows], found.y.until[test.rows]
    hours = practice_plots._leads(moments, test.truth, test.answers["ceiling"], until, 6.0)
    from flyball import labels
    from flyball.model import catalogue

    told = metrics.measure(
        "event_recall_at_6_per_machine_year", labels.Probability(), test.truth, test.answers["ceiling"], moments,
        context=catalogue.Context(None, until),
    )  # fmt: skip
    assert len(hours) == round(told * 6) > 0 and (hours >= 0).all()
    assert len(practice_plots._leads(moments, test.truth, 1.0 - test.truth, until, 0.0)) == 0


def test_what_only_ranks_is_not_drawn_as_a_probability(found, axes):  # noqa: F811
    practice_plots.calibrated(found, axes[2])
    assert len(axes[2].lines) == 5  # four who say a probability, and the diagonal
    said, happened = axes[2].lines[0].get_data()
    assert len(said) == 10 and (np.diff(said) > 0).all() and (happened <= 1).all()


def test_lives_are_drawn_with_their_band_and_marks(found, axes):  # noqa: F811
    practice_plots.survived(found, axes[3])
    curve, marks, worst = axes[3].lines
    assert curve.get_xdata().tolist() == [0, 20] and marks.get_xdata().tolist() == [15, 25] * 3
    assert marks.get_ydata().tolist() == [1.0, 0.5] * 3 and len(worst.get_xdata()) == 3
    assert len(axes[3].collections) == 1


def test_the_whole_is_four_plots_or_nothing(found):  # noqa: F811
    assert len(practice_plots.draw(found).axes) == 4
    found.page.model.metrics = ("roc_auc",)
    assert practice_plots.draw(found) is None
