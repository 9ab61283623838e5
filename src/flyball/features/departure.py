"""How far the recent past departs from the longer past before the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import rolling, stage

if TYPE_CHECKING:
    from flyball.data import stage as data


class Departure(stage.Feature):
    """A statistic of a numeric column over the recent (m - over, m], less the mean over the longer (m - against, m].

    Machines stand at levels of their own; what is left when the level is taken off is what changed lately, and a mean
    of weeks is a steadier level than one value of long ago (`Difference`).  NaN where either window has no value.

    >>> from flyball import data
    >>> from flyball.units import days
    >>> feature = Departure("telemetry.vibration", over=days(1), against=days(4), by="max")
    >>> feature.names()
    ('telemetry.vibration.max.1d.less.4d',)
    >>> rows = data.Rows.of(["a"] * 4, at=[days(n) for n in range(4)], columns={"vibration": [1.0, 1.0, 1.0, 5.0]})
    >>> found = feature.compute({"telemetry": rows}, stage.Moments.of(["a"], [days(3)]))
    >>> found["telemetry.vibration.max.1d.less.4d"].tolist()
    [3.0]
    """

    column: str
    over: stage.Span
    against: stage.Span
    by: str = "mean"

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self._recent().names()[0]}.less.{stage.spelled(self.against)}",)

    def lookback(self) -> int | None:
        return max(int(self.over), int(self.against))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        now: Any = next(iter(self._recent().compute(tables, moments).values()))
        level: Any = next(iter(self._level().compute(tables, moments).values()))
        return {self.names()[0]: now - level}

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from self._recent().problems(page)
        for problem in self._level().problems(page):
            if problem.place == "over":
                yield errors.Problem("against", problem.what, problem.fix)
        if type(self.over) is type(self.against) and int(self.over) >= int(self.against):
            yield errors.Problem(
                "against",
                f"{self.against!r} is no longer than {self.over!r}",
                "give a longer span for the level",
            )

    def _recent(self) -> rolling.Rolling:
        return rolling.Rolling(self.column, over=self.over, by=self.by)

    def _level(self) -> rolling.Rolling:
        return rolling.Rolling(self.column, over=self.against, by="mean")
