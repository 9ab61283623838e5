"""Plain half-space trees, by hand."""

import math

import numpy as np

from flyball.kernels.reference import HalfSpace


def one_tree():
    """A tree of height 1 that asks whether x is below 0.5, with a window of two rows."""
    counts = np.zeros(3, np.int32)
    return HalfSpace(1, 1, 1, 2, np.array([0]), np.array([0.5]), counts, counts, 0, True)


def test_a_window_fills_and_becomes_the_last():
    trees = one_tree()
    scores = np.empty(4)
    trees.push(np.array([[0.1], [0.2], [0.3], [0.9]]), scores)
    # The last window has 2 rows at the root and both on the left: (2 + 2 * 2) of 2 * 3, and (2 + 0) of 6.
    assert scores.tolist() == [0, 0, 0, 1 - 2 / 6]
    assert (trees.last, trees.present, trees.seen) == ([2, 1, 1], [0, 0, 0], 0)


def test_a_missing_value_goes_where_more_went():
    trees = one_tree()
    trees.learn_one(np.array([0.9]))
    trees.learn_one(np.array([math.nan]))
    assert trees.last == [2, 0, 2]
    trees.learn_one(np.array([math.nan]))  # none went anywhere in this window: left
    assert trees.present == [1, 1, 0]
