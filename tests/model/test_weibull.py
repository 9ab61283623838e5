"""Lives of parts found again from rows that only say whether a machine failed."""

import types

import numpy as np
import pytest

from flyball import data, features, labels, model
from flyball.model import weibull

KIND = labels.Probability()


def asked(ages, failed, weight=None):
    n = len(failed)
    moments = features.Moments.of([f"m{i % 7}" for i in range(n)], np.arange(n))
    x = features.Matrix(moments, {f"part{k}": column for k, column in enumerate(ages)})
    why = data.Words(np.full(n, -1, dtype=np.int32), ())
    return x, labels.Answers(np.asarray(failed, dtype=float), np.ones(n, dtype=bool), why, weight)


def made(scale, shape, n=60_000, gap=1.0, within=7.0, seed=0):
    """Rows of machines with Weibull parts of any age, and whether one failed in the window."""
    rng = np.random.default_rng(seed)
    ages = [rng.uniform(0, 2.0 * eta, n) for eta in scale]
    met = [
        ((a + gap + within) / eta) ** beta - ((a + gap) / eta) ** beta
        for a, eta, beta in zip(ages, scale, shape, strict=True)
    ]
    return ages, rng.random(n) < -np.expm1(-np.sum(met, axis=0)), -np.expm1(-np.sum(met, axis=0))


def test_one_part_s_life_is_found_again():
    ages, failed, chance = made([60.0], [2.5])
    x, y = asked(ages, failed)
    fitted = model.WeibullAge(("part0",), within=7.0, gap=1.0).fit(x, y, KIND, 0)
    assert fitted.shape[0] == pytest.approx(2.5, rel=0.05) and fitted.scales()[0] == pytest.approx(
        60, rel=0.05
    )
    assert fitted.predict(x) == pytest.approx(chance, abs=0.03)


def test_two_parts_are_told_apart_though_nobody_says_which_failed():
    ages, failed, chance = made([80.0, 150.0], [3.0, 1.2])
    x, y = asked(ages, failed)
    fitted = model.WeibullAge(("part0", "part1"), within=7.0, gap=1.0, rounds=150).fit(x, y, KIND, 0)
    assert fitted.shape == pytest.approx([3.0, 1.2], abs=0.25)
    assert fitted.scales() == pytest.approx([80, 150], rel=0.12)
    assert abs(fitted.predict(x) - chance).mean() < 0.01
    assert fitted.influence()["part0"] > fitted.influence()["part1"]


def test_every_round_makes_the_rows_at_least_as_likely():
    ages, failed, _ = made([50.0, 90.0], [2.0, 0.8], n=2_000, seed=3)
    ages[1][:300] = np.nan
    x, y = asked(ages, failed)

    def likely(rounds):
        p = (
            model.WeibullAge(("part0", "part1"), within=7.0, gap=1.0, rounds=rounds)
            .fit(x, y, KIND, 0)
            .predict(x)
        )
        return np.where(failed, np.log(p), np.log1p(-p)).sum()

    told = [likely(rounds) for rounds in range(1, 12)]
    assert (np.diff(told) > -1e-3).all() and told[-1] > told[0]


def test_the_exponential_is_a_rate_and_an_unknown_age_has_one_of_its_own():
    rng = np.random.default_rng(5)
    n = 20_000
    ages = rng.uniform(0, 100, n)
    ages[: n // 2] = np.nan
    chance = np.where(np.isnan(ages), 0.3, 0.1)
    failed = rng.random(n) < chance
    x, y = asked([ages], failed)
    fitted = model.WeibullAge(("part0",), within=7.0).fit(x, y, KIND, 0)
    assert fitted.shape[0] == pytest.approx(1.0, abs=0.15)
    assert fitted.predict(x) == pytest.approx(chance, abs=0.03)
    halved = model.WeibullAge(("part0",), within=7.0).fit(*asked([ages], failed, np.full(n, 0.5)), KIND, 0)
    assert halved.predict(x) == pytest.approx(fitted.predict(x), abs=1e-6)


def test_nothing_failed_and_nothing_known():
    x, y = asked([np.arange(50.0), np.full(50, np.nan)], np.zeros(50))
    fitted = model.WeibullAge(("part0", "part1"), within=7.0, rounds=5).fit(x, y, KIND, 0)
    assert fitted.predict(x).max() < 1e-4
    assert isinstance(fitted, weibull.Lives)
    page = types.SimpleNamespace()
    assert list(model.WeibullAge(("part0",), within=7.0).problems(page)) == []
    wrong = [str(problem) for problem in model.WeibullAge((), within=0.0, gap=-1.0).problems(page)]
    assert len(wrong) == 3
