"""Files in: claimed by their table, read, judged, and taken into the store as one commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import data, errors, part
from flyball.data import arrivals, bindings, bundles, images
from flyball.data.formats import judge
from flyball.data.formats import read as formats
from flyball.data.formats.raw import PLAIN, Bad
from flyball.runtime import durable, frames, journal
from flyball.runtime.receipt import Receipt

if TYPE_CHECKING:
    import polars as pl

    from flyball.runtime.store import Store

Progress = Callable[[str, int, int], None]

#: Rows are written out when a table has gathered this many cells, so that memory stays bounded.
CELLS = 30_000_000
PICTURES = (".npy", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
FOLDER = "a folder"
#: What is wrong with a bundle as a whole is told as if of a table of this name.
BUNDLE = data.Table("bundles", columns={})
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


class Landed(NamedTuple):
    """A file to take in: where it lies, what it is called below its place, and as what it was seen there."""

    path: Path
    name: str
    seen: arrivals.Mark | None = None
    follow: bool = False
    #: Why it is to be refused by name, unread.
    refused: str = ""


def ingest(
    store: Store, paths: Iterable[Path | str], binding: data.Binding | data.Bindings | None = None,
    progress: Progress | None = None, now: int | None = None, live: bool = False,
    limits: arrivals.Limits = PLAIN,
) -> Receipt:  # fmt: skip
    """Take in all files below some paths as one commit and return what came of them; durable when this returns.

    A file whose content is known changes nothing.  `now` (microseconds; the clock's time by default) is when they
    came; with `live` the rows of a wall-clock page were seen then, otherwise they are history and `seen` is `at`
    plus the table's lag, marked assumed.  Raises DataError for a path that is not there and for a binding that does
    not fit, StoreError when the store cannot be written.
    """
    return take(store, _found([Path(path) for path in paths]), binding, progress, now, live, limits)


def take(
    store: Store, files: Iterable[Landed], binding: data.Binding | data.Bindings | None = None,
    progress: Progress | None = None, now: int | None = None, live: bool = False,
    limits: arrivals.Limits = PLAIN, patient: bool = False,
) -> Receipt:  # fmt: skip
    """Take in some files, in their order, as `ingest` does those below its paths.

    Whoever is `patient` offers again what changes while it is read, cannot be read now, or has no binding for its
    day: such a file is named as waiting, and the others are taken in.
    """
    import time

    came = time.time_ns() // 1000 if now is None else now
    sites = bindings.several(binding)
    receipt = Receipt(notes=sites.check(store.fleet))
    claimed = []
    for table, file in _claimed(store.fleet, files, receipt):
        try:
            claimed.append((table, file, sites.of(Path(file.name), came) if table is not None else None))
        except errors.DataError as error:
            if not patient:
                raise
            receipt.waiting[file.name] = str(error)
    with store.writing(), durable.guard(f"take files into {store.folder}"):
        taking = _Taking(store, receipt, came, live, limits, patient)
        try:
            for done, (table, file, site) in enumerate(claimed):
                if table is None:
                    taking.unpack(file, sites)
                else:
                    taking.take(table, file, site)
                if progress is not None:
                    progress("ingest", done + 1, len(claimed))
            taking.commit()
        except BaseException:
            taking.drop()
            raise
    return receipt


def _found(paths: Iterable[Path]) -> Iterator[Landed]:
    """Yield the files below some paths; those whose name begins with a dot are somebody else's."""
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
            if not any(piece.startswith(".") for piece in name.parts):
                yield Landed(file, str(name), follow=alone)


def _claimed(
    fleet: data.Fleet, files: Iterable[Landed], receipt: Receipt
) -> Iterator[tuple[data.Table | None, Landed]]:
    """Yield the files that belong to a table, and bundles with None; the others are told in the receipt."""
    for raw in files:
        file = raw._replace(name=arrivals.shown(raw.name))
        if file.path.suffix.lower() in PICTURES:
            continue
        table = claim(fleet, file.path, Path(file.name)) if formats.ending(file.path) else None
        if table is not None or file.refused:
            yield table or BUNDLE, file
        elif bundles.ending(file.path.name):
            yield None, file
        else:
            receipt.unclaimed.append(file.name)


def wanted(fleet: data.Fleet, file: Landed) -> bool:
    """Say whether a file would be read: it belongs to a table, or is a bundle."""
    return any(True for _ in _claimed(fleet, [file], Receipt()))


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

    def __init__(
        self, store: Store, receipt: Receipt, came: int, live: bool, limits: arrivals.Limits, patient: bool
    ) -> None:
        self.store, self.receipt, self.came, self.live = store, receipt, came, live
        self.limits, self.patient = limits, patient
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

    def take(self, table: data.Table, file: Landed, binding: data.Binding | None) -> None:
        """Read a file and take it in; what must not be read is refused, what cannot be read now may wait."""
        if file.refused:
            return self._refuse(table, file.name, file.refused, "")
        path, name = file.path.resolve() if file.follow else file.path, file.name
        try:
            content = arrivals.read(path, self.limits.file, file.seen)
        except arrivals.RefusedError as refused:
            if self.patient and isinstance(refused, arrivals.ChangingError):
                self.receipt.waiting[name] = str(refused)
            else:
                self._refuse(table, name, str(refused), self._judge(table, binding)[1])
        except errors.DataError as error:
            if not self.patient:
                raise errors.DataError(f"{path}: {error}: nothing was taken in, run again") from None
            self.receipt.waiting[name] = str(error)
        else:
            self._take(table, path, name, content, binding)

    def unpack(self, file: Landed, sites: data.Bindings) -> None:
        """Take in the members of a bundle that belong to a table, one after another, as if they lay in a folder."""
        path, name = file.path.resolve() if file.follow else file.path, file.name
        try:
            with bundles.opened(path, self.limits, file.seen) as bundle:
                claimed = list(self._members(bundle, file))
                if "image" in self.store.fleet.columns().values() and not claimed and not bundle.note:
                    return  # an archive of images, which rows beside it name
                for table, member in claimed:
                    self._member(bundle, table, member, file, sites)
                if bundle.note:
                    self.receipt.notes.append(f"{name}: {bundle.note}")
                    self._refuse(BUNDLE, name, bundle.note, "")
        except errors.StoreError:
            raise
        except arrivals.RefusedError as refused:
            if self.patient and isinstance(refused, arrivals.ChangingError):
                self.receipt.waiting[name] = str(refused)
            else:
                self._refuse(BUNDLE, name, str(refused), "")
        except errors.DataError as error:
            if not self.patient:
                raise
            self.receipt.waiting[name] = str(error)

    def _members(self, bundle: bundles.Bundle, file: Landed) -> Iterator[tuple[data.Table, bundles.Member]]:
        """Yield the members that belong to a table, by their own name or the bundle's; others are told."""
        whole = file.path.name[: -len(bundles.ending(file.path.name))]
        pictured = "image" in self.store.fleet.columns().values()
        for member in bundle.members:
            below = Path(member.name)
            if any(piece.startswith(".") and piece != ".." for piece in below.parts):
                continue
            if member.refused:
                self._refuse(BUNDLE, f"{file.name}/{member.name}", member.refused, "")
                continue
            if pictured and below.suffix.lower() in PICTURES:
                continue
            table = None
            if formats.ending(below):
                inside = Path(file.name).parent / whole / below
                named = claim(self.store.fleet, below, inside)
                table = named or claim(self.store.fleet, Path(f"{whole}{formats.ending(below)}"), Path(whole))
            if table is None:
                self.receipt.unclaimed.append(f"{file.name}/{member.name}")
            else:
                yield table, member

    def _member(
        self, bundle: bundles.Bundle, table: data.Table, member: bundles.Member, file: Landed,
        sites: data.Bindings,
    ) -> None:  # fmt: skip
        name = f"{file.name}/{member.name}"
        try:
            content = bundle.read(member)
        except bundles.Cut as cut:
            return self._refuse(table, name, str(cut), "")
        self._take(
            table,
            bundle.path / member.name,
            name,
            content,
            sites.of(_inside(file, member), self.came),
            bundle.path,
        )

    def _take(
        self, table: data.Table, path: Path, name: str, content: bytes, binding: data.Binding | None,
        bundle: Path | None = None,
    ) -> None:  # fmt: skip
        judging, reading = self._judge(table, binding)
        source = hashlib.sha256(content).hexdigest()
        columns = self.known.get((table.name, source))
        if columns is not None and set(table.columns) <= columns:
            self.receipt.known += 1
            return
        try:
            raw = formats.read(path, content, judging.numbers(), self.limits)
        except arrivals.RefusedError as refused:
            return self._refuse(table, name, str(refused), reading)
        judged = judging.judge(raw, name)
        self.known[table.name, source] = set(table.columns)
        frame = self._with_images(table, judged, path.parent, bundle)
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
        why = arrivals.shown(why)
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

    def _with_images(
        self, table: data.Table, judged: judge.Judged, folder: Path, bundle: Path | None
    ) -> pl.DataFrame:
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
                    if bundle is not None and isinstance(cell, str):
                        inner = folder.relative_to(bundle.parent).as_posix()
                        content = images.find(f"{inner}/{cell}" if cell else cell, bundle.parent, budget)
                    else:
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


def _inside(file: Landed, member: bundles.Member) -> Path:
    """Return what tells the binding of a member: its name in a folder called as the bundle, whose day counts too."""
    whole = file.path.name[: -len(bundles.ending(file.path.name))]
    below = Path(file.name).parent / whole / member.name
    dated = bindings.DAY.search(below.name) is None and bindings.DAY.search(whole) is not None
    return below.with_name(f"{whole}-{below.name}") if dated else below


def quarantined(bad: list[Bad], source: str, table: str, name: str) -> pl.DataFrame:
    """Return the rows of quarantine for what is bad in a file."""
    import polars as pl

    rows = [(source, table, name, item.line, item.reason, item.text) for item in bad]
    kinds = {"String": pl.String, "Int64": pl.Int64}
    return pl.DataFrame(
        rows, schema={column: kinds[kind] for column, kind in QUARANTINE.items()}, orient="row"
    )
