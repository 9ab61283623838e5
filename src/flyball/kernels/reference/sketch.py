"""The mergeable quantile sketch with plain lists: the same coins, the same items as the C++."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DEPTH", "FULL", "LEVELS", "Sketches"]

FULL, DEPTH, LEVELS = 640, 7, 56
_ALL = 2**64 - 1


class _Column:
    """One column: see native/sketch.hpp, which this follows step by step."""

    def __init__(self, seed: int) -> None:
        self.seed, self.draws, self.count, self.missing = seed & _ALL, 0, 0, 0
        self.base, self.met, self.pick, self.opposite, self.coins = 0, 0, 0, 0, 0
        self.low, self.high, self.held = math.inf, -math.inf, 0.0
        self.levels: list[list[float]] = [[] for _ in range(LEVELS)]

    def push(self, value: float) -> None:
        if math.isnan(value):
            self.missing += 1
            return
        value += 0.0
        self.count += 1
        self.low, self.high = min(self.low, value), max(self.high, value)
        items = self.levels[self.base]
        if self.base and self.met == 0:
            self.pick = self.draw() >> (64 - self.base)
        if self.base and self.pick == self.met:
            self.held = value
        self.met += 1
        if self.met < 1 << self.base:
            return
        items.append(self.held if self.base else value)
        self.met = 0
        if len(items) >= FULL:
            self.fill()

    def fill(self) -> None:
        """The lowest level is full: half of it goes up, and so on."""
        self.levels[self.base].sort()
        self.seed ^= struct.unpack("<Q", struct.pack("<d", self.levels[self.base][FULL // 2]))[0]
        self.compact(self.base)
        level = self.base + 1
        while len(self.levels[level]) >= FULL:
            self.compact(level)
            level += 1
        if self.levels[self.base + DEPTH + 1]:
            self.tidy()

    def merge(self, other: _Column) -> None:
        self.count += other.count
        self.missing += other.missing
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        if self.met > self.pick:
            self.add([self.held], self.base)
        self.met = 0
        while self.base < other.base:
            self.up()
        if other.met > other.pick:
            self.add([other.held], other.base)
        for level in range(other.base, LEVELS):
            self.add(other.levels[level], level)
        self.tidy()

    def add(self, items: Sequence[float], level: int) -> None:
        if not items:
            return
        items = sorted(items)
        for below in range(level, self.base):
            items = self.thinned(items, below)
        into = self.levels[max(level, self.base)]
        into.extend(items)
        if level > self.base:
            into.sort()

    def tidy(self) -> None:
        while True:
            for level in range(self.base, LEVELS - 1):
                if len(self.levels[level]) >= FULL:
                    self.levels[level].sort()
                    self.compact(level)
            top = max((level for level in range(self.base, LEVELS) if self.levels[level]), default=self.base)
            if top - self.base <= DEPTH:
                return
            self.up()

    def draw(self) -> int:
        self.draws += 1
        z = (self.seed + self.draws * 0x9E3779B97F4A7C15) & _ALL
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL
        return z ^ (z >> 31)

    def coin(self, level: int) -> int:
        bit = 1 << level
        self.opposite ^= bit
        if self.opposite & bit:
            self.coins = (self.coins & ~bit) | (self.draw() >> 63 << level)
        else:
            self.coins ^= bit
        return 1 if self.coins & bit else 0

    def compact(self, level: int) -> None:
        items = self.levels[level]
        even = len(items) & ~1
        self.levels[level + 1] += items[self.coin(level) : even : 2]
        if level + 1 > self.base:
            self.levels[level + 1].sort()
        del items[:even]

    def thinned(self, items: list[float], level: int) -> list[float]:
        even = len(items) & ~1
        up = items[self.coin(level) : even : 2]
        if even < len(items) and self.draw() >> 63:
            up.append(items[-1])
        return up

    def up(self) -> None:
        """The sampler moves one level up."""
        items = sorted(self.levels[self.base])
        self.levels[self.base] = []
        up = self.thinned(items, self.base)
        self.base += 1
        self.levels[self.base] += up


class Sketches:
    """The sketches of some columns: see `flyball.kernels.QuantileSketch`."""

    def __init__(self, columns: int, seed: int) -> None:
        self._columns = [_Column(seed + number) for number in range(columns)]

    def push(self, values: NDArray[np.floating]) -> None:
        """Take in rows (rows, columns)."""
        for own, column in zip(self._columns, values.T.tolist(), strict=True):
            for value in column:
                own.push(value)

    def merge(self, other: Sketches) -> None:
        """Take in other sketches of the same columns."""
        for own, told in zip(self._columns, [other.told(i) for i in range(len(self._columns))], strict=True):
            theirs = _Column(0)
            _restore(theirs, *told)
            own.merge(theirs)

    def told(self, column: int) -> tuple[list[int], list[list[float]]]:
        """Return (seed, draws, count, missing, base, met, pick, opposite, coins) and [low, high, held], levels..."""
        own = self._columns[column]
        figures = [own.seed, own.draws, own.count, own.missing, own.base, own.met, own.pick]
        figures += [own.opposite, own.coins]
        return figures, [[own.low, own.high, own.held], *map(list, own.levels)]

    def restore(self, column: int, figures: Sequence[int], items: Sequence[Sequence[float]]) -> None:
        """Make a column again from what `told` told."""
        _restore(self._columns[column], figures, items)

    def add(self, column: int, items: Sequence[float], level: int) -> None:
        """Add items of a level to a column."""
        self._columns[column].add(items, level)

    def tidy(self) -> None:
        """Bring every level below its size."""
        for own in self._columns:
            own.tidy()


def _restore(own: _Column, figures: Sequence[int], items: Sequence[Sequence[float]]) -> None:
    own.seed, own.draws, own.count, own.missing, own.base, own.met, own.pick, own.opposite, own.coins = (
        figures
    )
    own.low, own.high, own.held = items[0]
    own.levels = [list(level) for level in items[1:]]
