import importlib.util
import itertools
import json
import pathlib

import numpy as np
import pytest

from flyball import data, monitoring, units
from flyball.features import stage as features
from flyball.monitoring import own, stage

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

DRIFT = monitoring.Drift(over=units.WEEK, false_alarms=0.26, per=units.days(364))
OFTEN = monitoring.Drift(over=units.WEEK, false_alarms=2.6, per=units.days(364))
TEXTBOOK = 0.2


def answer(x):
    return 1 / (1 + np.exp(-x.columns["c0"]))


def split(values, weeks, more=None):
    """The first weeks as reference, the rest as what came in later."""
    at = weeks * 7
    return fleets.matrix(values[:, :at]), fleets.matrix(values[:, at:], first=at)


def watched(values, weeks, drift=DRIFT):
    old, new = split(values, weeks)
    return drift.watch(drift.reference(old, answer(old), 0), new, answer(new))


def episodes(found, alarms):
    """The share of windows in which any column alarms."""
    return float(
        np.mean(
            [any(alarms(one) for one in found if one.until == until) for until in {o.until for o in found}]
        )
    )


def test_windows_in_which_nothing_happened_alarm_at_about_the_stated_share_and_the_textbook_always():
    fleet, textbook, machines = [], [], []
    for seed in range(4):
        found = watched(fleets.walk(20, (26 + 12) * 7, 6, seed), weeks=26, drift=OFTEN)
        fleet.append(episodes([one for one in found if not one.machine], lambda one: one.alarm))
        textbook.append(episodes(found, lambda one: one.statistic > TEXTBOOK and not one.machine))
        machines.append(len({(one.machine, one.until) for one in found if one.machine}) / 20 / 12)
    assert OFTEN.share() == pytest.approx(0.05)
    assert OFTEN.shares(20) == (pytest.approx(0.1), pytest.approx(0.045))
    assert np.mean(fleet) <= 0.2, fleet
    assert 0.01 <= np.mean(machines) <= 0.09, machines
    assert np.mean(textbook) >= 0.5, textbook


def test_a_shifted_column_is_found_and_named_and_no_other():
    values = fleets.walk(20, 16 * 7, 6, seed=1)
    values[:, 12 * 7 :, 3] += 6.0
    found = watched(values, weeks=12)
    fleet = [one for one in found if not one.machine]
    assert {one.column for one in fleet if one.alarm} == {"c3"}
    assert all(one.alarm for one in fleet if one.column == "c3")
    assert all(len(one.machines) >= 10 and one.cause == "data" for one in fleet if one.alarm)
    alone = [one for one in found if one.machine]
    assert np.mean([one.column == "c3" for one in alone]) > 0.7
    shift = [one.shown["median_shift"] for one in fleet if one.column == "c3"]
    assert np.median(shift) == pytest.approx(6.0, abs=2.0)


@pytest.mark.parametrize("share", [0.05, 1.0])
def test_missing_values_raise(share):
    values = fleets.walk(20, 14 * 7, 3, seed=2)
    later = values[:, 12 * 7 :, 1]
    later[np.random.default_rng(0).random(later.shape) < share] = np.nan
    found = watched(values, weeks=12)
    assert {one.column for one in found if one.alarm} == {"c1: missing"}
    assert all(abs(one.shown["share"] - share) < 0.05 for one in found if one.alarm and not one.machine)


def test_infinite_values_count_as_missing():
    values = fleets.walk(20, 13 * 7, 2, seed=2)
    values[::4, 12 * 7 :, 1] = np.inf
    found = watched(values, weeks=12)
    assert {one.column for one in found if one.alarm and not one.machine} == {"c1: missing"}
    assert {one.column for one in found if one.machine} >= {"c1: missing"}


def test_a_column_that_is_no_longer_computed_raises():
    old, new = split(fleets.walk(10, 13 * 7, 2, seed=2), weeks=12)
    reference = DRIFT.reference(old, answer(old), 0)
    gone = features.Matrix(new.moments, {"c0": new.columns["c0"]}, {"c1": "column 't.c1' has not arrived"})
    assert {one.column for one in DRIFT.watch(reference, gone, answer(new)) if one.alarm} == {"c1: missing"}


def test_a_new_category_raises_and_known_ones_do_not():
    values = fleets.walk(20, 14 * 7, 1, seed=4)
    rng = np.random.default_rng(5)
    old, new = split(values, weeks=12)
    told = data.Words.of(rng.choice(["a", "b"], len(old)).tolist())
    old = features.Matrix(old.moments, {**old.columns, "kind": told})
    same = rng.choice(["a", "b"], len(new))
    other = np.where(rng.random(len(new)) < 0.1, "c", same)
    reference = DRIFT.reference(old, answer(old), 0)

    def alarms(texts):
        x = features.Matrix(new.moments, {**new.columns, "kind": data.Words.of(texts.tolist())})
        return {one.column for one in DRIFT.watch(reference, x, answer(x)) if one.alarm}

    assert alarms(same) == set()
    assert alarms(other) == {"kind: missing"}


def test_a_column_of_one_value_alarms_for_any_other():
    values = fleets.walk(10, 13 * 7, 2, seed=6)
    values[:, :, 1] = 0.0
    assert not any(one.alarm for one in watched(values, weeks=12))
    values[:, 12 * 7 :, 1] = 1.0
    assert {one.column for one in watched(values, weeks=12) if one.alarm} == {"c1"}


def test_a_rare_event_does_not_blind_the_others():
    values = fleets.walk(20, 13 * 7, 3, seed=7)
    # One column is nearly always zero: its usual statistic is tiny, and huge on the few days it is not.
    values[:, :, 2] = np.random.default_rng(1).random(values.shape[:2]) < 0.002
    values[:, 12 * 7 :, 1] += 6.0
    assert "c1" in {one.column for one in watched(values, weeks=12) if one.alarm}


def test_a_window_with_few_rows_is_held_to_wider_limits_or_to_none():
    values = fleets.walk(32, 13 * 7, 3, seed=8)
    old, new = split(values, weeks=12)
    reference = DRIFT.reference(old, answer(old), 0)

    def limit(machines):
        x = new.take(np.flatnonzero(new.moments.codes < machines))
        return {one.limit for one in DRIFT.watch(reference, x, answer(x)) if one.column == "c1"}.pop()

    assert limit(32) < limit(10) < limit(3) < limit(1) == float("inf")


def test_no_rows_no_windows_and_too_little_reference_no_limits():
    old, new = split(fleets.walk(3, 14, 1, seed=9), weeks=1)
    none = new.take(np.array([], dtype=np.int64))
    reference = DRIFT.reference(old, answer(old), 0)
    assert DRIFT.watch(reference, none, answer(none)) == ()
    empty = DRIFT.reference(none, answer(none), 0)
    assert not any(one.alarm for one in DRIFT.watch(empty, new, answer(new)))
    single = old.take(np.flatnonzero(old.moments.codes == 0))
    assert not any(
        one.alarm for one in DRIFT.watch(DRIFT.reference(single, answer(single), 0), new, answer(new))
    )


def test_a_reference_of_one_window_is_compared_machine_by_machine():
    values = fleets.walk(60, 14, 2, seed=10)
    old, new = split(values, weeks=1)
    reference = DRIFT.reference(old, answer(old), 0)
    assert not any(one.alarm for one in DRIFT.watch(reference, new, answer(new)))
    moved = fleets.matrix(values[:, 7:] + 8, first=7)
    assert {one.column for one in DRIFT.watch(reference, moved, answer(moved)) if one.alarm} >= {"c0", "c1"}


def test_the_reference_travels_as_json_and_judges_alike():
    old, new = split(fleets.walk(10, 13 * 7, 2, seed=11), weeks=12)
    reference = DRIFT.reference(old, answer(old), 3)
    back = stage.Reference(reference.detector, json.loads(json.dumps(reference.settings, allow_nan=False)))
    assert DRIFT.watch(back, new, answer(new)) == DRIFT.watch(reference, new, answer(new))
    assert DRIFT.reference(old, answer(old), 3) == reference


def test_many_machines_and_rows_stay_small():
    import tracemalloc

    values = np.random.default_rng(0).normal(size=(4000, 35, 1))
    old = fleets.matrix(values)
    tracemalloc.start()
    DRIFT.reference(old, answer(old), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 * 2**20, f"{peak / 2**20:.0f} MiB for {len(old)} rows"


def test_windows_of_a_counter_are_the_newest_steps_of_every_machine():
    moments = features.Moments.of(["a"] * 6 + ["b"] * 3, [*range(6), *range(3)])
    x = features.Matrix(moments, {"c0": np.arange(9.0)})
    drift = monitoring.Drift(over=units.steps(3), false_alarms=1, per=units.steps(60))
    reference = drift.reference(x, answer(x), 0)
    found = [one for one in drift.watch(reference, x, answer(x)) if one.column == "c0"]
    assert [one.n for one in found] == [3, 6]


class Page:
    data = data.Fleet("machine", data.WallClock(), ())


@pytest.mark.parametrize(
    ("drift", "places"),
    [
        (monitoring.Drift(units.WEEK), []),
        (monitoring.Drift(units.days(0)), ["over"]),
        (monitoring.Drift(units.days(-1)), ["over", "false_alarms"][:1]),
        (monitoring.Drift(units.steps(30), per=units.steps(1000)), []),
        (monitoring.Drift(units.steps(0), per=units.steps(1000)), ["over"]),
        (monitoring.Drift(units.steps(30)), ["per"]),
        (monitoring.Drift(units.WEEK, per=units.steps(1000)), ["per"]),
        (monitoring.Drift(units.WEEK, per=units.days(0)), ["per"]),
        (monitoring.Drift(units.WEEK, false_alarms=0), ["false_alarms"]),
        (monitoring.Drift(units.WEEK, false_alarms=40), ["false_alarms"]),
    ],
)
def test_problems_name_what_cannot_be_held(drift, places):
    assert [problem.place for problem in drift.problems(Page)] == places


def test_resets_come_from_rows_flags_and_changes():
    rows = data.Rows.of(
        ["a", "a", "b"],
        at=[1, 5, 3],
        columns={"part": ["pump", "pump", "valve"], "failed": [0.0, 1.0, 0.0]},
    )
    state = data.Rows.of(["a", "a", "a", "b"], at=[1, 2, 3, 9], columns={"release": ["r1", "r1", "r2", "r1"]})
    tables = {"repairs": rows, "telemetry": state}

    def resets(**fields):
        return monitoring.Drift(units.WEEK, **fields).resets(tables)

    assert resets(reset=("repairs.part",)) == {"a": (1, 5), "b": (3,)}
    assert resets(reset=("repairs.failed",)) == {"a": (5,)}
    assert resets(changed=("telemetry.release",)) == {"a": (3,)}
    assert resets() == {}


def test_a_reset_by_an_unknown_column_is_a_problem_with_a_suggestion():
    class Fleet:
        data = data.Fleet("machine", data.WallClock(), (data.Table("repairs", columns={"part": "category"}),))

    (problem,) = monitoring.Drift(units.WEEK, reset=("repairs.parts",)).problems(Fleet)
    assert problem.place == "reset" and "repairs.part" in str(problem)


def test_a_clock_of_a_table_without_a_time_is_a_problem():
    timed, bare = data.Table("telemetry", columns={}), data.Table("vendors", columns={}, time=None)

    class Fleet:
        data = data.Fleet("machine", data.WallClock(), (timed, bare))

    assert list(monitoring.Drift(units.WEEK, clocks=("telemetry",)).problems(Fleet)) == []
    for name in ("telemetri", "vendors"):
        (problem,) = monitoring.Drift(units.WEEK, clocks=(name,)).problems(Fleet)
        assert problem.place == "clocks" and name in str(problem)

    class Counted:
        data = data.Fleet("machine", data.Counter("cycle"), (timed,))

    counted = monitoring.Drift(units.steps(9), per=units.steps(900), clocks=("telemetry",))
    assert [problem.place for problem in counted.problems(Counted)] == ["clocks"]


def test_a_clock_that_goes_ahead_is_the_machines_own_and_no_channel_moves():
    values = fleets.walk(12, 30 * 7, 2, seed=4)
    lag = 30.0 * np.random.default_rng(0).lognormal(0, 0.5, (12, 30 * 7))
    lag[4, 28 * 7 :] -= 3600.0
    at = 26 * 7
    old, new = split(values, 26)
    name = "telemetry: clock"
    old = features.Matrix(old.moments, {**old.columns, name: lag[:, :at].reshape(-1)})
    new = features.Matrix(new.moments, {**new.columns, name: lag[:, at:].reshape(-1)})
    found = [
        one for one in DRIFT.watch(DRIFT.reference(old, None, 0), new, None) if one.alarm and one.machine
    ]
    assert {(one.column, one.machine, one.kind, one.cause) for one in found} == {
        (name, "m004", "clock", "sensor")
    }


def small(seed):
    """Windows of one machine that alarm on a small shift that lasts from day 210 on, and since when at the earliest."""
    values = fleets.walk(12, 40 * 7, 3, seed=seed, rho=0.0)
    values[5, 30 * 7 :, 1] += 1.5  # four standard errors of a week's mean
    found = [one for one in watched(values, 26) if one.alarm and (one.machine, one.column) == ("m005", "c1")]
    return len(found), min((one.began for one in found), default=None)


def test_what_is_too_small_for_a_window_but_lasts_adds_up(monkeypatch):
    together = [small(seed) for seed in range(12, 22)]
    began = [when for _, when in together if when is not None]
    assert len(began) >= 9
    assert np.median(began) == pytest.approx(210 * units.DAY, abs=7 * units.DAY)
    monkeypatch.setattr(own, "SLOW", 1)
    alone = [small(seed)[0] for seed in range(12, 22)]
    assert 2 * sum(alone) < sum(many for many, _ in together) and sum(map(bool, alone)) <= 6


def test_windows_of_rows_are_the_newest_of_every_machine_however_often_it_tells():
    rng, start = np.random.default_rng(3), 1_700_000_000_000_000
    drift = monitoring.Drift(over=units.steps(20), false_alarms=0.2, per=units.steps(1000))
    days = {f"m{one:02d}": 1 + one % 3 for one in range(12)}  # every day, every other, every third

    def rows(many, begin, moved=0.0):
        keys = [name for name in days for _ in range(many)]
        at = np.concatenate(
            [start + (begin + np.arange(many)) * step * int(units.DAY) for step in days.values()]
        )
        x = rng.normal(size=(len(keys), 3))
        x[[key == "m04" for key in keys], 1] += moved
        moments = features.Moments(tuple(days), np.repeat(np.arange(12, dtype=np.int32), many), at)
        return features.Matrix(moments, {f"c{place}": x[:, place] for place in range(3)})

    kept = drift.reference(rows(600, 0), None, 0)
    quiet = drift.watch(kept, rows(100, 600), None)
    assert {one.n for one in quiet if not one.machine} == {12 * 20}
    found = [one for one in drift.watch(kept, rows(100, 600, moved=4.0), None) if one.alarm and one.machine]
    assert {(one.machine, one.column) for one in found} >= {("m04", "c1")}
    assert np.mean([one.machine == "m04" for one in found]) > 0.7
    spans = sorted({(one.since, one.until) for one in quiet})
    assert all(after[0] <= before[1] for before, after in itertools.pairwise(spans))
    from flyball.monitoring import episodes

    assert len([one for one in episodes.alarms(found, 12) if one.machines == ("m04",)]) == 1
