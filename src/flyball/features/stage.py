"""Stage 2, features: what the model sees.  Nothing here is fitted; batch and stream give the same values.

A feature at moment m of a machine uses rows of that machine with `seen <= m` (and of the versions of one fact
the one seen last), never anything later.  `AsOf` is the stage's value, `Matrix` its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, part, units
from flyball.data import stage as data

if TYPE_CHECKING:
    from flyball.data.stage import Array, Codes, Ints

#: A span a window may have: wall-clock time, or steps of the counter.
Span = units.Duration | units.Count


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

    def lookback(self) -> int | None:
        """Return how far back it looks (microseconds, or steps of a counter); None when without bound."""
        return None

    def compute(self, tables: data.Tables, moments: Moments) -> dict[str, data.Column]:
        """Return one column per name, a value per moment; NaN (or code -1) where nothing was known."""
        raise NotImplementedError

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        """Return a mask of the rows (of one machine) that a question at `moment` or later may still need."""
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
        return None if any(span is None for span in spans) else max((s for s in spans if s is not None), default=0)

    def compute(self, tables: data.Tables, moments: Moments) -> Matrix:
        """Return all columns for the moments, from the rows that had been seen by then."""
        columns: dict[str, data.Column] = {}
        for feature in self.columns:
            columns.update(feature.compute(tables, moments))
        return Matrix(moments, columns)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        seen: set[str] = set()
        for index, feature in enumerate(self.columns):
            for column in feature.reads():
                for problem in data.unknown(page.data, column):
                    yield problem._replace(place=f"columns[{index}]")
            for name in feature.names():
                if name in seen:
                    yield errors.Problem(f"columns[{index}]", f"a second column called {name!r}", "rename or drop one")
                seen.add(name)
        if not self.columns:
            yield errors.Problem("columns", "no column, the model would see nothing", "declare at least one feature")


@dataclass(frozen=True, eq=False)
class Matrix:
    """What the model sees: columns of n values each, one row per moment.

    A column is float64 or float32 (n,) or (n, ...) for sequences, `Words`, or `Late` (images).
    """

    moments: Moments
    columns: Mapping[str, data.Column]

    def __len__(self) -> int:
        return len(self.moments)

    def take(self, index: Any) -> Matrix:
        """Return some of the rows."""
        return Matrix(self.moments[index], {name: column[index] for name, column in self.columns.items()})

    def dense(self, names: Iterable[str] | None = None) -> Array:
        """Return numeric columns as float32 (n, d), C-contiguous; codes of Words as floats with NaN for missing."""
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
