"""Stage 1, data: what comes in.  `Fleet` is its value; `Rows` is how every later stage sees a table.

Times are int64 microseconds UTC (a counter's steps where the clock is a `Counter`).  Reserved names: `key`
(the machine), `at` (when it happened, by the machine's clock), `seen` (when the one who answers could know
it), `source` (digest of the file or message).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Union

from flyball import errors, part, units

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from flyball.data.context import Context
    from flyball.data.images import Images
    from flyball.data.retention import Retention

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Codes = npt.NDArray[np.int32]
    Flags = npt.NDArray[np.bool_]
    Array = npt.NDArray[Any]

RESERVED = ("key", "at", "seen", "source")

#: Tables that the store keeps beside the page's own: what was answered and raised, and what came of it.
KEPT = ("answers", "outcomes", "alerts", "reviews")

#: A moment that never comes (the greatest int64).
FOREVER = 2**63 - 1


class Clock(part.Part):
    """Abstract: by what a table's rows are ordered."""


class WallClock(Clock):
    """Rows happen at moments of wall-clock time, int64 microseconds UTC."""


class Counter(Clock):
    """Rows happen at steps of a counter of the machine (cycles, wafers): windows are `units.steps`."""

    column: str


class Table(part.Part):
    """One table of the fleet: its name, its columns with a unit or kind each, and how late it arrives.

    `columns` maps a name to a physical unit ("kW"), or to a kind of `units.KINDS`: category, bool, count,
    number (no unit), text, image.  `arrives` is the usual lag between `at` and `seen`; it stands in for the true
    `seen` of history loaded late.  `time` names the column of the files that holds `at` (None: the table has
    no time).  Rows of one machine that agree on all `unique` columns are versions of one fact: what was seen
    last holds; with no `unique` every row is a fact of its own.

    >>> Table("telemetry", columns={"co2_power": "kW"}, arrives=units.hours(1), unique=("at",)).columns["co2_power"]
    'kW'
    """

    name: str
    columns: Mapping[str, str]
    arrives: units.Duration | units.Count | int = 0
    time: str | None = "at"
    unique: tuple[str, ...] = ()

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for name, kind in self.columns.items():
            if name in RESERVED:
                yield errors.Problem("columns", f"{name!r} is reserved", "give the column another name")
            if kind not in units.names():
                fix = errors.did_you_mean(kind, units.names())
                yield errors.Problem(f"columns[{name!r}]", f"no unit {kind!r}", fix)
        for name in self.unique:
            if name not in (*self.columns, "at"):
                yield errors.Problem(
                    "unique", f"no column {name!r}", errors.did_you_mean(name, (*self.columns, "at"))
                )
        if self.arrives < 0:
            yield errors.Problem(
                "arrives", f"a negative lag {self.arrives!r} would know the future", "give 0 or more"
            )


class Cleaner(part.Part):
    """Abstract: changes the rows of a table in a declared way before features see them.

    A cleaner uses only rows with an earlier or equal `seen` of the same machine, so it never looks ahead.
    """

    def reads(self) -> tuple[str, ...]:
        """Return the columns ("table.column") it changes."""
        raise NotImplementedError

    def clean(self, name: str, rows: Rows) -> Rows:
        """Return the table's rows cleaned; a table it does not name comes back as it is."""
        raise NotImplementedError

    def found(self, name: str, rows: Rows) -> Iterable[Finding]:
        """Yield what it counts in a table that it is about to clean; most cleaners count nothing."""
        return ()

    def lookback(self) -> int:
        """Return how far back (microseconds or steps) it needs rows to clean one."""
        return 0

    def fleetwide(self) -> bool:
        """Say whether it compares rows across machines, so that no group of machines can be cleaned alone."""
        return False


class Check(part.Part):
    """Abstract: an expectation about a table, judged on arrival and again before training."""

    def reads(self) -> tuple[str, ...]:
        """Return the columns ("table.column") it looks at."""
        raise NotImplementedError

    def judge(self, name: str, rows: Rows) -> Iterable[Finding]:
        """Yield what was found on a table it names."""
        raise NotImplementedError


@dataclass(frozen=True)
class Finding:
    """What a check saw: the figure, the limit, and whether it holds."""

    check: str
    column: str
    figure: float
    limit: float
    passed: bool
    why: str = ""


class Fleet(part.Part):
    """What comes in: one key, one clock, the tables, what cleans them and what is expected of them.

    `key` names the column of the files that says which machine a row is from.  `images` says of an image column to
    what size it is decoded and what is too large; a column of which nothing is said has the defaults of `Images`.
    `retain` says how much of the past a store keeps; without it all of it.  `context` joins columns of other tables
    to the cleaned rows, in order: from then on they are named like any other column.
    """

    key: str
    clock: Clock | None
    tables: tuple[Table, ...]
    clean: tuple[Cleaner, ...] = ()
    expect: tuple[Check, ...] = ()
    images: tuple[Images, ...] = ()
    retain: Retention | None = None
    context: tuple[Context, ...] = ()

    def image(self, column: str) -> Images | None:
        """Return what is said of an image column ("table.column"), None if nothing."""
        return next((said for said in self.images if said.column == column), None)

    def table(self, name: str) -> Table | None:
        """Return the table of that name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def columns(self) -> dict[str, str]:
        """Return "table.column" -> unit or kind, for every column that can be named on the page."""
        return self._known(self.context)

    def arriving(self) -> dict[str, str]:
        """Return "table.column" -> unit or kind, for every column that files bring; those of context are not."""
        return self._known(())

    def _known(self, context: tuple[Context, ...]) -> dict[str, str]:
        found = {f"{t.name}.{c}": kind for t in self.tables for c, kind in t.columns.items()}
        for joined in context:
            kinds = {f"{joined.to}.{name}": found.get(f"{joined.of}.{name}") for name in joined.columns}
            found |= {name: kind for name, kind in kinds.items() if kind is not None}
        return found

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        seen: set[str] = set()
        for table in self.tables:
            if table.name in seen:
                yield errors.Problem("tables", f"two tables are called {table.name!r}", "rename one")
            if table.name in KEPT:
                yield errors.Problem("tables", f"{table.name!r} is a table that the store keeps", "rename it")
            seen.add(table.name)
        if not self.tables:
            yield errors.Problem("tables", "no table", "declare at least one data.Table")
        own = part.replace(self, context=())
        for index, joined in enumerate(self.context):
            for problem in joined.taken(self._known(self.context[:index])):
                yield problem._replace(place=f"context[{index}].{problem.place}")
        # Rows are cleaned before context is joined to them, so that each table is cleaned once, and alone.
        for name, fleet in (("clean", own), ("expect", self), ("images", own)):
            for index, inner in enumerate(getattr(self, name)):
                for column in inner.reads():
                    for problem in unknown(fleet, column):
                        yield problem._replace(place=f"{name}[{index}]")


def unknown(fleet: Fleet, column: str) -> Iterator[errors.Problem]:
    """Yield a problem when the page's data has no column of that name ("table.column").

    >>> fleet = Fleet("machine", WallClock(), (Table("repairs", columns={"failed": "bool"}),))
    >>> [str(problem) for problem in unknown(fleet, "repairs.fialed")]
    [": no column 'repairs.fialed', did you mean 'repairs.failed'?"]
    """
    if column not in fleet.columns():
        yield errors.Problem("", f"no column {column!r}", errors.did_you_mean(column, fleet.columns()))


def no_number(fleet: Fleet, column: str) -> Iterator[errors.Problem]:
    """Yield a problem when a column of the page holds no numbers.

    >>> fleet = Fleet("machine", WallClock(), (Table("events", columns={"code": "category"}),))
    >>> [str(problem) for problem in no_number(fleet, "events.code")]
    ["column: 'events.code' is declared 'category' and a number is needed, name another column"]
    """
    kind = fleet.columns().get(column)
    if kind in ("category", "text", "image"):
        what = f"{column!r} is declared {kind!r} and a number is needed"
        yield errors.Problem("column", what, "name another column")


@dataclass(frozen=True, eq=False)
class Words:
    """A category column: `codes` (n,) int32 into `labels`, -1 where missing.

    >>> import numpy as np
    >>> Words.of(["a", None, "b", "a"]).codes.tolist()
    [0, -1, 1, 0]
    """

    codes: Codes
    labels: tuple[str, ...]

    @staticmethod
    def of(values: Iterable[str | None]) -> Words:
        """Encode texts; labels are sorted, so equal content gives equal codes."""
        import numpy as np

        texts = list(values)
        labels = tuple(sorted({text for text in texts if text is not None}))
        index = {label: code for code, label in enumerate(labels)}
        codes = np.fromiter((-1 if t is None else index[t] for t in texts), dtype=np.int32, count=len(texts))
        return Words(codes, labels)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: Any) -> Words:
        return Words(self.codes[index], self.labels)

    def texts(self) -> list[str | None]:
        """Return the texts, None where missing."""
        return [None if code < 0 else self.labels[code] for code in self.codes.tolist()]

    def relabel(self, labels: tuple[str, ...]) -> Words:
        """Return the same texts under other labels; a text that is not among them becomes missing."""
        import numpy as np

        place = {label: code for code, label in enumerate(labels)}
        table = np.array([place.get(label, -1) for label in self.labels] + [-1], dtype=np.int32)
        return Words(table[self.codes], labels)


class Late(Protocol):
    """A late column: n references to images, sequences or texts, decoded only where they are used."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any) -> Late:
        """Return the references at those places, still not decoded."""

    def load(self) -> list[Array]:
        """Decode all of them, in order."""


Column = Union["Array", Words, Late]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of one table, machine by machine: what features, labels and checks are computed on.

    Sorted by (machine, at, seen, arrival).  `keys` are the machines' names in ascending order, machine i has the
    rows `starts[i]:starts[i + 1]`; `at` and `seen` are (n,) int64; a column is float64 (NaN missing; bool as 0/1;
    count as float64), `Words` (category, text) or `Late` (image).  `unique` is the table's: rows of one machine
    that agree on all of them are versions of one fact, of which the one seen last holds.
    """

    keys: tuple[str, ...]
    starts: Ints
    at: Ints
    seen: Ints
    columns: Mapping[str, Column]
    unique: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.at)

    @staticmethod
    def of(
        key: Iterable[str],
        at: Any,
        seen: Any = None,
        columns: Mapping[str, Any] | None = None,
        unique: tuple[str, ...] = (),
    ) -> Rows:
        """Sort plain columns into Rows; `seen` defaults to `at`; sequences of str become Words.

        >>> rows = Rows.of(["b", "a", "b"], at=[2, 1, 1], columns={"x": [1.0, 2.0, 3.0]})
        >>> rows.keys, rows.starts.tolist(), rows.columns["x"].tolist()
        (('a', 'b'), [0, 1, 3], [2.0, 3.0, 1.0])
        """
        import numpy as np

        words = Words.of(key)
        when = np.asarray(at, dtype=np.int64)
        known = when if seen is None else np.asarray(seen, dtype=np.int64)
        order = np.lexsort((known, when, words.codes))
        starts = np.searchsorted(words.codes[order], np.arange(len(words.labels) + 1)).astype(np.int64)
        return Rows(
            words.labels, starts, when[order], known[order],
            {name: column_of(values)[order] for name, values in (columns or {}).items()}, unique,
        )  # fmt: skip

    def segments(self) -> Codes:
        """Return (n,) the index into `keys` of every row."""
        import numpy as np

        return np.repeat(np.arange(len(self.keys), dtype=np.int32), np.diff(self.starts))

    def take(self, mask_or_index: Any) -> Rows:
        """Return some of the rows, given by an ascending index or a mask; every machine stays, if with no rows."""
        import numpy as np

        index = np.asarray(mask_or_index)
        index = np.flatnonzero(index) if index.dtype == bool else index
        starts = np.searchsorted(index, self.starts).astype(np.int64)
        columns = {name: values[index] for name, values in self.columns.items()}
        return Rows(self.keys, starts, self.at[index], self.seen[index], columns, self.unique)

    def machine(self, key: str) -> Rows:
        """Return the rows of one machine (none when it is unknown)."""
        import bisect

        import numpy as np

        place = bisect.bisect_left(self.keys, key)
        known = place < len(self.keys) and self.keys[place] == key
        low, high = (int(self.starts[place]), int(self.starts[place + 1])) if known else (0, 0)
        columns = {name: values[low:high] for name, values in self.columns.items()}
        starts = np.array([0, high - low], np.int64)
        return Rows((key,), starts, self.at[low:high], self.seen[low:high], columns, self.unique)

    @functools.cached_property
    def until(self) -> Ints:
        """Return (n,) when a later version of the row's fact was seen: the row holds in [seen, until).

        A row that was never corrected holds until FOREVER; a missing value agrees with nothing.
        """
        import numpy as np

        until = np.full(len(self), FOREVER, dtype=np.int64)
        if not self.unique or any(name != "at" and name not in self.columns for name in self.unique):
            return until
        named = [self.at if name == "at" else self.columns.get(name) for name in self.unique]
        whole = np.ones(len(self), dtype=bool)
        values = []
        for column in named:
            plain = np.asarray(column.codes if isinstance(column, Words) else column)
            whole &= plain >= 0 if isinstance(column, Words) else plain == plain
            values.append(plain)
        order = np.flatnonzero(whole)
        segments = self.segments()
        if self.unique != ("at",):  # by these the rows are sorted already
            order = order[
                np.lexsort((self.seen[order], *(value[order] for value in values), segments[order]))
            ]
        older, newer = order[:-1], order[1:]
        same = segments[older] == segments[newer]
        for value in values:
            same &= value[older] == value[newer]
        until[older[same]] = self.seen[newer[same]]
        return until

    def known(self, as_of: int | None) -> Rows:
        """Return the rows as known at the cut: seen by then and not yet corrected (None: all there is).

        >>> rows = Rows.of(["a", "a"], at=[1, 1], seen=[1, 9], columns={"x": [1.0, 2.0]}, unique=("at",))
        >>> rows.known(8).columns["x"].tolist(), rows.known(None).columns["x"].tolist()
        ([1.0], [2.0])
        """
        cut = FOREVER - 1 if as_of is None else as_of
        holds = (self.seen <= cut) & (self.until > cut)
        return self if holds.all() else self.take(holds)

    def floats(self, name: str) -> Floats:
        """Return a numeric column; raises DataError for one that is not."""
        import numpy as np

        column = self.columns.get(name)
        if not isinstance(column, np.ndarray):
            raise errors.DataError(
                f"column {name!r} is not numeric: declare a unit, count, number or bool for it"
            )
        return column

    def words(self, name: str) -> Words:
        """Return a category column; raises DataError for one that is not."""
        column = self.columns.get(name)
        if not isinstance(column, Words):
            raise errors.DataError(f"column {name!r} is no category")
        return column


Tables = Mapping[str, Rows]


def column_of(values: Any) -> Any:
    """Return plain values as a column of Rows: texts become Words, numbers float64, late columns stay."""
    import numpy as np

    if isinstance(values, Words) or hasattr(values, "load"):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return values.astype(np.float64) if values.dtype.kind != "f" or values.dtype.itemsize < 4 else values
    items = list(values)
    if any(isinstance(item, str) for item in items):
        return Words.of(items)
    return np.array([np.nan if item is None else float(item) for item in items], dtype=np.float64)
