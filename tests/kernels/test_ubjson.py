"""UBJSON by hand."""

import struct

import pytest

from flyball import errors
from flyball.kernels import ubjson


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"{}", {}),
        (b"[]", []),
        (b"U\xff", 255),
        (b"i\xff", -1),
        (b"I\x01\x00", 256),
        (b"l\xff\xff\xff\xff", -1),
        (b"L" + struct.pack(">q", -(2**40)), -(2**40)),
        (b"d" + struct.pack(">f", 0.5), 0.5),
        (b"D" + struct.pack(">d", 0.1), 0.1),
        (b"SU\x03abc", "abc"),
        (b"[TFZ]", [True, False, None]),
        (b"[#U\x02i\x01i\x02", [1, 2]),
        (b"{U\x01a{U\x01b[U\x01]}}", {"a": {"b": [1]}}),
    ],
)
def test_values(data, want):
    assert ubjson.read(data) == want


def test_typed_arrays():
    assert ubjson.read(b"[$d#U\x02" + struct.pack(">ff", 1.5, -2)).tolist() == [1.5, -2]
    assert ubjson.read(b"[$L#U\x01" + struct.pack(">q", 7)).tolist() == [7]
    assert ubjson.read(b"[$U#U\x00").tolist() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[",
        b"U",
        b"l\x00",
        b"X",
        b"SU\x09abc",
        b"Si\xffabc",
        b"SU\x02\xff\xff",
        b"[$d#L" + struct.pack(">q", 2**60),
        b"[$d#i\xff",
        b"[$d",
        b"[$x#U\x01a",
        b"[#L" + struct.pack(">q", 2**60),
        b"{d\x00\x00\x00\x00",
        b"[" * 100,
        b"{U\x01a" * 100,
    ],
)
def test_damage_is_told(data):
    with pytest.raises(errors.DataError, match="model: UBJSON"):
        ubjson.read(data)
