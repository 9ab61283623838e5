"""Inspected wafers: patterns have causes, maps agree with defects, and few are named."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import dynamics, lots, maps, overlay, wear

FLEET = fab.Fab("tiny", seed=4, machines=8, days=400)


@pytest.fixture(scope="module")
def found():
    return maps.inspected(FLEET)


def test_most_wafers_show_no_pattern_and_every_pattern_is_rare(found):
    share = np.bincount(found.pattern, minlength=len(maps.PATTERNS)) / len(found.at)
    assert 0.85 < share[0] < 0.97 and (share[1:] < 0.1).all() and (share[[1, 2, 3]] > 0.0).all()


def test_patterns_have_causes(found):
    state = dynamics.history(FLEET).at(found.machine, found.at)
    ring = found.pattern == maps.PATTERNS.index("edge-ring")
    table = wear.NAMES.index("WSTG")
    assert state.age[ring, table].mean() > state.age[~ring, table].mean()
    again = found.pattern == maps.PATTERNS.index("repeater")
    assert (found.at[again] >= maps.damaged(FLEET)[found.reticle[again]]).all()


def test_a_damaged_reticle_repeats_in_every_field():
    places, lethal = maps._defects(FLEET, "repeater", 3, np.random.default_rng(0))
    off = places[lethal > 0.9]
    own = (off[:, None, :] - overlay.fields()[None]).reshape(-1, 2)
    near = own[(np.abs(own) < np.array(overlay.FIELD_MM) / 2).all(axis=1)]
    assert len(off) > 40 and np.median(np.abs(near - np.median(near, axis=0)), axis=0).max() < 0.05
    other, _ = maps._defects(FLEET, "repeater", 4, np.random.default_rng(1))
    assert len(other) and not np.isin(other, places).any()


def test_a_map_is_bad_where_a_defect_kills(found):
    kinds, on = found.maps(), maps.dies()
    assert ((kinds > 0) == on[None]).all()
    bad = (kinds == 2).sum(axis=(1, 2))
    lethal = np.bincount(found.wafer[found.kills], minlength=len(found.at))
    assert (bad <= lethal).all() and bad.sum() > 0.7 * lethal.sum()
    assert bad[found.pattern > 0].mean() > 2.0 * bad[found.pattern == 0].mean()


def test_defects_lie_on_the_wafer_and_are_numbered(found):
    rows = maps.defects(FLEET)
    assert (np.hypot(rows["x"], rows["y"]) <= overlay.RADIUS_MM + 1e-3).all()
    last = {}
    for machine, lot, number in zip(rows["machine"], rows["lot"], rows["defect"], strict=True):
        assert number == last.get((machine, lot), 0) + 1
        last[machine, lot] = number
    assert (rows["size"] > 0.0).all()


def test_maps_are_text_and_some_are_named(found):
    rows = maps.maps(FLEET)
    first = rows["map"][0].split("/")
    assert len(first) == maps.dies().shape[0] and {len(line) for line in first} == {maps.dies().shape[1]}
    assert sum(text.count("0") for text in rows["map"]) == rows["bad"].sum()
    named = rows["pattern"] != ""
    assert named.mean() == pytest.approx(maps.NAMED, abs=0.03)
    right = (rows["pattern"] == maps.truth(FLEET)["pattern"])[named].mean()
    assert right == pytest.approx(1.0 - maps.MISREAD * 5 / 6, abs=0.02)


def test_inspected_lots_are_those_measured_in_full(found):
    full = np.concatenate([lots.measured(FLEET, machine).lot[:: lots.IN_FULL] for machine in range(8)])
    np.testing.assert_array_equal(found.lot, full)


def test_a_fleet_too_short_for_a_lot_has_no_wafers():
    short = maps.inspected(fab.Fab("tiny", seed=0, machines=1, days=1))
    assert len(short.maps()) == len(short.at)
