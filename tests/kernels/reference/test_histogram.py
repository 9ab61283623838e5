"""The twin's counts and divergences, by figures worked by hand."""

import math

import numpy as np
import pytest

from flyball.kernels.reference import histogram


def test_bins_of_one_column():
    counts = np.zeros((1, 5), np.int64)
    values = np.array([[-np.inf], [0.9], [1.0], [1.9], [2.0], [np.inf], [np.nan]])
    histogram.count(values, np.array([[1.0, 2.0, np.nan]]), counts)
    assert counts.tolist() == [[2, 2, 2, 0, 1]]


def test_divergences_of_a_half_and_a_quarter():
    p, q, tiny = [2, 2], [1, 3], 1e-12
    kl = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    back = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    assert histogram.kl(p, q, tiny) == pytest.approx(kl)
    assert histogram.psi(p, q, tiny) == pytest.approx(kl + back)
    middle = 0.375, 0.625
    js = 0.5 * math.log(0.5 / middle[0]) + 0.5 * math.log(0.5 / middle[1])
    js += 0.25 * math.log(0.25 / middle[0]) + 0.75 * math.log(0.75 / middle[1])
    assert histogram.js(p, q, tiny) == pytest.approx(js / 2)


def test_the_floor_lifts_an_empty_bin_and_no_counts_are_even():
    assert histogram.shares([0, 1], 0.5) == [0.25, 0.75]
    assert histogram.shares([0, 0], 1e-4) == [0.5, 0.5]
