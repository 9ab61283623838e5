"""Encoded pictures as they came: what their headers tell, judged before anything is decoded.

A picture is walked through by its structure: chunks and their checksums (PNG), segments up to the end marker (JPEG),
the first directory and the places it names (TIFF).  Nothing is unpacked, so a bomb costs no more than its own bytes.
Sources: PNG (ISO/IEC 15948), JPEG (ITU-T T.81, annex B), TIFF revision 6.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from flyball import errors

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
TIFF = (b"II*\0", b"MM\0*")
#: A progressive JPEG of more scans costs time without end.
SCANS = 64


class Picture(NamedTuple):
    """What a header tells: the format, and the size of what it would decode to."""

    form: str
    width: int
    height: int
    channels: int
    bits: int

    @property
    def pixels(self) -> int:
        """Return how many pixels it has."""
        return self.width * self.height

    @property
    def bytes(self) -> int:
        """Return how many bytes it decodes to."""
        return self.pixels * self.channels * -(-self.bits // 8)


def form(content: bytes) -> str:
    """Return "png", "jpeg", "tiff", or "" for anything else.

    >>> form(b"II*\\0..."), form(b"GIF89a")
    ('tiff', '')
    """
    if content.startswith(PNG):
        return "png"
    if content.startswith(JPEG):
        return "jpeg"
    return "tiff" if content[:4] in TIFF else ""


def look(content: bytes) -> Picture:
    """Return what the header of a PNG, JPEG or TIFF tells; raises DataError when it is none or not whole."""
    kind = form(content)
    if not kind:
        raise errors.DataError("no image that can be read: .npy, PNG, JPEG or TIFF expected")
    try:
        found = {"png": _png, "jpeg": _jpeg, "tiff": _tiff}[kind](content)
    except (struct.error, IndexError):
        raise errors.DataError(f"incomplete image: the {kind.upper()} ends within its header") from None
    if found.pixels < 1 or not 1 <= found.channels <= 16 or not 1 <= found.bits <= 64:
        raise errors.DataError(
            f"an image of {found.width} x {found.height} pixels, {found.channels} channels of {found.bits} bits"
        )
    return found


def _png(content: bytes) -> Picture:
    place, picture, data = len(PNG), None, 0
    view = memoryview(content)
    while True:
        size, kind = struct.unpack_from(">I4s", content, place)
        end = place + 12 + size
        if end > len(content):
            raise errors.DataError(
                f"incomplete image: a PNG chunk ends at byte {end} of a file of {len(content)}"
            )
        if zlib.crc32(view[place + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
            raise errors.DataError(
                f"a damaged image: the PNG chunk at byte {place} does not match its checksum"
            )
        if picture is None:
            if kind != b"IHDR" or size != 13:
                raise errors.DataError("a damaged image: the PNG does not begin with its header")
            width, height, bits, colour = struct.unpack_from(">IIBB", content, place + 8)
            channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
            picture = Picture("png", width, height, channels, bits)
        data += size if kind == b"IDAT" else 0
        if kind == b"IEND":
            break
        place = end
    if not data:
        raise errors.DataError("a damaged image: a PNG without data")
    return picture


def _jpeg(content: bytes) -> Picture:
    place, picture = 2, None
    while True:
        if content[place] != 0xFF:
            raise errors.DataError(f"a damaged image: no JPEG marker at byte {place}")
        marker = content[place + 1]
        if marker == 0xFF:  # a marker may be padded
            place += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            place += 2
            continue
        (size,) = struct.unpack_from(">H", content, place + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, height, width, channels = struct.unpack_from(">BHHB", content, place + 4)
            picture = Picture("jpeg", width, height, channels, bits)
        place += 2 + size
        if marker == 0xDA:
            break
        if size < 2 or marker == 0xD9:
            raise errors.DataError("a damaged image: a JPEG without data")
    if picture is None:
        raise errors.DataError("a damaged image: a JPEG without a frame")
    if content.rfind(b"\xff\xd9", place) < 0:
        raise errors.DataError(f"incomplete image: the JPEG of {len(content)} bytes has no end")
    if content.count(b"\xff\xda", place) >= SCANS:
        raise errors.DataError(f"a JPEG of more than {SCANS} scans")
    return picture


#: Sizes of the types that a TIFF field of whole numbers may have: byte, short, long.
_SIZES = {1: 1, 3: 2, 4: 4}
_WIDTH, _HEIGHT, _BITS, _STRIPS, _CHANNELS, _STRIP_SIZES, _TILES, _TILE_SIZES = (
    256, 257, 258, 273, 277, 279, 324, 325,
)  # fmt: skip


def _tiff(content: bytes) -> Picture:
    order = "<" if content[:2] == b"II" else ">"
    (place,) = struct.unpack_from(f"{order}I", content, 4)
    (fields,) = struct.unpack_from(f"{order}H", content, place)
    told: dict[int, tuple[int, ...]] = {}
    for number in range(fields):
        tag, kind, count, _ = struct.unpack_from(f"{order}HHII", content, place + 2 + 12 * number)
        if tag in (_WIDTH, _HEIGHT, _BITS, _STRIPS, _CHANNELS, _STRIP_SIZES, _TILES, _TILE_SIZES):
            told[tag] = _values(content, order, place + 10 + 12 * number, kind, count)
    (following,) = struct.unpack_from(f"{order}I", content, place + 2 + 12 * fields)
    if following:
        raise errors.DataError("a TIFF of several pages: send one image in a file")
    offsets = told.get(_STRIPS) or told.get(_TILES) or ()
    sizes = told.get(_STRIP_SIZES) or told.get(_TILE_SIZES) or ()
    if not offsets or len(offsets) != len(sizes):
        raise errors.DataError("a damaged image: a TIFF without data")
    end = max(offset + size for offset, size in zip(offsets, sizes, strict=True))
    if end > len(content):
        raise errors.DataError(f"incomplete image: TIFF data ends at byte {end} of a file of {len(content)}")
    one = {tag: values[0] for tag, values in told.items() if values}
    return Picture(
        "tiff", one.get(_WIDTH, 0), one.get(_HEIGHT, 0), one.get(_CHANNELS, 1), max(told.get(_BITS) or (1,))
    )


def _values(content: bytes, order: str, place: int, kind: int, count: int) -> tuple[int, ...]:
    letter = {1: "B", 3: "H", 4: "I"}.get(kind)
    if letter is None:
        raise errors.DataError("a damaged image: a TIFF field of a wrong type")
    if _SIZES[kind] * count > 4:
        (place,) = struct.unpack_from(f"{order}I", content, place)
    if place + _SIZES[kind] * count > len(content):
        raise errors.DataError("incomplete image: a TIFF field lies beyond the end of the file")
    found: tuple[int, ...] = struct.unpack_from(f"{order}{count}{letter}", content, place)
    return found
