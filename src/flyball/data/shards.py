"""Shards: plain tar files (POSIX ustar) of images, each named by its digest, so that other tools can read them.

`tar tf`, WebDataset and Python's `tarfile` read a shard as it lies.  A shard's own name is the digest of its members'
digests in order, so that equal content has one name, and no byte is digested twice.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Sequence

from flyball.data import images

BLOCK = 512
ENDING = ".tar"


def lay(members: Sequence[images.Member]) -> tuple[str, list[bytes], list[tuple[int, int]]]:
    """Return a shard's name, its bytes in pieces, and the (offset, length) of every member's content.

    >>> import numpy as np
    >>> name, pieces, places = lay([images.packed(np.zeros((64, 64), np.uint8))])
    >>> places[0][0], sum(map(len, pieces)) % 512, len(name)
    (512, 0, 68)
    """
    named = hashlib.sha256()
    pieces: list[bytes] = []
    places = []
    offset = 0
    for member in members:
        head = _head(member)
        named.update(f"{member.digest} {member.form} {len(member.content)}\n".encode())
        pieces += [head, member.content, bytes(-len(member.content) % BLOCK)]
        places.append((offset + len(head), len(member.content)))
        offset += sum(map(len, pieces[-3:]))
    pieces.append(bytes(2 * BLOCK))
    return named.hexdigest() + ENDING, pieces, places


def _head(member: images.Member) -> bytes:
    told = tarfile.TarInfo(f"{member.digest}.{images.ENDINGS[member.form]}")
    told.size, told.mode = len(member.content), 0o644
    return told.tobuf(tarfile.USTAR_FORMAT)
