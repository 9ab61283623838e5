import io
import struct

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import zstandard
from PIL import Image

from flyball import errors
from flyball.data import lossless

KINDS = st.sampled_from(["|u1", "<u2", ">u2", "<i4", "<f4", ">f8", "|b1"])
SHAPES = st.one_of(
    st.tuples(st.integers(0, 9), st.integers(0, 40)),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
)


@hypothesis.given(KINDS.flatmap(lambda kind: hnp.arrays(np.dtype(kind), SHAPES)))
@hypothesis.settings(max_examples=150, deadline=None)
def test_every_bit_comes_back(array):
    found = lossless.unpack(lossless.pack(array))
    assert found.dtype == array.dtype and found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=150, deadline=None)
def test_whatever_is_changed_it_is_refused_or_the_same_size(data):
    array = np.arange(400, dtype=np.uint8).reshape(20, 20)
    content = bytearray(lossless.pack(array))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(content)))
    for hostile in (bytes(content), bytes(content[:cut])):
        try:
            found = lossless.unpack(hostile)
        except errors.DataError:
            continue
        assert found.nbytes == lossless.look(hostile).bytes


@pytest.mark.parametrize("shape", [(300, 300), (301, 301), (299, 80)])
def test_loud_noise_is_kept_in_halves_and_comes_back(shape):
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(128, 20, shape), 0, 255).astype(np.uint8)
    content = lossless.pack(image)
    assert lossless.look(content).halved and np.array_equal(lossless.unpack(content), image)
    for end in (31, 40, lossless.HEAD.size + lossless.look(content).half, len(content) - 1):
        with pytest.raises(errors.DataError):
            lossless.unpack(content[:end])
    # What comes again and again packs far better whole.
    again = np.tile(rng.integers(0, 256, (16, 64)).astype(np.uint8), (20, 5))
    assert not lossless.look(lossless.pack(again)).halved
    assert len(lossless.pack(again)) < 0.1 * again.size


def test_no_more_is_unpacked_than_the_header_says():
    bomb = zstandard.ZstdCompressor(level=1).compress(bytes(2**26))
    head = lossless.HEAD.pack(lossless.MAGIC, 1, 0, 2, 0, b"|u1", 8, 8, 0, 0)
    with pytest.raises(errors.DataError, match="not of the size"):
        lossless.unpack(head + bomb)
    stream = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(bytes(64))
    with pytest.raises(errors.DataError, match="not of the size"):
        lossless.unpack(head + stream)


def test_the_header_is_as_documented():
    content = lossless.pack(np.tile(np.arange(50, dtype="<u2") * 900, (60, 1)))
    magic, version, rule, dimensions, zero = struct.unpack_from("<8sBBBB", content)
    assert (magic, version, dimensions, zero) == (b"FLYFRAME", 1, 2, 0) and rule == 1
    assert content[12:16] == b"<u2\0" and struct.unpack_from("<4I", content, 16) == (60, 50, 0, 0)
    assert content[32:36] == b"\x28\xb5\x2f\xfd"


@pytest.mark.parametrize("kind", ["lines", "texture", "colour"])
def test_it_is_about_as_small_as_png(kind):
    rng = np.random.default_rng(0)
    base = np.tile(90 + 60 * (np.arange(512) // 16 % 2), (512, 1)).astype(float)
    if kind != "lines":
        base = 128 + 60 * np.sin(np.hypot(*np.mgrid[0:512, 0:512]) / 9)
    image = np.clip(base + rng.normal(0, 5, base.shape), 0, 255).astype(np.uint8)
    if kind == "colour":
        image = np.stack([image, image // 2, 255 - image], axis=2)
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "PNG")
    limit = 1.15 if kind != "colour" else 1.5
    assert len(lossless.pack(image)) <= limit * len(sink.getvalue())


def test_what_is_no_image_is_refused():
    for array in (
        np.zeros(4),
        np.zeros((1, 1, 1, 1)),
        np.array([[None]], dtype=object),
        np.zeros((2, 2), "M8[s]"),
    ):
        with pytest.raises(errors.DataError, match="expected"):
            lossless.pack(array)
