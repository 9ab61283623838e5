"""Onsets drawn on condition are those of the law, and the two halves make up the whole."""

import numpy as np
import pytest

from flyball.fab import dynamics, fleet, lives, wear

FLEET = fleet.Fab("tiny", seed=1)
DAYS = np.array([30.0, 60.0, 90.0])


@pytest.fixture(scope="module")
def asked():
    plan = fleet.plan(FLEET)
    state = dynamics.history(FLEET).at(np.zeros(3, dtype=int), 24.0 * DAYS)
    return state, plan, lives.spent(state, plan, 192.0, wear.hard())


def hazard(state, plan, many):
    """Return each drawn component's hazard to its onset, from the age it has."""
    shape = np.array([part.shape for part in wear.COMPONENTS])
    life = plan.life[many.machine]
    return ((many.onset / life) ** shape - (many.age / life) ** shape).reshape(
        len(state.now), -1, life.shape[1]
    )


def test_with_an_onset_at_least_one_lies_within_what_is_spent(asked):
    state, plan, spent = asked
    many = lives.with_onset(state.take(np.arange(3)), plan, spent, np.random.default_rng(0), 256)
    within = hazard(state, plan, many) <= spent[:, None, :] * (1.0 + 1e-9)
    assert (within & (spent > 0.0)[:, None, :]).any(axis=2).all()


def test_without_an_onset_none_does(asked):
    state, plan, spent = asked
    many = lives.without_onset(state.take(np.arange(3)), plan, spent, np.random.default_rng(0), 256)
    assert (hazard(state, plan, many) >= spent[:, None, :] * (1.0 - 1e-9)).all()


def test_the_two_halves_make_up_the_law(asked):
    state, plan, spent = asked
    none = np.exp(-spent.sum(axis=1))
    rng = np.random.default_rng(1)
    begins = hazard(state, plan, lives.with_onset(state.take(np.arange(3)), plan, spent, rng, 4096))
    within = (begins <= spent[:, None, :]).mean(axis=1)
    # Without one, nothing is within: so the chance of each component's onset is that of the first half alone.
    np.testing.assert_allclose((1.0 - none)[:, None] * within, 1.0 - np.exp(-spent), atol=0.01)
