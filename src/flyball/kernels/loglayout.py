"""What a log line is declared to be."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

from flyball import errors

__all__ = [
    "CODE_BYTES",
    "FIELDS",
    "LEVEL_BYTES",
    "MACHINE_BYTES",
    "REASONS",
    "TIMESTAMPS",
    "KeptLine",
    "LogLayout",
]

FIELDS = ("timestamp", "machine", "level", "code", "text", "-")
"""What a field may be; `-` is one that is not looked at."""

TIMESTAMPS = ("iso", "iso space", "epoch s", "epoch ms")
SEPARATORS = (" ", "\t", ",", "|", ";")
CODE_BYTES, MACHINE_BYTES, LEVEL_BYTES = 16, 32, 16
FIELDS_MOST, LEVELS_MOST = 8, 16
LONGEST = 2**24

REASONS = (
    "long line", "missing field", "extra field", "timestamp", "date", "time", "implausible time", "machine",
    "level", "code", "long code", "groups", "cut off",
)  # fmt: skip
"""Why a line is malformed, in the order in which it is judged: the first that applies is told."""


class KeptLine(NamedTuple):
    """A malformed line that was kept: where it begins, the first reason against it, its bytes without a line end."""

    offset: int
    reason: str
    line: bytes


@dataclass(frozen=True, slots=True)
class LogLayout:
    r"""The layout of a log's lines, declared once and held for every line.

    Why declared: a log that changes its layout then shows as malformed lines with a reason, not as an empty chart.

    `fields` in order, from "timestamp", "machine", "level", "code", "text" and "-" (a field that is not looked
    at), at most eight. A timestamp and a code are needed; a text stands last, takes the rest of the line with
    all its separators, and may hold anything, NUL and bytes that are no UTF-8 included. `separator` is one of
    space, tab, comma, `|` and `;`; two in a row hold an empty field, or count as one where `runs` is set, as in
    logs that pad their levels to one width. A line never begins with one.

    `timestamp` is one of
    "iso" (2026-03-01T12:34:56, then maybe a fraction of one to nine digits behind `.` or `,`, then maybe `Z` or
    an offset +02:00, +0200 or +02; without one it is taken as UTC), "iso space" (the same with a space for the
    T), "epoch s" and "epoch ms" (digits, maybe a fraction). Years 1 to 9999.
    `since` and `until` are microseconds since 1970-01-01 UTC: a time before the one, or not before the other, is
    implausible.

    A machine is 1 to 32 printable ASCII bytes, a level one of `levels` (up to 16, each up to 16 bytes), a code
    1 to 16 printable ASCII bytes of the shape `code`: `A` stands for one or more capital letters, `9` for one or
    more digits, all else for itself, and an empty shape takes any. Lines longer than `longest` bytes are
    malformed, so that no input can make a scan hold more.

    ValueError names the field that is wrong.

    >>> LogLayout(separator="|", timestamp="iso space", code="E-9").fields
    ('timestamp', 'machine', 'level', 'code', 'text')
    >>> LogLayout(fields=("timestamp", "text"))
    Traceback (most recent call last):
    ValueError: fields: there is no 'code', and lines are counted by code and hour
    """

    fields: tuple[str, ...] = ("timestamp", "machine", "level", "code", "text")
    separator: str = " "
    timestamp: str = "iso"
    levels: tuple[str, ...] = ("DEBUG", "INFO", "WARN", "ERROR")
    code: str = ""
    since: int | None = None
    until: int | None = None
    longest: int = 65536
    runs: bool = False

    def __post_init__(self) -> None:
        for name in ("fields", "levels"):
            given = getattr(self, name)
            if isinstance(given, str) or not all(isinstance(one, str) for one in given):
                raise ValueError(f"{name}: give a tuple of names, not {given!r}")
            object.__setattr__(self, name, tuple(given))
        _check_fields(self.fields)
        _check_word("separator", self.separator, SEPARATORS)
        if not isinstance(self.runs, bool):
            raise ValueError(
                f"runs: {self.runs!r} is neither True (separators in a row count as one) nor False"
            )
        _check_word("timestamp", self.timestamp, TIMESTAMPS)
        _check_levels(self.levels if "level" in self.fields else (), self.separator)
        _check_shape(self.code, self.separator)
        _check_range(self.since, self.until)
        if not _whole(self.longest) or not 64 <= self.longest <= LONGEST:
            raise ValueError(
                f"longest: {self.longest!r} is outside 64..{LONGEST}, the bytes that a line may have"
            )

    def place(self, field: str) -> int:
        """Return which field it is, counted from 0, or -1 where the layout has none.

        >>> LogLayout().place("code")
        3
        """
        return self.fields.index(field) if field in self.fields else -1


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_word(name: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise ValueError(f"{name}: {word!r} is none of {', '.join(map(repr, known))}")


def _check_fields(fields: tuple[str, ...]) -> None:
    for field in fields:
        if field not in FIELDS:
            raise ValueError(f"fields: no field {field!r}, {errors.did_you_mean(field, FIELDS)}")
        if field != "-" and fields.count(field) > 1:
            raise ValueError(f"fields: {field!r} is there twice, name what is not needed '-'")
    for field in ("timestamp", "code"):
        if field not in fields:
            raise ValueError(f"fields: there is no {field!r}, and lines are counted by code and hour")
    if "text" in fields[:-1]:
        raise ValueError("fields: 'text' takes the rest of the line, so it must be the last")
    if len(fields) > FIELDS_MOST:
        raise ValueError(
            f"fields: {len(fields)} of them, at most {FIELDS_MOST}; what follows can be the 'text'"
        )


def _check_levels(levels: tuple[str, ...], separator: str) -> None:
    if len(levels) > LEVELS_MOST:
        raise ValueError(f"levels: {len(levels)} of them, at most {LEVELS_MOST}")
    for level in levels:
        if not 1 <= len(level) <= LEVEL_BYTES or not _printable(level, separator):
            raise ValueError(
                f"levels: {level!r} is not 1 to {LEVEL_BYTES} printable ASCII bytes, no separator among them"
            )
        if levels.count(level) > 1:
            raise ValueError(f"levels: {level!r} is there twice")


def _check_shape(shape: str, separator: str) -> None:
    if not isinstance(shape, str) or len(shape) > CODE_BYTES or not _printable(shape, separator):
        raise ValueError(
            f"code: {shape!r} is not a shape of up to {CODE_BYTES} printable ASCII bytes, as 'A-9'"
        )
    for one, following in itertools.pairwise(shape):
        if (one == "A" and following.isupper()) or (one == "9" and following.isdigit()):
            raise ValueError(
                f"code: in {shape!r}, {one!r} takes what {following!r} stands for, put something between"
            )


def _check_range(since: int | None, until: int | None) -> None:
    for name, value in (("since", since), ("until", until)):
        if value is not None and not (_whole(value) and abs(value) < 2**62):
            raise ValueError(f"{name}: {value!r} is no whole number of microseconds since 1970-01-01")
    if since is not None and until is not None and since >= until:
        raise ValueError(f"until: {until} is not after since, {since}: no time would be plausible")


def _printable(word: str, separator: str) -> bool:
    return word.isascii() and word.isprintable() and " " not in word and separator not in word
