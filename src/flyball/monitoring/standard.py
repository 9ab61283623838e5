"""Rows with their window's own level and spread taken out: what is left is shape, and how columns go together.

Level, spread and what is missing are judged column by column.  A test of many columns at once that saw them too would
find again what is found already, and every reset of a baseline would be its alarm; so it looks at rows that are held
against their own window (a cell: one machine in one window).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import data
from flyball.monitoring import cells as cells_

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints

#: A value counts for no more than so many spreads: single wild ones are no relation.
MOST = 4.0
#: A window with fewer rows than this shows no relation.
LEAST_ROWS = 8
#: So many rows are worked on at once.
ROWS = 16_384


@dataclass(frozen=True, eq=False)
class Standard:
    """The numeric columns `names` of some cells; `usual` (columns,) are their usual spreads.

    A column that is no longer computed, and what is missing in one, is 0: its window's level.
    """

    names: tuple[str, ...]
    columns: tuple[Any, ...]
    usual: tuple[float, ...]
    cells: cells_.Cells

    @staticmethod
    def of(
        found: Mapping[str, Any], told: Mapping[str, Any], usual: Sequence[float], cells: cells_.Cells
    ) -> Standard:
        """Return the numeric ones of the columns `found`; `told` and `usual` describe the reference's."""
        spread = dict(zip(told, usual, strict=True))
        names = tuple(name for name, one in told.items() if one["kind"] == "number")
        columns = tuple(
            None if isinstance(found.get(name), data.Words) else found.get(name) for name in names
        )
        return Standard(names, columns, tuple(spread[name] for name in names), cells)

    def plain(self) -> Ints:
        """Return the cells that can show a relation: whole, no reset inside, `LEAST_ROWS` or more."""
        import numpy as np

        size = self.cells.stop - self.cells.first
        return np.flatnonzero(self.cells.whole & ~self.cells.mixed & (size >= LEAST_ROWS))

    def blocks(self, cells: Ints | None = None) -> Iterator[tuple[Ints, Ints, Array]]:
        """Yield (cells, where each begins, rows): some cells at a time, rows float32 (n, columns).

        Those of `cells`, or all `plain` ones.
        """
        import numpy as np

        chosen = self.plain() if cells is None else cells
        size = (self.cells.stop - self.cells.first)[chosen]
        for mine in np.split(np.arange(len(chosen)), np.flatnonzero(np.diff(np.cumsum(size) // ROWS)) + 1):
            if len(mine):
                begin = np.r_[0, np.cumsum(size[mine])[:-1]].astype(np.int64)
                yield chosen[mine], begin, self._rows(chosen[mine], begin, size[mine])

    def _rows(self, cells: Ints, begin: Ints, size: Ints) -> Array:
        import numpy as np

        first = self.cells.first[cells]
        rows = np.repeat(first - begin, size) + np.arange(int(size.sum()))
        out = np.zeros((len(rows), len(self.names)), dtype=np.float32)
        for place, values in enumerate(self.columns):
            if values is None:
                continue
            plain = values[rows].astype(np.float64)
            there = np.isfinite(plain)
            count = np.maximum(np.add.reduceat(there.astype(np.float64), begin), 1)
            plain[~there] = 0.0
            plain -= np.repeat(np.add.reduceat(plain, begin) / count, size)
            plain[~there] = 0.0
            spread = np.sqrt(np.add.reduceat(plain * plain, begin) / count)
            least = max(cells_.LEAST_SPREAD * self.usual[place], 1e-12)
            out[:, place] = np.clip(plain / np.repeat(np.maximum(spread, least), size), -MOST, MOST)
        return out
