import numpy as np
import pytest

from flyball.monitoring import causes, cells

RNG = np.random.default_rng(0)
USUAL = np.array([20.0, 0.0, 0.0, 0.0])
NOISE = 20 + RNG.normal(0, 1, 100)


def spiked():
    values = NOISE.copy()
    values[::20] += 40
    return values


@pytest.mark.parametrize(
    ("values", "apart", "pattern"),
    [
        (np.full(50, np.nan), [0, 0, 0, 9], "missing"),
        (NOISE * 1000, [900, 9, 0, 0], "unit"),
        (NOISE + 273.15, [250, 0, 0, 0], "unit"),
        (np.full(50, 20.3), [1, 5, 9, 0], "flatline"),
        (np.minimum(NOISE, 20.2), [1, 2, 9, 0], "clipping"),
        (spiked(), [1, 9, 0, 0], "spikes"),
        (20 + 5 * (NOISE - 20), [1, 9, 0, 0], "noise"),
        (NOISE + np.linspace(0, 12, 100), [9, 5, 0, 0], "ramp"),
        (NOISE + 6.5, [9, 0, 0, 0], "shift"),
    ],
)
def test_each_pattern_is_told_by_its_name(values, apart, pattern):
    assert causes.kind(values, values, USUAL, np.array(apart, float)) == pattern


COUNTS = RNG.poisson(0.02, 168).astype(float)


def stats(values):
    """A baseline as it is told of a column: level, spread with its least part, ties, missing."""
    return np.array([values.mean(), np.log(values.std() + 0.05 * values.std()), 1.0, 0.0])


@pytest.mark.parametrize("mean", [1.0, 2.0, 20.0, 60.0])
def test_a_count_that_rises_is_no_other_unit_and_no_broken_sensor(mean):
    many = RNG.poisson(mean, 168).astype(float)
    found = causes.kind(many, many, stats(COUNTS), np.array([90.0, 9.0, 0.0, 0.0]))
    assert found == causes.BURST and causes.cause(found, 1, 1) == "data"
    never = np.array([0.05, np.log(0.015), 1.0, 0.0])  # what most windows of a rare code show
    assert causes.kind(many, many, never, np.array([90.0, 9.0, 0.0, 0.0])) == causes.BURST
    few = np.r_[np.zeros(160), RNG.poisson(mean, 8) + 1.0]
    assert causes.kind(few, few[160:], stats(COUNTS), np.array([9.0, 90.0, 0.0, 0.0])) == causes.BURST


@pytest.mark.parametrize(
    ("factor", "rows"),
    [(factor, rows) for factor in (1e-3, 1e-2, 60.0, 100.0, 1e3, 3600.0) for rows in (3, 20, 168)]
    # Of three values only a large factor is no coincidence.
    + [(factor, rows) for factor in (0.1, 10.0) for rows in (20, 168)],
)
def test_another_unit_is_found_however_short_it_has_lasted(factor, rows):
    usual = RNG.normal(250.0, 2.0, 168)
    values = usual.copy()
    values[-rows:] *= factor
    assert causes.kind(values, values[-rows:], stats(usual), np.array([900.0, 9.0, 0.0, 0.0])) == "unit"


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_what_lies_about_zero_tells_another_unit_by_how_widely_it_lies(factor):
    usual = RNG.normal(0.0, 0.3, 168)
    found = causes.kind(usual * factor, usual * factor, stats(usual), np.array([0.0, 90.0, 0.0, 0.0]))
    assert found == "unit"
    ten = causes.kind(usual * 5, usual * 5, stats(usual), np.array([0.0, 90.0, 0.0, 0.0]))
    assert ten in ("noise", "spikes")


@pytest.mark.parametrize(
    ("level", "spread", "factor", "offset"),
    [(1.013, 0.005, 1e3, 0), (1.5, 0.02, 1e3, 0), (0.5, 0.05, 60, 0), (0.1, 0.002, 1e3, 0), (22, 0.5, 1.8, 32),
     (72, 1.0, 1 / 1.8, -32 / 1.8), (20, 3.0, 1, 273.15), (295, 3.0, 1, -273.15)],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(5))
def test_another_unit_in_whole_numbers_and_with_an_offset_is_none_the_less_one(
    level, spread, factor, offset, seed
):
    usual = np.random.default_rng(seed).normal(level, spread, 168)
    told = usual * factor + offset
    whole = np.rint(told) if factor >= 60 else told
    assert causes.kind(whole, whole, stats(usual), np.array([900.0, 9.0, 0.0, 0.0])) == "unit"


def test_a_rare_code_told_as_a_rate_bursts_too():
    often = RNG.poisson(3.0, 168) / 24
    assert causes.kind(often, often, stats(COUNTS / 24), np.array([90.0, 9.0, 0.0, 0.0])) == causes.BURST


@pytest.mark.parametrize("high", [2.0, 5.0, 10.0, 20.0])
def test_a_process_that_moves_is_no_other_unit(high):
    usual = RNG.normal(50.0, 0.5, 168)
    values = usual + np.r_[np.zeros(84), np.linspace(0, high, 84)]
    assert causes.kind(values, values[84:], stats(usual), np.array([90.0, 9.0, 0.0, 0.0])) in (
        "ramp",
        "shift",
    )


def test_a_wide_column_that_moves_is_no_other_unit():
    usual = RNG.normal(2.0, 2.3, 168)
    for move in (8.0, 11.0, 17.0, 25.0):
        found = causes.kind(usual + move, usual + move, stats(usual), np.array([90.0, 0.0, 0.0, 0.0]))
        assert found == "shift", move


def test_when_it_began_is_found_near_the_change():
    at = np.arange(200)
    moved = np.r_[NOISE, NOISE + 4]
    assert abs(causes.began(at, moved, cells.LEVEL, 20.0) - 100) <= 5
    gone = np.where(at >= 150, np.nan, moved)
    assert causes.began(at, gone, cells.MISSING, 20.0) == 150


def test_a_swap_needs_both_to_show_the_other():
    base, ones = np.array([38.0, 24.0, 5.0]), np.ones(3)
    far = np.array([9.0, 9.0, 0.1])
    assert causes.swapped(0, np.array([24.0, 38.0, 5.0]), base, ones, far) == 1
    assert causes.swapped(0, np.array([24.0, 24.0, 5.0]), base, ones, far) == -1
    assert causes.swapped(0, np.array([24.0, 38.0, 5.0]), base, ones, far * [1, 0, 1]) == -1
