import contextlib
import io
import struct
import zlib

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image

from flyball import errors
from flyball.data import pictures

IMAGE = np.random.default_rng(0).integers(0, 255, (24, 40)).astype(np.uint8)


def saved(array, kind, **more):
    sink = io.BytesIO()
    Image.fromarray(array).save(sink, kind, **more)
    return sink.getvalue()


FILES = {
    "png": saved(IMAGE, "PNG"),
    "jpeg": saved(IMAGE, "JPEG"),
    "progressive": saved(np.stack([IMAGE] * 3, axis=2), "JPEG", progressive=True),
    "tiff": saved(IMAGE, "TIFF"),
    "tiff lzw": saved(np.stack([IMAGE] * 3, axis=2), "TIFF", compression="tiff_lzw"),
    "png 16": saved(IMAGE.astype(np.uint16) * 200, "PNG"),
    "tiff 16": saved(IMAGE.astype(np.uint16) * 200, "TIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_header_tells_the_size(name):
    found = pictures.look(FILES[name])
    assert (found.form, found.width, found.height) == (name.split()[0].replace("progressive", "jpeg"), 40, 24)
    assert found.channels == (3 if name in ("progressive", "tiff lzw") else 1)
    assert found.bits == (16 if "16" in name else 8)
    assert found.bytes == 24 * 40 * found.channels * found.bits // 8


@pytest.mark.parametrize("name", FILES)
def test_a_cut_anywhere_is_noticed(name):
    content = FILES[name]
    # What a TIFF holds behind its data may be tags that nobody reads.
    for end in [*range(0, len(content) - 30, 7), *range(max(0, len(content) - 30), len(content))]:
        try:
            found = pictures.look(content[:end])
        except errors.DataError:
            continue
        assert name.startswith("tiff") and found == pictures.look(content), end


@hypothesis.given(st.sampled_from(sorted(FILES)), st.data())
@hypothesis.settings(max_examples=300, deadline=None)
def test_no_bytes_bring_a_traceback(name, data):
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content) - 1, 400)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(errors.DataError):
        pictures.look(bytes(content))


def test_a_flipped_bit_in_a_png_is_noticed():
    content = FILES["png"]
    for where in range(len(content) - 12):
        with pytest.raises(errors.DataError):
            pictures.look(content[:where] + bytes([content[where] ^ 1]) + content[where + 1 :])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_what_is_told_and_not_there_is_refused():
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0))
    none = chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 9, 8, 0, 0, 0, 0))
    end = chunk(b"IEND", b"")
    for content, what in (
        (pictures.PNG + head + end, "without data"),
        (pictures.PNG + chunk(b"IDAT", b"x") + end, "does not begin"),
        (
            pictures.PNG + none + chunk(b"IDAT", b"x") + end,
            "0 x 9",
        ),
        (b"\xff\xd8\xff\xd9", "within its header"),
        (b"\xff\xd8\xff\xd9\0\2", "without data"),
        (b"GIF89a", "expected"),
        (b"", "expected"),
    ):
        with pytest.raises(errors.DataError, match=what):
            pictures.look(content)


def test_endless_scans_and_pages_are_refused():
    content = FILES["progressive"]
    with pytest.raises(errors.DataError, match="scans"):
        pictures.look(content[:-2] + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" * pictures.SCANS + b"\xff\xd9")
    sink = io.BytesIO()
    one = Image.fromarray(IMAGE)
    one.save(sink, "TIFF", save_all=True, append_images=[one])
    with pytest.raises(errors.DataError, match="several pages"):
        pictures.look(sink.getvalue())
