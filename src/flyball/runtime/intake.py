"""Images that come as a stream: each batch is durable, once, when its receipt is there; old ones go by a cap."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from flyball import durable, errors
from flyball.data import images
from flyball.data.formats.raw import Bad
from flyball.runtime import frames, journal, memory, retention, taking

if TYPE_CHECKING:
    from flyball.data.stage import Array
    from flyball.runtime.store import Store

Sent = Union[bytes, "Array"]


@dataclass
class Taken:
    """What came of a batch: a digest for each image, None for one that is quarantined; `known` were there already."""

    digests: list[str | None] = field(default_factory=list)
    known: int = 0
    bytes: int = 0
    commit: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    dropped: int = 0


class Intake:
    """Takes batches of images into a store: files' bytes (.npy, PNG, JPEG, TIFF), or arrays, kept without loss.

    `budget` says what is too large; `threads` work on a batch side by side.  When the shards have more than `at_most`
    bytes the oldest go, but for those with an image that `keep()` names: by default what a release may be trained on.

    ```python
    with Intake(store, at_most=GiB(20)) as intake:
        taken = intake.take(batch)  # on the disk now, and found by taken.digests
    ```
    """

    def __init__(
        self, store: Store, budget: images.Images | None = None, at_most: int | None = None,
        keep: Callable[[], Collection[str]] | None = None, threads: int = 2,
    ) -> None:  # fmt: skip
        from concurrent.futures import ThreadPoolExecutor

        memory.steady()
        self.store, self.budget, self.at_most = store, budget, at_most
        self.keep = keep if keep is not None else lambda: trained_on(store)
        self.let_go = frames.Retained(0, 0, 0)
        self._commits = 0
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Intake:
        return self

    def __exit__(self, *what: object) -> None:
        self._pool.shutdown()

    def take(self, sent: Sequence[Sent], names: Sequence[str] | None = None, dropped: int = 0) -> Taken:
        """Make a batch durable as one commit; an image that is there already changes nothing.

        `dropped` images that were let go of before it, as the page allows, are noted with it in `sources`.

        What is no image, or beyond the budget, goes to quarantine under its name (or its number in the batch), with
        the reason.  Raises StoreError when the store cannot be written; nothing of the batch is then in it.
        """
        made = list(self._pool.map(self._member, sent))
        bad = [
            (Bad(0, made_or_why, ""), one, names[place] if names else f"image {place}")
            for place, (made_or_why, one) in enumerate(zip(made, sent, strict=True))
            if isinstance(made_or_why, str)
        ]
        with self.store.writing(), durable.guard(f"take images into {self.store.folder}"):
            taken = _commit(self.store, [one for one in made if isinstance(one, images.Member)], bad, dropped)
            if self.at_most is not None:
                self._retain(self.at_most)
        self._commits += taken.commit > 0
        if self._commits % journal.MANY == journal.MANY - 1:
            self.store.compact()
        digests = iter(taken.digests)
        taken.digests = [None if isinstance(one, str) else next(digests) for one in made]
        return taken

    def _member(self, sent: Sent) -> images.Member | str:
        try:
            return images.member(sent, self.budget) if isinstance(sent, bytes) else images.packed(sent)
        except errors.DataError as error:
            return str(error)

    def _retain(self, at_most: int) -> None:
        archive = self.store.archive
        if archive.bytes() > at_most:
            # Down to a tenth below, so that the index is not written anew with every batch.
            told = archive.retain(at_most * 9 // 10, self.keep())
            gone = self.let_go
            self.let_go = frames.Retained(gone.shards + told.shards, gone.images + told.images, told.bytes)
            self.store.refresh()


def trained_on(store: Store) -> set[str]:
    """Return the images that a release which may have to answer was trained on, as rows of its days name them.

    Without a release there are none.
    """
    import polars as pl

    out: set[str] = set()
    for release in retention.live(store).values():
        first, last = release.get("since"), release.get("last")
        for table in store.fleet.tables:
            for column in [name for name, kind in table.columns.items() if kind == "image"]:
                for frame in store.journal.read(f"tables/{table.name}", None, ["at", column]):
                    if column not in frame.columns:
                        continue
                    within = [pl.lit(True), *([] if first is None else [pl.col("at") >= first])]
                    within += [] if last is None else [pl.col("at") <= last]
                    out.update(frame.filter(*within)[column].drop_nulls())
    return out


def _commit(
    store: Store, members: Sequence[images.Member], bad: Sequence[tuple[Bad, Sent, str]], dropped: int
) -> Taken:
    """Write new members into shards and commit their index, the quarantine and a row of `sources`, as one."""
    import polars as pl

    batch, number = store.archive.batch(), store.journal.next()
    taken = Taken(dropped=dropped)
    staged: dict[str, list[journal.File]] = {}
    contents: dict[str, Any] = {}
    try:
        for member in members:
            new = not batch.has(member.digest)
            taken.digests.append(batch.add(member))
            taken.bytes += len(member.content) if new else 0
        index = batch.index()
        taken.known = batch.known
        for why, _, _ in bad:
            taken.refused[why.reason] = taken.refused.get(why.reason, 0) + 1
        if index is not None:
            contents[frames.TABLE] = index
        if bad:
            contents["quarantine"] = pl.concat(
                [taking.quarantined([why], _digest(one), frames.TABLE, name) for why, one, name in bad]
            )
        if not contents and not dropped:
            return taken
        contents[journal.LAST] = _source(members, bad, taken, number)
        for table, frame in contents.items():
            staged[table] = [store.journal.stage(table, number, 0, frame)]
        schemas = {table: {c: str(k) for c, k in frame.schema.items()} for table, frame in contents.items()}
        given, staged = staged, {}
        store.journal.commit(number, given, schemas)
        taken.commit = number
    finally:
        store.journal.drop(staged)
        if not store.journal.noted(number):
            batch.drop()
        store.refresh()
    return taken


def _source(
    members: Sequence[images.Member], bad: Sequence[tuple[Bad, Sent, str]], taken: Taken, number: int
) -> Any:
    """Return the row of `sources` that stands for a batch."""
    import time

    import polars as pl

    named = hashlib.sha256(f"{taken.dropped} {number}".encode() if taken.dropped else b"")
    for digest in [member.digest for member in members] + [_digest(one) for _, one, _ in bad]:
        named.update(digest.encode())
    row = dict.fromkeys(taking.SOURCES) | {
        "source": named.hexdigest(), "table": frames.TABLE, "name": f"{len(members) + len(bad)} images",
        "bytes": taken.bytes, "taken": number, "came": time.time_ns() // 1000,
        "sent": len(members) + len(bad) + taken.dropped,
        "good": len(members) - taken.known, "quarantined": len(bad), "duplicates": taken.known, "late": 0,
        "columns": "[]", "absent": "{}", "extra": "[]", "parts": "{}", "reading": "",
        "note": f"{taken.dropped} dropped: more came than could be taken in" if taken.dropped else None,
    }  # fmt: skip
    kinds = {"String": pl.String, "Int64": pl.Int64}
    return pl.DataFrame(
        [row], schema={name: kinds[kind] for name, kind in taking.SOURCES.items()}, orient="row"
    )


def _digest(sent: Sent) -> str:
    return hashlib.sha256(sent).hexdigest() if isinstance(sent, bytes) else images.digest(sent)
