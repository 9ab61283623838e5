import io
import struct

import numpy as np
import pytest

from flyball import errors
from flyball.data import images


def npy(array, **more):
    sink = io.BytesIO()
    np.save(sink, array, **more)
    return sink.getvalue()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["u1", "<i2", "<f4", "?"])
def test_arrays_come_back_equal(kind, order):
    array = np.asarray(np.arange(12).reshape(3, 4) % 2, dtype=kind, order=order)
    assert np.array_equal(images.decode(npy(array)), array)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (npy(np.zeros((2, 2), np.uint8))[:-1], "incomplete image: 3 of 4 bytes"),
        (npy(np.zeros((2, 2), np.uint8)) + b"x", "incomplete image"),
        (npy(np.array([[None]], dtype=object), allow_pickle=True), "type object"),
        (npy(np.zeros(4, np.uint8)), "two or three dimensions"),
        (b"\x93NUMPY\x01\x00", "damaged"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': (\n\n\n\n\n\n", "damaged"),
        (b"hello", "image"),
    ],
)
def test_what_is_no_image_is_refused(content, what):
    with pytest.raises(errors.DataError, match=what):
        images.decode(content)


def test_a_huge_image_is_refused_before_it_is_decoded():
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    with pytest.raises(errors.DataError, match="pixels"):
        images.decode(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head) + 1) + head + b"\n")


def test_the_digest_is_of_type_shape_and_values():
    one = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert images.digest(one) == images.digest(np.asfortranarray(one))
    others = [one.reshape(3, 2), one.astype(np.int8), one + 1]
    assert len({images.digest(array) for array in [one, *others]}) == 4


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "a").write_bytes(b"a")
    assert (
        images.find("a", inside) == b"a"
        and images.find(b"b", inside) == b"b"
        and images.find(None, inside) is None
    )
    for name in ("../secret", str(tmp_path / "secret"), "link"):
        with pytest.raises(errors.DataError, match="outside"):
            images.find(name, inside)
    with pytest.raises(errors.DataError, match="cannot be read"):
        images.find("gone", inside)
