"""One commit on its way in: what is read is judged, its images put away, its rows gathered, and all made durable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, errors, part
from flyball.data import arrivals, images
from flyball.data.formats import judge
from flyball.data.formats import read as formats
from flyball.data.formats.raw import PLAIN, Bad
from flyball.runtime import frames, journal
from flyball.runtime.receipt import Receipt

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.formats.raw import Raw
    from flyball.runtime.store import Store

#: Rows are written out when a table has gathered this many cells, so that memory stays bounded.
CELLS = 30_000_000
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
    "note": "String", "marks": "String",
}  # fmt: skip


class Taking:
    """What comes in as one commit; nothing of it is in the store before `commit`, all of it is after.

    Whoever is `patient` offers again what cannot be had now: it is told as waiting and not as an error.
    """

    def __init__(
        self,
        store: Store,
        receipt: Receipt,
        came: int,
        live: bool,
        limits: arrivals.Limits = PLAIN,
        patient: bool = False,
    ) -> None:
        if store.stored is not None:
            raise errors.StoreError(
                f"{store.folder} is read as it was: open it as it is to take something in"
            )
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

    def judging(self, table: data.Table, binding: data.Binding | None) -> tuple[judge.Judge, str]:
        """Return who judges a table's files by a binding, and a digest of how that reads them."""
        if (table.name, id(binding)) not in self.judges:
            wall = isinstance(self.store.fleet.clock, data.WallClock)
            told = f"{f'live {self.came}' if self.live and wall else 'assumed'} {part.canonical(binding)}"
            self.judges[table.name, id(binding)] = (
                judge.Judge(self.store.fleet, table, binding, self.came, self.live),
                hashlib.sha256(told.encode()).hexdigest()[:16],
            )
        return self.judges[table.name, id(binding)]

    def add(
        self, table: data.Table, path: Path, name: str, content: bytes, binding: data.Binding | None,
        bundle: Path | None = None,
    ) -> None:  # fmt: skip
        """Take in the content of a file, unless it is known; `path` tells its form and where its images lie."""
        judging, reading = self.judging(table, binding)
        source = hashlib.sha256(content).hexdigest()
        columns = self.known.get((table.name, source))
        if columns is not None and set(table.columns) <= columns:
            self.receipt.known += 1
            return
        try:
            raw = formats.read(path, content, judging.numbers(), self.limits, judging.layout())
        except arrivals.RefusedError as refused:
            return self.refuse(table, name, str(refused), reading)
        judged = judging.judge(raw, name)
        gone = self._let_go(table, judged)
        self.known[table.name, source] = set(table.columns)
        frame = self._with_images(table, judged, path.parent, bundle)
        self._keep(table, name, source, judged, frame, reading, len(content), gone=gone)

    def receive(
        self, table: data.Table, name: str, raw: Raw, binding: data.Binding | None, source: str, marks: str
    ) -> None:
        """Take in rows that no file brought, under the digest that stands for their messages."""
        judging, reading = self.judging(table, binding)
        judged = judging.judge(raw, name)
        gone = self._let_go(table, judged)
        self._keep(table, name, source, judged, judged.good, reading, 0, marks, gone)

    def _let_go(self, table: data.Table, judged: judge.Judged) -> int:
        """Drop rows of days that the store keeps no more, as the page allows; return how many, which is told."""
        import polars as pl

        since = self.store.since(table)
        if since is None or not judged.good.height:
            return 0
        before = judged.good.height
        judged.good = judged.good.filter(pl.col("at") >= since)
        gone = before - judged.good.height
        if gone:
            self.receipt.let_go[table.name] = self.receipt.let_go.get(table.name, 0) + gone
            told = f"{gone} rows of days that are not kept any more"
            judged.note = f"{judged.note}; {told}" if judged.note else told
        return gone

    def _keep(
        self, table: data.Table, name: str, source: str, judged: judge.Judged, frame: pl.DataFrame, reading: str,
        size: int, marks: str | None = None, gone: int = 0,
    ) -> None:  # fmt: skip
        self._tell(table, name, judged)
        frame = self._placed(frame, table, source)
        counts = dict(sorted(frame["_part"].value_counts().iter_rows())) if frame.height else {}
        self.sources.append((
            source, table.name, name, size, self.number, self.came,
            frame.height + judged.duplicates + len(judged.bad) + gone, frame.height, len(judged.bad), judged.duplicates,
            judged.late, frame["seen"].max() if frame.height else None, reading, json.dumps(sorted(table.columns)),
            json.dumps(judged.absent), json.dumps(judged.extra), json.dumps(counts), judged.note, marks,
        ))  # fmt: skip
        if frame.height:
            self._gather(f"tables/{table.name}", frame)
        if judged.bad:
            self._gather("quarantine", quarantined(judged.bad, source, table.name, name))

    def refuse(self, table: data.Table, name: str, why: str, reading: str) -> None:
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
            json.dumps(sorted(table.columns)), "{}", "[]", "{}", why, None,
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


def quarantined(bad: list[Bad], source: str, table: str, name: str) -> pl.DataFrame:
    """Return the rows of quarantine for what is bad in a file."""
    import polars as pl

    rows = [(source, table, name, item.line, item.reason, item.text) for item in bad]
    kinds = {"String": pl.String, "Int64": pl.Int64}
    return pl.DataFrame(
        rows, schema={column: kinds[kind] for column, kind in QUARANTINE.items()}, orient="row"
    )
