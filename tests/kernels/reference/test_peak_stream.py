"""The plain twin of the peak stream, by hand."""

import pytest

from flyball.kernels import reference
from flyball.kernels.peaks import Rules


def short(records):
    """Place, when it was told, what was open."""
    return [(record["peak"], record["seen"], record["open"]) for record in records]


def test_told_when_the_run_at_the_distance_has_ended():
    stream = reference.PeakStream(Rules(distance=3), 4)
    assert short(stream.push([0.0, 2.0, 1.0, 1.0, 1.0])) == []
    assert short(stream.push([0.0])) == [(1, 5, 0)]


def test_what_the_delay_cuts_is_told_as_open():
    stream = reference.PeakStream(Rules(distance=3), 2)
    assert short(stream.push([0.0, 2.0, 1.0, 3.0, 0.0, 0.0, 0.0])) == [(1, 3, 1), (3, 5, 1)]


def test_equal_peaks_are_both_told_and_take_what_both_reach():
    stream = reference.PeakStream(Rules(distance=5), 20)
    told = stream.push([0.0, 3.0, 0.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert short([*told, *stream.finish()]) == [(1, 12, 2), (5, 12, 2)]


def test_a_prominence_closes_at_a_higher_sample_or_the_window():
    stream = reference.PeakStream(Rules(prominence=(None, None)), 4)
    told = stream.push([0.0, 2.0, 1.0, 3.0, 0.0, 1.0, 0.0, 0.0])
    assert [(*row, record["prominences"]) for row, record in zip(short(told), told, strict=True)] == [
        (1, 3, 0, 1.0), (3, 7, 4, 3.0),
    ]  # fmt: skip
    window = reference.PeakStream(Rules(prominence=(None, None), half=2), 4)
    assert short(window.push([0.0, 2.0, 1.0, 0.0])) == [(1, 3, 0)]


def test_a_run_longer_than_the_delay():
    stream = reference.PeakStream(Rules(), 2)
    assert short(stream.push([0.0, *[1.0] * 9, 0.0])) == [(5, 10, 16)]


def test_finished_once():
    stream = reference.PeakStream(Rules(), 2)
    stream.finish()
    with pytest.raises(ValueError, match="finished"):
        stream.push([0.0])
