import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, evidence, part, serving, units
from flyball.units import days


def page(clock, horizon):
    class Labels:
        @staticmethod
        def horizon():
            return horizon

    class Page:
        labels = Labels
        data = data.Fleet("machine", clock, ())

    return Page


@pytest.mark.parametrize(
    ("staged", "places"),
    [
        (serving.Staged(units.days(8), 0.05, units.days(3)), []),
        (serving.Staged(units.days(6), 0.05, units.days(3)), ["shadow"]),
        (serving.Staged(units.days(8), 0.0, units.days(3)), ["canary"]),
        (serving.Staged(units.days(8), 1.5, units.days(3)), ["canary"]),
        (serving.Staged(units.days(8), 0.5, units.days(-3)), ["hold"]),
        (serving.Staged(units.days(8), 0.5, 3), ["hold"]),
    ],
)
def test_problems(staged, places):
    assert [problem.place for problem in staged.problems(page(data.WallClock(), int(units.WEEK)))] == places


def test_a_horizon_in_steps_is_not_compared_with_days():
    staged = serving.Staged(units.us(5), 0.05, units.days(3))
    assert list(staged.problems(page(data.Counter("cycle"), 200))) == []


ROLL = serving.Staged(shadow=days(2), canary=0.1, hold=days(1), waves=(0.5, 1.0))
MACHINES = {f"m{n}": "exe" if n % 4 == 0 else "nxe" for n in range(12)}


def seen(machine, stage="shadow", answers=40, **more):
    return evidence.Exposure(
        machine, MACHINES[machine], "ab" * 32, stage, 0, 1, answers, outcomes=answers, squares=1.0, **more
    )


def test_it_goes_through_its_stages_when_nothing_is_against_it():
    state, now, stages = ROLL.start(0), 0, []
    while state["stage"] != "done":
        now += int(days(2))
        state, step = ROLL.next(state, [seen(m, state["stage"]) for m in MACHINES], MACHINES, now)
        json.dumps(state)
        stages.append((step.action, step.stage))
    assert stages == [
        ("promote", "canary"),
        ("promote", "wave-1"),
        ("promote", "wave-2"),
        ("promote", "done"),
    ]


def test_it_holds_its_time_and_pauses_for_machines_that_say_nothing():
    state, step = ROLL.next(ROLL.start(0), [seen(m) for m in MACHINES], MACHINES, 5)
    assert step.action == "hold"
    state, step = ROLL.next(ROLL.start(0), [seen("m1")], MACHINES, int(days(3)))
    assert step.action == "pause" and "11 of 12 machines told nothing" in step.why
    state, step = ROLL.next(state, [seen(m) for m in MACHINES], MACHINES, int(days(3)))
    assert step.action == "promote"


def test_a_kind_of_machine_that_is_worse_is_named():
    told = [seen(m, disagreed=20 if MACHINES[m] == "exe" else 1) for m in MACHINES]
    _, step = ROLL.next(ROLL.start(0), told, MACHINES, 5)
    assert (step.action, step.kinds) == ("rollback", ("exe",))
    assert "disagreement 0.5 on exe after 120 answers, limit 0.1" in step.why


@given(st.permutations(list(MACHINES)), st.integers(1, 5))
def test_neither_the_order_of_machines_nor_how_they_are_heard_changes_a_decision(order, pieces):
    told = [seen(m, disagreed=9) for m in order]
    _, at_once = ROLL.next(ROLL.start(0), told, MACHINES, 5)
    state = ROLL.start(0)
    for piece in range(pieces):
        state, step = ROLL.next(json.loads(json.dumps(state)), told[piece::pieces], MACHINES, 5)
    assert step.action == at_once.action == "rollback"
    assert step.figure == pytest.approx(at_once.figure)


def test_a_kind_that_is_not_due_any_more_is_still_judged():
    state, _ = ROLL.next(ROLL.start(0), [seen(m) for m in MACHINES], MACHINES, 5)
    only = {m: kind for m, kind in MACHINES.items() if kind == "nxe"}
    told = [seen(m, disagreed=30) for m in MACHINES if MACHINES[m] == "exe"]
    _, step = ROLL.next(state, told, only, 6)
    assert (step.action, step.kinds) == ("rollback", ("exe",))


def test_groups_grow_and_hold_every_kind():
    groups = ROLL.groups("p", MACHINES)
    assert {MACHINES[m] for m in groups["canary"]} == {"nxe", "exe"}
    assert set(groups["canary"]) <= set(groups["wave-1"]) <= set(groups["wave-2"]) == set(MACHINES)
    assert ROLL.groups("q", MACHINES) != groups


def test_crashes_without_a_single_answer_count():
    _, step = ROLL.next(ROLL.start(0), [seen(m, "canary", 0, crashes=3) for m in MACHINES], MACHINES, 5)
    assert step.action == "rollback" and "crashes" in step.why


@pytest.mark.parametrize("change", [{"waves": ()}, {"waves": (0.5,)}, {"waves": (1.0, 0.5)}, {"slow": 0.0}])
def test_waves_and_rates_that_are_none_are_problems(change):
    from flyball.systems import scanner

    page = scanner.page.system
    wrong = part.replace(ROLL, shadow=days(11), **change)
    assert list(wrong.problems(page))
