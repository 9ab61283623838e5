"""Rows of a table from cells, with NumPy alone: what a machine at the edge reads, where there is no polars.

Why: the rows that a machine is sent must mean there what they meant where the model learned from them.  What is a good
row, and why another is set aside, is decided as `judge` does it; a test holds the two against each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage
from flyball.data.binding import Binding
from flyball.data.formats import cells, csv
from flyball.data.formats.judge import AHEAD, EARLIEST
from flyball.data.formats.raw import Bad, shorten

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A row as it came: its line, and its cells as text by the file's names.
Line = tuple[int, Mapping[str, str | None]]


class Plain:
    """Reads the rows of one table of a page by the site's binding.

    Raises DeclarationError for what takes more than the core install: images, raw logs, code dictionaries.

    >>> fleet = stage.Fleet("machine", stage.WallClock(), (stage.Table("t", columns={"x": "kW"}),))
    >>> plain = Plain(fleet, fleet.tables[0], Binding("north", units={"x": "W"}))
    >>> lines = [(2, {"machine": "s1", "at": "2026-01-01", "x": "1500"}), (3, {"machine": "s1", "at": "?", "x": "1"})]
    >>> rows, bad = plain.rows(lines, now=1_767_312_000_000_000)
    >>> rows.columns["x"].tolist(), [str(one.reason) for one in bad]
    ([1.5], ["'at' is no time"])
    """

    def __init__(self, fleet: stage.Fleet, table: stage.Table, binding: Binding | None = None) -> None:
        self.fleet, self.table, self.binding = fleet, table, binding or Binding("")
        if fleet.clock is None:
            raise errors.DeclarationError(
                f"{table.name}: the page has no clock, so that nothing says when a row is asked about: ask over HTTP"
            )
        if "image" in table.columns.values():
            raise errors.DeclarationError(
                f"{table.name}: images are not read from files on a machine: ask over HTTP"
            )
        if table.name in self.binding.layouts or any(
            book.about(table.name, column) for book in self.binding.dictionaries for column in table.columns
        ):
            raise errors.DeclarationError(
                f"{table.name}: binding {self.binding.site!r} has a log layout or a code dictionary for it, which a "
                "machine does not read: send the codes by their present names, in CSV or JSON lines"
            )
        self._scales = {
            name: units.affine(sent, kind)
            for name, kind in table.columns.items()
            if (sent := self.binding.site_unit(table.name, name, kind)) != kind
        }
        clock = fleet.clock
        self._wall = not isinstance(clock, stage.Counter)
        steps = clock.column if isinstance(clock, stage.Counter) else table.time
        self._time = steps if table.time == "at" else table.time

    def site(self, column: str) -> str:
        """Return what the files call a column."""
        return self.binding.site_name(self.table.name, column)

    def rows(self, lines: Sequence[Line], now: int, machine: str = "") -> tuple[stage.Rows, list[Bad]]:
        """Return the good rows, seen `now` (microseconds) where they do not say when, and the bad ones with a reason.

        `machine` is whose rows they are where they do not say so.
        """
        keys: list[str] = []
        at: list[int] = []
        seen: list[int] = []
        columns: dict[str, list[Any]] = {name: [] for name in self.table.columns}
        bad: list[Bad] = []
        for number, cell in lines:
            try:
                key = self._text(cell.get(self.site(self.fleet.key))) or machine
                if not key:
                    raise ValueError(f"no key (column {self.site(self.fleet.key)!r})")
                happened, known = self._times(cell, now)
                values = [self._value(name, kind, cell) for name, kind in self.table.columns.items()]
            except ValueError as error:
                bad.append(Bad(number, str(error), shorten(json.dumps(dict(cell)))))
                continue
            keys.append(key)
            at.append(happened)
            seen.append(known)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        return self._made(keys, at, seen, columns), bad

    def samples(self, items: NDArray[Any], now: int, machine: str) -> tuple[stage.Rows, list[Bad]]:
        """Return the rows in a ring's items: a struct with a field per column, by the site's names."""
        import numpy as np

        named = items.dtype.names or ()
        lines = range(len(items))
        values: dict[str, list[str | None]] = {}
        for name in named:
            column = items[name]
            if column.ndim != 1:
                raise errors.DataError(
                    f"{self.table.name}: field {name!r} of the ring has more than one value an item"
                )
            if column.dtype.kind == "M":
                column = column.astype("M8[us]").astype(np.int64) // cells.EPOCH[self.binding.epoch]
            if column.dtype.kind == "S":
                values[name] = [text.decode("utf-8", "replace") for text in column.tolist()]
            else:
                values[name] = [None if value != value else str(value) for value in column.tolist()]
        return self.rows([(n, {name: values[name][n] for name in named}) for n in lines], now, machine)

    def _made(
        self, keys: list[str], at: list[int], seen: list[int], columns: dict[str, list[Any]]
    ) -> stage.Rows:
        import numpy as np

        made: dict[str, Any] = {}
        for name, kind in self.table.columns.items():
            if kind in ("category", "text"):
                made[name] = stage.Words.of(columns[name])
            else:
                made[name] = np.array([np.nan if v is None else v for v in columns[name]], dtype=np.float64)
        return stage.Rows.of(keys, at, seen, made, self.table.unique)

    def _times(self, cell: Mapping[str, str | None], now: int) -> tuple[int, int]:
        at = now if self._time is None else self._clocked(cell, self._time, now)
        given = self.site("seen")
        if given in cell and given != self.site(self.fleet.key):
            seen = self._clocked(cell, "seen", now)
        else:
            seen = now if self._wall else at + int(self.table.arrives)
        if self._wall and at - seen > AHEAD:
            raise ValueError(
                f"clock: seen more than a day before it happened (column {self.site(self._time or 'at')!r})"
            )
        return at, max(at, seen)

    def _clocked(self, cell: Mapping[str, str | None], column: str, now: int) -> int:
        name = self.site(column)
        text = (cell.get(name) or "").strip()
        if not text:
            raise ValueError(f"no time (column {name!r})")
        if not self._wall:
            step = _whole(text)
            if step is None:
                raise ValueError(f"{name!r} is no step")
            if step < 0:
                raise ValueError(f"clock: {name!r} is below zero")
            return step
        when = cells.parsed(text, self.binding.zone, self.binding.epoch)
        if when is None:
            raise ValueError(f"{name!r} is no time")
        if not EARLIEST <= when <= now + AHEAD:
            raise ValueError(
                f"clock: {name!r} before 1990 or over a day ahead of now (numbers count {self.binding.epoch!r})"
            )
        return when

    def _value(self, name: str, kind: str, cell: Mapping[str, str | None]) -> Any:
        text = cell.get(self.site(name))
        if kind in ("category", "text"):
            word = self._text(text)
            codes = self.binding.site_codes(self.table.name, name)
            return codes.get(word, word) if word is not None else None
        if text is None or text.strip().lower() in cells.MISSING:
            return None
        text = text.strip()
        if kind == "bool":
            if (lower := text.lower()) not in (*cells.TRUE, *cells.FALSE):
                raise ValueError(f"{name}: not a bool")
            return float(lower in cells.TRUE)
        if kind == "count":
            if (whole := _whole(text)) is None:
                raise ValueError(f"{name}: not a count")
            return float(whole)
        number = _number(text)
        if number is None:
            raise ValueError(f"{name}: no number" if units.is_unit(kind) else f"{name}: not a {kind}")
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{name}: not finite")
        factor, offset = self._scales.get(name, (1.0, 0.0))
        return number * factor + offset

    @staticmethod
    def _text(cell: str | None) -> str | None:
        return (cell.strip() or None) if cell is not None else None


def csv_lines(names: Sequence[str], separator: str, text: bytes, first: int) -> Iterator[Line | Bad]:
    """Yield the rows in some whole lines of a CSV file, of which the first is number `first`; a bad one as such.

    >>> list(csv_lines(["a", "b"], ",", b"1,\\n", 2))
    [(2, {'a': '1', 'b': None})]
    """
    for number, line in csv.records(b"\n" + text.replace(b"\r\n", b"\n")):
        if not line.strip():
            continue
        try:
            found = csv.fields(line.decode("utf-8"), separator)
        except ValueError as error:  # UnicodeDecodeError is one
            why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            yield Bad(first + number - 2, why, shorten(line.decode("utf-8", "replace")))
            continue
        if len(found) != len(names):
            why = f"{len(found)} fields, {len(names)} expected"
            yield Bad(first + number - 2, why, shorten(line.decode("utf-8", "replace")))
            continue
        yield first + number - 2, {name: value or None for name, value in zip(names, found, strict=True)}


def json_lines(text: bytes, first: int) -> Iterator[Line | Bad]:
    """Yield the rows in some whole lines of a JSON-lines file, of which the first is number `first`.

    >>> list(json_lines(b'{"a": 1.5, "b": null}\\n', 1))
    [(1, {'a': '1.5', 'b': None})]
    """
    from flyball.data.formats import jsonl

    for number, line in enumerate(text.split(b"\n"), first):
        if not line.strip():
            continue
        found, why = jsonl.parsed(line)
        if found is None:
            yield Bad(number, why, shorten(line.decode("utf-8", "replace")))
        else:
            yield number, {name: jsonl.cell(value) for name, value in found.items()}


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    found = _number(text)
    if found is None or found != found or abs(found) >= 2.0**53 or found != round(found):
        return None
    return int(found)
