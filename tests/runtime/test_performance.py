import json
import types

import numpy as np
import pytest

from flyball import data, evidence, feedback, labels, monitoring, units
from flyball.features import stage as features
from flyball.monitoring import stage
from flyball.runtime import performance

DAY = int(units.DAY)
MACHINES, TEST, LATER = 40, 60, 14


class Label:
    def kind(self):
        return labels.Probability()

    def horizon(self):
        return 2 * DAY


def page(**watch):
    return types.SimpleNamespace(
        monitoring=stage.Watch(**{"concept": (monitoring.PageHinkley("squared_error"),), **watch}),
        labels=Label(),
        model=types.SimpleNamespace(sliced=lambda: ("site",)),
        data=types.SimpleNamespace(clock=data.WallClock()),
        feedback=feedback.Outcomes(),
    )


class Honest:
    """Answers with the chance that the column gives."""

    def predict(self, x):
        return chance(x.columns["x"])


def chance(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


def fleet(days, seed, first=0, shift=0.0, broken=()):
    """Machines on four sites, one question a day; a broken sensor tells 4 more than is."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(MACHINES), days).astype(np.int32)
    at = np.tile((np.arange(days) + first) * DAY, MACHINES)
    moments = features.Moments(tuple(f"m{m:02d}" for m in range(MACHINES)), codes, at)
    true = rng.normal(-2 + shift, 1, len(at))
    told = true + 4.0 * np.isin(codes, broken)
    site = data.Words((codes % 4).astype(np.int32), tuple("ABCD"))
    return features.Matrix(moments, {"x": told, "site": site}), true, rng


def scene(shift=0.0, worse=None, broken=(), seed=0):
    """The reference rows, everything asked, and the outcomes of the answers given after them."""
    old, true, rng = fleet(TEST, seed)
    came = (rng.random(len(old)) < chance(true)).astype(float)
    new, later, rng = fleet(LATER, seed + 1, first=TEST, shift=shift, broken=broken)
    odds = chance(later)
    if worse is not None:  # what follows from x is another thing on this site now
        odds = np.where(new.columns["site"].codes == worse, 1 - odds, odds)
    truth = (rng.random(len(new)) < odds).astype(float)
    test = types.SimpleNamespace(
        rows=np.arange(len(old)), truth=came, answers={"challenger": Honest().predict(old)}
    )
    held = types.SimpleNamespace(test=test, predictors={"challenger": Honest()}, threshold=0.5)
    said = Honest().predict(new)
    outcomes = [
        evidence.Outcome(key, int(at), float(answer), float(value), "known", int(at) + 2 * DAY)
        for key, at, answer, value in zip(new.moments.names(), new.moments.at, said, truth, strict=True)
    ]
    return held, old, joined(old, new), outcomes


def joined(old, new):
    moments = features.Moments.of(
        old.moments.names() + new.moments.names(), np.concatenate([old.moments.at, new.moments.at])
    )
    order = np.lexsort(
        (
            np.concatenate([old.moments.at, new.moments.at]),
            np.concatenate([old.moments.codes, new.moments.codes]),
        )
    )
    x = np.concatenate([old.columns["x"], new.columns["x"]])[order]
    codes = np.concatenate([old.columns["site"].codes, new.columns["site"].codes])[order]
    return features.Matrix(moments, {"x": x, "site": data.Words(codes, tuple("ABCD"))})


def looked(scene_, raised=(), **watch):
    held, x, asked, outcomes = scene_
    kept = json.loads(json.dumps(performance.reference(page(**watch), held, x, 0)))
    told, alarms = performance.look(page(**watch), held, x, asked, outcomes, kept, raised)
    return json.loads(json.dumps(told, allow_nan=False)), alarms


def test_where_nothing_happened_the_estimate_is_believed_and_nobody_alarms():
    told, alarms = looked(scene(seed=10))
    assert alarms == []
    assert told["believed"] and told["cause"] == ""
    assert told["difference"]["low"] <= 0 <= told["difference"]["high"]
    assert told["realised"]["value"] == pytest.approx(told["estimated"]["value"], abs=0.02)
    assert {one["slice"] for one in told["slices"]} == {"all", "site=A", "site=B", "site=C", "site=D"}
    assert told["ahead"]["estimated"]["n"] == 7 * MACHINES
    assert told["ahead"]["figures"]["true_positives"] > 0


def test_what_got_worse_at_one_customer_is_named_and_is_of_the_concept():
    told, alarms = looked(scene(worse=2))
    assert [alarm.columns for alarm in alarms] == [("site=C",)] * len(alarms) and alarms
    last = alarms[-1]
    assert (last.cause, last.detector, last.kind) == ("concept", "Performance(squared_error)", "slice")
    assert last.since >= TEST * DAY and last.sure < 0.02
    assert set(last.machines) <= {f"m{m:02d}" for m in range(2, MACHINES, 4)}
    assert "squared_error of site=C rose from" in last.why
    assert not told["believed"]
    worst = told["slices"][0]
    assert worst["slice"] == "site=C" and worst["rise"]["low"] > 0 and worst["alarm"]
    assert worst["unexplained"]["value"] > 0.5 * worst["rise"]["value"]


def test_harder_rows_are_of_the_data_and_the_estimate_sees_them_coming():
    # Nearer to even odds everybody is wrong more often, by as much as is said.
    told, alarms = looked(scene(shift=1.5))
    assert alarms and {alarm.cause for alarm in alarms if alarm.at == alarms[-1].at} == {"data"}
    assert told["cause"] == "data" and told["believed"]
    assert told["estimated"]["value"] > told["reference"]["value"] + 0.03


def test_a_broken_sensor_is_told_when_its_machines_bring_the_loss():
    site = tuple(range(0, MACHINES, 4))
    names = tuple(f"m{m:02d}" for m in site)
    raised = [evidence.Alarm("drift", 0, 1.0, 0.1, ("x",), names, cause="sensor")]
    found = scene(broken=site)
    _, alarms = looked(found, raised)
    assert {alarm.cause for alarm in alarms if alarm.at == alarms[-1].at} == {"sensor"}
    assert {alarm.columns for alarm in alarms} == {("site=A",)}
    assert set(alarms[-1].machines) < set(names)
    other = [evidence.Alarm("drift", 0, 1.0, 0.1, ("x",), ("m01",), cause="sensor")]
    assert "sensor" not in {alarm.cause for alarm in looked(found, other)[1]}


def test_thresholds_are_settled_on_the_test_rows_and_travel_as_json():
    held, x, _, _ = scene()
    watch = page(
        concept=(
            monitoring.PageHinkley("squared_error"),
            monitoring.Ddm("error", limit=4.0),
            monitoring.PageHinkley("no"),
        )
    )
    kept = json.loads(json.dumps(performance.reference(watch, held, x, 0)))
    assert [one["expected"] is not None for one in kept["detectors"]] == [True, True]
    first, second, third = performance.detectors(watch, kept)
    assert first.limit == pytest.approx(kept["detectors"][0]["threshold"]) and first.limit < 5
    assert second.limit == 4.0 and third.limit is None
    assert performance.detectors(watch, {}) == list(watch.monitoring.concept)


def test_a_moment_counts_once_all_of_its_truth_can_be_known():
    def one(key, day, truth, state="known"):
        return evidence.Outcome(key, day * DAY, 0.2, truth, state, (day + 2) * DAY)

    outcomes = [one("b", 5, 1.0), one("a", 3, 0.0), one("b", 3, 1.0), one("c", 3, float("nan"), "censored")]
    found = performance.closed(page(), outcomes, as_of=6 * DAY)
    assert [(o.key, o.moment) for o in found] == [("a", 3 * DAY), ("b", 3 * DAY)]
    stream = [row for row in performance.stream(page(), found) if row[1] == "squared_error"]
    assert stream == [(3 * DAY, "squared_error", pytest.approx((0.04 + 0.64) / 2))]
    assert len(performance.closed(page(), outcomes, None)) == 3


def test_when_the_release_was_trained_after_them_the_newest_window_is_held_against_the_rows_before(
    monkeypatch,
):
    learned, calibration = [], performance.estimate.calibration

    def seen(kind, answers, truth, machine):
        learned.append(len(answers))
        return calibration(kind, answers, truth, machine)

    monkeypatch.setattr(performance.estimate, "calibration", seen)
    held, x, asked, _ = scene()
    outcomes = [
        evidence.Outcome(key, int(at), float(answer), float(truth), "known")
        for key, at, answer, truth in zip(
            x.moments.names(), x.moments.at, held.test.answers["challenger"], held.test.truth, strict=True
        )
    ]
    told, alarms = looked((held, x, asked, outcomes))
    assert alarms == []
    # What is estimated has not seen the outcomes that it is tried on.
    assert learned == [TEST * MACHINES, (TEST - 7) * MACHINES]
    assert told["realised"]["n"] == 7 * MACHINES and told["reference"]["n"] == (TEST - 7) * MACHINES


def test_few_outcomes_say_nothing_and_answers_without_a_loss_neither():
    held, x, asked, outcomes = scene()
    told, alarms = looked((held, x, asked, outcomes[:5]))
    assert alarms == [] and "realised" not in told and told["ahead"]
    strange = page()
    strange.labels.kind = lambda: labels.Kind()
    strange.monitoring = stage.Watch()
    assert performance.look(strange, held, x, asked, outcomes, {}, ()) == ({}, [])


def test_of_machines_that_count_steps_every_answer_that_is_no_test_row_is_new():
    held, x, asked, outcomes = scene(worse=1)
    steps = page()
    steps.data.clock = data.Counter("cycle")
    old = [
        evidence.Outcome(key, int(at), 0.5, 0.0)
        for key, at in zip(x.moments.names(), x.moments.at, strict=True)
    ]
    kept = performance.reference(page(), held, x, 0)
    told, alarms = performance.look(steps, held, x, asked, old + outcomes, kept, ())
    assert told["realised"]["n"] == len(outcomes) and told["ahead"] == {}
    assert [alarm.columns[0] for alarm in alarms] == ["site=B"]


def test_a_detector_that_saw_the_loss_rise_is_told_why_by_what_came_since():
    held, x, asked, outcomes = scene(shift=1.5)
    end = max(one.moment for one in outcomes)
    rise = evidence.Alarm("PageHinkley(squared_error)", end, 3.0, 1.0, since=TEST * DAY)
    early = evidence.Alarm("PageHinkley(squared_error)", 5 * DAY, 3.0, 1.0)
    kept = performance.reference(page(), held, x, 0)
    _, alarms = performance.look(page(), held, x, asked, outcomes, kept, (), 0, [early, rise])
    assert [(one.at, one.cause) for one in alarms[:2]] == [(5 * DAY, ""), (end, "data")]
    # Without outcomes nobody knows why, and the alarm stands all the same.
    assert performance.look(page(), held, x, asked, [], kept, (), 0, [rise])[1] == [rise]
