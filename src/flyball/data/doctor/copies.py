"""Files that are byte for byte the same: one that was sent twice, or that stands in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from flyball import errors
from flyball.data.doctor import folder, members

#: A file is read in pieces of so many bytes, and of all files at most so many bytes are.
PIECE, MOST = 2**22, 2 * 2**30


def identical(files: Iterable[folder.File], most: int = MOST) -> tuple[list[list[str]], str]:
    """Return groups of names of files with the same content, and what was not looked at ("" for nothing).

    Only files of the same size are read, the smaller first.
    """
    sizes: dict[int, list[folder.File]] = {}
    for file in files:
        sizes.setdefault(file.size, []).append(file)
    groups: dict[str, list[str]] = {}
    left = 0
    for size in sorted(sizes):
        alike = sizes[size]
        if len(alike) < 2:
            continue
        if size * len(alike) > most:
            left += len(alike)
            continue
        most -= size * len(alike)
        for file in alike:
            if digest := _digest(file):
                groups.setdefault(digest, []).append(file.name)
    found = sorted(sorted(names) for names in groups.values() if len(names) > 1)
    return found, f"{left} files of equal sizes were not compared byte by byte: too large" if left else ""


def _digest(file: folder.File) -> str:
    """Return the SHA-256 of a file's content, "" for one that cannot be read: whoever reads it as data tells why."""
    digest = hashlib.sha256()
    try:
        for place in range(0, file.size, PIECE):
            digest.update(members.piece(file, place, PIECE))
    except errors.DataError:
        return ""
    return digest.hexdigest()
