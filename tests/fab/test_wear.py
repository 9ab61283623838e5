"""The laws of wear: when degradation begins, and how a collector fades under a worn droplet generator."""

import numpy as np

from flyball.fab import fleet, wear


def test_onset_follows_the_weibull_law_whatever_the_age():
    rng, n = np.random.default_rng(0), 40_000
    comp = np.full(n, wear.DGEN)
    shape, life = wear.COMPONENTS[wear.DGEN].shape, np.full(n, 230.0)
    for age in (0.0, 150.0):
        begins = wear.onset(life, np.full(n, age), rng.exponential(size=n), comp)
        assert (begins >= age).all()
        later = age + 100.0
        survive = np.exp((age / 230.0) ** shape - (later / 230.0) ** shape)
        assert abs((begins > later).mean() - survive) < 4.0 * np.sqrt(0.25 / n)


def test_a_longer_wait_never_brings_onset_forward():
    age, budgets = np.full((1, 9), 50.0), np.linspace(0.01, 3.0, 20)
    life = np.array([[c.life for c in wear.COMPONENTS]])
    begins = np.concatenate([wear.onset(life, age, np.full((1, 9), b)) for b in budgets])
    assert (np.diff(begins, axis=0) > 0).all()


def test_running_is_the_same_in_one_stretch_or_many():
    plan = fleet.plan(fleet.Fab("tiny"))
    whole = wear.begin(plan, np.random.default_rng(1), 0.0)
    whole.stage[:, wear.DGEN], whole.pace[:, wear.DGEN] = 1, 0.002
    parts, duty = whole.take(np.arange(6)), np.full(6, 0.45)
    wear.run(whole, plan, np.full(6, 100.0), duty)
    for _ in range(50):
        wear.run(parts, plan, np.full(6, 2.0), duty)
    np.testing.assert_allclose(parts.reflectance, whole.reflectance, rtol=1e-12)
    np.testing.assert_allclose(parts.age, whole.age)
    np.testing.assert_allclose(parts.severity(), whole.severity())


def test_a_worn_droplet_generator_fouls_the_collector():
    plan = fleet.plan(fleet.Fab("tiny"))
    healthy = wear.begin(plan, np.random.default_rng(1), 0.0)
    worn = healthy.take(np.arange(6))
    worn.stage[:, wear.DGEN], worn.level[:, wear.DGEN] = 3, 0.9
    for state in (healthy, worn):
        wear.run(state, plan, np.full(6, 10.0), np.full(6, 0.45))
    np.testing.assert_array_equal(worn.reflectance < healthy.reflectance, plan.euv)
    assert (healthy.reflectance[~plan.euv] == 1.0).all()
