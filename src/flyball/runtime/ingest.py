"""Files in: claimed by their table, read, judged, and taken into the store as one commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, errors, part
from flyball.data import arrivals, bindings, images
from flyball.data.formats import judge
from flyball.data.formats import read as formats
from flyball.data.formats.raw import Bad
from flyball.runtime import durable, frames, journal

if TYPE_CHECKING:
    import polars as pl

    from flyball.runtime.store import Store

Progress = Callable[[str, int, int], None]

#: Rows are written out when a table has gathered this many cells, so that memory stays bounded.
CELLS = 30_000_000
#: Files that belong to no table are told one by one up to so many.
FEW = 10
PICTURES = (".npy", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
FOLDER = "a folder"
QUARANTINE = {
    "source": "String",
    "table": "String",
    "name": "String",
    "line": "Int64",
    "reason": "String",
    "text": "String",
}
SOURCES = {
    "source": "String", "table": "String", "name": "String", "bytes": "Int64", "taken": "Int64", "came": "Int64",
    "sent": "Int64", "good": "Int64", "quarantined": "Int64", "duplicates": "Int64", "late": "Int64", "last": "Int64",
    "reading": "String", "columns": "String", "absent": "String", "extra": "String", "parts": "String",
    "note": "String",
}  # fmt: skip


@dataclass
class Receipt:
    """What came in: sent = good + duplicates + quarantined, per table; nothing is dropped in silence."""

    files: int = 0
    known: int = 0
    commit: int = 0
    good: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, dict[str, int]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Say whether anything new came in."""
        return self.files > 0

    def json(self) -> dict[str, Any]:
        """Return the receipt as plain values."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """Return the receipt as lines for people."""
        out = [f"{self.files} file(s) taken in, {self.known} known already"]
        for table in sorted({*self.good, *self.quarantined}):
            bad = sum(self.quarantined.get(table, {}).values())
            told = f"  {table}: {self.good.get(table, 0)} rows, {bad} quarantined"
            told += f", {self.duplicates.get(table, 0)} duplicates"
            out.append(told + (f", {self.late[table]} late" if self.late.get(table) else ""))
            out += [f"    {count} x {why}" for why, count in sorted(self.quarantined.get(table, {}).items())]
        out += [f"  {column}: {why}" for column, why in sorted(self.absent.items())]
        out += [
            f"  {table}: not on the page, ignored: {', '.join(names)}"
            for table, names in sorted(self.extra.items())
        ]
        out += [f"  {note}" for note in self.notes]
        return out + [f"  {told}" for told in unclaimed(self.unclaimed)]


def unclaimed(names: Iterable[str]) -> list[str]:
    """Return what to tell of files that belong to no table: each of few, of many how many lie in which folders.

    >>> unclaimed(["notes.txt"]), unclaimed([f"A/lots/A-001/{day}.csv" for day in range(100)])
    (['notes.txt: belongs to no table'], ['A/lots/: 100 files belong to no table'])
    """
    found = list(names)
    if len(found) <= FEW:
        return [f"{name}: belongs to no table" for name in found]
    folders: dict[str, int] = {}
    for name in found:
        place = "/".join(Path(name).parts[:-1][:2])
        folders[place] = folders.get(place, 0) + 1
    return [
        f"{f'{place}/' if place else 'the folder itself'}: {count} file{'s'[: count > 1]} belong{'s'[count > 1 :]} to "
        "no table"
        for place, count in sorted(folders.items())
    ]


def ingest(
    store: Store, paths: Iterable[Path | str], binding: data.Binding | data.Bindings | None = None,
    progress: Progress | None = None, now: int | None = None, live: bool = False,
) -> Receipt:  # fmt: skip
    """Take in all files below some paths as one commit and return what came of them; durable when this returns.

    A file whose content is known changes nothing.  `now` (microseconds; the clock's time by default) is when they
    came; with `live` the rows of a wall-clock page were seen then, otherwise they are history and `seen` is `at`
    plus the table's lag, marked assumed.  Raises DataError for a path that is not there and for a binding that does
    not fit, StoreError when the store cannot be written.
    """
    import time

    came = time.time_ns() // 1000 if now is None else now
    sites = bindings.several(binding)
    receipt = Receipt(notes=sites.check(store.fleet))
    claimed = [
        (table, path, name, sites.of(Path(name), came))
        for table, path, name in _claimed(store.fleet, [Path(path) for path in paths], receipt)
    ]
    with store.writing(), durable.guard(f"take files into {store.folder}"):
        taking = _Taking(store, receipt, came, live)
        try:
            for done, (table, path, name, site) in enumerate(claimed):
                taking.take(table, path, name, site)
                if progress is not None:
                    progress("ingest", done + 1, len(claimed))
            taking.commit()
        except BaseException:
            taking.drop()
            raise
    return receipt


def _claimed(
    fleet: data.Fleet, paths: Iterable[Path], receipt: Receipt
) -> Iterator[tuple[data.Table, Path, str]]:
    pictured = "image" in fleet.columns().values()
    beside = (*PICTURES, *(arrivals.ARCHIVES if pictured else ()))
    for path in paths:
        if not path.exists():
            raise errors.DataError(f"no file or folder {path}: give the place where the data lies")
        # What is named outright may be a link; what lies in a folder was put there by somebody else.
        alone = not path.is_dir()
        files = (
            [path] if alone else sorted(inner for inner in path.rglob("*") if arrivals.odd(inner) != FOLDER)
        )
        root = path.parent if alone else path
        for file in files:
            name = file.relative_to(root)
            if any(piece.startswith(".") for piece in name.parts):
                continue
            if file.suffix.lower() in beside:
                continue
            table = claim(fleet, file if alone else path / name, name) if formats.ending(file) else None
            if table is None:
                receipt.unclaimed.append(str(name))
            else:
                yield table, file.resolve() if alone else file, str(name)


def claim(fleet: data.Fleet, file: Path, name: Path) -> data.Table | None:
    """Return the table a file belongs to: by a folder of its name, or the start of its own.

    >>> tables = (data.Table("wear", columns={}), data.Table("wear-log", columns={}))
    >>> claim(data.Fleet("m", None, tables), Path("in/wear-log-7.csv"), Path("wear-log-7.csv")).name
    'wear-log'
    """
    folders = {*name.parts[:-1], file.parent.name}
    stem = file.name[: len(file.name) - len(formats.ending(file))]
    named = [
        t for t in fleet.tables if stem == t.name or any(stem.startswith(f"{t.name}{mark}") for mark in "-_.")
    ]
    named = named or [t for t in fleet.tables if t.name in folders]
    if named:
        return max(named, key=lambda table: len(table.name))
    # A log may be anybody's: it is taken for a table only where it is named after one.
    alone = len(fleet.tables) == 1 and ".log" not in formats.ending(file)
    return fleet.tables[0] if alone else None


class _Taking:
    """The files of one commit on their way in."""

    def __init__(self, store: Store, receipt: Receipt, came: int, live: bool) -> None:
        self.store, self.receipt, self.came, self.live = store, receipt, came, live
        self.number = store.journal.next()
        self.known = store.takings()
        self.judges: dict[tuple[str, int], tuple[judge.Judge, str]] = {}
        self.staged: dict[str, list[journal.File]] = {}
        self.schemas: dict[str, Mapping[str, str]] = {}
        self.batch = store.archive.batch()
        self.waiting: dict[str, list[pl.DataFrame]] = {}
        self.cells: dict[str, int] = {}
        self.sources: list[tuple[Any, ...]] = []

    def _judge(self, table: data.Table, binding: data.Binding | None) -> tuple[judge.Judge, str]:
        """Return who judges a table's files by a binding, and a digest of how that reads them."""
        if (table.name, id(binding)) not in self.judges:
            wall = isinstance(self.store.fleet.clock, data.WallClock)
            told = f"{f'live {self.came}' if self.live and wall else 'assumed'} {part.canonical(binding)}"
            self.judges[table.name, id(binding)] = (
                judge.Judge(self.store.fleet, table, binding, self.came, self.live),
                hashlib.sha256(told.encode()).hexdigest()[:16],
            )
        return self.judges[table.name, id(binding)]

    def take(self, table: data.Table, path: Path, name: str, binding: data.Binding | None) -> None:
        judging, reading = self._judge(table, binding)
        try:
            content = arrivals.read(path)
        except arrivals.RefusedError as refused:
            return self._refuse(table, name, str(refused), reading)
        except errors.DataError as error:
            raise errors.DataError(f"{path}: {error}: nothing was taken in, run again") from None
        source = hashlib.sha256(content).hexdigest()
        columns = self.known.get((table.name, source))
        if columns is not None and set(table.columns) <= columns:
            self.receipt.known += 1
            return
        self.known[table.name, source] = set(table.columns)
        judged = judging.judge(formats.read(path, content, judging.numbers()), name)
        frame = self._with_images(table, judged, path.parent)
        self._tell(table, name, judged)
        frame = self._placed(frame, table, source)
        counts = dict(sorted(frame["_part"].value_counts().iter_rows())) if frame.height else {}
        self.sources.append((
            source, table.name, name, len(content), self.number, self.came,
            frame.height + judged.duplicates + len(judged.bad), frame.height, len(judged.bad), judged.duplicates,
            judged.late, frame["seen"].max() if frame.height else None, reading, json.dumps(sorted(table.columns)),
            json.dumps(judged.absent), json.dumps(judged.extra), json.dumps(counts), judged.note,
        ))  # fmt: skip
        if frame.height:
            self._gather(f"tables/{table.name}", frame)
        if judged.bad:
            self._gather("quarantine", quarantined(judged.bad, source, table.name, name))

    def _refuse(self, table: data.Table, name: str, why: str, reading: str) -> None:
        """Quarantine a file that must not be read, once for each name and reason."""
        source = hashlib.sha256(f"refused {name} {why}".encode()).hexdigest()
        if (table.name, source) in self.known:
            self.receipt.known += 1
            return
        self.known[table.name, source] = set(table.columns)
        self.receipt.files += 1
        reasons = self.receipt.quarantined.setdefault(table.name, {})
        reasons[why] = reasons.get(why, 0) + 1
        self.sources.append((
            source, table.name, name, 0, self.number, self.came, 1, 0, 1, 0, 0, None, reading,
            json.dumps(sorted(table.columns)), "{}", "[]", "{}", why,
        ))  # fmt: skip
        self._gather("quarantine", quarantined([Bad(0, why, "")], source, table.name, name))

    def _tell(self, table: data.Table, name: str, judged: judge.Judged) -> None:
        receipt = self.receipt
        receipt.files += 1
        for counts, count in (
            (receipt.good, judged.good.height),
            (receipt.duplicates, judged.duplicates),
            (receipt.late, judged.late),
        ):
            counts[table.name] = counts.get(table.name, 0) + count
        reasons = receipt.quarantined.setdefault(table.name, {})
        for bad in judged.bad:
            reasons[bad.reason] = reasons.get(bad.reason, 0) + 1
        for column, why in judged.absent.items():
            receipt.absent.setdefault(f"{table.name}.{column}", why)
        for column in judged.extra:
            if column not in receipt.extra.setdefault(table.name, []):
                receipt.extra[table.name].append(column)
        if judged.note:
            receipt.notes.append(f"{name}: {judged.note}")

    def _with_images(self, table: data.Table, judged: judge.Judged, folder: Path) -> pl.DataFrame:
        """Put the images that the rows name into the store and the digests in their place."""
        import polars as pl

        frame = judged.good
        for column in [
            name for name, kind in table.columns.items() if kind == "image" and name not in judged.absent
        ]:
            budget = self.store.fleet.image(f"{table.name}.{column}")
            digests: list[str | None] = []
            bad: dict[int, str] = {}
            for place, cell in enumerate(frame[column]):
                try:
                    content = images.find(cell, folder, budget)
                    digests.append(
                        None if content is None else self.batch.add(images.member(content, budget))
                    )
                except errors.StoreError:
                    raise
                except errors.DataError as error:
                    bad[place] = str(error)
                    digests.append(None)
            for place, why in bad.items():
                judged.bad.append(
                    Bad(frame["line"][place], f"{column}: {why}", str(frame[column][place])[:200])
                )
            frame = frame.with_columns(pl.Series(column, digests, dtype=pl.String))
            if bad:
                keep = pl.Series([place not in bad for place in range(frame.height)], dtype=pl.Boolean)
                frame = frame.filter(keep)
            judged.good = frame
        return frame

    def _placed(self, frame: pl.DataFrame, table: data.Table, source: str) -> pl.DataFrame:
        """Give rows their partition, source and commit; they stay in the order in which they came."""
        import polars as pl

        wall = isinstance(self.store.fleet.clock, data.WallClock)
        if wall:
            place = pl.from_epoch("at", "us").dt.date().cast(pl.String)
        else:
            keys = frame["key"].unique()
            place = pl.col("key").replace_strict(
                keys, [self.store.partition_of(key) for key in keys], return_dtype=pl.String
            )
        frame = frame.with_columns(
            place.alias("_part"),
            pl.lit(source).alias("source"),
            pl.lit(self.number, pl.Int64).alias("_taken"),
        )
        return frame if not wall or frame["_part"].is_sorted() else frame.sort("_part", maintain_order=True)

    def _gather(self, table: str, frame: pl.DataFrame) -> None:
        self.waiting.setdefault(table, []).append(frame)
        self.cells[table] = self.cells.get(table, 0) + frame.height * frame.width
        if self.cells[table] >= CELLS:
            self._flush(table)

    def _flush(self, table: str) -> None:
        import polars as pl

        frames = self.waiting.pop(table, [])
        self.cells.pop(table, None)
        if not frames:
            return
        frame = pl.concat(frames)
        self.schemas[table] = {name: str(kind) for name, kind in frame.schema.items()}
        files = self.staged.setdefault(table, [])
        files.append(self.store.journal.stage(table, self.number, len(files), frame))

    def commit(self) -> None:
        import polars as pl

        if not self.sources:
            return
        index = self.batch.index()
        if index is not None:
            self._gather(frames.TABLE, index)
        types = {"String": pl.String, "Int64": pl.Int64}
        schema = {name: types[kind] for name, kind in SOURCES.items()}
        self._gather(journal.LAST, pl.DataFrame(self.sources, schema=schema, orient="row"))
        for table in list(self.waiting):
            self._flush(table)
        staged, self.staged = self.staged, {}
        self.store.journal.commit(self.number, staged, self.schemas)
        self.receipt.commit = self.number
        self.store.refresh()

    def drop(self) -> None:
        """Remove what was staged and not handed to a commit."""
        self.store.journal.drop(self.staged)
        if not self.store.journal.noted(self.number):
            self.batch.drop()


def quarantined(bad: list[Bad], source: str, table: str, name: str) -> pl.DataFrame:
    """Return the rows of quarantine for what is bad in a file."""
    import polars as pl

    rows = [(source, table, name, item.line, item.reason, item.text) for item in bad]
    kinds = {"String": pl.String, "Int64": pl.Int64}
    return pl.DataFrame(
        rows, schema={column: kinds[kind] for column, kind in QUARANTINE.items()}, orient="row"
    )
