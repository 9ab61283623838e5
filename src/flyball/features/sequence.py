"""The last rows as they are, for nets that find their own features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage, view


class Sequence(stage.Feature):
    """The last rows of a table as one column of shape (n, last, columns), float32, oldest first.

    Rows before the machine's first are NaN (padding stands on the left), as is what was missing.

    >>> rows = data.Rows.of(["a", "a"], at=[1, 2], columns={"s1": [1.0, 2.0], "s2": [3.0, 4.0]})
    >>> feature = Sequence(("t.s1", "t.s2"), last=3)
    >>> feature.compute({"t": rows}, stage.Moments.of(["a"], [2]))["sequence"][0].T.tolist()
    [[nan, 1.0, 2.0], [nan, 3.0, 4.0]]
    """

    columns: tuple[str, ...]
    last: int
    name: str = "sequence"

    def reads(self) -> tuple[str, ...]:
        return self.columns

    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        rows = tables[self.tables()[0]]
        values = np.full((len(rows) + 1, len(self.columns)), np.nan, dtype=np.float32)
        for place, column in enumerate(self.columns):
            values[:-1, place] = rows.floats(stage.split(column)[1])
        seen = view.View(rows, moments)
        out = np.empty((len(moments), self.last, len(self.columns)), dtype=np.float32)
        row = seen.last()
        for step in range(self.last - 1, -1, -1):
            out[:, step] = values[row]
            row = seen.previous(row)
        return {self.name: out}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        now = (rows.at <= moment) & (rows.seen <= moment) & (rows.until > moment)
        found = np.flatnonzero(now)[-self.last :]
        return rows.at >= rows.at[found[0]] if len(found) == self.last else np.ones(len(rows), dtype=bool)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if len(self.tables()) != 1:
            yield errors.Problem(
                "columns", "the columns of a sequence stand in one table", "name one table's"
            )
        for column in self.columns:
            yield from stage.kind_problems(page, column, "number", "columns")
        if self.last < 1:
            yield errors.Problem("last", f"a sequence of {self.last} rows", "give 1 or more")
