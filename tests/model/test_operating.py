"""What alerts come to at a rate of false alarms, against counting by hand."""

import numpy as np
import pytest

from flyball import errors, features, labels, model, units
from flyball.model import catalogue, events, metrics, operating

DAY, KIND = int(units.DAY), labels.Probability()
CONTEXT = catalogue.Context(model.Costs(1000.0, 200.0, 50.0))


def measure(what, limit, truth, score, moments, context=CONTEXT):
    return metrics.measure(
        f"{what}_at_{limit}_per_machine_year", KIND, truth, score, moments, context=context
    )


@pytest.fixture(scope="module")
def year():
    """Two machines over a year: four events, alerts at three levels of score."""
    moments = features.Moments.of(["a"] * 365 + ["b"] * 365, np.tile(np.arange(365), 2) * DAY)
    truth, score = np.zeros(730), np.zeros(730)
    for start in (50, 150, 365 + 50, 365 + 200):
        truth[start : start + 7] = 1
    score[[51, 153]] = 0.9  # found early, and three days in
    score[[365 + 20]] = 0.8  # a false alarm
    score[[365 + 55]] = 0.7
    score[[250, 300, 365 + 300]] = 0.6
    until = np.where(truth > 0, 0, DAY * 400)
    for row in np.flatnonzero(truth):
        start = max(s for s in (50, 150, 365 + 50, 365 + 200) if s <= row)
        until[row] = moments.at[start] + 8 * DAY
    return moments, truth, score, catalogue.Context(CONTEXT.costs, until)


def test_figures_of_the_best_threshold_within_the_rate(year):
    moments, truth, score, context = year
    told = {what: measure(what, 0.5, truth, score, moments, context) for what in operating.NAMES}
    # One false alarm in two machine-years lets three of four events be found: the threshold is 0.7.
    assert told["event_recall"] == 0.75 and told["order_precision"] == 0.75
    assert told["net_saving"] == pytest.approx((3 * 800 - 1 * 50) / 2)
    # Found 7, 5 and 3 days before the event came.
    assert told["median_lead_hours"] == 5 * 24 and told["low_lead_hours"] == 3 * 24
    assert told["share_a_day_ahead"] == 1
    assert measure("event_recall", 0.4, truth, score, moments, context) == 0.5


def test_where_it_is_not_known_when_events_came_leads_are_lower_bounds(year):
    moments, truth, score, context = year
    known = measure("median_lead_hours", 0.5, truth, score, moments, context)
    bound = measure("median_lead_hours", 0.5, truth, score, moments)
    assert known - bound == 48  # asked daily, and silent on the day before


def test_no_alert_within_the_rate_saves_nothing_and_has_no_lead():
    moments = features.Moments.of(["a"] * 30, np.arange(30) * DAY)
    truth = np.append(np.zeros(29), 1.0)
    score = np.append(np.ones(29), 0.0)
    assert measure("event_recall", 1, truth, score, moments) == 0
    assert measure("net_saving", 1, truth, score, moments) == 0
    assert np.isnan(measure("median_lead_hours", 1, truth, score, moments))
    assert np.isnan(measure("order_precision", 1, truth, score, moments))


def test_resampling_is_doing_it_again_on_the_machines_drawn():
    rng = np.random.default_rng(0)
    keys, days = np.repeat([f"m{i}" for i in range(6)], 90), np.tile(np.arange(90), 6) * DAY
    moments = features.Moments.of(keys.tolist(), days)
    truth = (rng.random(540) < 0.05).astype(float)
    score = np.round(rng.random(540) + 0.4 * truth, 1)
    drawn = [0, 0, 2, 5, 5, 3]
    rows = np.concatenate([np.flatnonzero(keys == f"m{i}") for i in drawn])
    again = np.repeat([f"n{place}" for place in range(6)], 90).tolist()
    counts = np.bincount(drawn, minlength=6)[None].astype(float)
    for what in operating.NAMES:
        prepare = metrics.find(f"{what}_at_9_per_machine_year", KIND).prepare
        figure = prepare(catalogue.Judged(KIND, truth, score, np.ones(540), moments, CONTEXT))
        told = figure.resampled(moments.codes.astype(np.int64), counts)[0]
        whole = measure(what, 9, truth[rows], score[rows], features.Moments.of(again, days))
        assert told == pytest.approx(whole, nan_ok=True), what


def test_two_events_one_after_the_other_are_two_where_it_is_known_when_they_came():
    moments = features.Moments.of(["a"] * 6, np.arange(6) * DAY)
    truth, score = [0, 1, 1, 1, 1, 0], [0, 1, 0, 0, 0, 0]
    until = np.array([0, 3, 3, 5, 5, 9]) * DAY
    assert events.episodes(moments, truth, score, 1).events == 1
    told = events.episodes(moments, truth, score, 1, until=until)
    assert (told.events, told.found, told.lead.tolist()) == (2, 1, [2 * DAY])


def test_prices_are_needed_and_told():
    moments = features.Moments.of(["a"] * 2, [0, DAY])
    with pytest.raises(errors.GateError, match=r"model\.Costs"):
        measure("net_saving", 1, [0, 1], [0, 1], moments, catalogue.ALONE)
    assert operating.parsed("event_recall_at_0.5_per_machine_year") == ("event_recall", 0.5)
    assert operating.parsed("event_recall_at_x_per_machine_year") is None
    assert metrics.find("net_saving_at_2_per_machine_year", KIND).priced
