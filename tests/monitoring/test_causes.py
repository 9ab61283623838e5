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
