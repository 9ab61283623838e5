"""The plain twin against figures worked out by hand: it is the oracle, so it must be right by itself."""

import math

import numpy as np
import pytest

from flyball.kernels import reference


def one(values, by, positions=None):
    """One statistic over the whole of the values."""
    places = np.arange(len(values), dtype=float) if positions is None else np.array(positions, float)
    made = reference.windows(np.array(values, float), np.array([0]), np.array([len(values)]), (by,), places)
    return made[by][0]


@pytest.mark.parametrize(
    ("by", "values", "want"),
    [
        ("count", [1, math.nan, math.inf], 2),
        ("sum", [1, math.nan, 2.5], 3.5),
        ("sum", [1e16, 1, -1e16], 1),
        ("sum", [1e308, 1e308], math.inf),
        ("sum", [math.inf, -math.inf], math.nan),
        ("mean", [1, 2, 6], 3),
        ("mean", [math.inf, 1], math.inf),
        ("std", [1, 3], 1),
        ("std", [7], 0),
        ("std", [1e9, 1e9 + 2], 1),
        ("std", [math.inf, 1], math.nan),
        ("min", [3, -math.inf, math.nan], -math.inf),
        ("max", [3, -1, math.nan], 3),
        ("median", [5, 1, math.nan, 3], 3),
        ("median", [4, 1, 3, 2], 2.5),
        ("median", [1e308, 1.2e308], 1.1e308),
        ("median", [-math.inf, math.inf], math.nan),
        ("median", [math.inf, math.inf], math.inf),
        ("first", [math.nan, 4, 5, math.nan], 4),
        ("last", [math.nan, 4, 5, math.nan], 5),
        ("slope", [1, 3, 5], 2),
        ("slope", [1, math.nan, 5], 2),
        ("slope", [1], math.nan),
    ],
)
def test_by_hand(by, values, want):
    assert one(values, by) == pytest.approx(want, rel=1e-15, nan_ok=True)


def test_slope_over_positions():
    assert one([1, 2, 4], "slope", [10, 12, 16]) == pytest.approx(0.5)
    assert math.isnan(one([1, 2], "slope", [3, 3]))


def test_zeros_have_one_sign_in_order_statistics():
    assert [math.copysign(1, one([-0.0], by)) for by in ("min", "max", "median", "first")] == [1, 1, 1, -1]


def test_empty():
    assert one([], "count") == 0
    assert math.isnan(one([math.nan], "median"))
