"""The plain twin of the log scan: split, match and count, a line at a time."""

from __future__ import annotations

import array
import datetime
import re
from collections import Counter
from typing import Any

__all__ = ["LogScan"]

REASONS = 14
(
    LONG_LINE,
    MISSING,
    EXTRA,
    TIMESTAMP,
    DATE,
    TIME,
    IMPLAUSIBLE,
    MACHINE,
    LEVEL,
    CODE,
    LONG_CODE,
    GROUPS,
    CUT_OFF,
) = range(1, REASONS)
DATE_AND_TIME = rb"([0-9]{4})-([0-9]{2})-([0-9]{2})%b([0-9]{2}):([0-9]{2}):([0-9]{2})"
FRACTION = rb"(?:[.,]([0-9]{1,9}))?"
ZONE = rb"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
ISO = DATE_AND_TIME + FRACTION + ZONE
EPOCH = rb"([0-9]{1,16})" + FRACTION
PRINTABLE = rb"[!-~]+"
UNIX = datetime.date(1970, 1, 1).toordinal()
LAST_SECOND = 253_402_300_799


class LogScan:
    """What `flyball.kernels.LogScan` means, with the same doors as the C++ one."""

    def __init__(
        self, places: list[int], text: bool, separator: bytes, runs: bool, clock: int, levels: list[bytes],
        shape: bytes, since: int, until: int, longest: int, by: list[bool], chosen: int, keep: int, groups: int,
    ) -> None:  # fmt: skip
        self.columns, self.timestamp, self.machine, self.level, self.code = places
        self.has_text, self.separator, self.clock, self.levels = text, separator, clock, list(levels)
        taken = {b"A": b"[A-Z]+", b"9": b"[0-9]+"}
        self.shape = b"".join(taken.get(one, re.escape(one)) for one in re.findall(rb"[\x00-\xff]", shape))
        self.since, self.until, self.longest = since, until, longest
        self.by_machine, self.by_level = by
        self.between = re.compile(b"(%b)" % (re.escape(separator) + (b"+" if runs else b"")))
        self.chosen, self.keep, self.most = chosen, keep, groups
        self.counted: Counter[tuple[int, bytes, bytes, int]] = Counter()
        self.lines = self.blank = self.unselected = self.bytes = 0
        self.malformed = [0] * REASONS
        self.aside: list[tuple[int, int, bytes]] = []
        self.held, self.held_length = b"", 0

    def push(self, chunk: Any) -> None:
        """Take the next bytes; a line that they cut is held until its end comes."""
        *whole, rest = bytes(chunk).split(b"\n")
        for piece in whole:
            self._hold(piece)
            self._close()
            self.bytes += 1
        self._hold(rest)

    def finish(self, broken: bool) -> None:
        """Judge the line that is held; after an input that broke off it is malformed."""
        if self.held_length and broken:
            self.lines += 1
            self._put_aside(CUT_OFF, self.held[: self.longest])
            self.held, self.held_length = b"", 0
        elif self.held_length:
            self._close()

    def _hold(self, piece: bytes) -> None:
        self.held = (self.held + piece)[: self.longest + 1]
        self.held_length += len(piece)
        self.bytes += len(piece)

    def _close(self) -> None:
        self.lines += 1
        line = self.held.removesuffix(b"\r")
        if not line:
            self.blank += 1
        elif self.held_length > self.longest:
            self._put_aside(LONG_LINE, self.held[: self.longest])
        else:
            reason = self._count(line)
            if reason:
                self._put_aside(reason, line)
        self.held, self.held_length = b"", 0

    def _put_aside(self, reason: int, line: bytes) -> None:
        self.malformed[reason] += 1
        if len(self.aside) < self.keep:
            self.aside.append((self.bytes - self.held_length, reason, line))

    def _count(self, line: bytes) -> int:
        """Count the line, or return the first reason against it."""
        columns = self._split(line)
        if len(columns) < self.columns + self.has_text:
            return MISSING
        if len(columns) > self.columns and not self.has_text:
            return EXTRA
        micros, reason = self._instant(columns[self.timestamp])
        if reason:
            return reason
        if not self.since <= micros < self.until:
            return IMPLAUSIBLE
        machine, level, code = b"", 0, columns[self.code]
        if self.machine >= 0:
            machine = columns[self.machine]
            if len(machine) > 32 or not re.fullmatch(PRINTABLE, machine):
                return MACHINE
        if self.level >= 0:
            if columns[self.level] not in self.levels:
                return LEVEL
            level = self.levels.index(columns[self.level])
        if len(code) > 16:
            return LONG_CODE
        if not re.fullmatch(self.shape or PRINTABLE, code):
            return CODE
        if not self.chosen >> level & 1:
            self.unselected += 1
            return 0
        key = (
            micros // 3_600_000_000,
            code,
            machine if self.by_machine else b"",
            level if self.by_level else 0,
        )
        if key not in self.counted and len(self.counted) == self.most:
            return GROUPS
        self.counted[key] += 1
        return 0

    def _split(self, line: bytes) -> list[bytes]:
        """Return the columns, a timestamp of two words as one."""
        pieces = self.between.split(line)
        columns, between = pieces[::2], pieces[1::2]
        at = self.timestamp
        # A space between date and time is a part of the timestamp, so it stands alone.
        spaced = self.clock == 1 and self.separator == b" " and between[at : at + 1] == [b" "]
        if spaced and len(columns[at]) == 10:
            columns[at : at + 2] = [b" ".join(columns[at : at + 2])]
        return columns

    def _instant(self, text: bytes) -> tuple[int, int]:
        """Return microseconds since 1970, and the reason against the timestamp or 0."""
        if self.clock >= 2:
            return self._epoch(text)
        found = re.fullmatch(ISO % (b"T" if self.clock == 0 else b" "), text)
        if not found:
            return 0, TIMESTAMP
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
        try:
            days = datetime.date(year, month, day).toordinal() - UNIX
        except ValueError:
            return 0, DATE
        off_hours, off_minutes = int(zone_hours or 0), int(zone_minutes or 0)
        if hour > 23 or minute > 59 or second > 59 or off_hours > 23 or off_minutes > 59:
            return 0, TIME
        offset = (off_hours * 3600 + off_minutes * 60) * (-1 if sign == b"-" else 1)
        seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        return seconds * 1_000_000 + int((fraction or b"").ljust(6, b"0")[:6]), 0

    def _epoch(self, text: bytes) -> tuple[int, int]:
        found = re.fullmatch(EPOCH, text)
        if not found:
            return 0, TIMESTAMP
        places = 6 if self.clock == 2 else 3
        whole, fraction = int(found[1]), int((found[2] or b"").ljust(places, b"0")[:places])
        micros = whole * 10**places + fraction
        return (micros, 0) if micros < (LAST_SECOND + 1) * 1_000_000 else (0, DATE)

    def groups(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """Return hours, codes, machines, levels and counts as the bytes of columns, in order."""
        rows = sorted((*key, count) for key, count in self.counted.items())
        hours, levels, counts = (
            array.array("q", column).tobytes()
            for column in ([row[0] for row in rows], [row[3] for row in rows], [row[4] for row in rows])
        )
        codes = b"".join(row[1].ljust(16, b"\0") for row in rows)
        machines = b"".join(row[2].ljust(32, b"\0") for row in rows)
        return hours, codes, machines, levels, counts

    def add_groups(self, hours: bytes, codes: bytes, machines: bytes, levels: bytes, counts: bytes) -> None:
        """Add counts, within the budget of groups."""
        numbers = [array.array("q", column) for column in (hours, levels, counts)]
        for i, (hour, level, count) in enumerate(zip(*numbers, strict=True)):
            code, machine = codes[16 * i : 16 * i + 16], machines[32 * i : 32 * i + 32]
            key = (hour, code.rstrip(b"\0"), machine.rstrip(b"\0"), level)
            if key in self.counted or len(self.counted) < self.most:
                self.counted[key] += count
            else:
                self.malformed[GROUPS] += count

    def tally(self) -> list[int]:
        """Return lines, blank, unselected, bytes, and the malformed by reason."""
        return [self.lines, self.blank, self.unselected, self.bytes, *self.malformed]

    def kept(self) -> list[tuple[int, int, bytes]]:
        """Return the malformed lines kept: offset, reason and bytes."""
        return list(self.aside)

    def add_tally(self, numbers: list[int], kept: list[tuple[int, int, bytes]]) -> None:
        """Add what another scan saw, as if its bytes had come after these."""
        moved = [(offset + self.bytes, reason, line) for offset, reason, line in kept]
        self.aside = (self.aside + moved)[: self.keep]
        lines, blank, unselected, size, *malformed = numbers
        self.lines, self.blank, self.unselected = (
            self.lines + lines,
            self.blank + blank,
            self.unselected + unselected,
        )
        self.bytes += size
        self.malformed = [a + b for a, b in zip(self.malformed, malformed, strict=True)]

    def open_line(self) -> tuple[bytes, int]:
        """Return the line that is held so far, and how many bytes it has."""
        return self.held, self.held_length

    def set_open_line(self, held: bytes, length: int) -> None:
        """Hold a line that was begun before."""
        self.held, self.held_length = held, length
