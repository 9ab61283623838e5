"""Context: what a machine worked on when a row happened (lot, recipe, product, chamber), joined by tolerance.

A context row comes from another system, often later than the row it belongs to, and is corrected afterwards.  What
is known of a row's context therefore changes with time, and a joined row is a fact with versions: first as it was
seen, then again at each moment at which more was known of its context.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, part, units
from flyball.data import stage

if TYPE_CHECKING:
    from flyball.data.stage import Column, Flags, Ints, Rows, Tables

#: So many machines with the most orphans are named.
NAMED = 3


class Context(part.Part):
    """Columns of table `of` that every row of table `to` takes from the latest one at most `within` before it.

    The same machine's context row with the latest `at` at or before the row's own counts, of those that were seen;
    of two at one time the one seen last.  A row without one is an orphan, and its context is missing; a share of
    orphans above `orphans` is a failed expectation.  Context that was seen later than the row, or corrected, makes a
    later version of the row: what was known before stays.  That is why table `to` needs `unique`; a row that misses
    a value of these keeps the context that was known when it was seen.

    >>> rows = stage.Rows.of(["a"] * 2, at=[10, 95], columns={"power": [1.0, 2.0]}, unique=("at",))
    >>> lots = stage.Rows.of(["a"], at=[5], seen=[12], columns={"product": ["x"]})
    >>> context = Context("telemetry", of="lots", columns=("product",), within=units.steps(30), orphans=0.1)
    >>> found = context.join(rows, lots)
    >>> found.at.tolist(), found.seen.tolist(), found.words("product").texts()
    ([10, 10, 95], [10, 12, 95], [None, 'x', None])
    """

    to: str
    of: str
    columns: tuple[str, ...]
    within: units.Duration | units.Count
    orphans: float = 0.0

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        fleet = page.data
        yield from self._clocked(fleet)
        if not 0 <= self.orphans <= 1:
            yield errors.Problem("orphans", f"{self.orphans} is no share", "give a number from 0 to 1")
        for place in ("to", "of"):
            yield from _timed(fleet, place, getattr(self, place))
        if self.to == self.of:
            yield errors.Problem("of", f"{self.to!r} would be its own context", "name another table")
        taking = fleet.table(self.to)
        if taking is not None and not taking.unique:
            what = f"{self.to!r} does not say which rows are versions of one fact, and late context makes versions"
            yield errors.Problem("to", what, f"give the table unique=, such as unique=('at',) of {self.to!r}")

    def _clocked(self, fleet: stage.Fleet) -> Iterator[errors.Problem]:
        if not isinstance(self.within, (units.Duration, units.Count)):
            yield errors.Problem(
                "within", f"a bare {self.within!r} is no span", "write minutes(30), or steps(3) for a counter"
            )
        elif self.within < 0:
            yield errors.Problem("within", f"{self.within!r} would look ahead", "give a span of 0 or more")
        elif isinstance(self.within, units.Count) != isinstance(fleet.clock, stage.Counter):
            what = f"a span of {self.within!r} is not of the page's clock {fleet.clock!r}"
            yield errors.Problem(
                "within", what, "write minutes(...) for a wall clock, steps(...) for a counter"
            )

    def taken(self, known: dict[str, str]) -> Iterator[errors.Problem]:
        """Yield what is wrong with the columns, given all ("table.column" -> kind) that stand before this part."""
        if not self.columns:
            yield errors.Problem("columns", "no column is taken", "name one of the table's columns")
        for name in self.columns:
            kind = known.get(f"{self.of}.{name}")
            if kind is None:
                hint = errors.did_you_mean(f"{self.of}.{name}", known)
                yield errors.Problem("columns", f"no column {f'{self.of}.{name}'!r}", hint)
            elif kind == "image":
                what = f"{f'{self.of}.{name}'!r} is an image, and images are not context"
                yield errors.Problem("columns", what, "name a number or a text")
            if f"{self.to}.{name}" in known or self.columns.count(name) > 1:
                what = f"{f'{self.to}.{name}'!r} is there already"
                yield errors.Problem("columns", what, "rename one of the two in its table")

    def join(self, rows: Rows, source: Rows) -> Rows:
        """Return the rows with the columns taken, and a version for each moment at which their context changed."""
        import numpy as np

        first, extra = self._pieces(rows, source)
        if not len(extra.row):
            return dataclasses.replace(rows, columns={**rows.columns, **self._given(source, first)})
        index = np.concatenate([np.arange(len(rows)), extra.row])
        seen = np.concatenate([rows.seen, extra.since])
        taken = np.concatenate([first, extra.taken])
        # Sorted by row before it is sorted by time: of two facts at one time the later one stays the later one.
        order = np.argsort(index, kind="stable")
        segments = rows.segments()[index]
        order = order[np.lexsort((seen[order], rows.at[index][order], segments[order]))]
        index, seen, taken = index[order], seen[order], taken[order]
        starts = np.searchsorted(segments[order], np.arange(len(rows.keys) + 1)).astype(np.int64)
        columns = {name: values[index] for name, values in rows.columns.items()} | self._given(source, taken)
        return stage.Rows(rows.keys, starts, rows.at[index], seen, columns, rows.unique)

    def _given(self, source: Rows, taken: Ints) -> dict[str, Column]:
        return {name: _picked(source.columns[name], taken) for name in self.columns if name in source.columns}

    def _latest(self, rows: Rows, source: Rows) -> tuple[Ints, Ints]:
        """Return (n,) the last context row at or before each row, seen or not, and the first one it could take."""
        import numpy as np

        from flyball import kernels

        place = {key: number for number, key in enumerate(source.keys)}
        machines = np.array([place.get(key, -1) for key in rows.keys], dtype=np.int64)
        segments = np.repeat(machines, np.diff(rows.starts))
        if not len(source):
            return np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        there = np.maximum(segments, 0)
        latest = kernels.asof(source.at, source.starts, rows.at, there)
        return np.where(segments < 0, -1, latest), source.starts[there]

    def _fits(self, rows: Rows, source: Rows, row: Ints, at: Ints, low: Ints) -> Flags:
        """Say whether context row `at` is of the machine of row `row`, and young enough for it."""
        import numpy as np

        near = np.maximum(at, 0)
        found: Flags = (at >= low[row]) & (source.at[near] >= rows.at[row] - int(self.within))
        return found

    def _pieces(self, rows: Rows, source: Rows) -> tuple[Ints, Pieces]:
        """Return which context row each row has when it is seen (-1: none), and what it has later, from when on.

        A row holds in [seen, until), and so does a context row.  From the latest context row back, each takes what
        it covers of the time that is left, and leaves the rest to those before it.
        """
        import numpy as np

        latest, low = self._latest(rows, source)
        first = np.full(len(rows), -1, dtype=np.int64)
        if not len(source) or not len(rows):
            return first, Pieces.none()
        ends = np.where(_identified(rows), rows.until, rows.seen)
        left = Pieces(np.arange(len(rows)), latest, rows.seen, np.maximum(ends, rows.seen + 1))
        before = _seen_earlier(source)
        extra = []
        while len(left.row):
            fits = self._fits(rows, source, left.row, left.taken, low)
            gap = left.of(~fits)
            extra.append(dataclasses.replace(gap, taken=np.full(len(gap.row), -1)))
            found, left = _taken(left.of(fits), source, before)
            extra.append(found)
        every = Pieces.joined(extra)
        begins = every.since == rows.seen[every.row]
        first[every.row[begins]] = every.taken[begins]
        return first, self._changes(source, first, every.of(~begins))

    def _changes(self, source: Rows, first: Ints, extra: Pieces) -> Pieces:
        """Return the pieces, in order of row and time, that give a row another value than the one before them."""
        import numpy as np

        if not len(extra.row):
            return extra
        extra = extra.of(np.lexsort((extra.since, extra.row)))
        earlier = np.append(-1, extra.taken[:-1])
        opens = np.append(True, extra.row[1:] != extra.row[:-1])
        earlier[opens] = first[extra.row[opens]]
        differ = np.zeros(len(extra.row), dtype=bool)
        for column in self._given(source, np.stack([earlier, extra.taken]).reshape(-1)).values():
            values = np.asarray(column.codes if isinstance(column, stage.Words) else column).reshape(2, -1)
            differ |= (values[0] != values[1]) & ((values[0] == values[0]) | (values[1] == values[1]))
        return extra.of(differ)

    def judge(
        self, rows: Rows, source: Rows, as_of: int | None = None
    ) -> tuple[stage.Finding, dict[str, Any]]:
        """Return the share of orphans as known at the cut, and the counts: all, at first sight, by machine.

        A row whose context came in after the cut is an orphan at the cut.

        >>> rows = stage.Rows.of(["a"] * 2, at=[10, 95], unique=("at",))
        >>> lots = stage.Rows.of(["a"], at=[5], seen=[12], columns={"product": ["x"]})
        >>> context = Context("t", of="lots", columns=("product",), within=units.steps(30), orphans=0.1)
        >>> finding, counts = context.judge(rows, lots)
        >>> finding.figure, finding.passed, counts["first"]
        (0.5, False, 2)
        """
        import numpy as np

        first, _ = self._pieces(rows, source)
        facts, known = rows.known(as_of), source.known(as_of)
        latest, low = self._latest(facts, known)
        orphan = np.ones(len(facts), dtype=bool)
        if len(known):
            orphan = ~self._fits(facts, known, np.arange(len(facts)), latest, low)
        by = np.bincount(facts.segments()[orphan], minlength=len(facts.keys)).tolist()
        sizes = np.diff(facts.starts).tolist()
        machines = {key: [n, size] for key, n, size in zip(facts.keys, by, sizes, strict=True) if n}
        seen = rows.seen <= (stage.FOREVER if as_of is None else as_of)
        count = int(orphan.sum())
        counts = {
            "rows": len(facts),
            "orphans": count,
            "first": int((first[seen] < 0).sum()),
            "machines": machines,
        }
        share = count / max(1, len(facts))
        what = f"{self.to} without {self.of}"
        return stage.Finding(
            "Context", what, share, self.orphans, share <= self.orphans, self._why(counts)
        ), counts

    def _why(self, counts: dict[str, Any]) -> str:
        if not counts["orphans"]:
            return ""
        ranked = sorted(counts["machines"].items(), key=lambda item: (-item[1][0] / item[1][1], item[0]))
        most = ", ".join(f"{key} {n} of {size}" for key, (n, size) in ranked[:NAMED])
        told = f"{counts['orphans']} of {counts['rows']} rows have no row of {self.of} within {self.within!r}"
        return f"{told} before them; most: {most}"


def joined(contexts: Iterable[Context], tables: Tables) -> Tables:
    """Return tables with the context that a page declares, each in what those before it left."""
    found = dict(tables)
    for context in contexts:
        if context.to in found and context.of in found:
            found[context.to] = context.join(found[context.to], found[context.of])
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Pieces:
    """Spans of time of rows: `row` (k,) takes context row `taken` (k,) in [`since`, `until`) (k,)."""

    row: Ints
    taken: Ints
    since: Ints
    until: Ints

    def of(self, chosen: Any) -> Pieces:
        """Return some of them."""
        return Pieces(self.row[chosen], self.taken[chosen], self.since[chosen], self.until[chosen])

    @staticmethod
    def none() -> Pieces:
        """Return no pieces."""
        import numpy as np

        return Pieces(*(np.empty(0, dtype=np.int64) for _ in range(4)))

    @staticmethod
    def joined(parts: list[Pieces]) -> Pieces:
        """Return all pieces of several."""
        import numpy as np

        fields = ("row", "taken", "since", "until")
        return Pieces(*(np.concatenate([getattr(part_, name) for part_ in parts]) for name in fields))


def _taken(left: Pieces, source: Rows, before: Ints) -> tuple[Pieces, Pieces]:
    """Return what the context rows cover of the time that is left, and what they leave to those before them."""
    import numpy as np

    seen, until = source.seen[left.taken], source.until[left.taken]
    holds = seen < until
    since, stop = np.maximum(left.since, seen), np.minimum(left.until, until)
    found = Pieces(left.row, left.taken, since, stop).of(holds & (since < stop))
    # Before it was seen only what was seen still earlier counts; after it was corrected, all that stand before it.
    stop = np.where(holds, np.minimum(left.until, seen), left.since)
    younger = Pieces(left.row, before[left.taken], left.since, stop).of(left.since < stop)
    since = np.where(holds, np.maximum(left.since, until), left.since)
    older = Pieces(left.row, left.taken - 1, since, left.until).of(since < left.until)
    return found, Pieces.joined([younger, older])


def _seen_earlier(source: Rows) -> Ints:
    """Return (n,) the last row before each, of whatever machine, that was seen earlier than it; -1 for none.

    Rows in between were all seen as late or later, so whoever passes one of them passes all: pointers double.
    """
    import numpy as np

    before = np.arange(-1, len(source) - 1, dtype=np.int64)
    here = np.flatnonzero(before >= 0)
    while len(here):
        here = here[source.seen[before[here]] >= source.seen[here]]
        before[here] = before[before[here]]
        here = here[before[here] >= 0]
    return before


def _identified(rows: Rows) -> Flags:
    """Return (n,) whether a row says which fact it is a version of."""
    import numpy as np

    whole = np.full(len(rows), bool(rows.unique))
    for name in rows.unique:
        values = rows.at if name == "at" else rows.columns.get(name)
        if values is None:
            return np.zeros(len(rows), dtype=bool)
        plain = np.asarray(values.codes if isinstance(values, stage.Words) else values)
        whole &= plain >= 0 if isinstance(values, stage.Words) else plain == plain
    return whole


def _picked(column: Column, taken: Ints) -> Column:
    """Return the column's values at some places, missing where the place is -1."""
    import numpy as np

    if isinstance(column, stage.Words):
        return stage.Words(np.append(column.codes, np.int32(-1))[taken], column.labels)
    if not isinstance(column, np.ndarray):
        raise errors.DataError("a column of references is no context: name a number or a text")
    return np.append(column, np.array(np.nan, column.dtype))[taken]


def _timed(fleet: stage.Fleet, place: str, name: str) -> Iterator[errors.Problem]:
    """Yield a problem when there is no such table, or it has no time to be joined by."""
    table = fleet.table(name)
    if table is None:
        hint = errors.did_you_mean(name, [table.name for table in fleet.tables])
        yield errors.Problem(place, f"no table {name!r}", hint)
    elif table.time is None:
        what = f"table {name!r} has no time, and context is joined by time"
        yield errors.Problem(place, what, f"give data.Table({name!r}, time=...)")
