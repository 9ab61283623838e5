"""Bad input gets a ValueError that names the argument."""

import numpy as np
import pytest

from flyball import kernels
from flyball.kernels import checks

VALUES, LO, HI = np.ones(5), np.array([0, 2]), np.array([3, 5])


def wrong(call, *names):
    """The message of the ValueError, which starts with the argument's name."""
    with pytest.raises(ValueError) as caught:
        call()
    assert str(caught.value).partition(":")[0] in names
    return str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0],
        np.ones(5, int),
        np.ones((5, 1)),
        np.array(1.0),
        np.array(["a"] * 5),
        None,
    ],
    ids=lambda values: (
        f"{type(values).__name__} {getattr(values, 'dtype', '')}{getattr(values, 'shape', '')}"
    ),
)
def test_values(values):
    wrong(lambda: kernels.windows(values, LO, HI, ("mean",)), "values")


@pytest.mark.parametrize(
    ("lo", "hi", "named"),
    [
        (LO.astype(np.int32), HI, "lo"),
        (LO, HI.astype(float), "hi"),
        (LO.tolist(), HI, "lo"),
        (LO, HI[:1], "hi"),
        (LO[:, None], HI, "lo"),
        (np.array([-1, 0]), HI, "lo"),
        (LO, np.array([3, 6]), "hi"),
        (np.array([0, 4]), np.array([3, 3]), "lo"),
        (np.array([0, np.iinfo(np.int64).max]), HI, "lo"),
        (np.array([np.iinfo(np.int64).min, 0]), HI, "lo"),
    ],
)
def test_bounds(lo, hi, named):
    wrong(lambda: kernels.windows(VALUES, lo, hi, ("mean",)), named)


def test_the_message_says_which_window():
    assert "window 1 begins at 4" in wrong(
        lambda: kernels.windows(VALUES, np.array([0, 4]), np.array([3, 3]), ("mean",)), "lo"
    )


@pytest.mark.parametrize("by", ["mean", ("average",), ("mean", "mean"), (None,)])
def test_by(by):
    wrong(lambda: kernels.windows(VALUES, LO, HI, by), "by")


def test_by_suggests():
    assert "did you mean 'median'?" in wrong(lambda: kernels.windows(VALUES, LO, HI, ("medain",)), "by")


@pytest.mark.parametrize(
    "times",
    [
        np.arange(4),
        np.arange(5, dtype=np.int32),
        np.zeros((5, 1)),
        np.array([0.0, 1.0, np.nan, 3.0, 4.0]),
        np.array([0.0, 1.0, np.inf, 3.0, 4.0]),
        np.array([0, 1, 2, 3, 2**60]),
        [0, 1, 2, 3, 4],
    ],
)
def test_times(times):
    wrong(lambda: kernels.windows(VALUES, LO, HI, ("slope",), times), "times")


TIMES, STARTS, MOMENTS, SEGMENTS = (
    np.array([1, 5, 2]),
    np.array([0, 2, 3]),
    np.array([4, 4]),
    np.array([0, 1]),
)


@pytest.mark.parametrize(
    ("named", "changed"),
    [
        ("times", {"times": np.array([5, 1, 2])}),
        ("times", {"times": TIMES.astype(float)}),
        ("starts", {"starts": np.array([0, 2])}),
        ("starts", {"starts": np.array([1, 3])}),
        ("starts", {"starts": np.array([0, 3, 2, 3])}),
        ("starts", {"starts": np.array([], np.int64)}),
        ("moments", {"moments": np.array([4.0, 4.0])}),
        ("segments", {"segments": np.array([0])}),
        ("segments", {"segments": np.array([0, 2])}),
        ("segments", {"segments": np.array([-1, 0])}),
    ],
)
def test_asof(named, changed):
    good = {"times": TIMES, "starts": STARTS, "moments": MOMENTS, "segments": SEGMENTS}
    assert kernels.asof(**good).tolist() == [0, 2]
    wrong(lambda: kernels.asof(**(good | changed)), named)


def test_arrays_are_taken_as_they_lie_where_that_can_be():
    kept = np.arange(12.0).reshape(4, 3)[::-2, 1:]
    assert checks.floating("values", kept) is kept or np.shares_memory(checks.floating("values", kept), kept)
    swapped = checks.floating("values", np.arange(3.0).astype(">f4"))
    assert (swapped.dtype, swapped.tolist()) == (np.float32, [0, 1, 2])
    between = np.array([(1, 2.0), (3, 4.0)], np.dtype([("a", "i1"), ("b", "f8")]))["b"]
    assert checks.floating("values", between).flags.aligned
    assert checks.floating("values", between).tolist() == [2, 4]


def test_polars_columns_are_taken_without_a_copy_unless_nulls_are_there():
    polars = pytest.importorskip("polars")
    column = polars.Series([1.0, 2.0, 3.0])
    assert np.shares_memory(checks.floating("values", column), column.to_numpy())
    assert np.isnan(checks.floating("values", polars.Series([1.0, None]))).tolist() == [False, True]
    with pytest.raises(ValueError, match="values: needs a float64 or float32 array"):
        checks.floating("values", polars.Series(["a"]))


def test_shapes():
    one, two = np.ones(4), np.ones((4, 3))
    assert checks.table("values", one).shape == (4, 1)
    assert checks.row("row", np.ones((3, 2))[:, 0], 3).flags.c_contiguous
    wrong(lambda: checks.samples("values", np.ones((1, 1, 1))), "values")
    wrong(lambda: checks.table("values", two, 2), "values")
    wrong(lambda: checks.matrix("rows", one, 3), "rows")
    wrong(lambda: checks.matrix("rows", two, 4), "rows")
    wrong(lambda: checks.row("row", two, 3), "row")
    assert "whole number" in wrong(lambda: checks.whole("window", 1.5, 1, 9), "window")
    assert "outside 1..9" in wrong(lambda: checks.whole("window", 0, 1, 9), "window")
