import gzip
import pathlib
import tracemalloc

import hypothesis
import hypothesis.strategies as st
import pytest

from flyball.data import arrivals
from flyball.data.formats import raw

GZ = pathlib.Path("a.csv.gz")


def test_plain_content_is_itself():
    assert raw.unpacked(pathlib.Path("a.csv"), b"\x1f\x8b") == (b"\x1f\x8b", "")


@hypothesis.given(st.lists(st.binary(max_size=300), min_size=1, max_size=3))
def test_members_one_after_another_are_one_file(pieces):
    packed = b"".join(gzip.compress(piece) for piece in pieces)
    assert raw.unpacked(GZ, packed) == (b"".join(pieces), "")


def test_a_cut_at_any_byte_keeps_a_true_beginning_and_is_told():
    text = b"".join(b"%d,%d\n" % (i, i * i) for i in range(500))
    packed = gzip.compress(text)
    for cut in range(1, len(packed)):
        found, note = raw.unpacked(GZ, packed[:cut])
        assert text.startswith(found) and f"incomplete at byte {cut}" in note


def test_a_damaged_middle_keeps_what_stands_before_it():
    text = bytes(range(256)) * 40
    packed = bytearray(gzip.compress(text))
    packed[len(packed) // 2] ^= 255
    found, note = raw.unpacked(GZ, bytes(packed))
    assert "incomplete" in note and len(found) <= len(text)


@pytest.mark.parametrize(
    "limits", [arrivals.Limits(file=2**20), arrivals.Limits(ratio=2)], ids=["bytes", "ratio"]
)
def test_a_bomb_is_refused_before_it_is_whole(limits):
    packed = gzip.compress(bytes(2**27))
    tracemalloc.start()
    try:
        with pytest.raises(arrivals.RefusedError, match=r"a\.csv\.gz unpacks to more than"):
            raw.unpacked(GZ, packed, limits)
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()
    assert raw.unpacked(GZ, packed, arrivals.Limits(ratio=2000))[0] == bytes(2**27)


def test_long_lines_are_shortened():
    assert len(raw.shorten("x" * 10**6)) < 2100
