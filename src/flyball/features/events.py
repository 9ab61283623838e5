"""Events: how many of them, and how long ago."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage, values, view

if TYPE_CHECKING:
    from flyball.data.stage import Flags


class Count(stage.Feature):
    """How many rows in the windows (m - over, m] hold something: a text, or a number other than 0.

    With `each`, one column per code named; a code that is not named counts nowhere.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 3, at=[1, 2, 3], columns={"code": ["SR-1", "VA-2", "SR-1"]})
    >>> asked = stage.Moments.of(["a"], [3])
    >>> found = Count("events.code", over=days(1), each=("SR-1",)).compute({"events": rows}, asked)
    >>> {name: values.tolist() for name, values in found.items()}
    {'events.code.SR-1.count.1d': [2.0]}
    """

    column: str
    over: stage.Span | tuple[stage.Span, ...]
    each: tuple[str, ...] | None = None

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(
            self._name(span, code) for span in stage.spans(self.over) for code in self.each or (None,)
        )

    def lookback(self) -> int | None:
        return max(int(span) for span in stage.spans(self.over))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        table, name = stage.split(self.column)
        rows = tables[table]
        seen = view.View(rows, moments)
        counted = {code: values.holds(rows, name, code) for code in self.each or (None,)}
        out: dict[str, Any] = {name: np.empty(len(moments)) for name in self.names()}
        for span in stage.spans(self.over):
            for piece in seen.windows(span):
                for code, flags in counted.items():
                    total = np.append(0, np.cumsum(piece.of(flags)))
                    out[self._name(span, code)][piece.index] = total[piece.hi] - total[piece.lo]
        return out

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for span in stage.spans(self.over):
            yield from stage.span_problems(page, span, "over")
        if self.each is not None:
            yield from stage.kind_problems(page, self.column, "category")

    def _name(self, span: stage.Span, code: str | None) -> str:
        return f"{self.column}.{'' if code is None else code + '.'}count.{stage.spelled(span)}"


class Since(stage.Feature):
    """How long ago the last row was that holds something, in days (`per`); NaN when there was none.

    With `each`, one column per code named.  A counter's page gives `per=steps(1)`.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"], at=[days(1)], columns={"part": ["laser"]})
    >>> Since("repairs.part").compute({"repairs": rows}, stage.Moments.of(["a"], [days(4)]))
    {'repairs.part.since': array([3.])}
    """

    column: str
    each: tuple[str, ...] | None = None
    per: stage.Span = units.DAY

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(self._name(code) for code in self.each or (None,))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        table, _ = stage.split(self.column)
        seen = view.View(tables[table], moments)
        flags = self._flags(tables[table])
        return {self._name(code): elapsed(seen, seen.last(valid), self.per) for code, valid in flags.items()}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        return np.any(
            [values.since_last(rows, valid, moment) for valid in self._flags(rows).values()], axis=0
        )

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.span_problems(page, self.per, "per", "unit")
        if self.each is not None:
            yield from stage.kind_problems(page, self.column, "category")

    def _flags(self, rows: data.Rows) -> dict[str | None, Flags]:
        name = stage.split(self.column)[1]
        return {code: values.holds(rows, name, code) for code in self.each or (None,)}

    def _name(self, code: str | None) -> str:
        return f"{self.column}.{'' if code is None else code + '.'}since"


class Age(stage.Feature):
    """How long ago the machine's first row in a table was, in days (`per`); NaN when there is none.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"], at=[days(1)])
    >>> Age("telemetry").compute({"telemetry": rows}, stage.Moments.of(["a"], [days(4)]))
    {'telemetry.age': array([3.])}
    """

    table: str
    per: stage.Span = units.DAY

    def reads(self) -> tuple[str, ...]:
        return ()

    def tables(self) -> tuple[str, ...]:
        return (self.table,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.table}.age",)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        seen = view.View(tables[self.table], moments)
        return {self.names()[0]: elapsed(seen, seen.first(), self.per)}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        return values.until_first(rows, np.ones(len(rows), dtype=bool), moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.span_problems(page, self.per, "per", "unit")
        yield from stage.table_problems(page, self.table, "table")


def elapsed(seen: view.View, row: Any, per: stage.Span) -> Any:
    """Return (m,) the time from those rows to the moments in units of `per`; NaN where the row is -1."""
    import numpy as np

    at = np.append(seen.rows.at, 0)[row]
    return np.where(row < 0, np.nan, (seen.moments.at - at) / int(per))
