import types

import numpy as np
import pytest

from flyball import data, evidence, monitoring, units
from flyball.features import stage as features
from flyball.monitoring import stage
from flyball.runtime import watching

WEEK = int(units.WEEK)


FLEET = data.Fleet("machine", data.WallClock(), (data.Table("telemetry", columns={}),))


def page(**watch):
    return types.SimpleNamespace(data=FLEET, monitoring=stage.Watch(**watch))


def one(column, until, statistic, limit=0.2, n=10):
    return stage.Watched(
        column, until - WEEK, until, n, statistic, limit, {"psi": statistic}, statistic > limit
    )


WATCHED = (
    one("a", WEEK, 0.3),
    one("b", WEEK, 0.9),
    one("c", WEEK, 0.1),
    one("a", 2 * WEEK, 0.1),
    one("b", 2 * WEEK, 0.5),
)


def test_windows_that_follow_one_another_are_one_alarm_that_names_its_columns_worst_first():
    (found,) = watching.alarms(WATCHED)
    assert (found.at, found.columns) == (WEEK, ("b", "a"))
    assert found.why == "b PSI 0.900 > 0.200, a PSI 0.300 > 0.200"
    assert (found.statistic, found.limit) == (0.9, 0.2)
    assert watching.alarms(()) == []


def test_the_last_window_is_shown_worst_first():
    told = watching.shown(WATCHED, watching.alarms(WATCHED), "weekly")
    assert told["windows"] == 2
    assert [row["column"] for row in told["columns"]] == ["b", "a"]
    assert told["columns"][0]["psi"] == 0.5
    assert (len(told["alarms"]), told["retrain"]) == (1, "weekly")
    assert watching.shown((), [], "") == {"windows": 0, "columns": [], "alarms": [], "retrain": ""}


def test_an_alarm_is_told_whole_and_begins_when_it_was_raised_unless_it_says_otherwise():
    alarm = evidence.Alarm(
        "drift", 9, 0.4, 0.2, ("a",), ("m1",), "why", since=7, sure=0.01, cause="sensor", kind="unit"
    )
    told = watching.shown((), [alarm, evidence.Alarm("drift", 9, 0.4, 0.2)], "")["alarms"]
    assert told[0] == {
        "detector": "drift", "at": 9, "since": 7, "statistic": 0.4, "limit": 0.2, "columns": ["a"],
        "machines": ["m1"], "sure": 0.01, "cause": "sensor", "kind": "unit", "why": "why",
    }  # fmt: skip
    assert (told[1]["since"], told[1]["sure"], told[1]["cause"]) == (9, None, "")


def test_losses_reach_the_detector_of_their_name_and_the_state_goes_on():
    detector = monitoring.PageHinkley("log_loss", limit=2.0, wait=5)
    losses = [(at, "log_loss", 0.1 if at < 50 else 1.0) for at in range(80)]
    others = [(at, "squared_error", 9.0) for at in range(80)]
    states = {}
    first = watching.concept((detector,), sorted(losses[:40] + others), states)
    second = watching.concept((detector,), losses[40:], states)
    whole = watching.concept((detector,), losses, {})
    assert first == []
    assert second == whole
    assert [alarm.at for alarm in whole][:1] == [52]
    assert watching.concept((), losses, {}) == []


def test_the_first_trigger_that_is_due_gives_the_reason():
    watch = page(retrain=(monitoring.Weekly(), monitoring.OnAlarm()))
    alarm = evidence.Alarm("drift", 3, 0.4, 0.2)
    assert watching.due(watch, 9, 0, [alarm]) == "alarm: drift"
    assert watching.due(watch, 2 * WEEK, 0, [alarm]).startswith("weekly")
    assert watching.due(watch, 9, 0, []) == ""
    assert watching.due(page(), 2 * WEEK, 0, [alarm]) == ""


class Fixed:
    """A predictor that answers with its first column."""

    def predict(self, x):
        return x.columns["x"]


def matrix(days, machines=8, shift=0.0):
    rng = np.random.default_rng(0)
    moments = features.Moments.of(
        [f"m{m}" for m in range(machines) for _ in days],
        [d * int(units.DAY) for _ in range(machines) for d in days],
    )
    return features.Matrix(moments, {"x": rng.random(len(moments)) + shift})


@pytest.mark.parametrize(("shift", "alarms"), [(0.0, False), (5.0, True)])
def test_what_came_after_the_reference_is_held_against_it(shift, alarms):
    detector = monitoring.Drift(over=units.WEEK, false_alarms=2, per=units.YEAR)
    x, later = matrix(range(70)), matrix(range(70, 84), shift=shift)
    rows = np.arange(len(x))
    judged = types.SimpleNamespace(rows=rows, answers={"challenger": x.columns["x"]})
    held = types.SimpleNamespace(trained=rows, test=judged, predictors={"challenger": Fixed()})
    watch = page(drift=detector)
    kept = watching.reference(watch, held, x, seed=0)
    found = watching.drift(watch, held, x, later, kept)
    assert {one.until for one in found} == {(76 * units.DAY), (83 * units.DAY)}
    assert bool(watching.alarms(found)) is alarms


def test_the_clocks_of_machines_are_watched_beside_the_features_and_the_model_sees_none_of_it():
    day, rng = int(units.DAY), np.random.default_rng(1)
    at = np.tile(np.arange(84) * day, 8) - 60 * 10**6
    lag = (rng.lognormal(0, 0.5, len(at)) * 2e7).astype(np.int64)
    lag[3 * 84 + 77 : 4 * 84] -= 3600 * 10**6
    rows = data.Rows.of(np.repeat([f"m{m}" for m in range(8)], 84).tolist(), at=at, seen=at + lag)
    watch = page(drift=monitoring.Drift(over=units.WEEK, clocks=("telemetry",)))
    x, later = matrix(range(70)), matrix(range(70, 84))
    judged = types.SimpleNamespace(rows=np.arange(len(x)), answers={"challenger": x.columns["x"]})
    held = types.SimpleNamespace(trained=judged.rows, test=judged, predictors={"challenger": Fixed()})
    kept = watching.reference(watch, held, x, 0, tables={"telemetry": rows})
    found = watching.drift(watch, held, x, later, kept, tables={"telemetry": rows})
    alarmed = {(one.column, one.machine, one.kind) for one in found if one.alarm and one.machine}
    assert alarmed == {("telemetry: clock", "m3", "clock")}
    assert set(x.columns) == {"x"}


def test_without_a_detector_nothing_is_kept_or_watched():
    assert watching.reference(page(), None, None, 0) == {}
    assert watching.drift(page(), None, None, None, {}) == ()


def test_what_is_watched_came_after_what_was_learned_from_or_is_what_was_tested():
    x = matrix(range(70))
    first = np.flatnonzero(x.moments.at < 50 * int(units.DAY))
    rest = np.flatnonzero(x.moments.at >= 50 * int(units.DAY))
    held = types.SimpleNamespace(trained=first, test=types.SimpleNamespace(rows=rest))
    assert len(watching.newer(held, x, matrix(range(60)))) == 10 * 8
    assert len(watching.newer(held, x, matrix(range(40)))) == len(rest)
