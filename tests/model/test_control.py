"""Run-to-run controllers against closed forms (Ingolfsson 1993, Butler and Stefani 1994, Del Castillo 1999)."""

import numpy as np
import pytest

from flyball import errors
from flyball.model import control

RUNS, LOTS, SETTLED = 2000, 900, 300


def mse(controller, disturbance, **more):
    return float((control.steer(controller, disturbance, **more)[:, SETTLED:] ** 2).mean())


@pytest.fixture(scope="module")
def shocks():
    return np.random.default_rng(0).normal(size=(RUNS, LOTS))


@pytest.fixture(scope="module")
def wandering(shocks):
    """An integrated moving average, IMA(1, 1) with theta 0.6."""
    return np.cumsum(shocks, axis=1) - 0.6 * np.cumsum(np.pad(shocks, ((0, 0), (1, 0)))[:, :-1], axis=1)


@pytest.mark.parametrize(
    ("weight", "told"), [(0.1, 1.474), (0.2, 1.111), (0.4, 1.0), (0.6, 1.048), (0.8, 1.167)]
)
def test_an_ewma_on_an_integrated_moving_average(wandering, weight, told):
    exact = 1.0 + ((1.0 - weight) - 0.6) ** 2 / (1.0 - (1.0 - weight) ** 2)
    assert exact == pytest.approx(told, abs=6e-4)
    assert mse(control.EWMA(weight), wandering) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(
    ("weight", "told"), [(0.1, 5.053), (0.2, 2.111), (0.3, 1.621), (0.5, 1.493), (0.7, 1.620)]
)
def test_an_ewma_on_a_drift(shocks, weight, told):
    drift = 0.2
    exact = (drift / weight) ** 2 + 2.0 / (2.0 - weight)
    assert exact == pytest.approx(told, abs=6e-4)
    assert mse(control.EWMA(weight), drift * np.arange(LOTS) + shocks) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize(
    ("weights", "told"), [((0.2, 0.02), 1.174), ((0.2, 0.05), 1.267), ((0.3, 0.05), 1.293)]
)
def test_a_double_ewma_on_a_drift_beats_the_best_single_one(shocks, weights, told):
    found = mse(control.DoubleEWMA(*weights), 0.2 * np.arange(LOTS) + shocks)
    assert found == pytest.approx(told, rel=0.01)
    assert found < 1.488


def test_kalman_on_a_random_walk(shocks):
    rng = np.random.default_rng(1)
    walk = np.cumsum(0.3 * rng.normal(size=(RUNS, LOTS)), axis=1)
    spread = (0.09 + np.sqrt(0.09**2 + 4 * 0.09)) / 2.0
    assert spread + 1.0 == pytest.approx(1.3484, abs=1e-3)
    filter_ = control.Kalman(walk=0.09, noise=1.0)
    assert mse(filter_, walk + shocks) == pytest.approx(spread + 1.0, rel=0.01)
    # The same as an EWMA of its gain, once settled.
    assert mse(control.EWMA(filter_.gain()), walk + shocks) == pytest.approx(spread + 1.0, rel=0.01)


@pytest.mark.parametrize(("delay", "told"), [(0, 1.0), (1, 1.16), (2, 1.32), (5, 1.80), (10, 2.61)])
def test_what_a_delay_of_metrology_costs(wandering, delay, told):
    # Exact: every lot of delay adds the square of what a shock leaves behind for ever, 0.4 of it.
    assert told == pytest.approx(1.0 + 0.16 * delay, rel=0.01)
    assert mse(control.EWMA(0.4), wandering, delay=delay) == pytest.approx(told, rel=0.01)


def test_noise_of_measurement_is_not_what_happens():
    quiet = np.zeros((4, 50))
    noise = np.random.default_rng(0).normal(size=quiet.shape)
    assert (control.steer(control.EWMA(0.5), quiet) == 0.0).all()
    assert (control.steer(control.EWMA(0.5), quiet, noise=noise)[:, 1:] != 0.0).all()


def test_a_known_jump_opens_the_filter():
    filter_ = control.Kalman(walk=0.01, noise=1.0)
    state = filter_.start(())
    for _ in range(50):
        state = filter_.learn(state, np.array(0.0), 0.0)
    closed = filter_.learn(state, np.array(5.0), 0.0)[0]
    opened = filter_.learn(state, np.array(5.0), 25.0)[0]
    assert closed < 0.7 and opened > 4.5


def high_mix(seed):
    """Return tool, product, disturbance and jumps: tools wander and jump, twelve products by Zipf's law, noise 1."""
    rng = np.random.default_rng(seed)
    runs, share = 1500, 1.0 / np.arange(1, 13)
    tool, product = rng.integers(0, 3, runs), rng.choice(12, runs, p=share / share.sum())
    jumps = (rng.random(runs) < 0.006).astype(float)
    walk = np.zeros(runs)
    for number in range(3):
        mine = tool == number
        steps = 0.1 * rng.normal(size=mine.sum()) + 4.0 * jumps[mine] * rng.normal(size=mine.sum())
        walk[mine] = np.cumsum(steps) + 4.0 * rng.normal()
    return tool, product, walk + 2.0 * rng.normal(size=12)[product] + rng.normal(size=runs), jumps


def loops(which, disturbance, delay):
    """One EWMA per value of `which`; a run's measurement is there `delay` runs of whatever loop later."""
    left, expected = np.empty_like(disturbance), np.zeros(which.max() + 1)
    for run in range(len(disturbance)):
        known = run - 1 - delay
        if known >= 0:
            expected[which[known]] += 0.35 * (disturbance[known] - expected[which[known]])
        left[run] = disturbance[run] - expected[which[run]]
    return left


def test_in_a_high_mix_one_loop_for_all_parts_beats_a_loop_for_each():
    """None > an EWMA per tool > one per tool and product > Kalman over both: every step beyond three errors."""
    rms = []
    for seed in range(12):
        tool, product, disturbance, jumps = high_mix(seed)
        best = control.Mixed(walks=(0.1**2, 0.0), noise=1.0, first=16.0)
        each = (
            disturbance,
            loops(tool, disturbance, 3),
            loops(tool * 12 + product, disturbance, 3),
            best.steer((tool, product), disturbance, delay=3, jumped=16.0 * jumps),
        )
        rms.append([np.sqrt((left[200:] ** 2).mean()) for left in each])
    won = -np.diff(np.array(rms), axis=1)
    assert (won.mean(axis=0) > 3.0 * won.std(axis=0, ddof=1) / np.sqrt(len(won))).all()
    # No controller leaves less than the noise of a run.
    assert 1.0 < np.mean(rms, axis=0)[3] < 1.2


@pytest.mark.parametrize("delay", [0, 1, 4])
def test_a_mixed_filter_expects_what_all_runs_known_together_tell(delay):
    """Against the joint normal law of all runs: the mean of the next given those measured so far."""
    rng, runs = np.random.default_rng(delay), 40
    tool, product = rng.integers(0, 2, runs), rng.integers(0, 3, runs)
    jumped, seen = 9.0 * (rng.random(runs) < 0.1), rng.normal(size=runs)
    steps = np.diag(np.full(runs, 0.04) + jumped)
    before = (np.arange(runs) <= np.arange(runs)[:, None]) & (tool == tool[:, None])
    law = 16.0 * ((tool == tool[:, None]) * 1.0 + (product == product[:, None])) + before @ steps @ before.T
    expected = np.zeros(runs)
    for run in range(delay + 1, runs):
        known = np.arange(run - delay)
        together = law[np.ix_(known, known)] + 0.25 * np.eye(len(known))
        expected[run] = law[run, known] @ np.linalg.solve(together, seen[known])
    mixed = control.Mixed(walks=(0.04, 0.0), noise=0.25, first=16.0)
    left = mixed.steer((tool, product), seen, delay=delay, jumped=jumped)
    np.testing.assert_allclose(seen - left, expected, atol=1e-8)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: control.steer(control.EWMA(0.0), np.zeros((1, 3))),
        lambda: control.steer(control.EWMA(1.5), np.zeros((1, 3))),
        lambda: control.steer(control.DoubleEWMA(0.5, -0.1), np.zeros((1, 3))),
        lambda: control.steer(control.Kalman(0.0, 1.0), np.zeros((1, 3))),
        lambda: control.steer(control.EWMA(0.5), np.zeros((1, 3)), delay=-1),
    ],
)
def test_what_cannot_steer_is_refused(wrong):
    with pytest.raises(errors.DeclarationError):
        wrong()
