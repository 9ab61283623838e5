"""The image of the row that is asked about, still not decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage, values, view


class Image(stage.Feature):
    """The late column of the last row seen by the moment, passed on as references: nothing is decoded here.

    Asked with `Each(table)` this is the image of the asked row.  A moment without a row raises DataError.
    """

    column: str

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (self.column,)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        table, name = stage.split(self.column)
        rows = tables[table]
        row = view.View(rows, moments).last()
        if (row < 0).any():
            nobody = moments[row < 0].names()[0]
            raise errors.DataError(f"{self.column}: {nobody!r} has no image yet when it is asked about")
        return {self.column: rows.columns[name][row]}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        return values.since_last(rows, np.ones(len(rows), dtype=bool), moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "image")
