"""The store's images: shards that are written once, and an index table of what lies where.

A batch is its shards, written and forced to the disk first, then one commit of the index with the rows that name
them: after a crash all of it is there or nothing, and what no commit owns is cut off when the store is opened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import durable, errors
from flyball.data import frames as late
from flyball.data import images, shards
from flyball.runtime import journal

if TYPE_CHECKING:
    import polars as pl

TABLE = "frames"
SCHEMA = {
    "digest": "String", "shard": "String", "offset": "Int64", "length": "Int64", "form": "String",
    "kind": "String", "shape": "String",
}  # fmt: skip
#: A shard is closed when it has this many bytes, so that taking in stays within memory.
FULL = 64 * 2**20


class Archive:
    """The images of a store; adding one that is there already adds nothing."""

    def __init__(self, folder: Path, log: journal.Journal) -> None:
        self.folder = folder / TABLE
        self.log = log
        self._known = late.Shards(self.folder, {}, self._anew)
        self._read: set[str] = set()
        self._stale = True

    def shards(self) -> late.Shards:
        """Return where every committed image lies."""
        if self._stale:
            files = self.log.files(TABLE)
            paths = {file.path for file in files}
            if not self._read <= paths:  # joined, or images were let go of: what is known may be gone
                self._known, self._read = late.Shards(self.folder, {}, self._anew), set()
            self._add([file for file in files if file.path not in self._read])
            self._read, self._stale = paths, False
        return self._known

    def _add(self, files: Sequence[journal.File]) -> None:
        for frame in self.log.read(TABLE, files):
            if not set(SCHEMA) <= set(frame.columns):
                raise errors.StoreError(
                    f"the images of {self.folder} were kept by an earlier version: start a new store and ingest again"
                )
            for digest, shard, offset, length, form, kind, shape in frame.select(*SCHEMA).iter_rows():
                place = late.Place(shard, offset, length, form, kind, tuple(json.loads(shape)))
                self._known.places.setdefault(digest, place)

    def _anew(self) -> dict[str, late.Place]:
        self.forget()
        return self.shards().places

    def forget(self) -> None:
        """Look at the index again when it is asked for next."""
        self._stale = True

    def fetch(self, digests: Sequence[str], size: tuple[int, int] | None = None) -> late.Frames:
        """Return the late column of some digests."""
        return late.Frames(self.shards(), list(digests), size)

    def batch(self) -> Batch:
        """Return a batch to add images to."""
        return Batch(self)

    def recover(self) -> int:
        """Remove shards that no commit owns, whole or torn, and return how many; under the store's lock only."""
        if not self.folder.is_dir():
            return 0
        owned = {name for frame in self.log.read(TABLE, None, ["shard"]) for name in frame["shard"].unique()}
        gone = 0
        for path in self.folder.iterdir():
            if path.suffix == shards.ENDING and path.name not in owned:
                path.unlink(missing_ok=True)
                gone += 1
        return gone

    def bytes(self) -> int:
        """Return how many bytes the shards have."""
        return sum(self._sizes().values())

    def _sizes(self) -> dict[str, int]:
        """Return {shard: bytes}, in the order in which they were committed."""
        names = dict.fromkeys(place.shard for place in self.shards().places.values())
        paths = {name: self.folder / name for name in names}
        return {name: path.stat().st_size for name, path in paths.items() if path.exists()}

    def compact(self) -> int:
        """Join small neighbouring shards where there are many, and return how many went; under the store's lock only.

        Cameras that send little leave a small shard with every commit.  The joined one is on the disk before the index
        names it, and the others go when nothing names them any more.
        """
        small = [name for name, size in self._sizes().items() if size < FULL // 4]
        return sum(self._join(group) for group in self._groups(small) if len(group) > journal.MANY)

    def _groups(self, names: Sequence[str]) -> Iterator[list[str]]:
        sizes, group, size = self._sizes(), list[str](), 0
        for name in names:
            if size + sizes[name] > FULL:
                yield group
                group, size = [], 0
            group.append(name)
            size += sizes[name]
        yield group

    def _join(self, names: Sequence[str]) -> int:
        import polars as pl

        found: dict[str, list[tuple[str, late.Place]]] = {name: [] for name in names}
        for digest, place in self.shards().places.items():
            if place.shard in found:
                found[place.shard].append((digest, place))
        whole = [one for name in names for one in sorted(found[name], key=lambda one: one[1].offset)]
        members = [
            images.Member(digest, place.form, place.kind, place.shape, self.shards().content(digest))
            for digest, place in whole
        ]
        joined, pieces, places = shards.lay(members)
        durable.write(self.folder / joined, pieces)
        moved = pl.DataFrame(
            [(digest, joined, *place) for (digest, _), place in zip(whole, places, strict=True)],
            schema={"digest": pl.String, "shard": pl.String, "offset": pl.Int64, "length": pl.Int64}, orient="row",
        )  # fmt: skip
        self._rewrite(lambda frame: frame.update(moved, on="digest"), set(names))
        for name in set(names) - {joined}:
            durable.step("unlink", self.folder / name)
            (self.folder / name).unlink(missing_ok=True)
        self.forget()
        return len(names) - 1

    def _rewrite(self, change: Callable[[pl.DataFrame], pl.DataFrame], of: Collection[str]) -> int:
        """Write the index files that name some shards again, changed, as one; return how many images less they name."""
        import polars as pl

        files, kept, count = [], [], 0
        for file in self.log.files(TABLE):
            (frame,) = self.log.read(TABLE, [file])
            if frame["shard"].is_in(sorted(of)).any():
                files.append(file)
                kept.append(change(frame))
                count += frame.height - kept[-1].height
        self.log.replace(TABLE, files, pl.concat(kept))
        return count

    def retain(
        self, at_most: int, keep: Collection[str] = (), pinned: Collection[str] = (), trial: bool = False
    ) -> Retained:  # fmt: skip
        """Let go of the oldest shards until they have `at_most` bytes; those `pinned` or with an image of `keep` stay.

        The index is changed first, as one commit, then the shards are removed: a crash between leaves shards that
        `recover` finds.  A `trial` only says what would go.  Under the store's lock only.
        """
        import polars as pl

        sizes, held = self._sizes(), set(keep)
        stay = (
            {place.shard for digest, place in self.shards().places.items() if digest in held}
            if held
            else set()
        )
        stay |= set(pinned)
        left, gone = sum(sizes.values()), []
        for name, size in sizes.items():
            if left <= at_most:
                break
            if name not in stay:
                gone.append(name)
                left -= size
        if not gone:
            return Retained(0, 0, left)
        if trial:
            places = self.shards().places.values()
            return Retained(len(gone), sum(place.shard in set(gone) for place in places), left)
        count = self._rewrite(lambda frame: frame.filter(~pl.col("shard").is_in(gone)), gone)
        for name in gone:
            durable.step("unlink", self.folder / name)
            (self.folder / name).unlink(missing_ok=True)
        self.forget()
        return Retained(len(gone), count, left)


@dataclass(frozen=True)
class Retained:
    """What a cap did: shards and images that were let go of, and the bytes that are left (pinned ones included)."""

    shards: int
    images: int
    bytes: int


@dataclass
class Batch:
    """Images on their way in; `index` gives the rows to commit with those that name them."""

    archive: Archive
    known: int = 0
    rows: list[tuple[object, ...]] = field(default_factory=list)
    _waiting: list[images.Member] = field(default_factory=list)
    _bytes: int = 0
    _seen: set[str] = field(default_factory=set)
    _written: list[str] = field(default_factory=list)

    def has(self, digest: str) -> bool:
        """Say whether an image is in the store or in this batch."""
        return digest in self._seen or digest in self.archive.shards().places

    def add(self, member: images.Member) -> str:
        """Take an image in, unless it is there already; return its digest."""
        if self.has(member.digest):
            self.known += 1
            return member.digest
        self._seen.add(member.digest)
        self._waiting.append(member)
        self._bytes += len(member.content)
        if self._bytes >= FULL:
            self._flush()
        return member.digest

    def _flush(self) -> None:
        if not self._waiting:
            return
        name, pieces, places = shards.lay(self._waiting)
        durable.folder(self.archive.folder)
        self._written.append(name)  # before it is: it may have its name and not be on the disk
        durable.write(self.archive.folder / name, pieces)
        self.rows += [
            (member.digest, name, *place, member.form, member.kind, json.dumps(member.shape))
            for member, place in zip(self._waiting, places, strict=True)
        ]
        self._waiting, self._bytes = [], 0

    def index(self) -> pl.DataFrame | None:
        """Write what waits and return the index rows that are not returned yet, None if there are none."""
        import polars as pl

        self._flush()
        if not self.rows:
            return None
        types = {"String": pl.String, "Int64": pl.Int64}
        rows, self.rows = self.rows, []
        return pl.DataFrame(rows, schema={name: types[kind] for name, kind in SCHEMA.items()}, orient="row")

    def drop(self) -> None:
        """Remove the shards that were written, when no commit will own them."""
        for name in self._written:
            (self.archive.folder / name).unlink(missing_ok=True)
        self._written = []
