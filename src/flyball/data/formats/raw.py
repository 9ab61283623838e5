"""What a reader hands over: cells as the file has them, the lines that are no rows, and what was cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball.data.arrivals import FREE, Limits, RefusedError

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Ints

PLAIN = Limits()
#: A file is unpacked in pieces of at most so many bytes, so that a bomb is noticed while it is small.
PIECE = 2**22
#: At most this much of a bad line is kept.
KEPT_TEXT = 2_000


class Bad(NamedTuple):
    """A line that is quarantined: its number in the file (from 1; 0 for the file as a whole), why, and its text."""

    line: int
    reason: str
    text: str


@dataclass(eq=False)
class Raw:
    """One file, read but not judged: a frame of cells by the file's own column names.

    `lines` (n,) is the number of every row's line in the file; `note` says what was cut off, if anything was.
    """

    frame: pl.DataFrame
    lines: Ints
    bad: list[Bad] = field(default_factory=list)
    note: str = ""


def nothing(bad: list[Bad], note: str) -> Raw:
    """Return a file of which no row could be read."""
    import numpy as np
    import polars as pl

    return Raw(pl.DataFrame(), np.empty(0, np.int64), bad, note)


def unpacked(path: Path, content: bytes, limits: Limits = PLAIN) -> tuple[bytes, str]:
    """Return a file's content unpacked when it is gzip, and a note when it ends too early.

    What stands before a cut is kept.  Where a checksum or the code of a member is wrong nothing of that member is: a
    bit that flipped gives other values, not an error, until the checksum at the end.  Source of the format: RFC 1952,
    members one after another.
    Raises RefusedError for one that unpacks to more than the limits say (a bomb, or a mistake).
    """
    import zlib

    if path.suffix.lower() != ".gz":
        return content, ""
    pieces: list[bytes] = []
    size = place = 0
    view = memoryview(content)
    while place < len(content):
        inflate = zlib.decompressobj(wbits=31)
        begun, before, piece = place, len(pieces), b""
        # A full piece may leave more behind of what is read already.
        while (place < len(content) or len(piece) == PIECE) and not inflate.eof:
            chunk = view[place : place + 2**20]
            try:
                piece = inflate.decompress(chunk, PIECE)
            except zlib.error:
                note = f"incomplete at byte {begun} (damaged gzip: nothing from there on can be trusted, send it again)"
                return b"".join(pieces[:before]), note
            size += len(piece)
            if size > min(limits.file, max(FREE, limits.ratio * len(content))):
                told = f"unpacks to more than {limits.file} bytes or {limits.ratio} times its {len(content)}"
                raise RefusedError(f"{path.name} {told}: send it in pieces")
            pieces.append(piece)
            place += len(chunk) - len(inflate.unused_data) - len(inflate.unconsumed_tail)
        if not inflate.eof:
            return b"".join(pieces), f"incomplete at byte {place} (the gzip stream ends too early)"
        if not any(view[place:]):  # padding with zeros is allowed after the last member
            break
    return b"".join(pieces), ""


def shorten(text: str) -> str:
    """Return as much of a bad line as is kept."""
    return text if len(text) <= KEPT_TEXT else f"{text[:KEPT_TEXT]}... ({len(text)} characters)"
