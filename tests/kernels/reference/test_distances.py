"""The twin's distances, by figures worked by hand."""

import math

import numpy as np

from flyball.kernels.reference import distances


def both(left, right):
    """Kolmogorov-Smirnov, Wasserstein and rows of two columns."""
    values, counts, out = np.full((1, len(left)), np.nan), np.zeros(1, np.int64), np.zeros((3, 1))
    distances.sort_columns(np.array(left, float)[:, None], values, counts)
    distances.apart(values, counts, np.array(right, float)[:, None], out)
    return out[:, 0].tolist()


def test_shifted_tied_and_missing():
    assert both([0, 1], [3, 4]) == [1, 3, 2]
    assert both([0, 0, 1, 1], [0, 1, math.nan]) == [0, 0, 2]
    assert both([0, 0, 0, 4], [0, 4]) == [0.25, 1, 2]


def test_infinities_and_none():
    assert both([0, math.inf], [0, math.inf]) == [0, 0, 2]
    assert both([0, math.inf], [0, 1]) == [0.5, math.inf, 2]
    assert both([-math.inf, 0], [0, 0]) == [0.5, math.inf, 2]
    assert all(math.isnan(distance) for distance in both([1], [math.nan])[:2])
