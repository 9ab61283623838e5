"""The plain twin of find_peaks, by hand."""

import numpy as np

from flyball.kernels import reference
from flyball.kernels.peaks import Rules

#                   0    1    2    3    4    5    6    7    8    9
VALUES = np.array([1.0, 4.0, 2.0, 3.0, 3.0, 0.0, 6.0, 5.0, 5.5, 2.0])


def test_places_are_the_middles_rounded_down():
    places, told = reference.find_peaks(VALUES, Rules(plateau_size=(None, None)))
    assert places.tolist() == [1, 3, 6, 8]
    assert told["plateau_sizes"].tolist() == [1, 2, 1, 1]
    assert (told["left_edges"].tolist(), told["right_edges"].tolist()) == ([1, 3, 6, 8], [1, 4, 6, 8])


def test_the_highest_takes_its_neighbours():
    assert reference.find_peaks(VALUES, Rules(distance=3))[0].tolist() == [1, 6]
    assert reference.find_peaks(VALUES, Rules(distance=6))[0].tolist() == [6]


def test_prominence_and_width():
    places, told = reference.find_peaks(VALUES, Rules(prominence=(2.0, None), width=(None, None)))
    # 4 falls to 1 on the left and to 0 before the higher 6; 3 falls to 2 on the left, 6 to 0 on the left.
    assert places.tolist() == [1, 6]
    assert told["prominences"].tolist() == [3.0, 4.0]
    assert (told["left_bases"].tolist(), told["right_bases"].tolist()) == ([0, 5], [5, 9])
    assert told["width_heights"].tolist() == [2.5, 4.0]
    assert told["left_ips"].tolist() == [0.5, 5 + 4 / 6]
    assert told["right_ips"].tolist() == [1.75, 9 - 2 / 3.5]


def test_a_window_bounds_the_prominence():
    assert reference.find_peaks(VALUES, Rules(prominence=(None, None), half=1))[1]["prominences"].tolist() == [
        2.0, 0.0, 1.0, 0.5,
    ]  # fmt: skip


def test_thresholds_and_heights():
    places, told = reference.find_peaks(VALUES, Rules(threshold=(0.5, 4.0), height=(None, 6.0)))
    assert places.tolist() == [1, 8]
    assert told["left_thresholds"].tolist() == [3.0, 0.5]
    assert told["right_thresholds"].tolist() == [2.0, 3.5]
    assert told["peak_heights"].tolist() == [4.0, 5.5]


def test_missing_values_are_no_peak_and_stop_a_walk():
    values = np.array([0.0, np.nan, 1.0, 2.0, 1.0, np.nan, 0.0])
    places, told = reference.find_peaks(values, Rules(prominence=(None, None)))
    assert (places.tolist(), told["prominences"].tolist()) == ([3], [1.0])
