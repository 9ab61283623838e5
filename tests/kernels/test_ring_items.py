"""What goes into a ring and what is refused: nothing changes on its way."""

import numpy as np
import pytest
from tests.kernels.rings import STRUCT

from flyball import errors
from flyball.kernels import backend, ring_items
from flyball.kernels.ring import RingReader, RingWriter


@pytest.fixture(params=backend.available())
def path(request):
    """Every path, the twin too: they promise the same."""
    with backend.using(request.param):
        yield request.param


@pytest.mark.parametrize(
    ("kind", "channels", "good", "bad"),
    [
        ("f8", 1, [1.5, 2, np.float64(3), [1.0, 2.0], np.arange(3.0)[::2]], [np.arange(3), "1", None, 1j]),
        ("f8", 1, [np.ones(0), np.float32(0.5)], [np.ones((2, 1)), object(), [[1.0]], np.ones(2, ">f8")]),
        ("f4", 1, [1.5, np.float32(2)], [np.ones(2)]),
        ("i2", 1, [3, np.int16(4), [1, 2]], [1.5, 70000, [1.5], np.arange(2), b"ab", -40000]),
        ("f8", 2, [[1.0, 2.0], np.ones((3, 2)), np.ones(2)], [1.0, np.ones((2, 3)), np.ones(3), np.ones((1, 1, 2))]),
        (STRUCT, 1, [(1, (1, 2, 3), True), np.zeros(2, STRUCT), np.zeros(2, STRUCT)[0]], [1.5, "x", np.zeros(2)]),
        ("M8[us]", 1, [np.datetime64("2026-01-01", "us"), np.zeros(3, "M8[us]")], [np.zeros(2, "M8[ns]"), 1.5]),
    ],
)  # fmt: skip
def test_push_takes_what_is_the_rings_and_refuses_the_rest(path, name, kind, channels, good, bad):
    with (
        RingWriter(name, kind, 8192, channels=channels) as writer,
        RingReader(name, kind, channels) as reader,
    ):
        for what in good:
            writer.push(what)
            view = reader.take(100, wait=0)
            expected = np.asarray(what, writer.dtype)
            assert view.tobytes() == expected.tobytes()
            assert not len(view) or reader.release()
        for what in bad:
            with pytest.raises(ValueError, match="push: "):
                writer.push(what)
        assert writer.sequence == reader.sequence


def test_polars_columns_go_in(path, name):
    polars = pytest.importorskip("polars")
    with RingWriter(name, "f8", 1024) as writer, RingReader(name) as reader:
        writer.push(polars.Series([1.0, 2.0]))
        assert reader.take(9).tolist() == [1, 2]


@pytest.mark.parametrize("kind", ["f8", "<i2", "?", "S5", "U3", "M8[us]", STRUCT, np.dtype(("f4", 3)).base])
def test_a_dtype_written_down_is_understood(kind):
    made, described = ring_items.described(kind)
    assert ring_items.understood("ring", described, made.itemsize * 2, 2) == made


@pytest.mark.parametrize(
    ("described", "told"),
    [
        ("", "none that NumPy knows"),
        ("f9", "none that NumPy knows"),
        ("[('a', ", "none that NumPy knows"),
        ("[__import__('os')]", "none that NumPy knows"),
        ("[" * 5000, "none that NumPy knows"),
        ("O", "items have 8 bytes"),
        ("f4", "items have 8 bytes, which are not 1 x float32"),
    ],
)
def test_a_dtype_that_another_program_wrote_is_not_trusted(described, told):
    with pytest.raises(errors.RingError, match=told):
        ring_items.understood("ring", described, 8, 1)


@pytest.mark.parametrize("kind", ["O", None, "f9", "U0", ("f4", 3), [("a", "O")]])
def test_a_dtype_of_no_fixed_size_is_refused(kind):
    with pytest.raises(ValueError, match="dtype: "):
        ring_items.described(kind)
