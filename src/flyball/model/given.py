"""A split that comes with the data: a column says which rows are learned from and which are judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.model.stage import Fold, Split

if TYPE_CHECKING:
    from flyball.data.stage import Words


class Given(Split):
    """One fold from a category column ("table.column") of the table that is asked about, one row per moment.

    Rows with a value in `test` are judged, rows with one in `train` learned from (none named: all others); any
    other row is neither.

    >>> rows = data.Rows.of(["a", "b", "c"], at=[0, 0, 0], columns={"split": ["fit", "test", "fit"]})
    >>> moments = features.Moments.of(["a", "b", "c"], [0, 0, 0])
    >>> [(f.train.tolist(), f.test.tolist()) for f in Given("maps.split").split(moments, {"maps": rows})]
    [([0, 2], [1])]
    """

    column: str
    test: tuple[str, ...] = ("test",)
    train: tuple[str, ...] = ()

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[Fold, ...]:
        """Return the one fold."""
        import numpy as np

        values = np.array([text or "" for text in self._aligned(moments, tables).texts()], dtype=object)
        test = np.isin(values, np.array(self.test, dtype=object))
        train = np.isin(values, np.array(self.train, dtype=object)) if self.train else ~test
        if not test.any() or not train.any():
            there = ", ".join(sorted(set(values.tolist()))[:8])
            count = f"{int(train.sum())} rows to learn from, {int(test.sum())} to be judged on"
            raise errors.DataError(f"{self.column}: {count}; it holds {there}")
        return (Fold(np.flatnonzero(train).astype(np.int64), np.flatnonzero(test).astype(np.int64)),)

    def _aligned(self, moments: features.Moments, tables: data.Tables) -> Words:
        """Return the column with one value per moment, found by machine and time (the version seen last)."""
        import numpy as np

        table, _, column = self.column.partition(".")
        if table not in tables:
            raise errors.DataError(f"no table {table!r}, {errors.did_you_mean(table, tables)}")
        rows = tables[table]
        words = rows.words(column)
        place = {name: code for code, name in enumerate(rows.keys)}
        code = np.array([place.get(name, -1) for name in moments.keys], dtype=np.int64)[moments.codes]
        # One number per (machine, time), so that one search finds all: times are ranked first.
        times = np.unique(rows.at)
        when = np.searchsorted(times, moments.at)
        hit = (when < len(times)) & (code >= 0)
        hit &= np.append(times, 0)[when] == moments.at
        have = rows.segments().astype(np.int64) * (len(times) + 1) + np.searchsorted(times, rows.at)
        want = code * (len(times) + 1) + when
        at = np.searchsorted(have, want, side="right") - 1
        hit &= (at >= 0) & (have[np.maximum(at, 0)] == want)
        codes = np.where(hit, np.append(words.codes, np.int32(-1))[np.where(hit, at, -1)], -1)
        return data.Words(codes.astype(np.int32), words.labels)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from data.unknown(page.data, self.column)
