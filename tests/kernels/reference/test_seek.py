"""The plain twin of the as-of look-up, by hand."""

import numpy as np
import pytest

from flyball.kernels import reference


def test_by_hand():
    times, starts = np.array([10, 20, 20, 5]), np.array([0, 3, 4])
    found = reference.asof(times, starts, np.array([9, 25, 5]), np.array([0, 0, 1]))
    assert found.tolist() == [-1, 2, 3]


@pytest.mark.parametrize(("starts", "sorted_"), [([0, 2, 4], True), ([0, 4], False), ([0, 0, 2, 4, 4], True)])
def test_sorted_within(starts, sorted_):
    assert reference.sorted_within(np.array([1, 5, 2, 2]), np.array(starts)) is sorted_
