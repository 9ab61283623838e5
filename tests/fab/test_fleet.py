"""The plan of a fleet: presets, names, and times in and out."""

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import fleet


def test_a_fab_is_a_value_that_prints_as_its_call():
    assert fab.Fab("tiny", seed=3) == fab.Fab("tiny", seed=3) != fab.Fab("tiny", seed=4)
    assert repr(fab.Fab("tiny", seed=3, days=9)) == "fab.Fab(preset='tiny', seed=3, days=9)"
    assert hash(fab.Fab()) == hash(fab.Fab("laptop"))


def test_the_plan_fits_the_preset_and_reaches_past_its_end():
    small = fab.Fab("tiny")
    plan = fleet.plan(small)
    assert len(plan.names) == len(set(plan.names)) == 6
    assert set(plan.site) == {0, 1}
    last = plan.tick(np.arange(6), np.full(6, plan.duty.shape[1] - 1))
    assert (last >= 24.0 * 120 + fleet.AHEAD).all()
    assert set(plan.discipline) <= {0.2, 0.4, 0.6}


def test_hours_come_back_from_microseconds():
    hours = np.array([0.0, 1.5, 24.0 * 540])
    assert fleet.to_us(hours)[0] == fab.START_US
    np.testing.assert_allclose(fleet.to_hours(fleet.to_us(hours)), hours)


@pytest.mark.parametrize("wrong", [{"preset": "huge"}, {"machines": 0}, {"days": 0}])
def test_a_fleet_that_cannot_be_is_refused(wrong):
    with pytest.raises(errors.DeclarationError, match=r"fab\.Fab"):
        fab.Fab(**{"preset": "tiny", **wrong}).size()
