"""How much longer a unit lives: known when its end is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import view
from flyball.labels import acted, fails, stage

REASONS = ("censored", "failed", "acted")


class RemainingLife(stage.Labeller):
    """The time from the moment to the unit's end, in units of `per`, at most `cap`.

    The end is, in this order: what `given` says (a column with the life that was left at the unit's last row
    in table `of`); the first row at or after the moment where `event` is true; with neither on the page, the
    unit's last row, so then every unit's rows must be a whole life.  A unit whose end is not known is
    "censored"; a moment after the end is "failed".  Where somebody acted on an alert about the unit before its end, how
    long it would have lived is not known: "acted", unless `acted="ignored"`.

    >>> from flyball.units import steps
    >>> cycles = data.Rows.of(["u1"] * 3 + ["u2"] * 2, at=[1, 2, 3, 1, 2])
    >>> final = data.Rows.of(["u2"], at=[2], columns={"left": [40.0]})
    >>> asked = features.Moments.of(["u1", "u2"], [1, 1])
    >>> label = RemainingLife(of="cycles", given="final.left", cap=steps(30))
    >>> label.label({"cycles": cycles, "final": final}, asked, as_of=None).value.tolist()
    [2.0, 30.0]
    """

    of: str
    event: str | None = None
    given: str | None = None
    cap: features.Span | None = None
    per: features.Span = units.steps(1)
    acted: str = "censored"

    def kind(self) -> stage.Kind:
        named: dict[int, str] = (
            {units.DAY: "d", units.hours(1): "h"} if isinstance(self.per, units.Duration) else {}
        )
        unit = named.get(self.per, "1")
        return stage.Quantity(unit, low=0.0, high=None if self.cap is None else self.cap / self.per)

    def reads(self) -> tuple[str, ...]:
        return tuple(column for column in (self.event, self.given) if column is not None)

    def label(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> stage.Answers:
        import numpy as np

        rows = features.arrived(tables, self.of).known(as_of)
        last = fails.ends(rows, moments)
        until_last = np.where(last == fails.NEVER, np.nan, (last - moments.at) / int(self.per))
        value = until_last
        if self.event is not None:
            _, event = fails.around(fails.where(tables, self.event, as_of), moments, moments.at - 1)
            value = np.where(event < data.FOREVER, (event - moments.at) / int(self.per), np.nan)
        if self.given is not None:
            left = self._left(tables, moments, as_of)
            value = np.where(np.isnan(left), value, until_last + left)
        why = np.where(np.isnan(value), 0, np.where(value < 0, 1, -1)).astype(np.int32)
        if self.acted != "ignored":
            changed, _ = acted.following(tables, moments, as_of)
            why[(why < 0) & (changed < moments.at + value * int(self.per))] = REASONS.index("acted")
        if self.cap is not None:
            value = np.minimum(value, int(self.cap) / int(self.per))
        return stage.Answers(np.where(why < 0, value, np.nan), why < 0, data.Words(why, REASONS))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from features.table_problems(page, self.of, "of")
        yield from features.span_problems(page, self.per, "per", "unit")
        if self.cap is not None:
            yield from features.span_problems(page, self.cap, "cap", "cap")
        if self.acted not in ("censored", "ignored"):
            what = f"a life that an act has changed cannot be {self.acted!r}"
            yield errors.Problem("acted", what, errors.did_you_mean(self.acted, ("censored", "ignored")))
        if self.event is not None:
            yield from stage.column_problems(page, self.event, "bool", "event")
        if self.given is not None:
            yield from stage.column_problems(page, self.given, "number", "given")
            yield from stage.seen_problems(page, self.given, "given")

    def _left(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> Any:
        """Return (m,) the life left at the unit's last row, NaN where nobody gave it."""
        import numpy as np

        table, name = features.split(self.given or "")
        if table not in tables:
            return np.full(len(moments), np.nan)
        rows = tables[table].known(as_of)
        rows = rows.take(~np.isnan(rows.floats(name)))
        if not len(rows):
            return np.full(len(moments), np.nan)
        place, known = view.machines(rows, moments)
        row = rows.starts[place + 1] - 1
        filled = known & (row >= rows.starts[place])
        return np.where(filled, rows.floats(name)[np.maximum(row, 0)], np.nan)
