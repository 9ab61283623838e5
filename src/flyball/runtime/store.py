"""The store: a folder that holds everything, with no server.

```
tables/NAME/    good rows (Delta), each with its partition, source and commit
quarantine/     rows that were not good, with reason, line and text (Delta)
sources/        one row per file taken in: its digest, counts, what it lacked (Delta); committed last
frames/         images by digest: shards (tar) and their index (Delta)
answers/ outcomes/   what was answered, and what happened then (Delta)
alerts/ queue/ reviews/   what was raised and done about it, what is to be looked at, what was said of it (Delta)
steps/ releases/ runs/ state/   results by key, releases by digest, runs, small states
audit.jsonl     acts, hash-chained
pending/        the commit under way, if there is one
```

A partition is a day (UTC) where the page's clock is a wall clock, else one of sixteen groups of machines.  Rows
carry it as a column and lie in few files: a file per partition made writing a year of hourly rows six times slower
and reading it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import audit, data, durable, errors, extras, seals
from flyball.data import arrivals
from flyball.data.formats import cells
from flyball.data.formats.raw import PLAIN
from flyball.runtime import claims, frames, ingest, journal, migration, retention, streams, taking
from flyball.runtime.claims import Landed
from flyball.runtime.receipt import Receipt

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from flyball.evidence import Outcome
    from flyball.features.stage import Moments

GROUPS = 16
#: What `sources` tells of that no file brought: what was answered, what came of it, images that came as a stream.
INTERNAL = (
    "answers",
    "outcomes",
    "alerts",
    "queue",
    "reviews",
    "frames",
    claims.BUNDLE.name,
    streams.STREAM.name,
)


class Store:
    """Where a page's data, results and releases lie; `open` one, then `ingest` and read `rows`."""

    #: So long a writer waits for another one.
    wait_s = 60.0

    def __init__(self, folder: Path, fleet: data.Fleet, stored: int | None = None) -> None:
        self.folder, self.fleet, self.stored = folder, fleet, stored
        self.journal = journal.Journal(folder)
        self.archive = frames.Archive(folder, self.journal)
        self._sources: pl.DataFrame | None = None
        self._told: dict[str, pl.DataFrame] = {}

    @staticmethod
    def open(folder: Path | str, fleet: data.Fleet, stored: int | None = None) -> Store:
        """Open a store, made if it is not there; a commit that a crash cut off is carried on.

        With `stored` (microseconds) it is read as it was then: what came in later is not there, and nothing comes in.

        Raises StoreError when it is damaged, cannot be written, or was made for another page's columns.
        """
        for library in ("polars", "deltalake"):
            extras.need(library, "lab", "to keep a store")
        store = Store(Path(folder), fleet, stored)
        with durable.guard(f"open the store {folder}"):
            durable.folder(store.folder)
        migration.number(store.folder)  # what a later Flyball wrote is left alone
        try:
            with store.writing(wait_s=0.0):
                for place in ("", "steps", "runs", "state", "releases"):
                    journal.remove_parts(store.folder / place)
                store.journal.notes += migration.forward(store)
                store._check_kinds()
                store._cut_off_shards()
        except durable.Busy:
            pass  # somebody who is writing right now recovers by themselves
        except errors.StoreError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            store.journal.notes.append(str(error))  # a full disk stops writing, never reading
        return store

    def _cut_off_shards(self) -> None:
        try:
            cut = self.archive.recover()
        except errors.TrustError as error:
            self.journal.notes.append(str(error))  # nothing is removed by an index that cannot be read
            return
        if cut:
            self.journal.notes.append(f"{cut} shard(s) of images that no commit owns, cut off")

    @contextlib.contextmanager
    def writing(self, wait_s: float | None = None) -> Iterator[None]:
        """Hold the store's write lock, with everything before it carried on; one process writes at a time."""
        with durable.lock(self.folder / "lock", self.wait_s if wait_s is None else wait_s):
            self.journal.open()
            self.refresh()
            yield

    def refresh(self) -> None:
        """Look at the tables anew: another process may have committed."""
        self._sources = None
        self.archive.forget()

    def ingest(
        self, paths: Iterable[Path | str], binding: data.Binding | data.Bindings | None = None,
        progress: ingest.Progress | None = None, now: int | None = None, live: bool = False,
        limits: arrivals.Limits = PLAIN,
    ) -> Receipt:  # fmt: skip
        """Take in all files below some paths as one commit; see `runtime.ingest.ingest`."""
        return self._noted(ingest.ingest(self, paths, binding, progress, now, live, limits))

    def take(
        self, files: Iterable[Landed], binding: data.Binding | data.Bindings | None = None,
        now: int | None = None, live: bool = False, limits: arrivals.Limits = PLAIN, patient: bool = False,
    ) -> Receipt:  # fmt: skip
        """Take in some files, in their order, as one commit; see `runtime.ingest.take`."""
        return self._noted(ingest.take(self, files, binding, None, now, live, limits, patient))

    def receive(
        self, build: Callable[[streams.Marks], Iterable[streams.Sent]],
        binding: data.Binding | data.Bindings | None = None, now: int | None = None, live: bool = False,
    ) -> Receipt:  # fmt: skip
        """Take in rows that no file brings, each message once, as one commit; see `runtime.streams.receive`."""
        return self._noted(streams.receive(self, build, binding, now, live))

    def marks(self) -> streams.Marks:
        """Return which messages of which streams are in the store."""
        import polars as pl

        noted = self.sources().filter(pl.col("marks").is_not_null())
        return streams.marks(noted["marks"])

    def _noted(self, receipt: Receipt) -> Receipt:
        """Note in the audit what came in, and join small files where there are many."""
        if receipt.changed:
            told = {
                "commit": receipt.commit,
                "files": receipt.files,
                "good": receipt.good,
                "quarantined": receipt.quarantined,
            }
            self.audit("ingest", told)
            self.compact()
            if self.fleet.retain is not None:
                kept = self.retain()
                receipt.notes += list(kept.lines()) if kept.changed or kept.held else []
        return receipt

    def retain(self, rule: data.Retention | None = None, trial: bool = False) -> retention.Kept:
        """Let go of the oldest that is beyond what the page keeps; see `runtime.retention.enforce`."""
        kept = retention.enforce(self, rule, trial)
        if kept.changed and not trial:
            self.audit("retain", kept.json())
        return kept

    def since(self, table: data.Table) -> int | None:
        """Return the first moment of which a table's rows are kept (microseconds), None while all are."""
        never = () if self.fleet.retain is None else self.fleet.retain.never
        timed = isinstance(self.fleet.clock, data.WallClock) and table.time is not None
        return retention.since(self) if timed and table.name not in never else None

    def sources(self) -> pl.DataFrame:
        """Return what was taken in: one row per file, the last taking of each."""
        import polars as pl

        if self._sources is None:
            found = self._read_sources()
            kinds = {"String": pl.String, "Int64": pl.Int64}
            empty = pl.DataFrame(schema={name: kinds[kind] for name, kind in taking.SOURCES.items()})
            every = pl.concat([empty, *found], how="diagonal") if found else empty
            every = every.filter(~pl.col("taken").is_in(self.journal.lost()))
            if self.stored is not None:
                every = every.filter(pl.col("taken") <= self._upto(every))
            self._sources = every.unique(["table", "source"], keep="last", maintain_order=True)
        return self._sources

    def _read_sources(self) -> list[pl.DataFrame]:
        """Return the files of `sources`, each read once: a stream commits every few seconds for years."""
        files = self.journal.files(journal.LAST)
        new = [file for file in files if file.path not in self._told]
        read = dict(zip((file.path for file in new), self.journal.read(journal.LAST, new), strict=True))
        known = self._told | read
        self._told = {file.path: known[file.path] for file in files}
        return list(self._told.values())

    def _upto(self, every: pl.DataFrame) -> int:
        """Return the number of the last commit of the time as which the store is read."""
        import polars as pl

        numbers = every.filter(pl.col("came") <= self.stored)["taken"]
        return int(numbers.max() or 0)  # type: ignore[arg-type]

    def takings(self) -> dict[tuple[str, str], set[str]]:
        """Return {(table, digest of a file): the columns the page had when it was taken in}."""
        found = self.sources().select("table", "source", "columns").rows()
        named = {columns: set(json.loads(columns)) for columns in {row[2] for row in found}}
        return {(table, source): named[columns] for table, source, columns in found}

    def sources_digest(self) -> str:
        """Return one digest of everything taken in; what was answered and came of it is no source."""
        import polars as pl

        taken = self.sources().filter(~pl.col("table").is_in(INTERNAL))
        rows = sorted(taken.select("table", "source", "reading", "columns").iter_rows())
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def horizon(self) -> int | None:
        """Return the latest moment at which a row was seen (microseconds), None without a wall clock or rows."""
        if not isinstance(self.fleet.clock, data.WallClock):
            return None
        latest = self.sources()["last"].max()
        return None if latest is None else int(latest)  # type: ignore[arg-type]

    def partitions(self, table: str) -> dict[str, str]:
        """Return {partition: digest}; a digest changes exactly when a file adds rows to its partition."""
        import polars as pl

        taken: dict[str, list[str]] = {}
        chosen = self.sources().filter(pl.col("table") == table)
        for source, reading, columns, parts in chosen.select(
            "source", "reading", "columns", "parts"
        ).iter_rows():
            for name in json.loads(parts):
                taken.setdefault(name, []).append(f"{source} {reading} {columns}")
        return {
            name: hashlib.sha256("\n".join(sorted(taken[name])).encode()).hexdigest()
            for name in sorted(taken)
        }

    def partition_of(self, key: str) -> str:
        """Return the group a machine belongs to where there is no wall clock."""
        import zlib

        return f"k{zlib.crc32(key.encode()) % GROUPS:02d}"

    def absent(self) -> dict[str, str]:
        """Return {"table.column": reason} for every declared column that some file did not have."""
        lacking: dict[str, list[str]] = {}
        files: dict[str, int] = {}
        for table, absent in self.sources().select("table", "absent").iter_rows():
            files[table] = files.get(table, 0) + 1
            declared = self.fleet.table(table)
            for column, why in json.loads(absent).items():
                if declared is not None and column in declared.columns:
                    lacking.setdefault(f"{table}.{column}", []).append(why)
        return {
            name: f"{reasons[0]} (absent from {len(reasons)} of {files[name.partition('.')[0]]} files)"
            for name, reasons in sorted(lacking.items())
        }

    def rows(
        self, table: str, since: int | None = None, until: int | None = None, as_of: int | None = None,
        partitions: Iterable[str] | None = None,
    ) -> data.Rows:  # fmt: skip
        """Return a table's rows with `since <= at < until` and `seen <= as_of`, of some partitions or all.

        Rows that came again in another file are there once; versions of one fact are all there.  A table without
        time is not cut by `since` and `until`.  Raises StoreError or TamperedError when a file is gone or changed.
        """
        declared = self.fleet.table(table)
        if declared is None:
            raise errors.DataError(
                f"no table {table!r}, " + errors.did_you_mean(table, [t.name for t in self.fleet.tables])
            )
        if declared.time is None:
            since = until = None
        kept = self.since(declared)
        if kept is not None:
            since = kept if since is None else max(since, kept)
        frame = self._frame(declared, since, until, as_of, partitions)
        kinds = dict(declared.columns)
        said = {column: self.fleet.image(f"{table}.{column}") for column in kinds}
        sizes = {column: one.size for column, one in said.items() if one is not None}
        return as_rows(frame, kinds, declared.unique, self.archive.fetch, sizes)

    def _frame(
        self,
        table: data.Table,
        since: int | None,
        until: int | None,
        as_of: int | None,
        partitions: Iterable[str] | None,
    ) -> pl.DataFrame:
        import polars as pl

        name = f"tables/{table.name}"
        files = [
            file for file in self.journal.files(name)
            if (since is None or file.until >= since) and (until is None or file.since < until)
        ]  # fmt: skip
        wanted = ["key", "at", "seen", "_part", "source", "_taken", *table.columns]
        kinds = {
            "key": pl.String,
            "at": pl.Int64,
            "seen": pl.Int64,
            "_part": pl.String,
            "source": pl.String,
            "_taken": pl.Int64,
        }
        empty = pl.DataFrame(
            schema={**kinds, **{column: cells.dtype(kind) for column, kind in table.columns.items()}}
        )
        conditions = [pl.col("at") >= since] if since is not None else []
        conditions += [pl.col("at") < until] if until is not None else []
        conditions += [pl.col("seen") <= as_of] if as_of is not None else []
        if self.stored is not None:
            conditions.append(pl.col("_taken") <= int(self.sources()["taken"].max() or 0))  # type: ignore[arg-type]
        conditions += [pl.col("_part").is_in(sorted(partitions))] if partitions is not None else []
        try:
            found = self.journal.read(name, files, wanted, conditions)
        except errors.StoreError:
            # Another process may have joined or let go of files since they were listed.
            if all(file in self.journal.files(name) for file in files):
                raise
            return self._frame(table, since, until, as_of, partitions)
        frame = pl.concat([empty, *found], how="diagonal") if found else empty
        return once(self._last_takings(frame, table.name), table)

    def _last_takings(self, frame: pl.DataFrame, table: str) -> pl.DataFrame:
        """Keep of a file that was taken in again (the page reads more of it now) the last taking only."""
        import polars as pl

        last = self.sources().filter(pl.col("table") == table).select("source", pl.col("taken").alias("last"))
        pairs = frame.select("source", "_taken").unique()
        if pairs.height == pairs["source"].n_unique():
            return frame
        joined = frame.join(last, on="source", how="left", maintain_order="left")
        return joined.filter(pl.col("_taken") == pl.col("last")).drop("last")

    def holds(self) -> dict[str, Any]:
        """Return what came in so far, whoever sent it when: files, good rows, quarantine, absent columns."""
        import polars as pl

        came = self.sources().filter(~pl.col("table").is_in(INTERNAL))
        good = came.group_by("table").agg(pl.col("good").sum()).sort("table")
        return {
            "files": came.height,
            "good": dict(good.iter_rows()),
            "quarantined": self.quarantine(),
            "absent": self.absent(),
        }

    def quarantine(self) -> dict[str, dict[str, int]]:
        """Return {table: {reason: count}} of the rows that were set apart."""
        found = [
            (table, reason, n)
            for table, reason, n in self._quarantined().group_by("table", "reason").len().iter_rows()
        ]
        out: dict[str, dict[str, int]] = {}
        for table, reason, count in sorted(found):
            out.setdefault(table, {})[reason] = count
        return out

    def _quarantined(self) -> pl.DataFrame:
        import polars as pl

        wanted = {"table": pl.String, "reason": pl.String, "source": pl.String}
        found = self.journal.read("quarantine", None, list(wanted))
        every = pl.concat([pl.DataFrame(schema=wanted), *found], how="diagonal")
        return (
            every if self.stored is None else every.join(self.sources(), on=["table", "source"], how="semi")
        )

    def compact(self) -> int:
        """Join small files where there are many; return how many went."""
        with self.writing(), durable.guard(f"compact {self.folder}"):
            joined = sum(self.journal.compact(table) for table in self.journal.tables())
            self.refresh()
            return joined + self.archive.compact()

    def append(self, table: str, frame: pl.DataFrame, once: str) -> bool:
        """Add rows to an internal table (`answers`, `alerts`, ...) once per `once`; say whether they were."""
        import polars as pl

        if table not in ("answers", "outcomes", "alerts", "queue", "reviews"):
            raise errors.StoreError(
                f"{table!r} is no internal table: rows of a page's table come in by `ingest`"
            )
        source = hashlib.sha256(once.encode()).hexdigest()
        with self.writing(), durable.guard(f"write {table} to {self.folder}"):
            if (table, source) in self.takings() or not frame.height:
                return False
            number = self.journal.next()
            row = dict.fromkeys(taking.SOURCES) | {
                "source": source, "table": table, "name": once[:200], "taken": number, "sent": frame.height,
                "good": frame.height, "columns": "[]", "absent": "{}", "extra": "[]", "parts": "{}", "reading": "",
            }  # fmt: skip
            kinds = {"String": pl.String, "Int64": pl.Int64}
            told = pl.DataFrame(
                [row], schema={name: kinds[kind] for name, kind in taking.SOURCES.items()}, orient="row"
            )
            staged: dict[str, list[journal.File]] = {}
            both = {table: frame, journal.LAST: told}
            try:
                for name, content in both.items():
                    staged[name] = [self.journal.stage(name, number, 0, content)]
                schemas = {
                    name: {c: str(k) for c, k in content.schema.items()} for name, content in both.items()
                }
                self.journal.commit(number, staged, schemas)
            finally:
                self.refresh()
        return True

    def frame(self, table: str) -> pl.DataFrame:
        """Return an internal table as a frame, in the order in which its rows were added."""
        import polars as pl

        found = self.journal.read(table)
        return pl.concat(found, how="diagonal") if found else pl.DataFrame()

    def answer(
        self, moments: Moments, answers: np.ndarray[Any, Any], release: str, role: str = "serving"
    ) -> int:
        """Record what a release answered; return how many of the answers were new.

        `role` is "serving" for what is acted on, "shadow" for what a release answered beside it.

        Of a row of several figures (an interval, class probabilities) `answer` is the first, or for classes the
        place of the greatest; all of them are kept as JSON in `figures`.
        """
        import numpy as np
        import polars as pl

        plain = np.asarray(answers, dtype=np.float64)
        several = plain.ndim > 1 and plain.shape[1] > 1
        one = (
            plain.argmax(axis=1).astype(np.float64)
            if several and plain.shape[1] != 3
            else plain.reshape(len(plain), -1)[:, 0]
        )
        frame = pl.DataFrame({
            "key": pl.Series(moments.names(), dtype=pl.String), "at": pl.Series(moments.at, dtype=pl.Int64),
            "answer": pl.Series(one, dtype=pl.Float64), "release": pl.Series([release] * len(one), dtype=pl.String),
            "figures": pl.Series([json.dumps(row.tolist()) if several else None for row in plain], dtype=pl.String),
            "role": pl.Series([role] * len(one), dtype=pl.String),
        })  # fmt: skip
        return self._add_new("answers", frame, ["key", "at", "release", "role"])

    def answers(self) -> data.Rows:
        """Return what was answered: one row per answer, `at` the moment asked, `role` serving or shadow."""
        import polars as pl

        kinds = {"answer": "number", "release": "category", "role": "category"}
        frame = self._internal("answers", kinds).with_columns(pl.col("role").fill_null("serving"))
        return as_rows(frame, kinds, (), self.archive.fetch)

    def outcomes(self, outcomes: Sequence[Outcome], seen: int | None = None) -> int:
        """Record what happened after the answers; return how many outcomes were new or changed.

        Each change is a version with the cut at which it was known (`seen`); what was known before stays.
        """
        import polars as pl

        schema = {
            "key": pl.String, "at": pl.Int64, "answer": pl.Float64, "truth": pl.Float64, "state": pl.String,
            "until": pl.Int64,
        }  # fmt: skip
        rows = [(o.key, o.moment, o.answer, o.truth, o.state, o.until) for o in outcomes]
        frame = pl.DataFrame(rows, schema=schema, orient="row").unique(maintain_order=True)
        last = self.outcomes_at()
        if last.height:
            frame = frame.join(
                last.select(list(schema)),
                on=list(schema),
                how="anti",
                nulls_equal=True,
                maintain_order="left",
            )
        if not frame.height:
            return 0
        frame = frame.with_columns(pl.lit(seen, dtype=pl.Int64).alias("seen"))
        # The same outcome may come again after another one: how many versions there are tells them apart.
        number = self.frame("outcomes").height
        name = hashlib.sha256(frame.write_json().encode()).hexdigest()
        return frame.height if self.append("outcomes", frame, f"outcomes {number} {name}") else 0

    def outcomes_at(self, as_of: int | None = None) -> pl.DataFrame:
        """Return the outcome of every answer as known at the cut: the last version seen by then."""
        import polars as pl

        frame = self.frame("outcomes")
        if not frame.height:
            return frame
        if "seen" not in frame.columns:  # written before outcomes told when they were known
            frame = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias("seen"))
        if as_of is not None:
            frame = frame.filter(pl.col("seen").is_null() | (pl.col("seen") <= as_of))
        return frame.unique(["key", "at", "answer"], keep="last", maintain_order=True)

    def labelled(self, since: int | None) -> int:
        """Return how many questions have had their answer known, or were reviewed, after a cut."""
        import polars as pl

        after = -(2**63) if since is None else since
        last = self.outcomes_at()
        found = [last.filter(pl.col("state") == "known").select("key", "at", "seen")] if last.height else []
        said = self.frame("reviews")
        found += [said.select("key", "at", "seen")] if said.height else []
        every = pl.concat(found) if found else None
        return 0 if every is None else every.filter(pl.col("seen") > after).select("key", "at").n_unique()

    def _internal(self, table: str, kinds: Mapping[str, str]) -> pl.DataFrame:
        import polars as pl

        empty = pl.DataFrame(
            schema={"key": pl.String, "at": pl.Int64, **{c: cells.dtype(k) for c, k in kinds.items()}}
        )
        frame = pl.concat([empty, *self.journal.read(table, None, empty.columns)], how="diagonal")
        return frame.with_columns(pl.col("at").alias("seen"))

    def _add_new(self, table: str, frame: pl.DataFrame, on: list[str]) -> int:
        import polars as pl

        have = self.frame(table)
        if table == "answers" and have.height:  # before there were shadows every answer served
            roles = (
                pl.col("role").fill_null("serving")
                if "role" in have.columns
                else pl.lit("serving").alias("role")
            )
            have = have.with_columns(roles)
        new = (
            frame.join(have, on=on, how="anti", nulls_equal=True, maintain_order="left")
            if have.height
            else frame
        )
        name = hashlib.sha256(new.write_json().encode()).hexdigest()
        return new.height if new.height and self.append(table, new, f"{table} {name}") else 0

    def fetch(self, digests: Sequence[str]) -> data.Late:
        """Return the late column of some images by their digests."""
        return self.archive.fetch(digests)

    def step(self, key: str) -> Path | None:
        """Return the folder that holds a step's result, None when it is not kept."""
        place = self.folder / "steps" / key
        return place if place.is_dir() else None

    def keep(self, key: str, write: Callable[[Path], object]) -> Path:
        """Let `write` fill a folder with a step's result, and keep it, whole or not at all, under its key."""
        return durable.publish(self.folder / "steps" / key, write)

    def state(self, name: str, value: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return a small named state ({} when there is none), or put a new one in its place."""
        path = self.folder / "state" / f"{name}.json"
        if value is not None:
            with durable.guard(f"write {path}"):
                durable.folder(path.parent)
            durable.write(path, seals.sealed(value, indent=1, sort_keys=True))
            return dict(value)
        if not path.exists():
            return {}
        try:
            return seals.unsealed(path.read_bytes())
        except ValueError:
            raise errors.StoreError(f"{path} is damaged: restore it from a copy") from None

    def audit(self, act: str, told: Mapping[str, Any]) -> None:
        """Add an act to the audit."""
        with durable.lock(self.folder / "audit.lock"):
            audit.Audit(self.folder / "audit.jsonl").append(act, told)

    def _check_kinds(self) -> None:
        """Refuse a page that declares a column otherwise than the store holds it."""
        names = {"string": "String", "long": "Int64", "double": "Float64", "boolean": "Boolean"}
        told = self.folder / "state" / "columns.json"
        before = self.state("columns")
        for table in self.fleet.tables:
            have = self.journal.schema(f"tables/{table.name}")
            for column, kind in table.columns.items():
                was = before.get(f"{table.name}.{column}", kind)
                stored = names.get(have.get(column, ""), str(cells.dtype(kind)))
                if was != kind or stored != str(cells.dtype(kind)):
                    raise errors.StoreError(
                        f"{self.folder} holds {table.name}.{column} as {was!r}, the page declares {kind!r}: "
                        f"declare it as before, or start a new store and ingest the files again"
                    )
        now = before | self.fleet.arriving()
        if now != before or not told.exists():
            self.state("columns", now)


def once(frame: pl.DataFrame, table: data.Table) -> pl.DataFrame:
    """Drop rows that came again in another file.

    With `unique` these are rows equal in everything, `seen` included (an equal row seen later may undo a correction).
    Without it every row is a fact of its own, so an equal row is kept as often as the file with most of them has it,
    with the earliest `seen`.
    """
    import polars as pl

    if frame["source"].n_unique() < 2:
        return frame
    mark = ["key", "at", "seen"] if table.unique else ["key", "at"]
    again = frame.select(mark).is_duplicated()
    if not again.any():
        return frame
    values = [*mark, *table.columns]
    numbered = frame.with_row_index("place")
    doubt = numbered.filter(again)
    if not table.unique:
        doubt = doubt.sort("seen", maintain_order=True)
        doubt = doubt.with_columns(pl.int_range(pl.len()).over([*values, "source"]).alias("nth"))
        values = [*values, "nth"]
    kept = doubt.unique(values, keep="first", maintain_order=True)["place"]
    dropped = doubt.filter(~pl.col("place").is_in(kept.implode()))["place"]
    return numbered.filter(~pl.col("place").is_in(dropped.implode())).drop("place")


def as_rows(
    frame: pl.DataFrame,
    kinds: Mapping[str, str],
    unique: tuple[str, ...],
    fetch: Callable[[Sequence[str], tuple[int, int] | None], data.Late],
    sizes: Mapping[str, tuple[int, int] | None] | None = None,
) -> data.Rows:
    """Return a frame (key, at, seen and columns, in order of arrival) as Rows, sorted machine by machine."""
    import numpy as np

    machines = words(frame["key"])
    at, seen = frame["at"].to_numpy(), frame["seen"].to_numpy()
    order = np.lexsort((seen, at, machines.codes))
    in_order = bool((np.diff(order) == 1).all()) if len(order) else True
    chosen: Any = slice(None) if in_order else order
    columns: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind == "image":
            columns[name] = fetch(frame[name].fill_null("").to_list(), (sizes or {}).get(name))[chosen]
        elif kind in ("category", "text"):
            columns[name] = words(frame[name])[chosen]
        else:
            columns[name] = floats(frame[name])[chosen]
    starts = np.searchsorted(machines.codes[chosen], np.arange(len(machines.labels) + 1)).astype(np.int64)
    return data.Rows(machines.labels, starts, at[chosen], seen[chosen], columns, unique)


def words(values: pl.Series) -> data.Words:
    """Return a text column as Words."""
    import numpy as np
    import polars as pl

    labels = values.unique().drop_nulls().sort()
    codes = values.cast(pl.Enum(labels)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    return data.Words(np.ascontiguousarray(codes, dtype=np.int32), tuple(labels.to_list()))


def floats(values: pl.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a numeric column as float64, NaN where missing."""
    import numpy as np
    import polars as pl

    return np.ascontiguousarray(values.cast(pl.Float64).fill_null(float("nan")).to_numpy())
