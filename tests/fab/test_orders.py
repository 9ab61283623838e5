"""Work orders: late, rounded, incomplete, sometimes under the wrong part; lives told by them are not the true ones."""

import difflib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import fab
from flyball.fab import dynamics, orders, service, truth, wear

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def told():
    return orders.orders(FLEET)


@pytest.fixture(scope="module")
def known():
    return orders.truth(FLEET)


def test_work_orders_are_late_incomplete_and_sometimes_wrong():
    told, failed = fab.tables(FLEET, "repairs")["repairs"], truth.failures(FLEET)
    hard = failed["hard"] & (failed["at"] < fab.START_US + 350 * 24 * HOUR)
    logged = {(m, a): p for m, a, p in zip(told["machine"], told["at"], told["part"], strict=True)}
    found = [logged.get(pair) for pair in zip(failed["machine"][hard], failed["at"][hard], strict=True)]
    missing = np.mean([part is None for part in found])
    wrong = np.mean([p != t for p, t in zip(found, failed["part"][hard], strict=True) if p is not None])
    assert 0.06 < missing < 0.15
    assert 0.02 < wrong < 0.09
    assert (told["seen"] > told["at"]).all()
    assert (told["finished"] % (HOUR // 4) == 0).all()
    late = (told["seen"] - told["finished"]) / HOUR
    assert 5.0 < np.median(late) < 12.0
    assert 0.03 < (late > 72.0).mean() < 0.10


def test_only_hard_unscheduled_downs_count_as_failed(told):
    assert set(told["kind"][told["failed"]]) == {"repair"}
    assert (told["kind"][~told["failed"]] != "repair").all()
    assert set(told["kind"]) == {"repair", "assist", "planned"}
    assert set(told["part"]) <= set(orders.PARTS)
    assert "SOFT" not in set(told["part"][told["kind"] != "planned"])


def test_the_times_of_an_order_follow_each_other(told):
    for before, after in (("opened", "started"), ("started", "finished"), ("finished", "seen")):
        late = told[after] - told[before]
        assert (late >= 0.0).mean() > (0.99 if after == "seen" else 0.999999), (before, after)
    unplanned = told["kind"] != "planned"
    assert (told["opened"] >= told["at"] - 0.2)[unplanned].all()
    assert (told["opened"] < told["at"])[~unplanned].all()
    np.testing.assert_array_equal(told["finished"] * 4.0, np.rint(told["finished"] * 4.0))


def test_wrong_names_are_drawn_evenly_among_the_other_parts():
    """What `service.told` assumes, over all jobs on parts that wear."""
    large = orders.truth(fab.Fab("paper", seed=4, machines=80))
    mine = ~np.isin(large["part"], ["COLL", "PM", "SOFT"])
    wrong = mine & (large["named"] != large["part"])
    assert abs(wrong[mine].mean() - service.MISNAMED) < 0.01
    step = [
        (wear.NAMES.index(n) - wear.NAMES.index(p)) % wear.SOFT
        for n, p in zip(large["named"][wrong], large["part"][wrong], strict=True)
    ]
    counts = np.bincount(step, minlength=wear.SOFT)
    assert counts[0] == 0
    assert (counts[1:] > 0.5 * counts[1:].mean()).all()
    assert "SOFT" not in set(large["named"][mine])


def test_the_truth_holds_what_was_never_entered_and_every_visit_is(known, told):
    visit = known["part"] == "PM"
    assert known["logged"][visit].all()
    assert abs((~known["logged"])[~visit].mean() - service.UNLOGGED) < 0.025
    assert len(told["at"]) < known["logged"].sum()
    pairs = set(zip(known["machine"][known["logged"]], known["at"][known["logged"]], strict=True))
    assert all(pair in pairs for pair in zip(told["machine"], told["at"], strict=True))


def test_a_wrong_part_brings_the_fault_back_within_three_days():
    large = fab.Fab("paper", seed=4, machines=80)
    known = orders.truth(large)
    assert known["wrong_part"].sum() > 20
    end, back = 24.0 * 1095, []
    for job in np.flatnonzero(known["wrong_part"] & (known["finished"] < end - 200.0)):
        same = (known["machine"] == known["machine"][job]) & (known["part"] == known["part"][job])
        later = known["at"][same & (known["at"] > known["at"][job])]
        back.append(len(later) > 0 and later.min() - known["finished"][job] < service.AGAIN_H + 30.0)
    assert np.mean(back) > 0.9
    told = orders.orders(large)
    assert 0.01 < (told["cause"][told["failed"]] == "REPEAT").mean() < 0.10


def test_free_text_comes_from_thirty_lines_with_slips():
    assert sum(len(lines) for lines in orders.TEXTS.values()) == 30
    told = orders.orders(FLEET)
    visits = told["part"] == "PM"
    plain = np.isin(told["text"][visits], orders.TEXTS["PM"])
    loose = [text for text in told["text"][visits][~plain].tolist() if not text.startswith("weekly, cle")]
    assert 0.05 < len(loose) / visits.sum() < 0.2
    assert all(difflib.get_close_matches(text, orders.TEXTS["PM"], 1, 0.8) for text in loose[:50])
    assert all(len(text) > 5 for text in told["text"].tolist())


def lives(machine, at, ended, end):
    """Hours to the next job on the same part of a machine, and whether that job was a failure."""
    order = np.lexsort((at, machine))
    machine, at, ended = machine[order], at[order], ended[order]
    same = np.append(machine[1:] == machine[:-1], False)
    until = np.where(same, np.append(at[1:], end), end)
    return until - at, same & np.append(ended[1:], False)


def survival(hours, died, grid):
    """The Kaplan-Meier estimate at the hours of a grid."""
    order = np.argsort(hours, kind="stable")
    alive = np.cumprod(1.0 - died[order] / (len(hours) - np.arange(len(hours))))
    return np.append(1.0, alive)[np.searchsorted(hours[order], grid, side="right")]


def test_survival_estimated_from_the_orders_is_not_the_true_one(known, told):
    """What is not entered or stands under another part makes lives look longer."""
    grid, gaps = np.array([1000.0, 2000.0, 4000.0]), []
    for part in ("WSTG", "RSTG", "HNDL"):
        both = []
        for columns in (known, told):
            mine = columns["part"] == part
            unplanned = columns["kind"][mine] != "planned"
            both.append(
                survival(*lives(columns["machine"][mine], columns["at"][mine], unplanned, 8760.0), grid)
            )
        gaps.append(both[1] - both[0])
    assert np.mean(gaps) > 0.015
    failed = dynamics.history(FLEET).journal.read("failure")
    hard = wear.hard()[failed["comp"]] & (failed["at"] >= 0.0)
    assert hard.sum() == known["failed"].sum() > told["failed"].sum()


@given(seed=st.integers(0, 2**20), machines=st.integers(1, 4), days=st.integers(1, 60))
@settings(max_examples=8, deadline=None)
def test_any_fleet_has_orders_of_one_length_entered_within_its_days(seed, machines, days):
    told = orders.orders(fab.Fab("tiny", seed=seed, machines=machines, days=days))
    assert len({len(column) for column in told.values()}) == 1
    assert (told["seen"] < 24.0 * days).all() and (np.diff(told["seen"]) >= 0.0).all()
