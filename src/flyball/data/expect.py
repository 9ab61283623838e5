"""Expectations: figures about a column, each with the limit that it should hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
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
