"""Stage 2, features: what the model sees.  Nothing here is fitted; batch and stream give the same values.

A feature at moment m of a machine uses rows of that machine with `seen <= m` (and of the versions of one fact
the one seen last), never anything later.  `AsOf` is the stage's value, `Matrix` its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flyball import errors, part, units
from flyball.data import stage as data

if TYPE_CHECKING:
    from flyball.data.stage import Array, Codes, Ints

#: A span a window may have: wall-clock time, or steps of the counter.
Span = units.Duration | units.Count

_SIZES = (("d", units.days(1)), ("h", units.hours(1)), ("min", units.minutes(1)), ("s", units.seconds(1)))


def spelled(span: Span) -> str:
    """Return a span as the names of columns write it.

    >>> spelled(units.days(7)), spelled(units.hours(6)), spelled(units.ms(5)), spelled(units.steps(30))
    ('7d', '6h', '5ms', '30n')
    """
    if isinstance(span, units.Count):
        return f"{int(span)}n"
    for name, size in (*_SIZES, ("ms", units.ms(1))):
        if span % size == 0:
            return f"{int(span) // int(size)}{name}"
    return f"{int(span)}us"


def span_problems(page: Any, span: Any, place: str, what: str = "window") -> Iterator[errors.Problem]:
    """Yield what is wrong with a window: no unit, empty, looking ahead, or not of the page's clock.

    >>> from flyball import data
    >>> class Page:
    ...     data = data.Fleet("unit", data.Counter("cycle"), ())
    >>> [str(problem) for problem in span_problems(Page, units.days(7), "over")]
    ['over: a window of days(7) on a page that counts steps, write units.steps(...)']
    """
    if not isinstance(span, (units.Duration, units.Count)):
        yield errors.Problem(
            place, f"a bare {span!r} is no {what}", "write days(7), or steps(30) for a counter"
        )
        return
    if span < 0:
        yield errors.Problem(place, f"a {what} of {span!r} would look ahead", "give a span above 0")
    elif span == 0:
        yield errors.Problem(place, f"an empty {what}", "give a span above 0")
    clock = page.data.clock
    if clock is None:
        yield errors.Problem(
            place, f"a {what} of {span!r} on a page without a clock", "declare data.Fleet(clock=...)"
        )
    elif isinstance(clock, data.Counter) and not isinstance(span, units.Count):
        yield errors.Problem(
            place, f"a {what} of {span!r} on a page that counts steps", "write units.steps(...)"
        )
    elif isinstance(clock, data.WallClock) and not isinstance(span, units.Duration):
        yield errors.Problem(
            place, f"a {what} of {span!r} on a page with a wall clock", "write units.days(...)"
        )


def kind_problems(page: Any, column: str, wanted: str, place: str = "column") -> Iterator[errors.Problem]:
    """Yield a problem when a column is not what is wanted of it: "number", "category", "bool" or "image"."""
    kind = page.data.columns().get(column)
    if kind is None:
        return
    given = "number" if kind not in ("category", "text", "image") else "category" if kind == "text" else kind
    given = "bool" if wanted == kind == "bool" else given
    article = "an" if wanted == "image" else "a"
    if given != wanted:
        yield errors.Problem(
            place, f"{column!r} is declared {kind!r} and {article} {wanted} is needed", "name another column"
        )


def table_problems(page: Any, name: str | None, place: str) -> Iterator[errors.Problem]:
    """Yield a problem when the page has no table of that name (None: no table is named)."""
    known = [table.name for table in page.data.tables]
    if name is not None and name not in known:
        yield errors.Problem(place, f"no table {name!r}", errors.did_you_mean(name, known))


def arrived(tables: data.Tables, name: str) -> data.Rows:
    """Return the rows of a table; DataError when it has not arrived."""
    if name not in tables:
        raise errors.DataError(f"table {name!r} has not arrived: {errors.did_you_mean(name, tables)}")
    return tables[name]


def spans(over: Any) -> tuple[Any, ...]:
    """Return what stands in `over` as a tuple: a page may write one window or several."""
    return over if isinstance(over, tuple) else (over,)


def split(column: str) -> tuple[str, str]:
    """Return the table and the name of a "table.column"."""
    table, _, name = column.partition(".")
    return table, name


@dataclass(frozen=True, eq=False)
class Moments:
    """The questions: n pairs (machine, moment), sorted by machine, then moment.

    `keys` are machine names in ascending order; `codes` (n,) int32 index into them; `at` (n,) int64.
    """

    keys: tuple[str, ...]
    codes: Codes
    at: Ints

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, index: Any) -> Moments:
        return Moments(self.keys, self.codes[index], self.at[index])

    @staticmethod
    def of(key: Iterable[str], at: Any) -> Moments:
        """Sort plain columns into Moments.

        >>> Moments.of(["b", "a"], [1, 2]).keys
        ('a', 'b')
        """
        import numpy as np

        words = data.Words.of(key)
        when = np.asarray(at, dtype=np.int64)
        order = np.lexsort((when, words.codes))
        return Moments(words.labels, words.codes[order], when[order])

    def names(self) -> list[str]:
        """Return the machine of every moment."""
        return [self.keys[code] for code in self.codes.tolist()]


class Asked(part.Part):
    """Abstract: when is the question asked?  Gives the rows of every later stage."""

    def moments(self, tables: data.Tables, since: int | None = None, until: int | None = None) -> Moments:
        """Return the moments in [since, until) that the tables give rise to."""
        raise NotImplementedError


class Feature(part.Part):
    """Abstract: one or more columns computed from the rows of one machine that were seen by the moment.

    `compute` serves batch, stream and edge alike: `Stream` calls it on the few rows that `keeps` has held.
    """

    def reads(self) -> tuple[str, ...]:
        """Return the columns ("table.column") it reads."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns it makes, the same on every run."""
        raise NotImplementedError

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables whose rows it needs."""
        return tuple(dict.fromkeys(split(column)[0] for column in self.reads()))

    def lookback(self) -> int | None:
        """Return how far back it looks (microseconds, or steps of a counter); None when without bound."""
        return None

    def compute(self, tables: data.Tables, moments: Moments) -> dict[str, data.Column]:
        """Return one column per name, a value per moment; NaN (or code -1) where nothing was known."""
        raise NotImplementedError

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        """Return a mask of the rows (of one machine) that a question at `moment` or later may still need.

        Rows not seen by the moment, and rows whose fact was corrected by then, are no matter of the feature.
        """
        import numpy as np

        span = self.lookback()
        return np.ones(len(rows), dtype=bool) if span is None else rows.at > moment - span


class AsOf(part.Part):
    """What the model sees: when it is asked, and the columns, each as of that moment."""

    asked: Asked
    columns: tuple[Feature, ...]

    def names(self) -> tuple[str, ...]:
        """Return the names of all columns, in page order."""
        return tuple(name for feature in self.columns for name in feature.names())

    def reads(self) -> frozenset[str]:
        """Return every column ("table.column") that any feature reads."""
        return frozenset(column for feature in self.columns for column in feature.reads())

    def lookback(self) -> int | None:
        """Return the longest look back of any column; None when one has no bound."""
        spans = [feature.lookback() for feature in self.columns]
        return (
            None
            if any(span is None for span in spans)
            else max((s for s in spans if s is not None), default=0)
        )

    def tables(self) -> tuple[str, ...]:
        """Return the names of the tables whose rows any feature needs."""
        return tuple(dict.fromkeys(name for feature in self.columns for name in feature.tables()))

    def compute(
        self, tables: data.Tables, moments: Moments, absent: Mapping[str, str] = MappingProxyType({})
    ) -> Matrix:
        """Return all columns for the moments, from the rows that had been seen by then.

        A feature that reads a column named in `absent` ("table.column" -> reason), or one that no table
        holds, is stopped: its names are left out of the columns and stand in `Matrix.stopped` with the
        reason.
        """
        columns: dict[str, data.Column] = {}
        stopped: dict[str, str] = {}
        for feature in self.columns:
            reason = _missing(feature, tables, absent)
            if reason:
                stopped |= dict.fromkeys(feature.names(), reason)
            else:
                columns.update(feature.compute(tables, moments))
        return Matrix(moments, columns, stopped)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        seen: set[str] = set()
        for index, feature in enumerate(self.columns):
            for column in feature.reads():
                for problem in data.unknown(page.data, column):
                    yield problem._replace(place=f"columns[{index}]")
            for name in feature.names():
                if name in seen:
                    yield errors.Problem(
                        f"columns[{index}]", f"a second column called {name!r}", "rename or drop one"
                    )
                seen.add(name)
        if not self.columns:
            yield errors.Problem(
                "columns", "no column, the model would see nothing", "declare at least one feature"
            )


def _missing(feature: Feature, tables: data.Tables, absent: Mapping[str, str]) -> str:
    for column in feature.reads():
        if column in absent:
            return absent[column]
        table, name = split(column)
        if table not in tables or name not in tables[table].columns:
            return f"column {column!r} has not arrived"
    for table in feature.tables():
        if table not in tables:
            return f"table {table!r} has not arrived"
    return ""


@dataclass(frozen=True, eq=False)
class Matrix:
    """What the model sees: columns of n values each, one row per moment.

    A column is float64 or float32 (n,) or (n, ...) for sequences, `Words`, or `Late` (images).  `stopped`
    names the columns of the page that could not be computed, each with its reason.
    """

    moments: Moments
    columns: Mapping[str, data.Column]
    stopped: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.moments)

    def take(self, index: Any) -> Matrix:
        """Return some of the rows."""
        columns = {name: column[index] for name, column in self.columns.items()}
        return Matrix(self.moments[index], columns, self.stopped)

    def dense(self, names: Iterable[str] | None = None) -> Array:
        """Return numeric columns as float32 (n, d), C-contiguous; codes of Words as floats, NaN missing."""
        import numpy as np

        chosen = list(self.columns if names is None else names)
        out = np.empty((len(self), len(chosen)), dtype=np.float32)
        for place, name in enumerate(chosen):
            column = self.columns[name]
            if isinstance(column, data.Words):
                out[:, place] = np.where(column.codes < 0, np.nan, column.codes)
            elif isinstance(column, np.ndarray) and column.ndim == 1:
                out[:, place] = column
            else:
                raise errors.DataError(f"column {name!r} is no single number per row")
        return out
