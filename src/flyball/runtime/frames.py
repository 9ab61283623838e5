"""The store's images: shards that are only ever added to, and an index table of what lies where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data import frames as late
from flyball.runtime import durable, journal

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Array

TABLE = "frames"
SCHEMA = {
    "digest": "String", "shard": "String", "offset": "Int64", "length": "Int64", "packed": "Boolean",
    "kind": "String", "shape": "String",
}  # fmt: skip


class Archive:
    """The images of a store; adding one that is there already adds nothing."""

    def __init__(self, folder: Path, log: journal.Journal) -> None:
        self.folder = folder / TABLE
        self.log = log
        self._known: late.Shards | None = None

    def shards(self) -> late.Shards:
        """Return where every committed image lies."""
        if self._known is None:
            places: dict[str, Any] = {}
            for frame in self.log.read(TABLE):
                for digest, shard, offset, length, packed, kind, shape in frame.select(*SCHEMA).iter_rows():
                    places[digest] = (shard, offset, length, packed, kind, tuple(json.loads(shape)))
            self._known = late.Shards(self.folder, places)
        return self._known

    def forget(self) -> None:
        """Read the index again when it is asked for next."""
        self._known = None

    def fetch(self, digests: Sequence[str]) -> late.Frames:
        """Return the late column of some digests."""
        return late.Frames(self.shards(), list(digests))

    def add(self, digests: Sequence[str], arrays: Sequence[Array]) -> pl.DataFrame | None:
        """Write new images into a shard and return its index rows, to be committed with the rows that name them."""
        import polars as pl

        have, new = self.shards().places, {}
        for digest, array in zip(digests, arrays, strict=True):
            if digest not in have:
                new[digest] = array
        if not new:
            return None
        content, places = late.pack(list(new.values()))
        name = f"{hashlib.sha256(content).hexdigest()}.shard"
        durable.folder(self.folder)
        durable.write(self.folder / name, content)
        rows = [
            (digest, name, *place, array.dtype.str, json.dumps(array.shape))
            for (digest, array), place in zip(new.items(), places, strict=True)
        ]
        return pl.DataFrame(rows, schema=dict.fromkeys(SCHEMA), orient="row")
