"""The same features one machine at a time, as its rows come in: state in, state out.

Why: a site answers from the rows it has just received and cannot keep years of them.  Nothing is computed in
another way than in batch: the stream holds the few rows that the page's features may still need, and asks the
page's own `compute` of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import context
from flyball.data import stage as data
from flyball.features import stage, values

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats


class Stream:
    """Features of a page for rows that come in one chunk after another, in the order in which they were seen.

    `push` rows, `ask` for moments; moments of one machine never go back.  After each question the rows that
    no later question can need are dropped.  For features with a bounded look back the answers are those of
    the batch, always; for features without one (the last value, the first) as long as `beyond` is 0: it
    counts corrections of rows that happened `disorder` or longer before a moment already asked.  `late`
    counts rows said to be seen at or before a moment already asked: the answer given then did not know them.
    Context is joined as in batch: push the rows of its tables too; context that is late corrects the rows it is for.
    Only a row that misses a value of its table's `unique` may lose a context that was corrected since.

    >>> from flyball import features
    >>> from flyball.units import days
    >>> fleet = data.Fleet("machine", data.WallClock(), (data.Table("t", columns={"x": "kW"}),))
    >>> page = stage.AsOf(features.Every(days(1)), (features.Rolling("t.x", over=days(2), by=("max",)),))
    >>> stream = Stream(page, fleet)
    >>> stream.push("t", data.Rows.of(["a", "a"], at=[0, days(1)], columns={"x": [5.0, 3.0]}))
    >>> stream.ask("a", days(1)).columns["t.x.max.2d"].tolist()
    [5.0]
    >>> stream.push("t", data.Rows.of(["a"], at=[days(2)], columns={"x": [4.0]}))
    >>> Stream(page, fleet, state=stream.state()).ask("a", days(2)).columns["t.x.max.2d"].tolist()
    [4.0]
    """

    def __init__(
        self,
        asof: stage.AsOf,
        fleet: data.Fleet,
        disorder: stage.Span | int = 0,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.asof, self.fleet, self.disorder = asof, fleet, int(disorder)
        self.late = self.beyond = 0
        self._context, wanted = _context(asof, fleet)
        tables = dict.fromkeys((*asof.tables(), *(joined.of for joined in self._context)))
        self._empty = {name: _empty(wanted, fleet, name) for name in tables}
        self._asked: dict[str, int] = {}
        self._held: dict[str, dict[str, data.Rows]] = {}
        if state is not None:
            self.late, self.beyond = int(state["late"]), int(state["beyond"])
            self._asked = {key: int(moment) for key, moment in state["asked"].items()}
            for key, tables in state["held"].items():
                self._held[key] = {name: _read(self._empty[name], key, rows) for name, rows in tables.items()}

    def __len__(self) -> int:
        """Return how many rows are held."""
        return sum(len(rows) for tables in self._held.values() for rows in tables.values())

    def tables(self) -> tuple[str, ...]:
        """Return the tables of which rows are held: those that features read, and their context."""
        return tuple(self._empty)

    def push(self, table: str, rows: data.Rows) -> None:
        """Take in rows of a table; what no feature reads is passed over."""
        if table not in self._empty:
            return
        for key in rows.keys:
            new = rows.machine(key)
            if not len(new):
                continue
            held = self._held.setdefault(key, {})
            old = held.get(table, self._empty[table])
            asked = self._asked.get(key)
            before = 0 if asked is None else self._corrected(table, held, asked - self.disorder)
            held[table] = _merge(self._empty[table], key, old, new)
            if asked is not None:
                self.late += int((new.seen <= asked).sum())
                self.beyond += self._corrected(table, held, asked - self.disorder) - before

    def ask(self, key: str, moment: int, absent: Mapping[str, str] = MappingProxyType({})) -> stage.Matrix:
        """Return the features of one machine at a moment, one row; an error before its last moment."""
        asked = self._asked.get(key)
        if asked is not None and moment < asked:
            raise errors.DataError(
                f"{key!r} was asked at {asked} and is asked at {moment}: ask in order of time"
            )
        held = self._held.get(key, {})
        found = self._joined(held)
        x = self.asof.compute(found, stage.Moments.of([key], [moment]), absent)
        self._asked[key] = moment
        for table, rows in held.items():
            held[table] = rows.take(self._needed(table, held, found[table], moment))
        return x

    def _joined(self, held: data.Tables) -> data.Tables:
        return context.joined(self._context, {**self._empty, **held})

    def state(self) -> dict[str, Any]:
        """Return all that is held, in plain values that JSON can write."""
        held = {
            key: {name: _written(rows) for name, rows in tables.items()} for key, tables in self._held.items()
        }
        return {"late": self.late, "beyond": self.beyond, "asked": dict(self._asked), "held": held}

    def _corrected(self, table: str, held: data.Tables, closed: int) -> int:
        """Return how many rows that happened by then have been corrected, in a table or those it is context of."""
        reached = {table}
        for joined in self._context:
            reached |= {joined.to} if joined.of in reached else set()
        found = self._joined(held)
        read = [found[name] for name in reached if name in self.asof.tables()]
        return sum(int(((rows.until < data.FOREVER) & (rows.at <= closed)).sum()) for rows in read)

    def _needed(self, table: str, held: data.Tables, found: data.Rows, moment: int) -> Flags:
        """Return which of the rows held of a table a later question may need; `found` are they with their context."""
        import numpy as np

        # A fact corrected by now will never hold again; one not seen yet may correct others when it is.
        rows = held[table]
        current = np.asarray(rows.until > moment)
        now = rows.take(current)
        keep = now.seen > moment
        shown = now if found is rows else found.take(found.until > moment)
        for feature in self.asof.columns:
            if table in feature.tables():
                kept = feature.keeps(table, shown, moment - self.disorder)
                keep |= kept if shown is now else np.isin(now.at, shown.at[kept])
        for joined in self._context:
            if joined.of == table:
                keep |= now.at >= self._since(joined.to, held, moment) - int(joined.within)
        current[current] = keep
        return current

    def _since(self, table: str, held: data.Tables, moment: int) -> int:
        """Return the first moment of which a table may hold a row, or get one that still counts."""
        spans = [feature.lookback() or 0 for feature in self.asof.columns if table in feature.tables()]
        first = moment - self.disorder - max(spans, default=0)
        for joined in self._context:
            if joined.of == table:
                first = min(first, self._since(joined.to, held, moment) - int(joined.within))
        rows = held.get(table)
        return first if rows is None or not len(rows) else min(first, int(rows.at[0]))


def _context(asof: stage.AsOf, fleet: data.Fleet) -> tuple[tuple[context.Context, ...], set[str]]:
    """Return the fleet's contexts that the features need, and the columns that are read, of context too."""
    needed: list[context.Context] = []
    wanted = set(asof.reads())
    for joined in reversed(fleet.context):
        if wanted & {f"{joined.to}.{name}" for name in joined.columns}:
            needed.insert(0, joined)
            wanted |= {f"{joined.of}.{name}" for name in joined.columns}
    return tuple(needed), wanted


def _empty(wanted: set[str], fleet: data.Fleet, name: str) -> data.Rows:
    """Return a table without rows, with the columns that are read of it and that files bring."""
    import numpy as np

    table = fleet.table(name)
    if table is None:
        hint = errors.did_you_mean(name, [table.name for table in fleet.tables])
        raise errors.DeclarationError(f"the features read table {name!r} and the fleet has none: {hint}")
    columns: dict[str, Any] = {}
    read = {stage.split(column)[1] for column in wanted if stage.split(column)[0] == name}
    joined = {column for one in fleet.context if one.to == name for column in one.columns}
    for column in sorted((read - joined) | (set(table.unique) - {"at"})):
        kind = table.columns.get(column)
        if kind == "image":
            raise errors.DeclarationError(f"{name}.{column} is an image: a stream holds numbers and texts")
        columns[column] = data.Words.of(()) if kind in ("category", "text") else np.empty(0)
    return data.Rows.of((), (), columns=columns, unique=table.unique)


def _merge(empty: data.Rows, key: str, old: data.Rows, new: data.Rows) -> data.Rows:
    """Return the rows of one machine in order of `at`, then `seen`, then arrival."""
    import numpy as np

    columns: dict[str, Any] = {}
    for name, kind in empty.columns.items():
        if isinstance(kind, data.Words):
            columns[name] = data.Words.of(_texts(old, name) + _texts(new, name))
        else:
            columns[name] = np.concatenate([_floats(old, name), _floats(new, name)])
    at, seen = np.concatenate([old.at, new.at]), np.concatenate([old.seen, new.seen])
    return data.Rows.of([key] * len(at), at, seen, columns, empty.unique)


def _texts(rows: data.Rows, name: str) -> list[str | None]:
    return rows.words(name).texts() if name in rows.columns else [None] * len(rows)


def _floats(rows: data.Rows, name: str) -> Floats:
    import numpy as np

    return values.floats(rows, name) if name in rows.columns else np.full(len(rows), np.nan)


def _written(rows: data.Rows) -> dict[str, Any]:
    """Return rows of one machine as plain lists; what is missing is None."""
    columns = {
        name: column.texts()
        if isinstance(column, data.Words)
        else [None if value != value else value for value in rows.floats(name).tolist()]
        for name, column in rows.columns.items()
    }
    return {"at": rows.at.tolist(), "seen": rows.seen.tolist(), "columns": columns}


def _read(empty: data.Rows, key: str, plain: Mapping[str, Any]) -> data.Rows:
    import numpy as np

    columns: dict[str, Any] = {}
    for name, kind in empty.columns.items():
        found = plain["columns"].get(name, [None] * len(plain["at"]))
        if isinstance(kind, data.Words):
            columns[name] = data.Words.of(found)
        else:
            columns[name] = np.array(
                [np.nan if value is None else value for value in found], dtype=np.float64
            )
    return data.Rows.of([key] * len(plain["at"]), plain["at"], plain["seen"], columns, empty.unique)
