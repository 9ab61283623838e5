"""Databases in: a site's queries pull what is new, in order, each row once, in bounded memory.

What a query took stands in the commit with its rows, as the greatest mark: after a crash it goes on there.  Nothing is
written to the database: the session is read-only, and a statement has a time it may take.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flyball import data, durable, errors, extras, part
from flyball.data import bindings
from flyball.data.formats.raw import Bad, Raw
from flyball.runtime import landing, streams

if TYPE_CHECKING:
    import polars as pl

    from flyball.runtime.store import Store

SCHEMES = ("postgresql", "sqlite", "odbc")
#: A statement may take so long.
STATEMENT_S = 60


class Database:
    """A database by its address: `postgresql://HOST/NAME`, `sqlite:///FILE` (ADBC), or `odbc:CONNECTION STRING`.

    Who asks is said by the environment (PGUSER, PGPASSWORD, ~/.pgpass; ODBC_USER, ODBC_PASSWORD), never by the address.
    Raises DeclarationError for an address with a password, DataError when it cannot be opened or asked.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.scheme = address.partition(":")[0]
        told = urllib.parse.urlsplit(address)
        secret = told.password is not None or "password=" in address.lower() or "pwd=" in address.lower()
        if secret:
            raise errors.DeclarationError(
                f"{self.scheme}: a password does not belong into an address: set PGPASSWORD (or ODBC_PASSWORD) in the "
                "environment"
            )
        self._connection: Any = None

    def ask(self, query: data.Query, mark: int | str) -> pl.DataFrame:
        """Return the rows beyond a mark, in order, at most a batch.  Raises DataError that says what went wrong."""
        try:
            if self._connection is None:
                self._connection = self._open()
            return self._rows(query, mark)
        except errors.FlyballError:
            raise
        except Exception as error:  # every driver has its own
            self.close()
            why = " ".join(str(error).split())[:400]
            raise errors.DataError(f"{self.scheme} database, query of {query.table}: {why}") from None

    def _open(self) -> Any:
        if self.scheme == "postgresql":
            found = extras.need("adbc_driver_postgresql.dbapi", "sql", "to ask PostgreSQL").connect(
                self.address
            )
            with found.cursor() as cursor:
                cursor.execute("SET default_transaction_read_only = on")
                cursor.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
            found.commit()
            return found
        if self.scheme == "sqlite":
            file = urllib.parse.unquote(self.address.removeprefix("sqlite://"))
            if not os.path.exists(file):
                raise errors.DataError(f"no database {file}: give sqlite:///FILE")
            sqlite = extras.need("adbc_driver_sqlite.dbapi", "sql", "to ask SQLite")
            return sqlite.connect(f"file:{urllib.parse.quote(file)}?mode=ro")
        odbc = extras.need("pyodbc", "sql", "to ask by ODBC")
        told = self.address.removeprefix("odbc:")
        for name, key in (("ODBC_USER", "UID"), ("ODBC_PASSWORD", "PWD")):
            if os.environ.get(name):
                told += f";{key}={os.environ[name]}"
        found = odbc.connect(told, readonly=True, timeout=10)
        with contextlib.suppress(odbc.Error):  # not every driver can end a statement that takes too long
            found.timeout = STATEMENT_S
        return found

    def _rows(self, query: data.Query, mark: int | str) -> pl.DataFrame:
        import polars as pl

        cursor = self._connection.cursor()
        try:
            parameter = datetime.fromisoformat(mark) if isinstance(mark, str) else mark
            if self.scheme == "odbc":
                cursor.execute(query.text("?", limit=False), (parameter,) * query.text("?", False).count("?"))
                names = [told[0] for told in cursor.description]
                rows = [tuple(row) for row in cursor.fetchmany(query.batch)]
                return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
            if self.scheme == "postgresql":
                kind = "timestamptz" if query.timed else "bigint"
                text = str(mark).replace("'", "''")
                cursor.execute(query.text(f"CAST('{text}' AS {kind})", limit=True))
            else:
                plain = f"'{str(mark).replace(chr(39), chr(39) * 2)}'" if query.timed else str(int(mark))
                cursor.execute(query.text(plain, limit=True))
            # Numbers without a type of Arrow's (PostgreSQL's numeric) come as a text in a wrapping of their own.
            found = pl.DataFrame(cursor.fetch_arrow())
            wrapped = [c.name for c in found if isinstance(c.dtype, pl.BaseExtension)]
            return found.with_columns(found[name].ext.storage() for name in wrapped)
        finally:
            cursor.close()
            if self._connection is not None and self.scheme != "sqlite":
                self._connection.rollback()  # no transaction stays open between two looks

    def close(self) -> None:
        """Let go of the connection; the next question makes a new one."""
        found, self._connection = self._connection, None
        if found is not None:
            try:
                found.close()
            except Exception:  # it is broken already
                return


class Watch:
    """Pulls what the site's queries find new, until told to stop; speaks as `landing.Watch` does."""

    def __init__(
        self, store: Store, address: str, binding: data.Binding | data.Bindings | None, live: bool = False
    ) -> None:
        self.store, self.binding, self.live = store, binding, live
        self.database = Database(address)
        self.total = landing.Total()
        self._read: dict[str, set[int]] = {}
        self.queries = [query for one in bindings.several(binding).each for query in one.queries]
        if not self.queries:
            raise errors.DeclarationError(
                f"{self.database.scheme}: no query to ask: give --binding with queries=(data.Query(...),) in it"
            )

    def go(
        self, every_s: float, for_s: float = 0.0, stop: threading.Event | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield what each commit came to; ends after some seconds, or when told to stop."""
        stop = stop if stop is not None else threading.Event()
        end = time.monotonic() + for_s if for_s else float("inf")
        while True:
            yield from self.once(lambda: stop.is_set() or time.monotonic() >= end)
            left = end - time.monotonic()
            if stop.is_set() or left <= 0:
                self.database.close()
                return
            stop.wait(min(left, every_s))

    def all(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Yield what came of all that is there now; what went wrong is tried three times."""
        for _ in range(3):
            yield from self.once(stop.is_set)
            if stop.is_set() or not self.total.trouble:
                break
        self.database.close()

    def once(self, over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Yield what came of every query, commit by commit, until nothing is new or `over()`."""
        self.total.rounds += 1
        for query in self.queries:
            more = True
            while more and not over():
                try:
                    more, told = self._pull(query)
                except (errors.DataError, errors.StoreError) as error:
                    if isinstance(error, errors.StoreError) and not (
                        isinstance(error, durable.Busy) or isinstance(error.__cause__, OSError)
                    ):
                        raise
                    before, self.total.trouble = self.total.trouble, str(error)
                    if before != self.total.trouble:
                        yield {"round": self.total.rounds, "trouble": self.total.trouble}
                    return
                if told:
                    yield told
        self.total.trouble = ""

    def _pull(self, query: data.Query) -> tuple[bool, dict[str, Any]]:
        """Take in one batch of a query; say whether there is more, and what there is to tell."""
        source, epoch = f"{self.database.address} {query.table}", _epoch(query)
        last = self.store.marks().last(source, epoch)
        frame = self.database.ask(query, _begin(query, last))
        if query.mark not in frame.columns:
            raise errors.DataError(f"query of {query.table}: no column {query.mark!r}, which is its mark")
        marks = _marks(query, frame)
        full = frame.height >= query.batch
        frame, kept, bad = _whole(query, frame, marks, full)
        new = [mark for mark in kept if last is None or mark > last]
        frame, kept = self._fresh(query, frame, kept, last)
        if not frame.height and not bad:
            return False, {}
        spans: tuple[streams.Span, ...] = ()
        if new:
            first = min(new) if last is None else last + 1
            spans = (streams.Span(source, epoch, first, max(new)),)
        raw = _raw(query, frame, kept, bad)

        def build(taken: streams.Marks) -> Iterable[streams.Sent]:
            if taken.last(source, epoch) == last:  # else another process was first
                yield streams.Sent(query.table, f"{query.table}.query", raw, spans)

        told = self.store.receive(build, self.binding, None, self.live)
        self.total.add(told)
        worth = {"round": self.total.rounds, "trouble": "", **told.json()} if told.files else {}
        return full and bool(new), worth

    def _fresh(
        self, query: data.Query, frame: pl.DataFrame, marks: list[int], last: int | None
    ) -> tuple[pl.DataFrame, list[int]]:
        """Leave out rows of the overlap that this watch has read before; the store drops what an earlier one read."""
        import polars as pl

        if query.overlap is None or not frame.height:
            return frame, marks
        known = self._read.get(query.table, set())
        told = frame.hash_rows(1).to_list()
        keep = [one not in known for one in told]
        top = max([*marks, last or 0])
        near = {one for one, mark in zip(told, marks, strict=True) if mark >= top - int(query.overlap)}
        self._read[query.table] = near
        return frame.filter(pl.Series(keep, dtype=pl.Boolean)), [
            m for m, stays in zip(marks, keep, strict=True) if stays
        ]


def _epoch(query: data.Query) -> str:
    """Return what tells a query from another: one that is changed begins anew."""
    return hashlib.sha256(part.canonical(query).encode()).hexdigest()[:12]


def _begin(query: data.Query, last: int | None) -> int | str:
    """Return the mark beyond which is asked."""
    if last is None:
        return query.since
    if not query.timed:
        return last
    at = last - int(query.overlap or 0)
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat()


def _marks(query: data.Query, frame: pl.DataFrame) -> list[int | None]:
    """Return every row's mark as an integer: microseconds of a time, None where there is none."""
    import polars as pl

    column = frame[query.mark]
    if query.timed:
        if column.dtype == pl.String:
            column = column.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        if not isinstance(column.dtype, (pl.Datetime, pl.Null)):
            raise errors.DataError(
                f"query of {query.table}: mark {query.mark!r} is no time, since={query.since!r} is"
            )
        return (
            column.cast(pl.Int64).to_list()
            if isinstance(column.dtype, pl.Null)
            else column.dt.epoch("us").to_list()
        )
    if not (column.dtype.is_integer() or column.dtype == pl.Null or column.dtype.is_decimal()):
        raise errors.DataError(
            f"query of {query.table}: mark {query.mark!r} is {column.dtype} and no whole number: give since= a time, "
            "or another mark"
        )
    return column.cast(pl.Int64).to_list()


def _whole(
    query: data.Query, frame: pl.DataFrame, marks: list[int | None], full: bool
) -> tuple[pl.DataFrame, list[int], list[Bad]]:
    """Leave out rows without a mark, which are bad, and of a full batch the last mark: more may share it."""
    import polars as pl

    bad = [
        Bad(place + 1, f"no mark (column {query.mark!r})", str(frame.row(place))[:500])
        for place, mark in enumerate(marks) if mark is None
    ]  # fmt: skip
    there = [mark for mark in marks if mark is not None]
    last = max(there, default=None)
    cut = full and query.timed and last is not None and min(there) < last
    keep = [mark is not None and not (cut and mark == last) for mark in marks]
    if full and query.timed and last is not None and min(there) == last:
        raise errors.DataError(
            f"query of {query.table}: {query.batch} rows share one {query.mark}: give it a larger batch"
        )
    kept = [mark for mark, stays in zip(marks, keep, strict=True) if stays and mark is not None]
    return frame.filter(pl.Series(keep, dtype=pl.Boolean)), kept, bad


def _raw(query: data.Query, frame: pl.DataFrame, marks: list[int], bad: list[Bad]) -> Raw:
    """Return rows as a file's reader gives them; a row whose mark is a time was seen then."""
    import numpy as np
    import polars as pl

    columns = []
    for column in frame:
        if column.dtype.is_decimal():
            column = column.cast(pl.Float64)
        elif column.dtype.is_nested() or column.dtype == pl.Binary:
            raise errors.DataError(
                f"query of {query.table}: column {column.name!r} is {column.dtype}, which no cell holds: leave it out, "
                "or cast it in the query"
            )
        elif isinstance(column.dtype, pl.Datetime) and column.dtype.time_unit != "us":
            column = column.dt.cast_time_unit("us")
        columns.append(column)
    frame = pl.DataFrame(columns)
    if query.timed and "seen" not in frame.columns:
        frame = frame.with_columns(pl.from_epoch(pl.Series("seen", marks), "us").dt.replace_time_zone("UTC"))
    return Raw(frame, np.arange(1, frame.height + 1, dtype=np.int64), bad)
