"""Whose a file is: which table claims it by its name, which is a bundle, and which is nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from flyball import data, errors
from flyball.data import arrivals, bundles
from flyball.data.formats import read as formats
from flyball.runtime.receipt import Receipt

PICTURES = (".npy", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
FOLDER = "a folder"
#: What is wrong with a bundle as a whole is told as if of a table of this name.
BUNDLE = data.Table("bundles", columns={})


class Landed(NamedTuple):
    """A file to take in: where it lies, what it is called below its place, and as what it was seen there."""

    path: Path
    name: str
    seen: arrivals.Mark | None = None
    follow: bool = False
    #: Why it is to be refused by name, unread.
    refused: str = ""


def found(paths: Iterable[Path]) -> Iterator[Landed]:
    """Yield the files below some paths; those whose name begins with a dot are somebody else's."""
    for path in paths:
        if not path.exists():
            raise errors.DataError(f"no file or folder {path}: give the place where the data lies")
        # What is named outright may be a link; what lies in a folder was put there by somebody else.
        alone = not path.is_dir()
        files = (
            [path] if alone else sorted(inner for inner in path.rglob("*") if arrivals.odd(inner) != FOLDER)
        )
        root = path.parent if alone else path
        for file in files:
            name = file.relative_to(root)
            if not any(piece.startswith(".") for piece in name.parts):
                yield Landed(file, str(name), follow=alone)


def claimed(
    fleet: data.Fleet, files: Iterable[Landed], receipt: Receipt
) -> Iterator[tuple[data.Table | None, Landed]]:
    """Yield the files that belong to a table, and bundles with None; the others are told in the receipt."""
    for raw in files:
        file = raw._replace(name=arrivals.shown(raw.name))
        if file.path.suffix.lower() in PICTURES:
            continue
        table = formats.claim(fleet, file.path, Path(file.name)) if formats.ending(file.path) else None
        if table is not None or file.refused:
            yield table or BUNDLE, file
        elif bundles.ending(file.path.name):
            yield None, file
        else:
            receipt.unclaimed.append(file.name)


def wanted(fleet: data.Fleet, file: Landed) -> bool:
    """Say whether a file would be read: it belongs to a table, or is a bundle."""
    return any(True for _ in claimed(fleet, [file], Receipt()))
