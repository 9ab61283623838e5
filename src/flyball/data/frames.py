"""Late images: references into a folder of shards, decoded only where they are used."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import images

if TYPE_CHECKING:
    from flyball.data.stage import Array


@dataclass(frozen=True, eq=False)
class Shards:
    """Where every image of a store lies: by digest its shard, offset, length, whether packed, type and shape."""

    folder: Path
    places: dict[str, tuple[str, int, int, bool, str, tuple[int, ...]]]

    def load(self, digest: str) -> Array:
        """Read one image and verify its digest."""
        import numpy as np

        place = self.places.get(digest)
        if place is None:
            raise errors.StoreError(f"image {digest} is not in {self.folder}: send its file again")
        name, offset, length, packed, kind, shape = place
        try:
            with (self.folder / name).open("rb") as file:
                file.seek(offset)
                content = file.read(length)
            values = zlib.decompress(content) if packed else content
            image = np.frombuffer(values, dtype=np.dtype(kind)).reshape(shape)
        except (OSError, zlib.error, ValueError) as error:
            raise errors.TamperedError(
                f"image {digest} in {self.folder / name} is damaged ({error})"
            ) from None
        if images.digest(image) != digest:
            raise errors.TamperedError(f"image {digest} in {self.folder / name} is not what was written")
        return image


class Frames:
    """A late column of images: `digests` (n,) text, None-like "" where missing; slicing copies references only.

    Why: sixty thousand wafer maps are needed one batch at a time.
    """

    def __init__(self, shards: Shards, digests: Any) -> None:
        import numpy as np

        self.shards = shards
        self.digests = np.asarray(digests, dtype="U64")

    def __len__(self) -> int:
        return len(self.digests)

    def __getitem__(self, index: Any) -> Frames:
        import numpy as np

        return Frames(
            self.shards, self.digests[np.atleast_1d(index) if not isinstance(index, slice) else index]
        )

    def load(self) -> list[Array]:
        """Decode all of them, in order; a missing one is an empty (0, 0) array."""
        import numpy as np

        empty = np.empty((0, 0), np.uint8)
        return [self.shards.load(digest) if digest else empty for digest in self.digests.tolist()]


def pack(arrays: Sequence[Array]) -> tuple[bytes, list[tuple[int, int, bool]]]:
    """Return one shard's bytes and (offset, length, packed) of every image; packed only where that pays.

    >>> import numpy as np
    >>> content, places = pack([np.zeros((64, 64), np.uint8)])
    >>> places[0][2], len(content) < 100
    (True, True)
    """
    import numpy as np

    pieces, places, offset = [], [], 0
    for image in arrays:
        plain = np.ascontiguousarray(image).tobytes()
        small = zlib.compress(plain, 1)
        packed = len(small) < 0.9 * len(plain)
        piece = small if packed else plain
        pieces.append(piece)
        places.append((offset, len(piece), packed))
        offset += len(piece)
    return b"".join(pieces), places
