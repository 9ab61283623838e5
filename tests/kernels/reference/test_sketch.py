"""The twin of the sketch: exact while it is small, and what its levels hold."""

import numpy as np

from flyball.kernels.reference import sketch


def weights(figures_and_items):
    """How many values the items of a column stand for."""
    return sum(len(items) << level for level, items in enumerate(figures_and_items[1][1:]))


def test_a_small_column_is_kept_whole():
    made = sketch.Sketches(2, 7)
    made.push(np.array([[3.0, np.nan], [-0.0, 1.0], [2.0, 1.0]]))
    figures, (ends, items, *rest) = made.told(0)
    assert (figures[2:4], ends[:2], items, any(rest)) == ([3, 0], [0.0, 3.0], [3.0, 0.0, 2.0], False)
    assert made.told(1)[0][2:4] == [2, 1]


def test_a_full_level_sends_every_second_item_up():
    made = sketch.Sketches(1, 7)
    made.push(np.arange(640.0)[::-1, None])
    _, (_, lowest, above, *_) = made.told(0)
    assert lowest == []
    assert above in (list(np.arange(0.0, 640, 2)), list(np.arange(1.0, 640, 2)))


def test_levels_stay_few_and_stand_for_all_values():
    made, other = sketch.Sketches(1, 1), sketch.Sketches(1, 2)
    made.push(np.random.default_rng(0).normal(size=(100_000, 1)))
    other.push(np.random.default_rng(1).normal(size=(1_001, 1)))
    figures, items = made.told(0)
    assert figures[4] == 1  # the sampler takes one of two
    assert weights((figures, items)) == 100_000 - figures[5]
    made.merge(other)
    figures, items = made.told(0)
    assert figures[2] == 101_001
    assert abs(weights((figures, items)) - 101_001) < 10
    assert sum(bool(level) for level in items[1:]) <= sketch.DEPTH + 1
    assert all(len(level) < sketch.FULL for level in items[1:])
