"""One commit over many Delta tables: all of it is there after a crash, or none of it is.

Why: deltalake commits one table at a time, calls no fsync, and accepts a repeated transaction id (measured).  So
data files are written and fsynced first, an intent that lists them is written next, and only then is it carried
into the tables, each skipped when it has that commit already.  A crash before the intent leaves the old state;
after it the commit is carried on by whoever opens the store next.  A reader sees the files of commits up to the
last one that `sources`, always carried last, has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, seals

if TYPE_CHECKING:
    import polars as pl

APP = "flyball"
#: The table that is carried last: what it has is committed.
LAST = "sources"
#: The intent of the last commit that is whole; kept so that it can be carried again.
DONE = "last.json"
#: Compact when a table has more than this many files that could be joined into one.
MANY = 24
#: So many files are known to be as they were written; then they are looked at again.
KNOWN = 20_000
#: So often is a log looked at that is not as it should be: another process may be committing.
LOOKS = 5
#: So often is a store looked through for files that no commit owns.
SWEPT_S = 300.0
#: A joined file holds at most about this many cells.
CELLS = 60_000_000


@dataclass(frozen=True)
class File:
    """One data file: `commit` and `place` give the order in which its rows arrived, `digest` is its SHA-256."""

    path: str
    size: int
    rows: int
    since: int
    until: int

    @property
    def commit(self) -> int:
        """Return the number of the commit that wrote it (the last one, for a joined file)."""
        return int(self.path.partition("-")[0])

    @property
    def digest(self) -> str:
        """Return the SHA-256 of its content."""
        return self.path.removesuffix(".parquet").rpartition("-")[2]


class Journal:
    """The Delta tables of a store's folder, and the commits over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pending = folder / "pending"
        self.notes: list[str] = []
        self._swept = float("-inf")
        self._checked: dict[str, tuple[Any, int]] = {}
        self._verified: set[tuple[str, int, int]] = set()
        self._handles: dict[str, tuple[tuple[str, int, int, int], Any]] = {}

    def open(self) -> None:
        """Set aside torn log entries, carry on what was pending, and sweep what no commit owns."""
        with durable.guard(f"open the store {self.folder}"):
            durable.folder(self.pending)
        mended = [self._mend(table) for table in self.tables()]
        with durable.guard(f"carry on a commit in {self.folder}"):
            if any(mended):
                self._again()
            for intent in sorted(self.pending.glob("[0-9]*.json")):
                self._carry(intent)
        self._sweep()

    def tables(self) -> list[str]:
        """Return the names of all tables, "tables/telemetry" and the like."""
        logs = [*self.folder.glob("*/_delta_log"), *self.folder.glob("tables/*/_delta_log")]
        return sorted(str(log.parent.relative_to(self.folder)) for log in logs)

    def committed(self) -> int:
        """Return the number of the last commit that is whole."""
        return self._version(LAST)

    def next(self) -> int:
        """Return the number that the next commit will have."""
        return self.committed() + 1

    def stage(self, table: str, commit: int, place: int, frame: pl.DataFrame) -> File:
        """Write rows into a data file of a table that nobody sees yet; it is on the disk when this returns."""
        where = durable.folder(self.folder / table)
        part = where / f".{commit:08d}-{place:05d}.part"
        with durable.guard(f"write rows of {table}"):
            try:
                durable.step("write", part)
                _write_parquet(frame, part)
                digest = _digest(part)
                durable.sync(part)
                final = where / f"{commit:08d}-{place:05d}-{digest}.parquet"
                durable.rename(part, final)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        span = (frame["at"].min(), frame["at"].max()) if "at" in frame.columns and frame.height else (0, 0)
        return File(final.name, final.stat().st_size, frame.height, int(span[0] or 0), int(span[1] or 0))  # type: ignore[arg-type]

    def commit(
        self, number: int, staged: Mapping[str, Sequence[File]], schemas: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Make the staged files of all tables part of the store, as one: durable when this returns."""
        intent = self.pending / f"{number:08d}.json"
        lists = self._lists()
        for table, files in staged.items():
            lists[table] = {"files": [listed([*self.files(table), *files])], "txn": [number]}
        tables = {
            table: {
                "schema": {name: str(kind) for name, kind in schemas[table].items()},
                "files": [vars(f) for f in files],
            }
            for table, files in staged.items()
        }
        try:
            durable.write(intent, seals.sealed({"commit": number, "tables": tables, "lists": lists}))
        except BaseException:
            if not intent.exists():  # once the intent has its name, the files are the commit's
                self.drop(staged)
            raise
        with durable.guard(
            f"commit to {self.folder} (it is noted and will be carried on when the store is opened next)"
        ):
            self._carry(intent)

    def noted(self, number: int) -> bool:
        """Say whether a commit is noted or done: it will be carried on, and its files are its own."""
        return (self.pending / f"{number:08d}.json").exists() or self.committed() >= number

    def drop(self, staged: Mapping[str, Sequence[File]]) -> None:
        """Remove staged files that will not be committed."""
        for table, files in staged.items():
            for file in files:
                (self.folder / table / file.path).unlink(missing_ok=True)

    def files(self, table: str) -> list[File]:
        """Return the data files of a table that are committed, in the order in which their rows arrived.

        Raises TamperedError when the table's log is not what was written: no digest of its own protects it.
        """
        for _ in range(LOOKS):
            handle, last = self._handle(table), self.committed()
            if handle is None:
                return []
            found = self._files(handle, last)
            if self._checked.get(table) == (handle, last) or self._promised(table, handle, found):
                self._checked[table] = (handle, last)
                return found
        raise errors.TamperedError(
            f"the log of {self.folder / table} is not what was written: restore {table}/_delta_log from a copy"
        )

    def _files(self, handle: Any, last: int) -> list[File]:
        found = (_file(entry) for entry in _adds(handle))
        return sorted((file for file in found if file.commit <= last), key=lambda file: file.path)

    def _promised(self, table: str, handle: Any, found: Sequence[File]) -> bool:
        """Say whether a list of files, and the last commit that a table has, are what the last commits say they are.

        Another process may be committing: what it has noted holds too.
        """
        every = list(self._said())
        told = [lists[table] for lists in every if table in lists]
        if not told:
            return True  # of a store from before lists were noted
        if not (every and table in every[0] and (self.pending / DONE).exists()):
            told.append({"files": [listed([])], "txn": [0]})  # the commit under way makes it
        is_listed = listed(found) in [one for lists in told for one in lists["files"]]
        return is_listed and _last(handle) in [n for lists in told for n in lists["txn"]]

    def _said(self) -> Iterator[Mapping[str, Mapping[str, list[Any]]]]:
        """Yield what the last commit, and those under way, say of every table: its files and its last commit."""
        for path in [self.pending / DONE, *self.pending.glob("[0-9]*.json")]:
            try:
                yield _unsealed(path.read_bytes()).get("lists", {})
            except FileNotFoundError:
                continue
            except ValueError:
                if path.name == DONE:
                    raise errors.TamperedError(f"{path} is damaged: restore it from a copy") from None

    def _lists(self) -> dict[str, Any]:
        """Return what the last commit says of every table, as it is where that says nothing."""
        done = next(iter(self._said()), {}) if (self.pending / DONE).exists() else {}
        return {**{table: self._now(table) for table in self.tables() if table not in done}, **done}

    def _now(self, table: str) -> dict[str, Any]:
        handle = self._handle(table)
        found = self._files(handle, self.committed()) if handle is not None else []
        return {"files": [listed(found)], "txn": [self._version(table)]}

    def relist(self, tables: Sequence[str] | None = None, **changes: Mapping[str, list[Any]]) -> None:
        """Note of some tables (all: None) what they are now, and of others what they are to be."""
        done = self.pending / DONE
        if not done.exists():
            return
        told = _unsealed(done.read_bytes())
        lists = dict(told.get("lists", {})) | changes
        lists |= {table: self._now(table) for table in (self.tables() if tables is None else tables)}
        durable.write(done, seals.sealed({**told, "lists": lists}))

    def read(
        self, table: str, files: Sequence[File] | None = None, columns: Sequence[str] | None = None,
        where: Sequence[pl.Expr] = (),
    ) -> list[pl.DataFrame]:  # fmt: skip
        """Return the rows of some files (all: None), each a frame, digests verified; columns a file lacks stay out."""
        import polars as pl

        out = []
        for file in self.files(table) if files is None else files:
            path = self.folder / table / file.path
            self.verify(path, file)
            try:
                names = None if columns is None else [c for c in columns if c in pl.read_parquet_schema(path)]
                chosen = (
                    pl.scan_parquet(path, glob=False).filter(*where)
                    if where
                    else pl.scan_parquet(path, glob=False)
                )
                out.append((chosen if names is None else chosen.select(names)).collect())
            except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
                raise errors.StoreError(f"{path} cannot be read ({error}): restore it from a copy") from None
        return out

    def verify(self, path: Path, file: File) -> None:
        """Raise TamperedError when a data file is not what was written (once per file as it lies on the disk)."""
        try:
            found = path.stat()
        except FileNotFoundError:
            raise errors.StoreError(f"{path} is gone: restore it from a copy") from None
        mark = (str(path), found.st_mtime_ns, found.st_size)
        if mark in self._verified:
            return
        if _digest(path) != file.digest:
            raise errors.TamperedError(
                f"{path} is not what was written (its digest differs): restore it from a copy"
            )
        if len(self._verified) >= KNOWN:  # of a store that is written for weeks, most files are long gone
            self._verified.clear()
        self._verified.add(mark)

    def compact(self, table: str) -> int:
        """Join small files of a table when it has many, so that reading does not slow down; return how many went."""
        files = self.files(table)
        joined = 0
        for group in _groups(files, self._width(table)):
            joined += self._join(table, group)
        return joined

    def _width(self, table: str) -> int:
        handle = self._handle(table)
        return len(handle.schema().fields) if handle is not None else 1

    def _join(self, table: str, group: Sequence[File]) -> int:
        import polars as pl

        return self.replace(table, group, pl.concat(self.read(table, group), how="diagonal"))

    def replace(self, table: str, group: Sequence[File], frame: pl.DataFrame) -> int:
        """Put one file of rows in the place of some files of a table, as one commit of it; return how many went.

        The rows stand where those of the last file stood; no rows leave nothing there.
        """
        from deltalake.transaction import RemoveAction

        last, handle = group[-1], self._handle(table)
        now = int(time.time() * 1000)
        removes = [RemoveAction(f.path, False, now, f.size, {}) for f in group]
        if handle is None:
            return len(group)
        new: list[File] = []
        if frame.height:
            new = [self.stage(table, last.commit, int(last.path.split("-")[1]), frame)]
            if new[0].path == last.path:
                return 0
        before = self.files(table)
        after = sorted([*(one for one in before if one not in group), *new], key=lambda file: file.path)
        either: dict[str, list[Any]] = {
            "files": [listed(before), listed(after)],
            "txn": [self._version(table)],
        }
        self.relist([], **{table: either})
        self._commit_actions(handle, table, [*(_add(file, False) for file in new), *removes], None)
        self.relist([], **{table: {**either, "files": either["files"][1:]}})
        return len(group)

    def widen(self, table: str, schema: Mapping[str, str]) -> None:
        """Give a table the columns that it lacks; one that is not there yet stays so."""
        if self._handle(table) is not None:
            self._created(table, schema)

    def discard(self, table: str, files: Sequence[File]) -> None:
        """Remove data files that the table has no more; one that it still has stays."""
        owned = {file.path for file in self.files(table)}
        for file in files:
            if file.path not in owned:
                path = self.folder / table / file.path
                durable.step("unlink", path)
                path.unlink(missing_ok=True)

    def _carry(self, intent: Path) -> None:
        """Carry an intent into every table that has not got it yet, `sources` last; then let go of it."""
        from deltalake import CommitProperties, Transaction

        try:
            told = _unsealed(intent.read_bytes())
        except ValueError:
            self._set_aside(intent, "a torn intent")
            return
        number, tables = told["commit"], told["tables"]
        order = sorted(tables, key=lambda table: (table == LAST, table != "quarantine", table))
        for table in order:
            handle = self._created(table, tables[table]["schema"])
            if _last(handle) >= number:
                self._sync_log(table)  # it got there, but perhaps not to the disk
                continue
            once = CommitProperties(app_transactions=[Transaction(APP, number)])
            self._commit_actions(
                handle, table, [_add(File(**file), True) for file in tables[table]["files"]], once
            )
        durable.rename(intent, self.pending / DONE)

    def _again(self) -> None:
        """Carry the last commit once more after an entry of it was set aside; note it as lost where files are gone."""
        done = self.pending / DONE
        try:
            told = _unsealed(done.read_bytes())
        except (OSError, ValueError):
            return
        behind = {
            table: one for table, one in told["tables"].items() if self._version(table) < told["commit"]
        }
        files = [(table, file) for table, one in behind.items() for file in one["files"]]
        if all(self._is_there(table, file) for table, file in files):
            self._carry(done)
        else:
            lost = sorted({*self.lost(), told["commit"]})
            durable.write(self.folder / "lost.json", json.dumps(lost).encode())
            self.relist(list(behind))
            self.notes.append(f"commit {told['commit']} has lost rows: send its files again")

    def _version(self, table: str) -> int:
        """Return the number of the last commit that was carried into a table."""
        handle = self._handle(table)
        return _last(handle) if handle is not None else 0

    def lost(self) -> list[int]:
        """Return the numbers of commits of which data files vanished: their sources count as not taken in."""
        path = self.folder / "lost.json"
        found: list[int] = json.loads(path.read_bytes()) if path.exists() else []
        return found

    def _commit_actions(self, handle: Any, table: str, actions: list[Any], properties: Any) -> None:
        durable.step("commit", self.folder / table)
        try:
            handle.create_write_transaction(actions, "append", handle.schema(), commit_properties=properties)
        except Exception as error:
            raise OSError(str(error)) from error
        self._sync_log(table)

    def _sync_log(self, table: str) -> None:
        log = self.folder / table / "_delta_log"
        names = os.listdir(log)
        newest = [max((n for n in names if n.endswith(".json")), default="")]
        newest += [max((n for n in names if ".checkpoint" in n), default="")]
        newest += [n for n in names if n == "_last_checkpoint"]
        for path in [*(log / name for name in newest if name), log, log.parent]:
            durable.sync(path)

    def _created(self, table: str, schema: Mapping[str, str]) -> Any:
        """Return the handle of a table, made or given the columns it lacks."""
        from deltalake import DeltaTable

        fields = _fields(schema)
        handle = self._handle(table)
        if handle is None:
            where = durable.folder(self.folder / table)
            durable.step("create", where)
            config = {"delta.checkpointInterval": "20", "delta.logRetentionDuration": "interval 10 minutes"}
            handle = DeltaTable.create(where, schema=fields, configuration=config)
            self._sync_log(table)
            return handle
        have = {field.name for field in handle.schema().fields}
        lacking = [field for field in fields.fields if field.name not in have]
        if lacking:
            durable.step("alter", self.folder / table)
            handle.alter.add_columns(lacking)
            self._sync_log(table)
            handle = self._handle(table)
        return handle

    def _handle(self, table: str) -> Any:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        where = self.folder / table
        if not (where / "_delta_log").is_dir():
            return None
        name = max((n for n in os.listdir(where / "_delta_log") if n.endswith(".json")), default="")
        if not name:
            return None
        newest = (where / "_delta_log" / name).stat()
        mark = (name, newest.st_mtime_ns, newest.st_size, newest.st_ino)
        known = self._handles.get(table)
        if known is not None and known[0] == mark:
            return known[1]
        try:
            # Opened anew for every entry of the log, and only then: it takes longer than any of our questions.
            self._handles[table] = (mark, DeltaTable(where))
            return self._handles[table][1]
        except (DeltaError, OSError, ValueError) as error:
            raise errors.StoreError(
                f"{where} is damaged ({error}): run `flyball doctor`, restore it from a copy"
            ) from None

    def schema(self, table: str) -> dict[str, str]:
        """Return the columns of a table and their types, empty when there is none yet."""
        handle = self._handle(table)
        return {} if handle is None else {field.name: field.type.type for field in handle.schema().fields}

    def _mend(self, table: str) -> bool:
        """Set aside a last log entry that is torn, or whose files are missing or short."""
        log = self.folder / table / "_delta_log"
        name = max((n for n in os.listdir(log) if n.endswith(".json") and n[:-5].isdigit()), default="")
        if not name:
            return False
        last = log / name
        try:
            actions = [json.loads(line) for line in last.read_text("utf-8").splitlines() if line.strip()]
            adds = [action["add"] for action in actions if "add" in action]
            whole = bool(actions) and all(self._is_there(table, add) for add in adds)
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            self._set_aside(last, "a last entry that is torn, or whose files are missing or short")
        return not whole

    def _is_there(self, table: str, add: Mapping[str, Any]) -> bool:
        path = self.folder / table / add["path"]
        return path.is_file() and bool(path.stat().st_size == add["size"])

    def _set_aside(self, path: Path, why: str) -> None:
        place = durable.folder(self.folder / "set-aside")
        target = place / f"{path.parent.parent.name}-{path.name}-{time.time_ns()}"
        with durable.guard(f"set aside {path}"):
            durable.rename(path, target)
            durable.sync(path.parent)
        self.notes.append(f"set aside {path.relative_to(self.folder)}: {why}")

    def _sweep(self) -> None:
        """Remove what a crash left behind: half-written files and staged ones that no commit owns.

        They take room and are in nobody's way, so a store that is written every second is not looked through as often.
        """
        now = time.monotonic()
        if now - self._swept < SWEPT_S:
            return
        self._swept, last = now, self.committed()
        for table in self.tables():
            handle = self._handle(table)
            owned = {_file(entry).path for entry in _adds(handle)} if handle is not None else set()
            for path in (self.folder / table).iterdir():
                if path.suffix == ".part" or (
                    path.suffix == ".parquet" and path.name not in owned and _idle(path, last)
                ):
                    path.unlink(missing_ok=True)
            for path in (self.folder / table / "_delta_log").glob("*.tmp*"):
                path.unlink(missing_ok=True)


def _unsealed(content: bytes) -> dict[str, Any]:
    """Return what is noted of a commit.  Raises ValueError for what was not noted so."""
    told = seals.unsealed(content)
    if not isinstance(told.get("tables"), dict) or not isinstance(told.get("commit"), int):
        raise ValueError("no note of a commit")
    return told


def listed(files: Iterable[File]) -> str:
    """Return the SHA-256 of a list of files: what a log must come to."""
    told = sorted((one.path, one.size, one.rows, one.since, one.until) for one in files)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _idle(path: Path, last: int) -> bool:
    """Say whether nobody reads a file that no commit owns: never committed, or joined away an hour ago."""
    number = path.name.partition("-")[0]
    return not number.isdigit() or int(number) > last or path.stat().st_mtime < time.time() - 3600


def _groups(files: Sequence[File], width: int) -> Iterator[list[File]]:
    """Yield runs of small neighbouring files worth joining, so that every row is joined a bounded number of times.

    A file is joined with its neighbours only when together they at least double the largest: the work per row
    grows with the logarithm of the number of commits.
    """
    most = max(1, CELLS // max(width, 1))
    run: list[File] = []
    for file in (*files, None):
        if file is not None and file.rows * 2 <= most and sum(f.rows for f in run) + file.rows <= most:
            run.append(file)
            continue
        yield from _worth(run)
        run = [file] if file is not None and file.rows * 2 <= most else []
    if run:
        yield from _worth(run)


def _worth(run: list[File]) -> Iterator[list[File]]:
    while len(run) > MANY:
        tail = run[-MANY:]
        if max(f.rows for f in tail) * 2 <= sum(f.rows for f in tail) or len(run) > 4 * MANY:
            yield run
            return
        run = run[:-1]


def _write_parquet(frame: pl.DataFrame, path: Path) -> None:
    import errno

    import polars as pl

    try:
        frame.write_parquet(path, compression="zstd", compression_level=1, row_group_size=131_072)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        full = "No space" in str(error) or "too large" in str(error)
        raise OSError(errno.ENOSPC if full else errno.EIO, str(error).splitlines()[0]) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fields(schema: Mapping[str, str]) -> Any:
    from deltalake import Field, Schema
    from deltalake.schema import PrimitiveType

    names = {
        "String": "string",
        "Int64": "long",
        "Float64": "double",
        "Boolean": "boolean",
        "Int32": "integer",
    }
    return Schema([Field(name, PrimitiveType(names[kind])) for name, kind in schema.items()])


def _add(file: File, change: bool) -> Any:
    from deltalake.transaction import AddAction

    stats: dict[str, Any] = {"numRecords": file.rows, "nullCount": {}}
    stats |= (
        {"minValues": {"at": file.since}, "maxValues": {"at": file.until}}
        if file.until
        else {"minValues": {}, "maxValues": {}}
    )
    return AddAction(file.path, file.size, {}, int(time.time() * 1000), change, json.dumps(stats))


def _adds(handle: Any) -> Iterable[Mapping[str, Any]]:
    import polars as pl

    with _readable(handle):
        found: list[dict[str, Any]] = pl.DataFrame(handle.get_add_actions(flatten=True)).to_dicts()
    return found


def _last(handle: Any) -> int:
    """Return the number of the last commit that a table has."""
    with _readable(handle):
        return handle.transaction_version(APP) or 0


@contextlib.contextmanager
def _readable(handle: Any) -> Iterator[None]:
    """Tell a log that cannot be understood as what it is."""
    from deltalake.exceptions import DeltaError

    try:
        yield
    except (DeltaError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise errors.StoreError(f"{handle.table_uri} is damaged ({why}): restore it from a copy") from None


def _file(entry: Mapping[str, Any]) -> File:
    return File(
        entry["path"],
        entry["size_bytes"],
        entry["num_records"] or 0,
        entry.get("min.at") or 0,
        entry.get("max.at") or 0,
    )


def remove_parts(folder: Path) -> None:
    """Remove half-written files and folders that a killed process left behind."""
    import shutil

    for path in folder.glob(".*.part"):
        if not _alive(path.name.split(".")[-2]):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
