"""The plain twin of the moving moments against figures worked out by hand: it is the oracle."""

import math

import numpy as np
import pytest

from flyball.kernels import reference

NAN = math.nan


def one(name, values, over=3, least=1, ddof=0, times=None):
    """One statistic of one series."""
    place = [0 if name == other else -1 for other in ("mean", "std", "min", "max", "slope", "zscore")]
    moving = reference.MovingMoments(over, times is not None, least, ddof, place, 1, 0)
    out = np.empty((1, len(values), 1))
    moving.push(np.array(values, float)[:, None], None if times is None else np.array(times), out)
    return out[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("name", "values", "want"),
    [
        ("mean", [3, 5, 7, 9], [3, 4, 5, 7]),
        ("mean", [3, NAN, 7, NAN, NAN, NAN], [3, 3, 5, 7, 7, NAN]),
        ("std", [1, 3, 5, 5], [0, 1, math.sqrt(8 / 3), math.sqrt(8 / 9)]),
        ("min", [3, 1, 2, 4, NAN], [3, 1, 1, 1, 2]),
        ("max", [3, 1, 2, 1, NAN], [3, 3, 3, 2, 2]),
        ("slope", [1, 3, 5, NAN, 9], [NAN, 2, 2, 2, 2]),
        ("zscore", [1, 3, 3, 3], [NAN, 1, math.sqrt(0.5), NAN]),
        ("zscore", [1, 3, NAN, 1], [NAN, 1, NAN, -1]),
    ],
)
def test_by_hand(name, values, want):
    assert one(name, values) == pytest.approx(want, rel=1e-14, nan_ok=True)


def test_fewest_values_and_degrees_of_freedom():
    assert one("mean", [3, 5, NAN, 9], least=2) == pytest.approx([NAN, 4, 4, 7], nan_ok=True)
    assert one("std", [1, 3, 5], ddof=1) == pytest.approx([NAN, math.sqrt(2), 2], nan_ok=True)


def test_windows_of_time():
    times = [0, 0, 4, 5, 9]
    assert one("mean", [1, 3, 5, 7, 9], 5, times=times) == [1, 2, 3, 6, 8]
    assert one("slope", [1, 3, 5, 7, 9], 5, times=times)[3:] == pytest.approx([2, 0.5])


def test_only_what_windows_may_hold_is_kept():
    moving = reference.MovingMoments(3, False, 1, 0, [0, -1, -1, -1, -1, -1], 1, 0)
    moving.remember(np.arange(8.0)[:, None], None)
    rows, times = np.empty((moving.kept(), 1)), np.empty(moving.kept(), np.int64)
    moving.keep(rows, times)
    assert rows[:, 0].tolist() == [3, 4, 5, 6, 7]  # the block of rows 3..5, and the newer one so far
    timed = reference.MovingMoments(3, True, 1, 0, [0, -1, -1, -1, -1, -1], 1, 0)
    timed.remember(np.arange(8.0)[:, None], np.arange(8) * 2)
    assert timed.kept() == 2
