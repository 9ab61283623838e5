"""What only the drives page needs: counters that grow, stay calm, fall behind the clock or stand still."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, features, units
from flyball.data import stage as data
from flyball.features import stage, values, view

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints


class Change(features.Feature):
    """The last known value minus the one known at or before m - over, or the first ever when there was none yet.

    Why not `features.Difference`: it has no value while the history is shorter than the window, and where the whole
    fleet begins on one day a tree learns "missing" as the date.  NaN when nothing was known at all.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 2, at=[0, days(1)], columns={"x": [1.0, 4.0]})
    >>> Change("t.x", over=days(7)).compute({"t": rows}, stage.Moments.of(["a"] * 2, [0, days(1)]))
    {'t.x.change.7d': array([0., 3.])}
    """

    column: str
    over: stage.Span | tuple[stage.Span, ...]

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.column}.change.{stage.spelled(span)}" for span in stage.spans(self.over))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        seen, series, valid = _known(self.column, tables, moments)
        now = _at(series, seen.last(valid))
        spans = zip(self.names(), stage.spans(self.over), strict=True)
        return {name: now - _at(series, _before(seen, valid, span)) for name, span in spans}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        return _keeps_first(self.column, self.over, rows, moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)


class Behind(features.Feature):
    """By how much a running-hours counter fell behind the clock over the last `over`, in units of `per`.

    A machine that ran through gives 0, one whose counter stood still the whole span, one that never stopped being
    asked but did not run.  The span is shortened to what is known of the machine; what a counter that jumps would
    give is cut at plus or minus `over`.  NaN when nothing was known at all.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 2, at=[0, days(1)], columns={"hours": [100.0, 106.0]})
    >>> Behind("t.hours", over=days(1)).compute({"t": rows}, stage.Moments.of(["a"], [days(1)]))
    {'t.hours.behind.1d': array([18.])}
    """

    column: str
    over: stage.Span | tuple[stage.Span, ...]
    per: stage.Span = units.hours(1)

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.column}.behind.{stage.spelled(span)}" for span in stage.spans(self.over))

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        seen, series, valid = _known(self.column, tables, moments)
        now = _at(series, seen.last(valid))
        history = moments.at - np.append(seen.rows.at, 0)[seen.first(valid)]
        out: dict[str, data.Column] = {}
        for name, span in zip(self.names(), stage.spans(self.over), strict=True):
            passed = np.minimum(history, int(span)) / int(self.per)
            ran = now - _at(series, _before(seen, valid, span))
            most = int(span) / int(self.per)
            out[name] = np.clip(passed - ran, -most, most)
        return out

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        return _keeps_first(self.column, self.over, rows, moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)
        yield from stage.span_problems(page, self.per, "per", "unit")


class Rises(features.Feature):
    """How many rows of the window (m - over, m] told more than the known row before them.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 4, at=[days(d) for d in range(4)], columns={"x": [0.0, 2.0, 2.0, 3.0]})
    >>> Rises("t.x", over=days(2)).compute({"t": rows}, stage.Moments.of(["a"] * 2, [days(1), days(3)]))
    {'t.x.rises.2d': array([1., 1.])}
    """

    column: str
    over: stage.Span

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.column}.rises.{stage.spelled(self.over)}",)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        return {self.names()[0]: _rises(self.column, tables, moments, int(self.over))[0]}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        return _keeps_window(self.column, int(self.over), rows, moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page)


class SinceRise(features.Feature):
    """How long ago the column last rose, in units of `per`; `at_most` when it did not rise within that time.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 3, at=[days(d) for d in range(3)], columns={"x": [0.0, 2.0, 2.0]})
    >>> SinceRise("t.x", at_most=days(30)).compute({"t": rows}, stage.Moments.of(["a"] * 2, [0, days(2)]))
    {'t.x.since_rise': array([30.,  1.])}
    """

    column: str
    at_most: stage.Span
    per: stage.Span = units.DAY

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.column}.since_rise",)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        last = _rises(self.column, tables, moments, int(self.at_most))[1]
        since = np.where(
            last < 0, int(self.at_most), moments.at - np.append(_rows(self.column, tables).at, 0)[last]
        )
        return {self.names()[0]: since / int(self.per)}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        return _keeps_window(self.column, int(self.at_most), rows, moment)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from _problems(self, page, "at_most")
        yield from stage.span_problems(page, self.per, "per", "unit")


class Standstill(features.Feature):
    """1 when a counter did not advance in the last 1 to `rows` rows but did before; else 0, NaN if never known.

    Why "did before": a counter that has never moved is broken or not fitted, and says nothing new.

    >>> rows = data.Rows.of(["a"] * 4, at=[0, 1, 2, 3], columns={"hours": [5.0, 6.0, 6.0, 6.0]})
    >>> Standstill("t.hours", rows=2).compute({"t": rows}, stage.Moments.of(["a"] * 4, [0, 1, 2, 3]))
    {'t.hours.standstill': array([0., 0., 1., 1.])}
    """

    column: str
    rows: int = 5

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def names(self) -> tuple[str, ...]:
        return (f"{self.column}.standstill",)

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        seen, series, valid = _known(self.column, tables, moments)
        last = row = seen.last(valid)
        stood = np.zeros(len(moments))
        still, ran = row >= 0, np.zeros(len(moments), dtype=bool)
        for _ in range(self.rows + 1):
            before = seen.previous(row, valid)
            step = _at(series, row) - _at(series, before)
            ran |= still & (step > 0)
            still &= step <= 0
            stood += still
            row = before
        found = ran & (stood >= 1) & (stood <= self.rows)
        return {self.names()[0]: np.where(last < 0, np.nan, found.astype(np.float64))}

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        import numpy as np

        holds = values.known(rows, stage.split(self.column)[1])
        holds &= (rows.at <= moment) & (rows.seen <= moment) & (rows.until > moment)
        found = np.flatnonzero(holds)
        if len(found) < self.rows + 2:
            return np.ones(len(rows), dtype=bool)
        return rows.at >= rows.at[found[-self.rows - 2]]

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.kind_problems(page, self.column, "number")
        if self.rows < 1:
            yield errors.Problem("rows", f"{self.rows} rows, nothing could stand still", "give 1 or more")


def _rows(column: str, tables: data.Tables) -> data.Rows:
    return tables[stage.split(column)[0]]


def _known(column: str, tables: data.Tables, moments: stage.Moments) -> tuple[view.View, Floats, Any]:
    """Return the rows as the moments see them, the column as numbers, and where it has one."""
    rows, name = _rows(column, tables), stage.split(column)[1]
    return view.View(rows, moments), values.floats(rows, name), values.known(rows, name)


def _at(series: Floats, row: Ints) -> Floats:
    """Return the values of those rows, NaN where the row is -1."""
    import numpy as np

    return np.append(series, np.nan)[row]


def _before(seen: view.View, valid: Any, span: stage.Span) -> Ints:
    """Return (m,) the last known row at or before m - span; the first known one when there was none yet."""
    import numpy as np

    row = seen.last(valid, before=seen.moments.at - int(span))
    return np.where(row < 0, seen.first(valid), row)


def _rises(column: str, tables: data.Tables, moments: stage.Moments, span: int) -> tuple[Floats, Ints]:
    """Return (m,) how many rows of the window rose over the known row before, and the last that did (-1: none).

    Which row lies before is settled once for the whole table; only the first known row of each window is compared
    anew, with what its own moment knew before the window.
    """
    import numpy as np

    seen, series, valid = _known(column, tables, moments)
    base = _at(series, seen.last(valid, before=moments.at - span))
    count, last = np.zeros(len(moments)), np.full(len(moments), -1, dtype=np.int64)
    for piece in seen.windows(span):
        here = piece.of(series)
        rose = _rose(here)
        n = len(here)
        known = np.append(~np.isnan(here), True)
        first = np.minimum.accumulate(np.where(known, np.arange(n + 1), n)[::-1])[::-1][piece.lo]
        some = first < piece.hi
        first = np.where(some, first, 0)
        anew = some & (np.append(here, np.nan)[first] > base[piece.index])
        total = np.append(0, np.cumsum(rose))
        # The first known row of the window stands outside of the table's own comparison.
        after = np.where(some, first + 1, piece.hi)
        count[piece.index] = total[piece.hi] - total[np.minimum(after, piece.hi)] + anew
        newest = np.append(-1, np.maximum.accumulate(np.where(rose, np.arange(n), -1)))[piece.hi]
        place = np.where(newest >= after, newest, np.where(anew, first, -1))
        rows = np.arange(n) if piece.take is None else piece.take
        last[piece.index] = np.append(rows, -1)[place]
    return count, last


def _rose(series: Floats) -> Any:
    """Return (n,) where a value is above the known one before it in the series."""
    import numpy as np

    known = np.flatnonzero(~np.isnan(series))
    rose = np.zeros(len(series), dtype=bool)
    rose[known[1:]] = series[known[1:]] > series[known[:-1]]
    return rose


def _keeps_first(column: str, over: Any, rows: data.Rows, moment: int) -> Any:
    """Keep what a difference may need: from each span back on, and up to the first known row."""
    valid = values.known(rows, stage.split(column)[1])
    keep = values.until_first(rows, valid, moment)
    for span in stage.spans(over):
        keep = keep | values.since_last(rows, valid, moment - int(span))
    return keep


def _keeps_window(column: str, span: int, rows: data.Rows, moment: int) -> Any:
    """Keep the window and the known row before it."""
    return values.since_last(rows, values.known(rows, stage.split(column)[1]), moment - span)


def _problems(feature: Any, page: Any, place: str = "over") -> Iterator[errors.Problem]:
    yield from stage.kind_problems(page, feature.column, "number")
    for span in stage.spans(getattr(feature, place)):
        yield from stage.span_problems(page, span, place)
