"""Units mixed within one column: found where two clumps differ as units do, and nowhere else."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball.data.doctor import mixtures


def normal(middle, spread, size, seed=1):
    return np.random.default_rng(seed).normal(middle, spread, size)


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1000, "thousand"), (25.4, "inches"), (100, "percent"), (6.895, "psi"), (60, "sixty")],
)
def test_two_clumps_apart_by_a_unit(factor, word):
    values = normal(5.0, 0.1, 900)
    values[300:400] *= factor
    found = mixtures.find(values)
    assert word in found.factor
    assert found.share == pytest.approx(1 / 9)
    assert "perhaps two units" in mixtures.told(found)


def test_a_factor_that_fits_only_roughly_counts_where_it_parts_machines():
    codes, names = np.repeat(np.arange(10), 100).astype(np.int32), [f"m{code}" for code in range(10)]
    values = normal(1.0, 0.02, 1_000)
    values[::10] *= 52
    assert mixtures.find(values, "", codes, names) is None
    values = normal(1.0, 0.02, 1_000)
    values[codes == 4] *= 52
    assert mixtures.find(values, "", codes, names).machines == ("m4",)


@pytest.mark.parametrize(("other", "word"), [(lambda c: c + 273.15, "K"), (lambda c: 1.8 * c + 32, "°F")])
def test_celsius_with_kelvin_or_fahrenheit(other, word):
    values = normal(80.0, 1.0, 500)
    values[:100] = other(values[:100])
    assert word in mixtures.find(values, "°C").factor
    assert mixtures.find(values, "V") is None or word not in mixtures.find(values, "V").factor


def test_machines_that_send_another_unit_are_named_though_values_spread():
    rng = np.random.default_rng(2)
    values, codes = rng.uniform(1.0, 20.0, 1_000), np.repeat(np.arange(10), 100).astype(np.int32)
    values[codes == 7] *= 1000
    found = mixtures.find(values, "", codes, [f"m{code}" for code in range(10)])
    assert found.machines == ("m7",)
    assert "(all of m7)" in mixtures.told(found)


@pytest.mark.parametrize(
    "values",
    [
        normal(5, 1, 500), np.exp(normal(0, 3, 2_000)), np.concatenate([normal(1, 0.1, 500), normal(8, 0.1, 500)]),
        np.repeat([1.0, 1_000.0], 200), np.full(500, np.nan), np.arange(5.0), np.zeros(100),
        np.concatenate([normal(-5, 0.1, 50), normal(5, 0.1, 50)]),
    ],
    ids=["one clump", "a long tail", "two clumps of no unit", "two states", "nothing", "few", "zero", "both signs"],
)  # fmt: skip
def test_what_is_no_mixture(values):
    assert mixtures.find(values) is None


@hypothesis.given(st.integers(0, 2**32 - 1), st.floats(0.05, 3.0))
@hypothesis.settings(max_examples=30)
def test_one_clump_of_any_spread_is_never_called_two_units(seed, spread):
    values = np.exp(np.random.default_rng(seed).normal(0, spread, 300))
    assert mixtures.find(values) is None
