"""When the question is asked: on a grid of time, or once per row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage

if TYPE_CHECKING:
    from flyball.data.stage import Ints


class Every(stage.Asked):
    """Asked at every period of the grid (UTC) at which the machine had sent a row within the last period.

    Why: a machine that vanished is no longer asked, and whether it is asked at m depends on nothing after m:
    a grid from the first to the last row would tell by asking that the machine comes back.  `of` names the
    table whose rows count (the first of the page when None); `within` widens the look for a row.

    >>> from flyball.units import days
    >>> rows = data.Rows.of(["a"] * 3, at=[0, days(1), days(3)])
    >>> (Every(days(1)).moments({"logs": rows}).at // days(1)).tolist()
    [0, 1, 3]
    """

    period: stage.Span
    of: str | None = None
    within: stage.Span | None = None

    def moments(
        self, tables: data.Tables, since: int | None = None, until: int | None = None
    ) -> stage.Moments:
        import numpy as np

        rows = stage.arrived(tables, next(iter(tables), "") if self.of is None else self.of)
        period = int(self.period)
        within = period if self.within is None else int(self.within)
        segments = rows.segments().astype(np.int64)
        grid = -(-rows.at // period) * period
        reach = range(0, within, period)
        found = [
            (segments[near], grid[near] + step) for step in reach for near in [grid + step < rows.at + within]
        ]
        codes = np.concatenate([pair[0] for pair in found])
        at = np.concatenate([pair[1] for pair in found])
        return _unique(rows.keys, codes, at, since, until, ordered=len(found) == 1)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.span_problems(page, self.period, "period", "period")
        if self.within is not None:
            yield from stage.span_problems(page, self.within, "within")
        yield from stage.table_problems(page, self.of, "of")


class Each(stage.Asked):
    """Asked once per row of a table, at the moment when the row was seen.

    Two rows of one machine that were seen at one moment are one question.

    >>> rows = data.Rows.of(["w1", "w2"], at=[0, 0])
    >>> Each("maps").moments({"maps": rows}).names()
    ['w1', 'w2']
    """

    table: str

    def moments(
        self, tables: data.Tables, since: int | None = None, until: int | None = None
    ) -> stage.Moments:
        import numpy as np

        rows = stage.arrived(tables, self.table)
        at = np.maximum(rows.at, rows.seen)
        return _unique(rows.keys, rows.segments().astype(np.int64), at, since, until, ordered=False)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from stage.table_problems(page, self.table, "table")


def _unique(
    keys: tuple[str, ...], codes: Ints, at: Ints, since: int | None, until: int | None, ordered: bool
) -> stage.Moments:
    """Return the pairs within [since, until), each once, by machine and moment."""
    import numpy as np

    inside = np.ones(len(at), dtype=bool)
    if since is not None:
        inside &= at >= since
    if until is not None:
        inside &= at < until
    codes, at = codes[inside], at[inside]
    if not ordered:
        order = np.lexsort((at, codes))
        codes, at = codes[order], at[order]
    new = np.ones(len(at), dtype=bool)
    new[1:] = (codes[1:] != codes[:-1]) | (at[1:] != at[:-1])
    return stage.Moments(keys, codes[new].astype(np.int32), at[new])
