"""Lets go of the oldest of a store when it is beyond what its page keeps, and never of what serves.

In this order: results that no run needs any more (they can be made again), images that no row names, rows day by
day, and the images that only they named.  The day from which rows are kept is written first: whoever reads sees
whole days only, and what a crash left on the disk goes the next time.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, durable, units
from flyball.runtime import frames, journal, runs

if TYPE_CHECKING:
    from flyball.runtime.store import Store

#: The rooms whose bytes count: what else lies in a store's folder is somebody else's.
ROOMS = (
    "tables", "quarantine", "sources", "frames", "answers", "outcomes", "alerts", "queue", "reviews", "steps",
    "releases", "runs", "state", "pending", "set-aside", "audit.jsonl",
)  # fmt: skip
#: Where the day from which rows are kept is written, and what was let go of so far.
STATE = "retention"
#: A store beyond its cap is brought this far below it, so that not every commit rewrites files.
BELOW = 0.9
#: Results of so many last runs stay, and so many last releases count as live: the one that serves and the one before.
LAST = 2
#: So often is the day moved when the first guess of what it frees was too small.
TRIES = 12


@dataclass
class Kept:
    """What a store holds now and what was let go of: bytes, steps, images, rows by table.

    `since` is the first moment (microseconds) of which rows are kept, None while all are; `held` says what forbids
    to let go of more.
    """

    bytes: int = 0
    at_most: int | None = None
    since: int | None = None
    steps: int = 0
    images: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    held: str = ""
    trial: bool = False

    @property
    def changed(self) -> bool:
        """Say whether anything went."""
        return bool(self.steps or self.images or any(self.rows.values()))

    def json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return dict(vars(self))

    def lines(self) -> Iterator[str]:
        """Yield it as a person reads it."""
        cap = f" of {self.at_most / 2**20:.1f}" if self.at_most is not None else ""
        since = "all days" if self.since is None else f"days from {_day(self.since)} on"
        yield f"{self.bytes / 2**20:.1f}{cap} MiB, {since}"
        if self.changed:
            gone = [f"{self.steps} results, {self.images} images"]
            gone += [f"{count} rows of {table}" for table, count in sorted(self.rows.items()) if count]
            yield f"  {'would go' if self.trial else 'let go of'}: {', '.join(gone)}"
        if self.held:
            yield f"  {self.held}"


def since(store: Store) -> int | None:
    """Return the first moment of which rows are kept (microseconds), None while all are."""
    return store.state(STATE).get("since")


def asked(store: Store) -> int | None:
    """Return the moment from which questions are asked, look back not counted: what is to go is not learned from.

    Days that are pinned by what serves can go only when the next releases were trained without them.
    """
    told = store.state(STATE)
    return max((told[name] for name in ("since", "wanted") if told.get(name) is not None), default=None)


def size(store: Store) -> int:
    """Return how many bytes the store's rooms have on the disk."""
    return sum(_size(store.folder / room) for room in ROOMS)


def _size(place: Path) -> int:
    import os

    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    total = 0
    for folder, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(f"{folder}/{name}").st_size
    return total


def live(store: Store) -> dict[str, dict[str, Any]]:
    """Return the releases that may have to answer, the one before included, each with what it was trained on."""
    place = store.folder / "releases"
    there = {one.name for one in place.glob("*") if one.is_dir() and one.name[0] != "."}
    told = [run.get("result", {}).get("release") for run in runs.listed(store) if run.get("state") == "done"]
    last = list(dict.fromkeys(name for name in reversed(told) if name))
    chosen = {*last[:LAST], store.state("loop").get("release")} & there
    # A release that no run tells of came from elsewhere: nobody knows that it may go.
    chosen |= there - set(last)
    return {name: _trained_on(place / name) for name in sorted(chosen)}


def _trained_on(release: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((release / "data.json").read_bytes())
    except (OSError, ValueError):
        return {"since": None}
    return found


def enforce(store: Store, rule: data.Retention | None = None, trial: bool = False) -> Kept:
    """Bring a store below what its page keeps (or another rule says); a trial only says what would go.

    Raises StoreError when the store cannot be written; what was let go of before stays let go of, and nothing else.
    """
    rule = rule if rule is not None else store.fleet.retain
    if rule is None:
        return Kept(size(store), None, since(store))
    with store.writing(), durable.guard(f"let go of what is old in {store.folder}"):
        return _Round(store, rule, trial).go()


class _Round:
    """One look at a store and what follows from it."""

    def __init__(self, store: Store, rule: data.Retention, trial: bool) -> None:
        self.store, self.rule, self.trial = store, rule, trial
        self.told = Kept(size(store), rule.at_most, since(store), trial=trial)
        self.live = live(store)
        self.tables = [
            table for table in store.fleet.tables
            if isinstance(store.fleet.clock, data.WallClock) and table.time is not None and table.name not in rule.never
        ]  # fmt: skip

    def go(self) -> Kept:
        self._finish()
        if self.rule.rows is not None and (horizon := self.store.horizon()) is not None:
            before = self._named(self.store.archive) if self.store.archive.folder.is_dir() else set()
            self._move(_midnight(horizon - int(self.rule.rows)))
            self._images(of=before)
        at_most, held = self.rule.at_most, self.told.held
        if at_most is None or self.told.bytes <= at_most:
            return self.told
        goal = int(at_most * BELOW)
        self._steps(goal)
        self._images(goal)
        for _ in range(TRIES):
            if self.told.bytes <= goal or not self._move(self._guess(self.told.bytes - goal)):
                break
            self._images(goal)
        if self.told.bytes <= at_most:
            self.told.held = held
        elif not self.told.held:
            self.told.held = "beyond the cap with nothing left to let go of: raise it"
        return self.told

    def _steps(self, goal: int) -> None:
        """Remove results that no run needs, oldest first; not while a run goes on, which may be using them."""
        needed = {
            step["key"] for run in runs.listed(self.store)
            if run.get("state") == "done" and self._needed(run) for step in run["result"].get("steps", ())
        }  # fmt: skip
        with contextlib.suppress(durable.Busy), durable.lock(self.store.folder / "run.lock", 0.0):
            places = [one for one in (self.store.folder / "steps").glob("*") if one.name not in needed]
            for place in sorted(places, key=lambda one: one.stat().st_mtime_ns):
                if self.told.bytes <= goal:
                    return
                self.told.bytes -= _size(place)
                self.told.steps += 1
                if not self.trial:
                    durable.step("unlink", place)
                    shutil.rmtree(place)

    def _needed(self, run: Mapping[str, Any]) -> bool:
        last = [one["run"] for one in runs.listed(self.store) if one.get("state") == "done"][-LAST:]
        return run["run"] in last or run.get("result", {}).get("release") in self.live

    def _images(self, goal: int | None = None, of: set[str] | None = None) -> None:
        """Let go of the oldest shards of which no row that is kept names an image.

        With `of` only those shards may go: what no row ever named (a stream of images) stays while there is room.
        """
        archive = self.store.archive
        if not archive.folder.is_dir():
            return
        held = archive.bytes()
        spare = max(0, self.told.bytes - goal) if goal is not None else held
        named = self._named(archive)
        if of is not None:
            named |= {place.shard for place in archive.shards().places.values()} - of
        found = archive.retain(max(0, held - spare), pinned=named, trial=self.trial)
        self.told.images += found.images
        self.told.bytes -= held - found.bytes
        self.store.refresh()

    def _named(self, archive: frames.Archive) -> set[str]:
        """Return the shards with an image that a kept row names."""
        import polars as pl

        from flyball.data.formats import cells

        index = pl.concat(
            [
                pl.DataFrame(schema={"digest": pl.String, "shard": pl.String}),
                *self.store.journal.read(frames.TABLE, None, ["digest", "shard"]),
            ]
        )
        out: set[str] = set()
        for table in self.store.fleet.tables:
            for column in [name for name, kind in table.columns.items() if cells.dtype(kind) == pl.String]:
                if table.columns[column] != "image":
                    continue
                for frame in self.store.journal.read(f"tables/{table.name}", None, ["at", column]):
                    if column not in frame.columns:
                        continue
                    kept = frame.filter(pl.col("at") >= self._from(table))
                    out.update(
                        index.join(kept, left_on="digest", right_on=column, how="semi")["shard"].unique()
                    )
        return out

    def _from(self, table: data.Table) -> int:
        return self.told.since if self.told.since is not None and table in self.tables else -(2**63)

    def _guess(self, over: int) -> int:
        """Return the day from which rows may be kept so that about so many bytes go; at least a day further."""
        files = [
            (file, 1.0 + self._pictured(table.name)) for table in self.tables
            for file in self.store.journal.files(f"tables/{table.name}")
        ]  # fmt: skip
        first = min((file.since for file, _ in files), default=0)
        day = _midnight(max(first, self.told.since or first)) + int(units.DAY)
        last = _midnight(self.store.horizon() or 0)
        while day < last:
            if sum(file.size * more * _before(file, day) for file, more in files) >= over:
                break
            day += int(units.DAY)
        return day

    def _pictured(self, table: str) -> float:
        """Return how many bytes of images stand behind one byte of a table's rows."""
        pictured = {
            one.name: sum(file.size for file in self.store.journal.files(f"tables/{one.name}"))
            for one in self.tables if "image" in one.columns.values()
        }  # fmt: skip
        whole = sum(pictured.values())
        return self.store.archive.bytes() / whole if table in pictured and whole else 0.0

    def _move(self, day: int) -> bool:
        """Keep rows from a day on only, as far as what serves allows; say whether that moved anything."""
        day = wanted = min(day, _midnight(self.store.horizon() or 0))
        for name, told in self.live.items():
            pin = told.get("since")
            limit = (self.told.since or 0) if pin is None else _midnight(pin)
            if limit < day:
                day = limit
                self.told.held = (
                    f"release {name[:12]} was trained on rows from {_day(pin) if pin is not None else 'the first'} on, "
                    f"which stay while it may have to answer; trainings from now on use {_day(wanted)} and later"
                )
        if day < wanted and not self.trial and wanted > (asked(self.store) or 0):
            self.store.state(STATE, {**self.store.state(STATE), "wanted": wanted})
        files = {table.name: self.store.journal.files(f"tables/{table.name}") for table in self.tables}
        first = min((file.since for every in files.values() for file in every), default=0)
        if day <= max(first, self.told.since or first):
            return False
        self.told.since = day
        if self.trial:
            for name, every in files.items():
                self.told.bytes -= int(sum(file.size * _before(file, day) for file in every))
                gone = sum(int(file.rows * _before(file, day)) for file in every)
                self.told.rows[name] = max(self.told.rows.get(name, 0), gone)
            return True
        self.store.state(STATE, {**self.store.state(STATE), "since": day})
        return self._finish()

    def _finish(self) -> bool:
        """Remove the rows before the day from which they are kept; say whether there were any."""
        import polars as pl

        if self.told.since is None or self.trial:
            return False
        log, gone = self.store.journal, 0
        for table in self.tables:
            name = f"tables/{table.name}"
            old = [file for file in log.files(name) if file.since < self.told.since]
            whole = [file for file in old if file.until < self.told.since]
            if whole:
                log.replace(name, whole, pl.DataFrame())
                gone += sum(file.rows for file in whole)
                self._went(table.name, sum(file.rows for file in whole))
            for file in [one for one in old if one not in whole]:
                (frame,) = log.read(name, [file])
                stays = frame.filter(pl.col("at") >= self.told.since)
                if stays.height < frame.height:
                    log.replace(name, [file], stays)
                    gone += frame.height - stays.height
                    self._went(table.name, frame.height - stays.height)
            log.discard(name, old)
        self.store.refresh()
        self.told.bytes = size(self.store)
        return gone > 0

    def _went(self, table: str, count: int) -> None:
        self.told.rows[table] = self.told.rows.get(table, 0) + count


def _before(file: journal.File, day: int) -> float:
    """Return about which share of a file's rows lies before a day."""
    if file.until < day:
        return 1.0
    return max(0.0, (day - file.since) / (file.until - file.since + 1))


def _midnight(at: int) -> int:
    return at // int(units.DAY) * int(units.DAY)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d")
