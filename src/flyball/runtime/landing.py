"""A place where sites drop files, watched: what is whole is taken in as it lands, a bounded lot of it per commit.

Nothing but the store remembers what was taken: a file is known by the digest of its content, so a watch that is
killed and started again reads every file once more and takes in what is missing (of objects in storage it is noted
after each commit, so that they are not fetched again for that).  Files are left where they lie; those
that are not taken yet wait there, and none is dropped.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from flyball import data, durable, errors, part
from flyball.data import arrivals
from flyball.runtime import receipt
from flyball.runtime.claims import Landed
from flyball.runtime.store import Store

#: Files of so many bytes, and so many of them, make a lot; a file that is larger is a lot of its own.
LOT = 256 * 2**20
FILES = 10_000
#: A file that was as it is for so long is whole.
SETTLED_S = 1.0
#: A name that ends so is of a file that is still being written.
UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload")


class Seen(NamedTuple):
    """A file as a place shows it; they sort in the order in which they landed (ns), then by name."""

    landed: int
    name: str
    size: int
    mark: tuple[Any, ...]


class Place(Protocol):
    """Where files land."""

    #: How long a file is to be as it was before it counts as whole.
    settled_s: float
    #: What of the place could not be looked into the last time, and why.
    closed: dict[str, str]
    #: Whether a watch that is started again trusts what an earlier one noted as taken, or reads all once more.
    noted: bool

    def look(self) -> Iterable[Seen]:
        """Yield what lies there now; raises DataError when that cannot be told."""

    def fetch(self, lot: Sequence[Seen]) -> contextlib.AbstractContextManager[Fetched]:
        """Have some files at hand for as long as the context lasts."""


class Fetched(NamedTuple):
    """Files at hand, and why others must wait, by name."""

    files: list[Landed]
    waiting: Mapping[str, str]


class Folder:
    """A folder, with all below it; what is no regular file is shown too, so that it can be refused by name."""

    noted = False

    def __init__(self, path: Path, but: Path | None = None, settled_s: float = SETTLED_S) -> None:
        self.path, self.settled_s = path, settled_s
        self.closed: dict[str, str] = {}
        self._but = but.resolve() if but is not None else None

    def look(self) -> Iterator[Seen]:
        """Yield the files below the folder, but for hidden ones, those still being written, and the store's."""
        self.closed = {}
        yield from self._below(self.path, "")

    def _below(self, path: Path, prefix: str) -> Iterator[Seen]:
        if self._but is not None and path.resolve() == self._but:
            return
        try:
            with os.scandir(path) as entries:
                found = list(entries)
        except OSError as error:
            why = f"{path} cannot be read ({error.strerror})"
            if not prefix:
                raise errors.DataError(why) from None
            self.closed[prefix] = why
            return
        for entry in found:
            if not landed(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(path / entry.name, f"{prefix}{entry.name}/")
                continue
            with contextlib.suppress(FileNotFoundError):  # gone since the folder was listed
                told = entry.stat(follow_symlinks=False)
                yield Seen(told.st_ctime_ns, prefix + entry.name, told.st_size, arrivals.mark(told))

    @contextlib.contextmanager
    def fetch(self, lot: Sequence[Seen]) -> Iterator[Fetched]:
        """Give the files as they lie."""
        yield Fetched([Landed(self.path / seen.name, seen.name, seen.mark) for seen in lot], {})


def landed(name: str) -> bool:
    """Say whether a name is of a file that its sender is done with.

    >>> landed("2026-01-01.csv"), landed(".2026-01-01.csv.x7"), landed("2026-01-01.csv.part")
    (True, False, False)
    """
    return not name.startswith(".") and not name.lower().endswith(UNFINISHED)


@dataclass
class Total:
    """What a watch came to: sums over its rounds, and what waits still, with the reason."""

    rounds: int = 0
    commits: int = 0
    files: int = 0
    known: int = 0
    good: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    unclaimed: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    trouble: str = ""

    def add(self, told: receipt.Receipt) -> None:
        """Add what a lot came to."""
        self.commits += told.changed
        self.files += told.files
        self.known += told.known
        for mine, theirs in (
            (self.good, told.good), (self.duplicates, told.duplicates), (self.late, told.late),
            (self.quarantined, {table: sum(why.values()) for table, why in told.quarantined.items()}),
        ):  # fmt: skip
            for table, count in theirs.items():
                mine[table] = mine.get(table, 0) + count


class Watch:
    """Takes a place's files into a store as they land; `go` for a while, or `once` over what is whole now.

    `live` rows were seen when they were taken.  A lot is `lot` bytes of files at most, and one file is in memory at
    a time, so memory does not grow with what lies there.
    """

    def __init__(
        self, store: Store, place: Place, binding: data.Binding | data.Bindings | None = None, *,
        live: bool = False, limits: arrivals.Limits | None = None, lot: int = LOT,
    ) -> None:  # fmt: skip
        self.store, self.place, self.binding, self.live, self.lot = store, place, binding, live, lot
        self.limits = limits if limits is not None else arrivals.Limits()
        self.total = Total()
        self.unsettled = 0
        self._note = self._notes() if place.noted else ""
        told = store.state(self._note) if self._note else {}
        self._done: dict[str, tuple[Any, ...]] = {name: tuple(mark) for name, mark in told.items()}
        self._since: dict[str, tuple[tuple[Any, ...], float]] = {}
        self._unclaimed: set[str] = set()

    def go(
        self, every_s: float, for_s: float = 0.0, stop: threading.Event | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield what each lot came to that changed anything; ends after some seconds, or when told to stop.

        What can mend itself (a store that another process writes, a full disk, a place that is not there now) is
        yielded as trouble and tried again; what cannot is raised.
        """
        stop = stop if stop is not None else threading.Event()
        end = time.monotonic() + for_s if for_s else float("inf")
        while True:
            yield from self.once(lambda: stop.is_set() or time.monotonic() >= end)
            left = end - time.monotonic()
            if stop.is_set() or left <= 0:
                return
            stop.wait(min(left, min(every_s, self.place.settled_s) if self.unsettled else every_s))

    def all(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Yield what came of all that is there now, where nothing needs to settle; what waits is tried three times."""
        for _ in range(3):
            yield from self.once(stop.is_set)
            if stop.is_set() or not (self.total.waiting or self.total.trouble):
                return

    def once(self, over: Any = lambda: False) -> Iterator[dict[str, Any]]:
        """Yield what came of the files that are whole now, lot by lot, until `over()`."""
        self.total.rounds += 1
        try:
            whole = self._whole()
        except errors.DataError as error:
            yield from self._troubled(str(error))
            return
        closed = {name: why for name, why in self.place.closed.items() if self.total.waiting.get(name) != why}
        if closed:
            self.total.waiting.update(closed)
            yield {"round": self.total.rounds, "trouble": "", **receipt.Receipt(waiting=closed).json()}
        for lot in lots(whole, self.lot):
            if over():
                return
            try:
                told = self._take(lot)
            except errors.StoreError as error:
                if not isinstance(error, durable.Busy) and not isinstance(error.__cause__, OSError):
                    raise
                yield from self._troubled(str(error))
                return
            self.total.trouble = ""
            if told:
                yield told

    def _notes(self) -> str:
        """Return the name of the note of what was taken: another page, other limits or lost rows begin a new one."""
        told = f"{self.place!r} {part.canonical(self.store.fleet)} {self.limits} {self.store.journal.lost()}"
        return f"landing-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def _troubled(self, why: str) -> Iterator[dict[str, Any]]:
        told, self.total.trouble = self.total.trouble, why
        if told != why:
            yield {"round": self.total.rounds, "trouble": why}

    def _whole(self) -> list[Seen]:
        """Return the files that are new and whole, in the order in which they landed."""
        now, whole, here = time.monotonic(), [], set()
        self.unsettled = 0
        for seen in self.place.look():
            here.add(seen.name)
            if self._done.get(seen.name) == seen.mark:
                continue
            mark, since = self._since.get(seen.name, (None, now))
            if mark != seen.mark:
                since = now
                self._since[seen.name] = seen.mark, now
            if now - since >= self.place.settled_s:
                whole.append(seen)
            else:
                self.unsettled += 1
        for gone in self._done.keys() - here:
            del self._done[gone]
        for gone in self._since.keys() - here:
            del self._since[gone]
        for gone in self.total.waiting.keys() - here - self.place.closed.keys():
            del self.total.waiting[gone]
        return sorted(whole)

    def _take(self, lot: Sequence[Seen]) -> dict[str, Any]:
        """Take in a lot as one commit; return what there is to tell, {} when there is nothing new."""
        with self.place.fetch(lot) as fetched:
            told = self.store.take(fetched.files, self.binding, None, self.live, self.limits, patient=True)
        told.waiting.update(fetched.waiting)
        told.unclaimed = [name for name in told.unclaimed if name not in self._unclaimed]
        new = {name: why for name, why in told.waiting.items() if self.total.waiting.get(name) != why}
        for seen in lot:
            self._since.pop(seen.name, None)
            if arrivals.shown(seen.name) not in told.waiting:
                self._done[seen.name] = seen.mark
                self.total.waiting.pop(seen.name, None)
        if self._note:
            self.store.state(self._note, self._done)
        self.total.waiting.update(told.waiting)
        self._unclaimed.update(told.unclaimed)
        self.total.unclaimed = len(self._unclaimed)
        self.total.add(told)
        worth = told.files or told.known or told.unclaimed or new
        return {"round": self.total.rounds, "trouble": "", **told.json()} if worth else {}


def lots(files: Iterable[Seen], most: int = LOT, count: int = FILES) -> Iterator[list[Seen]]:
    """Yield files in their order, in lots of at most so many bytes and files.

    >>> [len(lot) for lot in lots([Seen(n, str(n), 40, ()) for n in range(5)], most=100)]
    [2, 2, 1]
    """
    lot: list[Seen] = []
    size = 0
    for seen in files:
        if lot and (size + seen.size > most or len(lot) >= count):
            yield lot
            lot, size = [], 0
        lot.append(seen)
        size += seen.size
    if lot:
        yield lot


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a lot came to, as a person reads it."""
    if told["trouble"]:
        yield f"round {told['round']}: {told['trouble']}; it is tried again"
        return
    known = receipt.Receipt(
        **{name: value for name, value in told.items() if name not in ("round", "trouble")}
    )
    first, *rest = known.lines()
    yield f"round {told['round']}: {first}"
    yield from rest


def total_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a watch came to, as a person reads it."""
    rows = sum(told["good"].values())
    yield (
        f"{told['ended']}: {told['files']} file(s) in {told['commits']} commit(s), {told['known']} known already, "
        f"{rows} rows, {sum(told['quarantined'].values())} quarantined, {sum(told['duplicates'].values())} duplicates"
    )
    for name, why in sorted(told["waiting"].items())[: receipt.FEW]:
        yield f"  {name} waits: {why}"
    if len(told["waiting"]) > receipt.FEW:
        yield f"  and {len(told['waiting']) - receipt.FEW} more wait"
    if told["trouble"]:
        yield f"  not taken in: {told['trouble']}"
