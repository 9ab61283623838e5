"""Files and members of archives, read alike: whole or in pieces, within bounds, nothing extracted.

Only .zip and plain .tar are looked into: a member of a compressed tar lies behind all before it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import errors
from flyball.data import arrivals, bundles

if TYPE_CHECKING:
    from flyball.data.doctor import folder

#: Archives that are looked into.
ENDINGS = arrivals.ARCHIVES
#: A member of more bytes is not looked at, nor is an archive of more members or bytes than these.
LARGEST = 256 * 2**20
LIMITS = arrivals.Limits(file=LARGEST, members=100_000, unpacked=16 * 2**30)


def listed(path: Path) -> tuple[list[tuple[str, int]], list[tuple[str, str]]]:
    """Return (name, size) of the members of an archive, and (name, reason) of those that must not be read.

    Raises DataError for an archive that is damaged, hostile or too large.
    """
    with bundles.opened(path, LIMITS) as bundle:
        good = [(member.name, member.size) for member in bundle.members if not member.refused]
        refused = [(member.name, member.refused) for member in bundle.members if member.refused]
    return good, refused


def content(file: folder.File, most: int) -> bytes:
    """Return all bytes of a file, or of a member of an archive; raises DataError for more than `most` of them."""
    if not file.inside:
        return arrivals.read(file.path, most)
    return arrivals.find(f"{file.path.name}/{file.inside}", file.path.parent, min(most, LARGEST))


def piece(file: folder.File, place: int, size: int) -> bytes:
    """Return at most `size` bytes of a file from a place on; raises DataError for one that cannot be read."""
    if not file.inside:
        return arrivals.piece(file.path, place, size)
    return _last(file.path, file.inside)[place : place + size]


@functools.lru_cache(maxsize=1)
def _last(path: Path, inside: str) -> bytes:
    """Return a member; the last one is kept, as it is asked for in pieces."""
    return arrivals.find(f"{path.name}/{inside}", path.parent, LARGEST)


def forget() -> None:
    """Let go of the member that is kept."""
    _last.cache_clear()


def outside(place: Path) -> Path:
    """Return the archive in which a place lies, or the place itself.

    >>> outside(Path("sent/week.zip/a/rows.csv")), outside(Path("sent/rows.csv"))
    (PosixPath('sent/week.zip'), PosixPath('sent/rows.csv'))
    """
    parts = place.parts
    for depth in range(1, len(parts)):
        if Path(parts[depth - 1]).suffix.lower() in ENDINGS:
            return Path(*parts[:depth])
    return place


def unlisted(error: errors.DataError) -> str:
    """Return why an archive could not be listed, as it stands beside its name."""
    return f"an archive that cannot be looked into ({error})"
