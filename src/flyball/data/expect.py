"""Expectations: figures about a column, each with the limit that it should hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage

if TYPE_CHECKING:
    from flyball.data.stage import Rows


class Missing(stage.Check):
    """The share of rows without a value is at most `at_most`.

    >>> rows = stage.Rows.of(["a"] * 4, at=range(4), columns={"x": [1.0, None, 2.0, 3.0]})
    >>> [(finding.figure, finding.passed) for finding in Missing("t.x", at_most=0.1).judge("t", rows)]
    [(0.25, False)]
    """

    column: str
    at_most: float

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not 0 <= self.at_most <= 1:
            yield errors.Problem("at_most", f"{self.at_most} is no share", "give a number from 0 to 1")

    def judge(self, name: str, rows: Rows) -> Iterator[stage.Finding]:
        """Yield the share that is missing."""
        found = _column(self.column, name, rows)
        if found is not None and len(rows):
            share = float(_missing(found).mean())
            yield stage.Finding("Missing", self.column, share, self.at_most, share <= self.at_most)


class Between(stage.Check):
    """All values of a column lie in [low, high], but for a share of at most `but`.

    >>> rows = stage.Rows.of(["a"] * 4, at=range(4), columns={"x": [1.0, None, 2.0, 99.0]})
    >>> [finding.why for finding in Between("t.x", 0, 60).judge("t", rows)]
    ['1 of 3 values outside 0 to 60']
    """

    column: str
    low: float
    high: float
    but: float = 0.0

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.no_number(page.data, self.column)
        if not self.low < self.high:
            yield errors.Problem("low", f"{self.low} is not below {self.high}", "give low < high")

    def judge(self, name: str, rows: Rows) -> Iterator[stage.Finding]:
        """Yield the share that lies outside."""
        import numpy as np

        found = _column(self.column, name, rows)
        if found is None:
            return
        values = rows.floats(self.column.partition(".")[2])
        there = values[~np.isnan(values)]
        if len(there):
            outside = int(np.sum((there < self.low) | (there > self.high)))
            why = f"{outside} of {len(there)} values outside {self.low} to {self.high}" if outside else ""
            share = outside / len(there)
            yield stage.Finding("Between", self.column, share, self.but, share <= self.but, why)


class SameUnit(stage.Check):
    """No machine's daily median jumps by the factor between `unit` and another unit of its dimension.

    Why: a site's new software sends nm as µm, and every value is a number all the same.  A jump that is within `within`
    of such a factor (of 5 or more, as smaller ones happen) fails, and says which unit it may be.

    >>> days = [int(units.days(day)) for day in range(4)]
    >>> rows = stage.Rows.of(["a"] * 4, at=days, columns={"x": [2.0, 2.1, 2050.0, 1990.0]})
    >>> [finding.why for finding in SameUnit("t.x", "kW").judge("t", rows)]
    ['a: 976 times as much from 1970-01-03 on, as if kW came as W']
    """

    column: str
    unit: str
    within: float = 0.4

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        kind = page.data.columns().get(self.column, self.unit)
        if kind != self.unit:
            yield errors.Problem("unit", f"{self.column!r} is declared {kind!r}", f"give unit={kind!r}")
        elif not units.is_unit(self.unit):
            yield errors.Problem("unit", f"{self.unit!r} is no unit", "name a column with a physical unit")
        if not 0 < self.within < 1:
            yield errors.Problem("within", f"{self.within} is no share", "give a number between 0 and 1")

    def judge(self, name: str, rows: Rows) -> Iterator[stage.Finding]:
        """Yield how many machines jumped, and the first of them."""
        if _column(self.column, name, rows) is None:
            return
        jumps = [
            f"{key}: {_times(ratio)} as much from {day} on, as if {self.unit} came as {other}"
            for key, day, ratio in _steps(rows, self.column.partition(".")[2])
            if (other := self._other(ratio)) is not None
        ]
        more = f" ({len(jumps) - 1} more)" if len(jumps) > 1 else ""
        yield stage.Finding(
            "SameUnit", self.column, float(len(jumps)), 0.0, not jumps, f"{jumps[0]}{more}" if jumps else ""
        )

    def _other(self, ratio: float) -> str | None:
        """Return the unit as which the values came, were a jump by this ratio one of units."""
        import math

        for other in units.names():
            if other == self.unit or not units.same_dimension(self.unit, other):
                continue
            factor, offset = units.affine(self.unit, other)
            plain = offset == 0 and abs(math.log(factor)) >= math.log(5)
            if plain and abs(math.log(ratio / factor)) <= math.log1p(self.within):
                return other
        return None


def _steps(rows: Rows, column: str) -> Iterator[tuple[str, str, float]]:
    """Yield (machine, day, ratio) where the median of a day is not of the sign and size of the day before."""
    import numpy as np

    values, days = rows.floats(column), rows.at // int(units.DAY)
    for place, key in enumerate(rows.keys):
        low, high = int(rows.starts[place]), int(rows.starts[place + 1])
        there = ~np.isnan(values[low:high])
        mine, when = values[low:high][there], days[low:high][there]
        starts = np.flatnonzero(np.diff(when, prepend=-1)) if len(when) else np.empty(0, np.int64)
        medians = np.array([np.median(one) for one in np.split(mine, starts[1:])]) if len(starts) else mine
        for before, after, start in zip(medians, medians[1:], starts[1:], strict=False):
            if before * after > 0:
                yield key, str(np.datetime64(int(when[start]), "D")), float(after / before)


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio >= 1 else f"1/{1 / ratio:.3g}"


def _column(full: str, name: str, rows: Rows) -> Any:
    table, _, column = full.partition(".")
    return rows.columns.get(column) if table == name else None


def _missing(column: Any) -> Any:
    import numpy as np

    if isinstance(column, stage.Words):
        return column.codes < 0
    if isinstance(column, np.ndarray):
        return np.isnan(column)
    return np.array([not digest for digest in column.digests.tolist()])
