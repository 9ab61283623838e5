"""Events, alerts with a lockout, false alarms per machine-year and lead time."""

import numpy as np
import pytest

from flyball import features, labels, units
from flyball.model import events, metrics

DAY = int(units.DAY)


def test_a_lockout_silences_one_machine_only():
    moments = features.Moments.of(["a", "a", "a", "b"], [0, DAY, 8 * DAY, DAY])
    assert events.issued(moments, np.ones(4), 1.0, lockout=units.WEEK).tolist() == [0, 2, 3]


def test_an_event_is_found_once_and_the_rest_are_false_alarms():
    moments = features.Moments.of(["a"] * 10, np.arange(10) * DAY)
    truth = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
    score = [1, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    told = events.episodes(moments, truth, score, threshold=1, lockout=1)
    assert (told.events, told.found, told.false_alarms) == (2, 1, 2)
    assert told.lead.tolist() == [DAY]
    assert told.machine_years == pytest.approx(10 / 365)
    assert told.leads()["median_hours"] == 24 and told.leads()["share_a_day"] == 1


def test_rows_may_come_in_any_order():
    rng = np.random.default_rng(0)
    moments = features.Moments.of(np.repeat(["a", "b", "c"], 20).tolist(), np.tile(np.arange(20), 3) * DAY)
    truth, score = (rng.random(60) < 0.3).astype(float), rng.random(60)
    order = rng.permutation(60)
    told = events.episodes(moments, truth, score, 0.5)
    mixed = events.episodes(moments[order], truth[order], score[order], 0.5)
    assert (told.events, told.found, told.false_alarms) == (mixed.events, mixed.found, mixed.false_alarms)
    assert sorted(told.lead.tolist()) == sorted(mixed.lead.tolist())


def test_event_recall_within_a_rate_is_the_best_point_of_the_curve():
    rng = np.random.default_rng(2)
    moments = features.Moments.of(
        np.repeat([f"m{i}" for i in range(20)], 60).tolist(), np.tile(np.arange(60), 20) * DAY
    )
    truth = (rng.random(1200) < 0.02).astype(float)
    score = np.round(rng.random(1200) + 0.5 * truth, 1)
    points = events.curve(moments, truth, score)
    best = max((e.recall() for _, e in points if e.false_alarm_rate() <= 5), default=0.0)
    told = metrics.measure("event_recall_at_5_per_machine_year", labels.Probability(), truth, score, moments)
    assert told == pytest.approx(best) and 0 < told < 1


def test_nothing_to_find_is_no_figure():
    moments = features.Moments.of(["a", "a"], [0, DAY])
    assert np.isnan(events.episodes(moments, [0, 0], [1, 0], 1).recall())
    assert np.isnan(
        metrics.measure("event_recall_at_1_per_machine_year", labels.Probability(), [0, 0], [1, 0], moments)
    )
