"""The twin of moving quantiles by figures worked by hand."""

import numpy as np

from flyball.kernels import reference

NAN = np.nan


def moved(values, window, min_count=1, q=None):
    made = reference.moving_quantile(np.array(values), window, min_count, q).tolist()
    return [None if value != value else value for value in made]


def test_the_middle_of_an_odd_count_and_the_mean_of_two():
    assert moved([5.0, 1.0, 9.0, 2.0], 3) == [5, 3, 5, 2]


def test_missing_values_leave_the_count():
    assert moved([NAN, 4.0, NAN, 8.0, NAN, NAN], 3, 1) == [None, 4, 4, 6, 8, 8]
    assert moved([NAN, 4.0, NAN, 8.0, NAN, NAN], 3, 2) == [None, None, None, 6, None, None]


def test_quantiles_between_values():
    assert moved([0.0, 10.0, 20.0], 3, 3, 0.25) == [None, None, 5]
    assert moved([0.0, 10.0, 20.0], 3, 3, 1.0) == [None, None, 20]
    assert moved([0.0, 10.0, 20.0], 2, 1, 0.0) == [0, 0, 10]


def test_one_zero_and_no_overflow():
    made = reference.moving_quantile(np.array([-0.0, -0.0]), 2, 1, None)
    assert not np.signbit(made).any()
    most = np.finfo(np.float64).max
    assert moved([most, most], 2) == [most, most]


def test_infinities_are_values():
    assert moved([np.inf, 1.0, -np.inf, -np.inf], 2) == [np.inf, np.inf, -np.inf, -np.inf]
    assert moved([np.inf, -np.inf], 2) == [np.inf, None]


def test_float32_comes_back():
    assert reference.moving_quantile(np.ones(3, np.float32), 2, 1, 0.5).dtype == np.float32


def test_a_stream_keeps_the_rows_that_the_next_window_needs():
    stream = reference.QuantileStream(np.array([5.0]), window=3, min_count=3, q=0.5, median=True)
    made = np.empty(3)
    assert stream.push(np.array([1.0, 9.0, 2.0]), made)
    assert np.isnan(made[0]) and made[1:].tolist() == [5, 2]
    assert stream.state() == np.array([9.0, 2.0]).tobytes()
    assert not stream.push(np.ones((3, 1)), made) and not stream.push(np.ones(3, np.float32), made)
