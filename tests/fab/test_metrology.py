"""What a site's metrology sends agrees with the truth where nothing is wrong, and only there."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import fleet, lots, metrology, overlay

FLEET = fab.Fab("tiny", seed=3, machines=6, days=240)


def ten(rows, prefix):
    return np.stack([rows[f"{prefix}_{name}"] for name in overlay.PARAMETERS], axis=1)


@pytest.fixture(scope="module")
def sent():
    return metrology.overlays(FLEET)


@pytest.fixture(scope="module")
def known():
    return metrology.truth(FLEET)


def test_with_corrections_taken_off_a_good_lot_tells_the_tool(sent, known):
    off = ten(sent, "fitted") - ten(sent, "applied") - ten(known, "true")
    good = np.isin(known["fault"], ("", "context"))
    wrong = known["fault"] == "sign"
    usual = off[good].std(axis=0)
    assert (np.abs(off[good]) < 6.0 * usual).all()
    assert wrong.sum() > 5
    assert (np.abs(off[wrong]) > 6.0 * usual).any(axis=1).mean() > 0.8
    unit = known["fault"] == "unit"
    assert (np.abs(off[unit][:, :2]) > 6.0 * usual[:2]).any(axis=1).mean() > 0.8
    assert (np.abs(off[unit][:, 2:]) < 6.0 * usual[2:]).all()


def test_context_is_missing_where_the_truth_says_so(sent, known):
    lost = known["fault"] == "context"
    assert lost.mean() == pytest.approx(0.03, abs=0.01)
    for name in ("product", "layer", "reticle"):
        assert ((sent[name] == "") == lost).all()


def test_marks_give_the_lots_fit_again(sent):
    found = metrology.marks(FLEET)
    full = np.flatnonzero(sent["lot"] % (lots.MEASURED * lots.IN_FULL) == 0)
    offset = np.stack([found["dx"], found["dy"]], axis=1).reshape(len(full), -1, 2).astype(float)
    at = np.stack([found[name] for name in ("field_x", "field_y", "mark_x", "mark_y")], axis=1)
    told = overlay.fit(at[: offset.shape[1]].astype(float), offset)
    np.testing.assert_allclose(told.value, ten(sent, "fitted")[full], atol=0.02)
    assert ((~told.kept).sum(axis=1) == sent["dropped"][full]).mean() > 0.95
    np.testing.assert_allclose(
        overlay.spread(offset, told.kept),
        np.stack([sent["spread_x"], sent["spread_y"]], axis=1)[full],
        atol=0.1,
    )


def test_spreads_are_of_the_scale_of_such_machines(sent):
    settled = sent["lot"] > 100 * lots.MEASURED
    assert 1.5 < np.median(sent["spread_x"][settled]) < 6.0
    assert 1.5 < np.median(sent["spread_y"][settled]) < 6.0


def test_slots_are_wrong_where_the_truth_says_so(known):
    found = metrology.marks(fab.Fab("tiny", seed=3, machines=6, days=240))
    wrong = ~np.isin(found["slot"], lots.WAFERS)
    assert known["misplaced"].sum() == len(
        np.unique(np.stack([found["machine"], found["lot"]])[:, wrong], axis=1).T
    )
    assert set(found["chuck"]) == {0, 1}


def test_sites_send_them_as_late_as_they_measure():
    tables = fab.tables(FLEET, "overlay", "marks")
    for rows in tables.values():
        assert (rows["seen"] > rows["at"]).all()
    hours = (tables["overlay"]["seen"] - tables["overlay"]["at"]) / 3.6e9
    site = np.array([ord(name[0]) - ord("A") for name in tables["overlay"]["machine"]])
    delay = fleet.plan(FLEET).delay
    by_site = [np.median(hours[site == s]) for s in range(len(delay))]
    assert (np.argsort(by_site) == np.argsort(delay)).all()
