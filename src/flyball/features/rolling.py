"""Statistics over windows that end at the moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage, values, view

if TYPE_CHECKING:
    from flyball.data.stage import Floats

#: What may be asked of a window.
STATISTICS = ("count", "mean", "std", "min", "max", "median", "sum", "slope", "first", "last")


class Rolling(stage.Feature):
    """Statistics of a numeric column over windows (m - over, m], of the rows seen by the moment m.

    Missing values are skipped; a window with no value gives NaN (count: 0).  `slope` is per day, or per step
    of a counter.  Order statistics and counts are bit-equal between batch and stream, moments to 1e-9.

    >>> from flyball.units import days
    >>> feature = Rolling("telemetry.vibration", over=days(7), by=("median", "max"))
    >>> feature.names()
    ('telemetry.vibration.median.7d', 'telemetry.vibration.max.7d')
    >>> rows = data.Rows.of(["a"] * 3, at=[0, days(1), days(8)], columns={"vibration": [1.0, 3.0, 9.0]})
    >>> asked = stage.Moments.of(["a", "a"], [days(1), days(8)])
    >>> feature.compute({"telemetry": rows}, asked)["telemetry.vibration.median.7d"].tolist()
    [2.0, 9.0]
    """

    column: str
    over: stage.Span | tuple[stage.Span, ...]
    by: str | tuple[str, ...] = ("mean",)

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(self._name(span, name) for span in stage.spans(self.over) for name in self._by())

    def lookback(self) -> int | None:
        return max(int(span) for span in stage.spans(self.over))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        from flyball import kernels

        table, name = stage.split(self.column)
        rows, by = tables[table], self._by()
        series, seen = values.floats(rows, name), view.View(rows, moments)
        out: dict[str, Any] = {name: np.empty(len(moments)) for name in self.names()}
        for span in stage.spans(self.over):
            times = _times(rows, span) if "slope" in by else None
            for piece in seen.windows(span):
                when = None if times is None else piece.of(times)
                found = kernels.windows(piece.of(series), piece.lo, piece.hi, by=by, times=when)
                for statistic in by:
                    out[self._name(span, statistic)][piece.index] = found[statistic]
        return out

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "number")
        for span in stage.spans(self.over):
            yield from stage.span_problems(page, span, "over")
        for name in self._by():
            if name not in STATISTICS:
                yield errors.Problem("by", f"no statistic {name!r}", errors.did_you_mean(name, STATISTICS))
        if not self._by() or not stage.spans(self.over):
            yield errors.Problem("by", "nothing is asked of the window", "name a statistic and a window")

    def _by(self) -> tuple[str, ...]:
        return (self.by,) if isinstance(self.by, str) else self.by

    def _name(self, span: stage.Span, statistic: str) -> str:
        return f"{self.column}.{statistic}.{stage.spelled(span)}"


def _times(rows: data.Rows, span: stage.Span) -> Floats:
    """Return `at` in days, or in steps, from the table's first row on: small numbers keep slopes exact."""
    origin = rows.at.min() if len(rows) else 0
    unit = 1 if isinstance(span, units.Count) else int(units.DAY)
    return (rows.at - origin) / unit
