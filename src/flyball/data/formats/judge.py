"""Which rows of a file are good: names, units, kinds, key, time; every other row is told with its line and reason.

A row is good as a whole or quarantined as a whole; good, quarantined and dropped duplicates add up to what was
sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyball import errors, units
from flyball.data import dictionaries, stage
from flyball.data.binding import Binding
from flyball.data.formats import cells
from flyball.data.formats.raw import Bad, Raw, shorten
from flyball.data.layout import Layout

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Flags

#: A time before this (1990-01-01) or more than a day after now is a wrong clock.
EARLIEST = 631_152_000_000_000
AHEAD = int(units.DAY)


@dataclass(eq=False)
class Judged:
    """The good rows (key, at, seen, assumed, line and the declared columns), the bad ones, and what was noted.

    `absent` maps a declared column that the file has not to the reason; `extra` names the columns that the page
    does not declare.
    """

    good: pl.DataFrame
    bad: list[Bad]
    absent: dict[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    duplicates: int = 0
    late: int = 0
    note: str = ""


class Judge:
    """Judges the files of one table; `now` (microseconds) is when they came, `live` that they came as it happened."""

    def __init__(
        self, fleet: stage.Fleet, table: stage.Table, binding: Binding | None, now: int, live: bool = False
    ) -> None:
        self.fleet, self.table, self.now, self.live = fleet, table, now, live
        self.binding = binding or Binding("")
        self.scales = dict(self._scales())

    def _scales(self) -> Iterator[tuple[str, tuple[float, float]]]:
        for name, kind in self.table.columns.items():
            sent = self.binding.site_unit(self.table.name, name, kind)
            if sent != kind:
                try:
                    yield name, units.affine(sent, kind)
                except ValueError:
                    raise errors.DataError(
                        f"{self.table.name}.{name}: binding {self.binding.site!r} says it comes in {sent!r}, which "
                        f"cannot become {kind!r}: mend the unit in the binding, or declare another one on the page"
                    ) from None

    def time_column(self) -> str | None:
        """Return the page's name of the column that holds `at`, None when rows have no time of their own."""
        clock = self.fleet.clock
        if clock is None or self.table.time is None:
            return None
        return (
            clock.column if isinstance(clock, stage.Counter) and self.table.time == "at" else self.table.time
        )

    def site_name(self, column: str) -> str:
        """Return what the files call a column of the page."""
        return self.binding.site_name(self.table.name, column)

    def layout(self) -> Layout | None:
        """Return how a line of the table's raw logs reads, None where the site declares nothing."""
        return self.binding.layouts.get(self.table.name)

    def numbers(self) -> frozenset[str]:
        """Return the files' names of columns that hold plain numbers, which a reader may parse itself."""
        reserved = {
            self.site_name(self.fleet.key),
            self.site_name("seen"),
            self.site_name(self.time_column() or "at"),
        }
        kinds = self.table.columns.items()
        plain = {self.site_name(name) for name, kind in kinds if kind == "number" or units.is_unit(kind)}
        return frozenset(plain - reserved)

    def judge(self, raw: Raw, name: str) -> Judged:
        """Return what of a file is good; `name` is the file's, for messages."""
        import numpy as np

        if not raw.frame.width:
            return Judged(self._empty(), raw.bad, note=raw.note)
        stop = self._stopped(raw, name)
        if stop:
            bad = [
                *raw.bad,
                *(Bad(int(raw.lines[i]), stop, _row_text(raw, i)) for i in range(raw.frame.height)),
            ]
            return Judged(self._empty(), bad or [Bad(0, stop, "")], note=raw.note or stop)
        reasons: dict[int, str] = {}

        def refuse(wrong: Flags, reason: str) -> None:
            for place in np.flatnonzero(wrong).tolist():
                reasons.setdefault(place, reason)

        good = {"key": self._key(raw, refuse), **self._times(raw, refuse), **self._plain(raw)}
        raw.note = self._twice(good["at"], raw.note)
        absent, used = {}, self._reserved_names()
        for column, kind in self.table.columns.items():
            site = self.site_name(column)
            used.add(site)
            if site not in raw.frame.columns:
                absent[column] = f"no column {site!r} in {name}, " + errors.did_you_mean(
                    site, self._spare(raw)
                )
            if column not in good:
                good[column] = self._column(raw, column, kind, site, refuse)
        unknown = self._former(raw, good, absent)
        used |= {book.by for book in self.binding.dictionaries}
        extra = tuple(c for c in raw.frame.columns if c not in used)
        judged = self._kept(raw, good, reasons, absent, extra)
        judged.note = "; ".join(told for told in (judged.note, *unknown) if told)
        return judged

    def _former(self, raw: Raw, good: dict[str, pl.Series], absent: dict[str, str]) -> list[str]:
        """Give codes their first names back, in place, then the page's; return what no dictionary knows."""
        told = []
        for column in self.table.columns:
            books = self._books(column)
            if not books or column in absent:
                continue
            releases = {book.by: raw.frame[book.by] for book in books if book.by in raw.frame.columns}
            good[column], children, unknown = dictionaries.translated(
                books, self.binding.zone, good[column], good["at"], good["key"], releases
            )
            codes = self.binding.site_codes(self.table.name, column)
            good[column] = (
                good[column].replace(dict(codes)).alias(column) if codes else good[column].alias(column)
            )
            for name, values in children.items():
                if name in self.table.columns:
                    good[name] = values.alias(name)
                    absent.pop(name, None)
            told.append(unknown)
        return told

    def _books(self, column: str) -> tuple[dictionaries.Dictionary, ...]:
        return tuple(book for book in self.binding.dictionaries if book.about(self.table.name, column))

    def _stopped(self, raw: Raw, name: str) -> str:
        """Return why no row of the file can be placed, or an empty text."""
        for page_name in (self.fleet.key, self.time_column()):
            site = self.site_name(page_name) if page_name else None
            if site is not None and site not in raw.frame.columns:
                return f"no column {site!r} in {name}, " + errors.did_you_mean(site, self._spare(raw))
        return ""

    def _spare(self, raw: Raw) -> list[str]:
        """Return the file's columns that the page does not declare: one of them may be the missing one, renamed."""
        declared = {self.site_name(column) for column in self.table.columns} | self._reserved_names()
        return [column for column in raw.frame.columns if column not in declared]

    def _reserved_names(self) -> set[str]:
        named = {self.site_name(self.fleet.key), self.site_name("seen")}
        time = self.time_column()
        return named | ({self.site_name(time)} if time else set())

    def _empty(self) -> pl.DataFrame:
        import polars as pl

        return pl.DataFrame(schema=schema(self.table))

    def _plain(self, raw: Raw) -> dict[str, pl.Series]:
        """Return all columns that came as numbers and are finite, in one pass: most files have no others."""
        import polars as pl

        sites = {
            column: self.site_name(column) for column, kind in self.table.columns.items()
            if (kind == "number" or units.is_unit(kind)) and raw.frame.schema.get(self.site_name(column)) == pl.Float64
        }  # fmt: skip
        if (
            not sites
            or raw.frame.select(pl.any_horizontal(pl.col(list({*sites.values()})).is_infinite().any())).item()
        ):
            return {}
        values = []
        for column, site in sites.items():
            factor, offset = self.scales.get(column, (1.0, 0.0))
            value = pl.col(site).fill_nan(None)
            values.append(
                (value if (factor, offset) == (1.0, 0.0) else value * factor + offset).alias(column)
            )
        return {column.name: column for column in raw.frame.select(values)}

    def _column(self, raw: Raw, column: str, kind: str, site: str, refuse: Refuse) -> pl.Series:
        import polars as pl

        if site not in raw.frame.columns:
            return pl.Series(column, [None], dtype=cells.dtype(kind)).new_from_index(0, raw.frame.height)
        cell = raw.frame[site]
        values, wrong = cells.cast(cell, kind)
        if wrong.any():
            refuse(
                wrong.to_numpy(),
                f"{column}: not a {kind}" if not units.is_unit(kind) else f"{column}: no number",
            )
        if values.dtype == pl.Float64:
            infinite = values.is_infinite().fill_null(False)
            if infinite.any():
                refuse(infinite.to_numpy(), f"{column}: not finite")
            factor, offset = self.scales.get(column, (1.0, 0.0))
            values = values if (factor, offset) == (1.0, 0.0) else values * factor + offset
        codes = self.binding.site_codes(self.table.name, column)
        if codes and values.dtype == pl.String and not self._books(column):
            values = values.replace(dict(codes))
        return values.alias(column)

    def _key(self, raw: Raw, refuse: Refuse) -> pl.Series:
        values, wrong = cells.text(raw.frame[self.site_name(self.fleet.key)])
        refuse(wrong.to_numpy(), "the key is no text or number")
        refuse(values.is_null().to_numpy(), f"no key (column {self.site_name(self.fleet.key)!r})")
        return values.alias("key")

    def _times(self, raw: Raw, refuse: Refuse) -> dict[str, pl.Series]:
        import numpy as np
        import polars as pl

        n = raw.frame.height
        time, clock = self.time_column(), self.fleet.clock
        if time is None:
            at = pl.Series("at", np.arange(n) if clock is None else np.zeros(n), dtype=pl.Int64)
        else:
            at = self._clocked(raw.frame[self.site_name(time)], refuse, "at", self.site_name(time))
        given = self.site_name("seen")
        lag = int(self.table.arrives)
        if given in raw.frame.columns and given != self.site_name(self.fleet.key):
            seen = self._clocked(raw.frame[given], refuse, "seen", given)
            assumed = pl.Series("assumed", np.zeros(n), dtype=pl.Boolean)
        elif isinstance(clock, stage.WallClock) and self.live:
            seen, assumed = (
                pl.Series("seen", np.full(n, self.now)),
                pl.Series("assumed", np.zeros(n), dtype=pl.Boolean),
            )
        else:
            seen = (at + lag if time is not None else at * 0).alias("seen")
            assumed = pl.Series("assumed", np.ones(n), dtype=pl.Boolean)
        if isinstance(clock, stage.WallClock) and time is not None:
            there = at.is_not_null().to_numpy() & seen.is_not_null().to_numpy()
            refuse(
                (at.fill_null(0).to_numpy() - seen.fill_null(0).to_numpy() > AHEAD) & there,
                f"clock: seen more than a day before it happened (column {self.site_name(time)!r})",
            )
            # Clocks differ a little, but nothing is known before it happened.
            seen = pl.select(pl.max_horizontal(at, seen).alias("seen")).to_series()
        return {"at": at, "seen": seen, "assumed": assumed}

    def _twice(self, at: pl.Series, note: str) -> str:
        """Add to a note how many times the site's zone has twice: which of the two was meant is not known."""
        wall = isinstance(self.fleet.clock, stage.WallClock) and self.table.time is not None
        count = cells.twice(at, self.binding.zone) if wall else 0
        if not count:
            return note
        told = (
            f"{count} times in an hour that {self.binding.zone} has twice: those without an offset are taken for the "
            "first"
        )
        return f"{note}; {told}" if note else told

    def _clocked(self, cell: pl.Series, refuse: Refuse, name: str, site: str) -> pl.Series:
        """Return a time column, refusing what is missing, no time, or of a clock that is wrong."""
        wall = isinstance(self.fleet.clock, stage.WallClock)
        if wall:
            values, wrong = cells.moment(cell, self.binding.zone, self.binding.epoch)
        else:
            values, wrong = cells.cast(cell, "count")
        # In NumPy: a call of polars costs more than a few rows do, and most files have few.
        missing, false = values.is_null().to_numpy(), wrong.to_numpy()
        plain = values.fill_null(0).to_numpy()
        if wall:
            outside = (plain < EARLIEST) | (plain > self.now + AHEAD)
            told = f"clock: {site!r} before 1990 or over a day ahead of now (numbers count {self.binding.epoch!r})"
        else:
            outside, told = plain < 0, f"clock: {site!r} is below zero"
        refuse(false, f"{site!r} is no {'time' if wall else 'step'}")
        refuse(missing & ~false, f"no time (column {site!r})")
        refuse(outside & ~missing, told)
        return values.alias(name)

    def _kept(
        self, raw: Raw, good: Mapping[str, pl.Series], reasons: Mapping[int, str], absent: dict[str, str],
        extra: tuple[str, ...],
    ) -> Judged:  # fmt: skip
        import numpy as np
        import polars as pl

        frame = pl.DataFrame({**good, "line": pl.Series(raw.lines, dtype=pl.Int64)})
        frame = frame.select("key", "at", "seen", "assumed", "line", *self.table.columns)
        bad = [
            *raw.bad,
            *(Bad(int(raw.lines[i]), why, _row_text(raw, i)) for i, why in sorted(reasons.items())),
        ]
        if reasons:
            fits = np.ones(frame.height, dtype=bool)
            fits[list(reasons)] = False
            frame = frame.filter(fits)
        before = frame.height
        if self.table.unique and frame.height and frame.select("key", "at").is_duplicated().any():
            columns = [name for name in frame.columns if name != "line"]
            frame = frame.unique(columns, keep="first", maintain_order=True)
        waited = pl.col("seen") - pl.col("at") > int(self.table.arrives)
        late = int(frame.select((waited & ~pl.col("assumed")).sum()).item())
        return Judged(frame, bad, absent, extra, before - frame.height, late, raw.note)


if TYPE_CHECKING:
    from collections.abc import Callable

    Refuse = Callable[[Flags, str], None]


def schema(table: stage.Table) -> dict[str, pl.DataType]:
    """Return the columns of a table's good rows with their types."""
    import polars as pl

    first = {"key": pl.String, "at": pl.Int64, "seen": pl.Int64, "assumed": pl.Boolean, "line": pl.Int64}
    return {**first, **{name: cells.dtype(kind) for name, kind in table.columns.items()}}


def _row_text(raw: Raw, place: int) -> str:
    """Return a row's cells as one JSON object, so that it can be mended and sent again."""
    row = raw.frame.row(place, named=True)
    return shorten(
        json.dumps({name: value for name, value in row.items() if value is not None}, default=_shown)
    )


def _shown(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
