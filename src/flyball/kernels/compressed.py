"""Compressed input as a stream of plain pieces, with bounded memory, and a word on where it broke off."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from flyball import extras

__all__ = ["KINDS", "Plain", "kind_of"]

KINDS = ("plain", "gz", "zst")

PIECE = 512
"""Compressed bytes unpacked at a time: they make half a MiB of gz at most, and 16 MiB of zst."""

WINDOW = 2**27
"""How far back a zst may reach, and so what its reader holds: 128 MiB, which is what zstd allows by default."""


def kind_of(head: bytes) -> str:
    """Return what the first four bytes say: "gz", "zst" or "plain".

    >>> kind_of(bytes.fromhex("1f8b0800")), kind_of(b"2026")
    ('gz', 'plain')
    """
    if head[:2] == b"\x1f\x8b":
        return "gz"
    # RFC 8878: a frame, or a skippable one, as parallel compressors write it first.
    skippable = len(head) >= 4 and head[0] & 0xF0 == 0x50 and head[1:4] == b"\x2a\x4d\x18"
    return "zst" if head[:4] == b"\x28\xb5\x2f\xfd" or skippable else "plain"


class Plain:
    """Iterates over the plain bytes of compressed chunks; `incomplete` then says what is missing, or nothing.

    Compressed bytes are taken 512 at a time, on a grid that does not depend on the chunks: a damaged piece is
    given up as a whole, all before it is given out. `budget` bounds the plain bytes, so that a small file that
    unpacks without end is told, not followed. Frames (zst) and members (gz) may follow one another.

    >>> import gzip
    >>> plain = Plain([gzip.compress(b"a line" * 99)[:-4]], "gz", budget=1000)
    >>> b"".join(plain) == b"a line" * 99, plain.incomplete
    (True, 'incomplete at byte 28: the gz ends early')

    Sources: RFC 1952 (gzip), RFC 8878 (Zstandard).
    """

    def __init__(self, chunks: Iterable[Any], kind: str, budget: int) -> None:
        self._chunks, self._kind, self._budget = chunks, kind, budget
        if kind == "zst":
            self._library: Any = extras.need("zstandard", "lab", "to read zst")
            self._damage: type[Exception] = self._library.ZstdError
        else:
            self._library, self._damage = zlib, zlib.error
        self.incomplete = ""

    def __iter__(self) -> Iterator[bytes]:
        """Unpack piece by piece."""
        unpacker, at, given = self._unpacker(), 0, 0
        begun = False  # whether the unpacker is within a frame
        for piece in _grid(self._chunks):
            rest = piece
            while rest:
                if not begun and self._kind == "gz" and not rest.strip(b"\0"):
                    break  # zeros behind a gz are padding, as tape drives leave it
                try:
                    plain = unpacker.decompress(rest)
                except self._damage as error:
                    self.incomplete = f"incomplete at byte {at}: the {self._kind} is damaged ({error})"
                    return
                begun, rest = not unpacker.eof, unpacker.unused_data if unpacker.eof else b""
                if unpacker.eof:
                    unpacker = self._unpacker()
                if given + len(plain) > self._budget:
                    yield plain[: self._budget - given]
                    self.incomplete = (
                        f"incomplete at byte {at}: more than the budget of {self._budget} plain bytes"
                    )
                    return
                given += len(plain)
                yield plain
            at += len(piece)
        if begun:
            self.incomplete = f"incomplete at byte {at}: the {self._kind} ends early"

    def _unpacker(self) -> Any:
        if self._kind == "zst":
            return self._library.ZstdDecompressor(max_window_size=WINDOW).decompressobj()
        return zlib.decompressobj(wbits=31)


def _grid(chunks: Iterable[Any]) -> Iterator[bytes]:
    """Give the same bytes as pieces of one size, the last one shorter."""
    held = b""
    for chunk in chunks:
        view = memoryview(chunk)
        if held:
            taken = view[: PIECE - len(held)]
            held, view = held + taken, view[len(taken) :]
            if len(held) < PIECE:
                continue
            yield held
        whole = len(view) - len(view) % PIECE
        for at in range(0, whole, PIECE):
            yield bytes(view[at : at + PIECE])
        held = bytes(view[whole:])
    if held:
        yield held
