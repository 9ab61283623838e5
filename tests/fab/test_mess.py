"""Rows are lost, blanked, copied and late, each in its share, and the truth says where."""

import numpy as np

from flyball import fab
from flyball.fab import fleet, mess, telemetry

FLEET = fab.Fab("tiny", seed=2, machines=20, days=365)


def test_telemetry_is_spoiled_in_the_stated_shares():
    clean = telemetry.telemetry(FLEET)
    rows, spoiled = mess.spoil(FLEET, clean)
    assert 0.9 < len(rows["at"]) / len(clean["at"]) < 1.0
    assert 0.002 < np.isnan(rows["vibration"]).mean() < 0.004
    pairs = np.stack([rows["machine"], rows["at"]], axis=1)
    copies = len(pairs) - len(np.unique(pairs, axis=0))
    assert 0.001 < copies / len(pairs) < 0.003
    assert set(spoiled["kind"]) == {"lost block", "outage"}
    assert (spoiled["end"] > spoiled["start"]).all()


def test_nothing_is_left_in_a_lost_block():
    rows, spoiled = mess.spoil(FLEET, telemetry.telemetry(FLEET))
    names, at = np.array(fleet.plan(FLEET).names)[rows["machine"]], fleet.to_us(rows["at"])
    for kind, where, start, end in zip(*(spoiled[c] for c in ("kind", "where", "start", "end")), strict=True):
        if kind == "lost block":
            assert not ((names == where) & (at >= start) & (at < end)).any()


def test_rows_are_seen_after_they_happened_and_an_outage_holds_them_back():
    rows, _ = mess.spoil(FLEET, telemetry.telemetry(FLEET))
    late = rows["seen"] - rows["at"]
    assert (late > 0).all()
    assert np.median(late) < 0.1
    assert 2.0 < late.max() < 50.0
    sites = fleet.plan(FLEET).site[rows["machine"]]
    for site, start, end in zip(*mess.outages(FLEET), strict=True):
        assert not ((sites == site) & (rows["seen"] > start) & (rows["seen"] < end)).any()
