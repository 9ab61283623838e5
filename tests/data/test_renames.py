"""Renames that nobody declared are proposed where events show them, and nowhere else."""

import numpy as np
import pytest

from flyball import data, errors, fab
from flyball.data import renames
from flyball.fab import codes, eventlog, events, fleet

HOUR = 3_600_000_000


def stream(*rows):
    """Return columns of (machine, code, text, first hour, last hour), one event an hour."""
    spelled = [
        (m, h * HOUR, code, text.format(h)) for m, code, text, low, high in rows for h in range(low, high)
    ]
    return [list(column) for column in zip(*spelled, strict=True)]


def names(*rows):
    return [(one.old, one.new) for one in renames.proposed(*stream(*rows))]


def test_machines_upgraded_at_other_hours_show_one_rename():
    found = renames.proposed(*stream(
        ("m1", "A", "pump {} C", 0, 40), ("m1", "B", "pump {} C", 40, 80),
        ("m2", "A", "pump {} C", 0, 60), ("m2", "B", "pump {} C", 60, 80),
        ("m3", "A", "pump {} C", 0, 80), ("m1", "K", "door", 0, 80),
    ))  # fmt: skip
    assert [(one.old, one.new, one.rows) for one in found] == [("A", ("B",), (180, 60))]
    assert set(found[0].at) == {"m1", "m2"} and abs(found[0].at["m2"] - 59.5 * HOUR) < HOUR
    assert "A (180 rows) stopped where B (60 rows) began on 2 machines" in found[0].told()


def test_a_split_names_all_that_the_code_became():
    assert names(
        ("m1", "A", "pump {} C", 0, 40), ("m1", "B", "pump {} C", 40, 80), ("m1", "C", "pump {} C", 41, 80)
    ) == [("A", ("B", "C"))]


def test_what_speaks_against_a_rename_is_heard():
    other = ("m1", "A", "pump {} C", 0, 40), ("m1", "B", "valve {} C", 40, 80)
    assert names(*other) == []
    together = ("m1", "A", "pump {} C", 0, 60), ("m1", "B", "pump {} C", 40, 80)
    assert names(*together) == []
    elsewhere = (
        ("m1", "A", "pump {} C", 0, 40),
        ("m1", "B", "pump {} C", 40, 80),
        ("m2", "B", "pump {} C", 0, 80),
    )
    assert names(*elsewhere) == []
    rare = ("m1", "A", "pump {} C", 0, 1), ("m1", "B", "pump {} C", 79, 80), ("m1", "K", "door", 0, 80)
    assert names(*rare) == []


def test_a_rare_code_is_told_by_the_company_it_keeps():
    usual = ("m1", "A", "pump {} C", 0, 40), ("m1", "B", "pump {} C", 40, 80)
    assert names(*usual, ("m1", "R", "stop {}", 7, 8), ("m1", "S", "stop {}", 70, 71)) == [
        ("A", ("B",)),
        ("R", ("S",)),
    ]
    assert names(*usual, ("m1", "R", "stop {}", 7, 8), ("m1", "S", "stop {}", 30, 31)) == [("A", ("B",))]


def test_columns_of_several_lengths_are_refused():
    with pytest.raises(errors.DataError, match="row by row"):
        renames.proposed(["m"], [], [], [])
    assert renames.proposed([], [], [], []) == ()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_simulated_fab_shows_the_renames_that_were_planted(seed):
    one = fab.Fab("tiny", seed=seed)
    plan, said = fleet.plan(one), events.events(one)
    at = fleet.START_US + (said["at"] * fleet.HOUR_US).astype(np.int64)
    key = np.array(plan.names)[said["machine"]]
    found = renames.proposed(key.tolist(), at.tolist(), said["code"].tolist(), eventlog.texts(said))
    site, since = plan.site, plan.firmware[:, 0] * fleet.HOUR_US + fleet.START_US
    upgraded = plan.dictionary[site[said["machine"]]] == 2
    told = {(old, new) for old, news in codes.RENAMED.items() for new in news}
    # What can be seen at all: said under both names where an upgrade was.
    names = set(said["code"][upgraded].tolist())
    planted = {(old, new) for old, new in told if {old, new} <= names}
    proposals = {(rename.old, new) for rename in found for new in rename.new}
    precision = len(proposals & told) / len(proposals)
    recall = len(proposals & planted) / len(planted)
    print(
        f"seed {seed}: {len(proposals)} proposed, {len(planted)} to be seen, precision {precision}, recall {recall}"
    )
    assert precision == 1.0 and recall >= 0.9 and len(planted) >= 10
    where = {
        name: since[site[number]]
        for number, name in enumerate(plan.names)
        if plan.dictionary[site[number]] == 2
    }
    for rename in found:
        assert set(rename.at) <= set(where)
        assert max(abs(moment - where[name]) for name, moment in rename.at.items()) < 24 * HOUR
    plain = upgraded & (at >= since[site[said["machine"]]])
    calm = [column[~plain].tolist() for column in (key, at, said["code"])]
    assert renames.proposed(*calm, np.array(eventlog.texts(said))[~plain].tolist()) == ()


def test_a_declared_rename_is_proposed_no_more():
    rows = stream(("m1", "A", "pump {} C", 0, 40), ("m1", "B", "pump {} C", 40, 80))
    book = data.Dictionary("v2", of="code", since="1970-01-02T16:00", renamed={"A": "B"})
    rows[2] = [book.former().get(code, code) for code in rows[2]]
    assert renames.proposed(*rows) == ()
