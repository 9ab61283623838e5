"""UBJSON as XGBoost writes it, read into Python values and arrays."""

from __future__ import annotations

import struct
from typing import Any

from flyball import errors

__all__ = ["read"]

_NUMBERS = {b"U": ">B", b"i": ">b", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_TYPED = {b"U": ">u1", b"i": ">i1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_DEEPEST = 64


def read(data: bytes) -> Any:
    """Return the value of a UBJSON document; typed arrays come as NumPy arrays.

    Nothing is taken on trust: lengths are held against the bytes that are there, and depth has a limit.

    DataError tells the byte at which the document is damaged or cut short. Source: the UBJSON specification,
    draft 12.

    >>> read(b"{i\\x01aU\\x07}")
    {'a': 7}
    """
    reader = _Reader(bytes(data))
    try:
        return reader.value(reader.take(1), 0)
    except (struct.error, UnicodeDecodeError) as error:
        raise errors.DataError(f"model: UBJSON is damaged at byte {reader.at} ({error})") from error


class _Reader:
    """Goes through the bytes once."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise errors.DataError(f"model: UBJSON is cut short or damaged at byte {self.at}")
        self.at += count
        return self.data[self.at - count : self.at]

    def value(self, mark: bytes, depth: int) -> Any:
        if depth > _DEEPEST:
            raise errors.DataError(f"model: UBJSON is nested deeper than {_DEEPEST} at byte {self.at}")
        if mark in _NUMBERS:
            form = _NUMBERS[mark]
            return struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if mark == b"S":
            return self.take(self.length()).decode()
        if mark == b"{":
            return self.object(depth)
        if mark == b"[":
            return self.array(depth)
        if mark in (b"Z", b"T", b"F"):
            return {b"Z": None, b"T": True, b"F": False}[mark]
        raise errors.DataError(f"model: UBJSON has no type {mark!r}, at byte {self.at}")

    def length(self) -> int:
        mark = self.take(1)
        if mark not in (b"U", b"i", b"I", b"l", b"L"):
            raise errors.DataError(f"model: UBJSON has no length at byte {self.at}")
        return int(self.value(mark, 0))

    def object(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        while self.data[self.at : self.at + 1] != b"}":
            name = self.take(self.length()).decode()
            made[name] = self.value(self.take(1), depth + 1)
        self.at += 1
        return made

    def array(self, depth: int) -> Any:
        kind = count = None
        if self.data[self.at : self.at + 1] == b"$":
            self.at += 1
            kind = self.take(1)
        if self.data[self.at : self.at + 1] == b"#":
            self.at += 1
            count = self.length()
        if kind is not None:
            return self.typed(kind, count)
        made = []
        if count is not None:
            if not 0 <= count <= len(self.data):
                raise errors.DataError(f"model: UBJSON is cut short or damaged at byte {self.at}")
            return [self.value(self.take(1), depth + 1) for _ in range(count)]
        while (mark := self.take(1)) != b"]":
            made.append(self.value(mark, depth + 1))
        return made

    def typed(self, kind: bytes, count: int | None) -> Any:
        import numpy as np

        if kind not in _TYPED or count is None or count < 0:
            raise errors.DataError(f"model: UBJSON has no array of {kind!r}, at byte {self.at}")
        dtype = np.dtype(_TYPED[kind])
        return np.frombuffer(self.take(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))
