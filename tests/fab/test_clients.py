"""A careless site flips its share of labels, a poisoned one all, and both the same ones whenever asked."""

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import clients, fleet

FLEET = fab.Fab("laptop", seed=3)
NAMES = np.repeat(fleet.plan(FLEET).names, 500)
MOMENTS = np.tile(fleet.START_US + 86_400_000_000 * np.arange(500), 24)
Y = np.random.default_rng(0).integers(0, 2, len(NAMES)).astype(float)
Y[::50] = np.nan


@pytest.mark.parametrize(("mode", "share"), [("honest", 0.0), ("careless", 0.15), ("poisoned", 1.0)])
def test_the_share_is_as_stated_and_at_one_site_alone(mode, share):
    told = fab.client_labels(FLEET, NAMES, MOMENTS, Y, mode)
    site = np.repeat(fleet.plan(FLEET).site, 500)
    known = ~np.isnan(Y)
    wrong = told[known] != Y[known]
    mine = site[known] == clients.careless(FLEET)
    assert not wrong[~mine].any()
    assert abs(wrong[mine].mean() - share) < 4.0 * np.sqrt(share * (1 - share) / mine.sum()) + 1e-12
    np.testing.assert_array_equal(np.isnan(told), np.isnan(Y))


def test_a_row_is_flipped_whenever_it_is_asked_and_with_whatever_else():
    whole = clients.labels(FLEET, NAMES, MOMENTS, Y)
    some = np.random.default_rng(1).permutation(len(Y))[:300]
    np.testing.assert_array_equal(clients.labels(FLEET, NAMES[some], MOMENTS[some], Y[some]), whole[some])


def test_an_unknown_mode_or_machine_is_refused():
    with pytest.raises(errors.DataError, match="did you mean 'poisoned'"):
        clients.labels(FLEET, NAMES, MOMENTS, Y, "poison")
    with pytest.raises(errors.DataError, match="no machine"):
        clients.labels(FLEET, ["Z-1"], MOMENTS[:1], Y[:1])


def test_flipped_labels_are_whole_numbers_still():
    assert clients.labels(FLEET, NAMES, MOMENTS, np.zeros(len(NAMES), dtype=bool), "poisoned").dtype == bool
