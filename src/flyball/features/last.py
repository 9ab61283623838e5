"""The last known value of a column, and how it changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage, values, view


class Last(stage.Feature):
    """The last known value of a column as of the moment; missing values are passed over.

    With `at_most` a value that old or older is no longer known.

    >>> rows = data.Rows.of(["a", "a"], at=[1, 2], seen=[1, 5], columns={"x": [10.0, 20.0]})
    >>> Last("t.x").compute({"t": rows}, stage.Moments.of(["a"] * 2, [4, 5]))["t.x.last"].tolist()
    [10.0, 20.0]
    """

    column: str
    at_most: stage.Span | None = None

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.column}.last",)

    def lookback(self) -> int | None:
        return None if self.at_most is None else int(self.at_most)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        table, name = stage.split(self.column)
        rows = tables[table]
        row = view.View(rows, moments).last(values.known(rows, name))
        if self.at_most is not None:
            row = np.where(rows.at[row] > moments.at - int(self.at_most), row, -1) if len(rows) else row
        return {self.names()[0]: values.pick(rows, name, row)}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        if self.at_most is not None:
            return super().keeps(table, rows, moment)
        return values.since_last(rows, values.known(rows, stage.split(self.column)[1]), moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if page.data.columns().get(self.column) == "image":
            yield errors.Problem("column", f"{self.column!r} is an image", "use features.Image")
        if self.at_most is not None:
            yield from stage.span_problems(page, self.at_most, "at_most", "age")


class Difference(stage.Feature):
    """The last known value minus the one known at or before m - over, or minus the first ever ("first").

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 3, at=[0, days(1), days(2)], columns={"x": [1.0, 2.0, 5.0]})
    >>> feature = Difference("t.x", over=(days(1), "first"))
    >>> found = feature.compute({"t": rows}, stage.Moments.of(["a"], [days(2)]))
    >>> {name: values.tolist() for name, values in found.items()}
    {'t.x.change.1d': [3.0], 't.x.change.first': [4.0]}
    """

    column: str
    over: stage.Span | str | tuple[stage.Span | str, ...] = "first"

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(self._name(span) for span in stage.spans(self.over))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        table, name = stage.split(self.column)
        rows = tables[table]
        valid, seen = values.known(rows, name), view.View(rows, moments)
        now = values.pick(rows, name, seen.last(valid))
        out: dict[str, data.Column] = {}
        for span in stage.spans(self.over):
            then = seen.first(valid) if span == "first" else seen.last(valid, before=moments.at - int(span))
            out[self._name(span)] = now - values.pick(rows, name, then)
        return out

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:

        valid = values.known(rows, stage.split(self.column)[1])
        keep = values.since_last(rows, valid, moment)
        for span in stage.spans(self.over):
            if span == "first":
                keep |= values.until_first(rows, valid, moment)
            else:
                keep |= values.since_last(rows, valid, moment - int(span))
        return keep

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "number")
        for span in stage.spans(self.over):
            if span != "first":
                yield from stage.span_problems(page, span, "over")

    def _name(self, span: Any) -> str:
        return f"{self.column}.change.{'first' if span == 'first' else stage.spelled(span)}"
