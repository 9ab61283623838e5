"""The whole mess: every kind, one table of truth, and the same fleet without it."""

import dataclasses

import numpy as np
import pytest

from flyball import fab
from flyball.fab import channels, clocks, files, fleet, injected, lots, mess, states, telemetry

FLEET = fab.Fab("tiny", seed=2, machines=10, days=365, every_h=4)
CLEAN = dataclasses.replace(FLEET, mess=False)
KINDS = {
    "drift", "swap", "gain", "unit", "stuck", "spikes", "clipping", "lost block", "outage", "sent twice",
    "out of order", "missing value", "clock offset", "clock drift", "clock ahead", "clock step", "renamed channel",
    "added channel", "removed channel", "recipe change", "redesign", "flipped labels",
}  # fmt: skip
#: What the truth tells by the hour of arrival.
BY_ARRIVAL = {"added channel", "removed channel"}
NOT_VALUES = {
    "lost block",
    "outage",
    "sent twice",
    "out of order",
    "recipe change",
    "redesign",
    "renamed channel",
}


@pytest.fixture(scope="module")
def both():
    clean = telemetry.telemetry(FLEET)
    return clean, *mess.spoil(FLEET, clean)


def test_every_kind_is_there(both):
    _, _, truth = both
    many = fab.Fab("paper", seed=1)
    hours = np.tile(np.arange(0.0, 24.0 * 1095, 24.0), 40)
    rows = {"machine": np.repeat(np.arange(40), 1095), "at": hours}
    rows |= {name: np.sin(hours) for name in ("lens_temp_1", "lens_temp_2", "vibration")}
    assert set(truth["kind"]) | set(mess.spoil(many, rows)[1]["kind"]) == KINDS


def test_a_value_differs_only_where_the_truth_says_so(both):
    clean, rows, truth = both
    true = clocks.true(FLEET, rows["machine"], rows["at"], logger=True)
    # By the true time every row finds the one it was made of.
    order = np.searchsorted(clean["machine"] * 1e6 + clean["at"], rows["machine"] * 1e6 + true - 1e-4)
    np.testing.assert_allclose(clean["at"][order], true, atol=1e-5)
    np.testing.assert_array_equal(clean["machine"][order], rows["machine"])
    names, true = np.array(fleet.plan(FLEET).names)[rows["machine"]], clean["at"][order]
    sites = np.array(["A", "B"])[fleet.plan(FLEET).site[rows["machine"]]]
    explained = {channel.name: np.zeros(len(true), dtype=bool) for channel in channels.CHANNELS}
    for row in range(len(truth["kind"])):
        kind, channel = truth["kind"][row], truth["channel"][row]
        if channel and kind not in NOT_VALUES:
            when = rows["seen"] if kind in BY_ARRIVAL else true
            first, last = truth["start"][row], truth["end"][row]
            inside = (when >= first) & ((when < last) | ((first == last) & (when == last)))
            whose = names == truth["machine"][row] if truth["machine"][row] else sites == truth["site"][row]
            explained[channel] |= inside & whose
    differs = 0
    for name, known in explained.items():
        was, now = clean[name][order], rows[name]
        other = ~((was == now) | (np.isnan(was) & np.isnan(now)))
        assert not (other & ~known).any(), name
        differs += int(other.sum())
    assert differs > 1000


def test_without_mess_the_fleet_is_the_same_and_rows_are_what_was_measured(both):
    clean, rows, _ = both
    sent, truth = mess.spoil(CLEAN, telemetry.telemetry(CLEAN))
    assert set(truth["kind"]) == {"recipe change", "redesign"}
    order = np.lexsort((sent["at"], sent["machine"]))
    for name, column in clean.items():
        np.testing.assert_array_equal(sent[name][order], column)
    # What was neither held back nor out of order is seen when it would have been.
    usual = dict(zip(zip(sent["machine"], sent["at"].round(3), strict=True), sent["seen"], strict=True))
    true = clocks.true(FLEET, rows["machine"], rows["at"], logger=True).round(3)
    gap = np.array([s - usual[m, t] for m, t, s in zip(rows["machine"], true, rows["seen"], strict=True)])
    assert (gap == 0.0).mean() > 0.95 and gap.min() >= 0.0
    for name in ("repairs", "events"):
        mine, theirs = fab.tables(FLEET, name)[name], fab.tables(CLEAN, name)[name]
        assert len(theirs["at"]) == pytest.approx(len(mine["at"]), abs=0.02 * len(mine["at"]))
    life, same = fab.failures(FLEET), fab.failures(CLEAN)
    np.testing.assert_array_equal(life["at"], same["at"])


def test_in_python_channels_keep_their_names():
    small = fab.Fab("tiny", seed=2, machines=2, days=30)
    assert set(fab.UNITS) <= set(fab.tables(small, "telemetry")["telemetry"])


def test_only_what_machines_derive_bears_their_clocks():
    small = fab.Fab("tiny", seed=2, machines=3, days=30)
    told, true = mess.reported_states(small), states.states(small)
    own = true["source"] == "auto"
    np.testing.assert_array_equal(told["at"][~own], true["at"][~own])
    off = 3600.0 * np.abs(told["at"] - true["at"])[own]
    assert off.min() > 0.0 and off.max() < 37.0 + 5.0 and off.max() > 30.0


def test_the_table_is_the_files_own():
    small = fab.Fab("tiny", seed=2, machines=2, days=30)
    found = set(files._injected(small)["kind"])
    assert found <= KINDS | {"lot with wrong sign", "lot in other unit", "lot without context", "wrong slot"}


def test_lots_have_their_rows_in_the_shares_and_none_without_mess():
    fleet_ = fab.Fab("tiny", seed=1, days=200)
    whole = injected.join(mess.of_lots(fleet_))
    many = sum(len(lots.measured(fleet_, machine).at) for machine in range(6))
    context = int((whole["kind"] == "lot without context").sum())
    assert abs(context - 0.03 * many) < 4.0 * np.sqrt(0.03 * many)
    assert {"lot with wrong sign", "lot in other unit", "wrong slot"} & set(whole["kind"])
    assert not mess.of_lots(dataclasses.replace(fleet_, mess=False))
    told = fab.tables(fleet_, "overlay")["overlay"]
    without = told["product"] == ""
    assert {f"lot {number}" for number in told["lot"][without]} <= set(whole["note"])
