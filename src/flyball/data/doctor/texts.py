"""The plain bytes of a text file, packed or not, never more of them than fit: what is left out is said.

A large plain file is read at its beginning, middle and end; a packed one, which cannot be entered in the middle, at
its beginning.  A bomb is therefore only a file of which the beginning is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from flyball.data.doctor import folder, members
from flyball.kernels import compressed

#: So many packed bytes are read at a time.
CHUNK = 2**20


class Text(NamedTuple):
    """Whole lines of a file: `read` of about `size` plain bytes (0: not known), and `note` where it is cut off."""

    content: bytes
    read: int
    size: int
    note: str

    @property
    def part(self) -> bool:
        """Say whether less was read than the file has."""
        return self.size != self.read


def plain(file: folder.File, most: int) -> Text:
    """Return at most `most` plain bytes of a file.

    Raises DataError for a file that is no regular one or cannot be read, MissingExtraError for zst without its library.
    """
    kind = compressed.kind_of(members.piece(file, 0, 4))
    if kind != "plain":
        return _unpacked(file, kind, most)
    if file.size <= most:
        content = members.content(file, most)
        return Text(content, len(content), len(content), "")
    content = _spread(file, most // 3)
    return Text(content, len(content), file.size, "")


def name(file: folder.File) -> Path:
    """Return what a file is called once it is unpacked.

    >>> name(folder.File(Path("a/x.csv.gz"), "x.csv.gz", 1, ".csv.gz"))
    PosixPath('x.csv')
    """
    lower = file.name.lower()
    packed = next((end for end in (".gz", ".zst") if lower.endswith(end)), "")
    return Path(file.name[: len(file.name) - len(packed)])


def _unpacked(file: folder.File, kind: str, most: int) -> Text:
    pieces, size = [], 0
    unpacking = compressed.Plain(_chunks(file), kind, most)
    for piece in unpacking:
        pieces.append(bytes(piece))
        size += len(piece)
    content = b"".join(pieces)
    if "budget" in unpacking.incomplete:
        content = content[: content.rfind(b"\n") + 1]
        return Text(content, len(content), 0, "")
    return Text(content, size, size, unpacking.incomplete)


def _chunks(file: folder.File) -> Iterator[bytes]:
    for place in range(0, file.size, CHUNK):
        yield members.piece(file, place, CHUNK)


def _spread(file: folder.File, size: int) -> bytes:
    """Return whole lines from the beginning, the middle and the end of a large text."""
    taken = []
    for place in (0, (file.size - size) // 2, file.size - size):
        content = members.piece(file, place, size)
        first = 0 if place == 0 else content.find(b"\n") + 1
        taken.append(content[first : content.rfind(b"\n") + 1])
    return b"".join(taken)
