"""An exponentially weighted mean, with an end to its memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage, values, view

#: So many half-lives back a value weighs 2**-20 and is left out: with a bound, batch and stream agree.
HALF_LIVES = 20


class Smooth(stage.Feature):
    """The mean of a numeric column with weights that halve every `half_life`, over the last 20 half-lives.

    NaN when nothing was known in that time.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a", "a"], at=[0, days(1)], columns={"x": [3.0, 6.0]})
    >>> Smooth("t.x", half_life=days(1)).compute({"t": rows}, stage.Moments.of(["a"], [days(1)]))
    {'t.x.smooth.1d': array([5.])}
    """

    column: str
    half_life: stage.Span

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.column}.smooth.{stage.spelled(self.half_life)}",)

    def lookback(self) -> int | None:
        return HALF_LIVES * int(self.half_life)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        table, name = stage.split(self.column)
        rows = tables[table]
        series = values.floats(rows, name)
        known = ~np.isnan(series)
        out = np.full(len(moments), np.nan)
        for piece in view.View(rows, moments).windows(self.lookback()):
            for index, sizes, row in piece.rows():
                age = np.repeat(moments.at[index], sizes) - rows.at[row]
                weight = np.exp2(-age / int(self.half_life)) * known[row]
                owner = np.repeat(np.arange(len(index)), sizes)
                total = np.bincount(owner, weight, len(index))
                summed = np.bincount(owner, weight * np.where(known[row], series[row], 0.0), len(index))
                some = total > 0
                out[index[some]] = summed[some] / total[some]
        return {self.names()[0]: out}

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "number")
        yield from stage.span_problems(page, self.half_life, "half_life", "half-life")
