"""Rows are lost, blanked, copied and late, each in its share, and the truth says where."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import fleet, injected, network

FLEET = fab.Fab("tiny", seed=2, machines=40, days=365)


@pytest.fixture(scope="module")
def sent():
    hours = np.arange(0.0, 24.0 * 365)
    rows = {
        "machine": np.repeat(np.arange(40), len(hours)),
        "at": np.tile(hours, 40) + np.repeat(np.linspace(0.0, 0.4, 40), len(hours)),
    }
    rows["vibration"] = np.arange(len(rows["at"]), dtype=float)
    told, truth = network.send(FLEET, rows)
    return rows, told, injected.join(truth)


def place(rows, machine, at):
    return np.searchsorted(rows["machine"] * 1e6 + rows["at"], machine * 1e6 + at)


def count(truth, kind):
    return int((truth["kind"] == kind).sum())


def test_each_kind_comes_in_its_share(sent):
    rows, told, truth = sent
    many = len(rows["at"])
    for kind, asked in {
        "lost block": network.BLOCKS * 40, "missing value": network.HOLES * many, "out of order": network.ASTRAY * many,
        "sent twice": network.COPIES * many,
    }.items():  # fmt: skip
        assert abs(count(truth, kind) - asked) < 4.0 * np.sqrt(asked) + 0.02 * asked, kind
    assert 0.9 < len(told["at"]) / many < 1.0
    many_sites = fab.Fab("paper", seed=2)
    assert abs(len(network.outages(many_sites)[0]) - 4 * 4 * 3) < 4.0 * np.sqrt(48)


def test_what_is_lost_twice_or_blank_is_what_the_truth_says(sent):
    rows, told, truth = sent
    names = np.array(fleet.plan(FLEET).names)
    number = {name: n for n, name in enumerate(names)}
    mine = place(rows, told["machine"], told["at"])
    times = np.bincount(mine, minlength=len(rows["at"]))
    lost = np.zeros(len(times), dtype=bool)
    for row in np.flatnonzero(truth["kind"] == "lost block"):
        lost |= (
            (rows["machine"] == number[truth["machine"][row]])
            & (rows["at"] >= truth["start"][row])
            & (rows["at"] < truth["end"][row])
        )
    np.testing.assert_array_equal(times == 0, lost)

    def told_of(kind):
        row = truth["kind"] == kind
        who = np.array([number[name] for name in truth["machine"][row]])
        return place(rows, who, truth["start"][row])

    np.testing.assert_array_equal(np.flatnonzero(times == 2), np.sort(told_of("sent twice")))
    np.testing.assert_array_equal(np.unique(mine[np.isnan(told["vibration"])]), told_of_sorted(told_of))
    there = ~np.isnan(told["vibration"])
    np.testing.assert_array_equal(told["vibration"][there], rows["vibration"][mine[there]])


def told_of_sorted(told_of):
    return np.sort(told_of("missing value"))


def test_rows_come_in_the_order_seen_and_some_out_of_the_order_made(sent):
    rows, told, truth = sent
    assert (np.diff(told["seen"]) >= 0).all() and (told["seen"] > told["at"]).all()
    astray = truth["magnitude"][truth["kind"] == "out of order"]
    assert astray.min() >= 0.0 and 9.0 < astray.max() <= 10.0
    # Compared with a network that is always up, what is later is in the truth.
    usual = np.sort(network.arrival(FLEET, rows["machine"], rows["at"], "telemetry"))
    assert np.median(told["seen"] - told["at"]) < 0.05 and len(usual) > len(told["at"])


def test_an_outage_holds_a_site_back(sent):
    _, told, truth = sent
    sites = fleet.plan(FLEET).site[told["machine"]]
    late = told["seen"] - told["at"]
    assert 2.0 < late.max() < 50.0
    found = list(zip(*network.outages(FLEET), strict=True))
    assert len(found) == count(truth, "outage") > 0
    for site, start, end in found:
        silent = (sites == site) & (told["seen"] > start) & (told["seen"] < end)
        # Only what was already under way comes after the line went down: copies and rows out of order.
        assert (told["at"][silent] < start).all() and silent.sum() < 20


def test_without_mess_the_network_is_up():
    from dataclasses import replace

    assert len(network.outages(replace(FLEET, mess=False))[0]) == 0
