"""Late images: references into a folder of shards, decoded only where they are used, side by side."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.data import images

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flyball.data.stage import Array

#: As many images are decoded on one thread before another is worth starting, in bytes as they are stored.
WORTH = 2**20


class Place(NamedTuple):
    """Where one image lies and as what: its shard, the offset and length in it, form, type and shape."""

    shard: str
    offset: int
    length: int
    form: str
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Shards:
    """Where every image of a store lies, by digest.

    `again` looks anew where they lie: another process may have joined a shard with others since.
    """

    folder: Path
    places: dict[str, Place]
    again: Callable[[], Mapping[str, Place]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Shards, (self.folder, self.places)  # a copy in another process looks by itself or not at all

    def place(self, digest: str) -> Place:
        """Return where an image lies; raises StoreError for one that is not (or no longer) there."""
        found = self.places.get(digest)
        if found is None:
            raise errors.StoreError(f"image {digest} is not in {self.folder}: send its file again")
        return found

    def content(self, digest: str) -> bytes:
        """Return an image's bytes as they are stored, not verified."""
        place = self.place(digest)
        try:
            return self._read(place)
        except FileNotFoundError:
            moved = self.again().get(digest, place) if self.again is not None else place
            if moved != place:
                return self._read(moved)
            raise errors.StoreError(
                f"image {digest} is gone with {self.folder / place.shard}: send its file again"
            ) from None
        except OSError as error:
            raise errors.StoreError(
                f"image {digest} in {self.folder / place.shard} cannot be read ({error.strerror})"
            ) from None

    def _read(self, place: Place) -> bytes:
        handle = os.open(self.folder / place.shard, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(handle, place.length, place.offset)
        finally:
            os.close(handle)

    def load(self, digest: str, size: tuple[int, int] | None = None) -> Array:
        """Read one image, verify its digest, and decode it, scaled to `size` (rows, columns) if one is given."""
        content, place = self.content(digest), self.place(digest)
        damaged = f"image {digest} in {self.folder / place.shard} is not what was written"
        if place.form != "array":
            if hashlib.sha256(content).hexdigest() != digest:
                raise errors.TamperedError(damaged)
            return images.decoded(content, size)
        try:
            image = images.decode(content, _TRUSTED)
        except errors.DataError as error:
            raise errors.TamperedError(f"{damaged} ({error})") from None
        if images.digest(image) != digest:
            raise errors.TamperedError(damaged)
        return images.scaled(image, size)


#: What is in the store was within its page's budget when it came in.
_TRUSTED = images.Images("", pixels=2**40, bytes=2**40, ratio=2**20)


class Frames:
    """A late column of images: `digests` (n,) text, None-like "" where missing; slicing copies references only.

    `size` (rows, columns) is what each is scaled to when it is loaded.  Why: sixty thousand wafer maps are needed one
    batch at a time.
    """

    def __init__(self, shards: Shards, digests: Any, size: tuple[int, int] | None = None) -> None:
        import numpy as np

        self.shards = shards
        self.digests = np.asarray(digests, dtype="U64")
        self.size = size

    def __len__(self) -> int:
        return len(self.digests)

    def __getitem__(self, index: Any) -> Frames:
        import numpy as np

        chosen = self.digests[np.atleast_1d(index) if not isinstance(index, slice) else index]
        return Frames(self.shards, chosen, self.size)

    def load(self) -> list[Array]:
        """Decode all of them, in order; a missing one is an empty (0, 0) array.

        Raises StoreError for one that is gone, TamperedError for one that is not what was written.
        """
        from concurrent.futures import ThreadPoolExecutor

        digests: list[str] = self.digests.tolist()
        threads = self._threads(digests)
        if threads < 2:
            return [self._one(digest) for digest in digests]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self._one, digests))

    def batches(self, many: int, threads: int | None = None) -> Iterator[list[Array]]:
        """Yield them in order, `many` at a time; the next batch is decoded while the caller works on one.

        Two batches are in memory at most.
        """
        from concurrent.futures import ThreadPoolExecutor

        digests: list[str] = self.digests.tolist()
        if many < 1:
            raise ValueError(f"many: {many} in a batch, give 1 or more")
        with ThreadPoolExecutor(threads or _cores()) as pool:
            waiting: list[Future[Array]] = []
            for start in range(0, len(digests), many):
                ahead = [pool.submit(self._one, digest) for digest in digests[start : start + many]]
                if waiting:
                    yield [one.result() for one in waiting]
                waiting = ahead
            if waiting:
                yield [one.result() for one in waiting]

    def _one(self, digest: str) -> Array:
        import numpy as np

        return self.shards.load(digest, self.size) if digest else np.empty((0, 0), np.uint8)

    def _threads(self, digests: Sequence[str]) -> int:
        cores = _cores()
        if cores < 2:
            return 1
        stored = 0
        for digest in digests:
            stored += self.shards.place(digest).length if digest else 0
            if stored >= cores * WORTH:
                return cores
        return max(1, stored // WORTH)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
