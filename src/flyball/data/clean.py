"""Cleaners that change values: each looks back only, at rows of the same machine that were seen by then."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Rows


class HoldGaps(stage.Cleaner):
    """Fills a missing value with the machine's last known one, if that is no older than `at_most`.

    Only a value that had been seen when the row was seen is held; of two equally old the one seen last.  Category
    columns are held as well, images and texts that are unique per row are left alone.  `columns` names the columns
    ("table.column"); none means every physical unit, number and count of every table.

    >>> from flyball.units import steps
    >>> rows = stage.Rows.of(["a"] * 3, at=[0, 1, 9], columns={"x": [1.0, None, None]})
    >>> HoldGaps(at_most=steps(2), columns=("t.x",)).clean("t", rows).columns["x"].tolist()
    [1.0, 1.0, nan]
    """

    at_most: units.Duration | units.Count
    columns: tuple[str, ...] = ()

    def reads(self) -> tuple[str, ...]:
        return self.columns

    def lookback(self) -> int:
        return int(self.at_most)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.at_most <= 0:
            yield errors.Problem("at_most", f"{self.at_most!r} holds nothing", "give a span above zero")

    def clean(self, name: str, rows: Rows) -> Rows:
        """Return the rows with gaps filled."""
        import numpy as np

        columns = dict(rows.columns)
        for column, values in rows.columns.items():
            wanted = f"{name}.{column}" in self.columns if self.columns else isinstance(values, np.ndarray)
            if wanted and isinstance(values, np.ndarray):
                columns[column] = self._held(rows, values, np.isnan(values))
            elif wanted and isinstance(values, stage.Words):
                columns[column] = stage.Words(self._held(rows, values.codes, values.codes < 0), values.labels)
        return dataclasses.replace(rows, columns=columns)

    def _held(self, rows: Rows, values: Array, missing: Any) -> Any:
        """Fill from the last row in order that is known, was seen by then, and is young enough."""
        import numpy as np

        out = values.copy()
        if not missing.any() or missing.all():
            return out
        place = np.arange(len(values))
        last = np.maximum.accumulate(np.where(missing, -1, place))
        segment = rows.segments()
        gap = np.flatnonzero(missing & (last >= 0))
        back = last[gap]
        # The last known row may have been seen only later (a late row): then an earlier one was known by then.
        for _ in range(len(values)):
            fits = (back >= 0) & (segment[back] == segment[gap])
            later = fits & (rows.seen[back] > rows.seen[gap])
            if not later.any():
                break
            back = np.where(later & (back > 0), last[np.maximum(back - 1, 0)], np.where(later, -1, back))
        fits = (back >= 0) & (segment[back] == segment[gap])
        fits &= rows.at[gap] - rows.at[np.maximum(back, 0)] <= int(self.at_most)
        out[gap[fits]] = values[back[fits]]
        return out


class Clip(stage.Cleaner):
    """Brings the values of a column into [low, high]; what is missing stays missing.

    >>> rows = stage.Rows.of(["a", "a"], at=[0, 1], columns={"x": [-5.0, None]})
    >>> Clip("t.x", 0, 60).clean("t", rows).columns["x"].tolist()
    [0.0, nan]
    """

    column: str
    low: float
    high: float

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.no_number(page.data, self.column)
        if not self.low < self.high:
            yield errors.Problem("low", f"{self.low} is not below {self.high}", "give low < high")

    def clean(self, name: str, rows: Rows) -> Rows:
        """Return the rows with the column clipped."""
        import numpy as np

        table, _, column = self.column.partition(".")
        if table != name or column not in rows.columns:
            return rows
        values: Floats = np.clip(rows.floats(column), self.low, self.high)
        return dataclasses.replace(rows, columns={**rows.columns, column: values})
