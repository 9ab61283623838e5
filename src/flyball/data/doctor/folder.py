"""What lies in a folder: regular files by table, everything else by name and reason; nothing is followed out of it."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flyball import errors
from flyball.data import arrivals
from flyball.data.doctor import members

#: More files than this are not looked for.
MOST = 100_000
#: Texts whose lines have fields, and texts whose lines are rows otherwise; each also packed.
DELIMITED = (".csv", ".tsv", ".txt", ".dat", ".data")
LINED = (".jsonl", ".ndjson", ".log")
PACKED = ("", ".gz", ".zst")
TABLES = (".parquet", *(end + packed for end in (*DELIMITED, *LINED) for packed in PACKED))
#: Arrays, as NumPy writes them, plain or packed.
ARRAYS = (".npz", ".npy", ".npy.xz", ".npy.gz")
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".7z", ".rar")
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")
#: Words by which people name what is learned from and what is judged, the stronger first.
SPLITS = {
    "test": "test", "holdout": "test", "eval": "test", "val": "val", "valid": "val", "validation": "val",
    "train": "train", "training": "train",
}  # fmt: skip
STRENGTH = ("test", "val", "train")
#: A date or a number at the end of a name counts files; it does not name a table.
_COUNTED = re.compile(r"([-_. ]+(v?\d[\dTZ]*))+$")


@dataclass(frozen=True)
class File:
    """One regular file: where it is, its name below the folder, its size and its ending.

    A member of an archive is `inside` the one at `path`, and named through it: "week.zip/rows.csv".
    """

    path: Path
    name: str
    size: int
    ending: str
    inside: str = ""


@dataclass(frozen=True)
class Found:
    """What a folder holds: files of tables by the table's place and name ("A/telemetry"), arrays, pictures, the rest.

    `passed` are (name, reason) of what is not looked at.
    """

    tables: dict[str, list[File]]
    arrays: list[File]
    pictures: list[File]
    passed: list[tuple[str, str]]
    files: int
    bytes: int


def look(folder: Path) -> Found:
    """Return what lies below a folder, in order of names.

    Links, pipes and devices are told by name and never opened.  Raises DataError for no folder.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise errors.DataError(f"{folder} {what}: give the folder where the data lies")
    found = Found({}, [], [], [], 0, 0)
    files = size = 0
    for name, why in _walk(folder):
        path = folder / name
        if why or (why := arrivals.odd(path)):
            found.passed.append((name, why))
            continue
        file = File(path, name, path.lstat().st_size, _ending(name))
        files, size = files + 1, size + file.size
        if file.ending in members.ENDINGS and file.size and not _hidden(name):
            _look_into(folder, file, found)
        else:
            _sort(folder, file, found)
    return dataclasses.replace(found, files=files, bytes=size)


def _hidden(name: str) -> bool:
    return any(piece.startswith(".") for piece in Path(name).parts)


def _look_into(folder: Path, archive: File, found: Found) -> None:
    """Sort the members of an archive like files."""
    try:
        good, refused = members.listed(archive.path)
    except errors.DataError as error:
        found.passed.append((archive.name, members.unlisted(error)))
        return
    found.passed.extend((f"{archive.name}/{name}", why) for name, why in refused)
    for name, size in sorted(good):
        _sort(folder, File(archive.path, f"{archive.name}/{name}", size, _ending(name), name), found)


def _sort(folder: Path, file: File, found: Found) -> None:
    if _hidden(file.name):
        found.passed.append((file.name, "hidden"))
    elif not file.size:
        found.passed.append((file.name, "empty file"))
    elif file.ending in TABLES:
        found.tables.setdefault(_table(folder, file), []).append(file)
    elif file.ending in (*ARRAYS, *PICTURES):
        (found.arrays if file.ending in ARRAYS else found.pictures).append(file)
    else:
        found.passed.append((file.name, _unread(file.ending)))


@functools.lru_cache(maxsize=100_000)
def split(name: str) -> str:
    """Return the split that a name says, "" for none: by a whole word of a file's name or of a folder above it.

    >>> split("train_1"), split("images/test/a.png"), split("contest.csv"), split("latest.csv")
    ('train', 'test', '', '')
    """
    for piece in reversed(Path(name).parts):
        for word in _words(piece):
            if word in SPLITS:
                return SPLITS[word]
    return ""


def family(name: str) -> str:
    """Return a name without the word that says its split: files of one family have the same content in other splits.

    >>> family("train_FD001"), family("test_FD001")
    ('fd001', 'fd001')
    """
    return "_".join(word for word in _words(name) if word not in SPLITS)


def _words(text: str) -> list[str]:
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
    return [bare if (bare := word.rstrip("0123456789")) in SPLITS else word for word in words]


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (name below the folder, why it is passed over or ""), sorted; linked folders are told and not entered."""
    refused: list[tuple[str, str]] = []
    count = 0

    def failed(error: OSError) -> None:
        name = os.path.relpath(error.filename or folder, folder)
        refused.append((name, f"cannot be read ({error.strerror})"))

    for above, folders, names in os.walk(folder, onerror=failed, followlinks=False):
        folders.sort()
        for inner in [one for one in folders if os.path.islink(os.path.join(above, one))]:
            yield os.path.relpath(os.path.join(above, inner), folder), "a symbolic link"
        folders[:] = [one for one in folders if not os.path.islink(os.path.join(above, one))]
        for name in sorted(names):
            count += 1
            if count > MOST:
                yield "...", f"more than {MOST} files: the others were not looked at"
                return
            yield os.path.relpath(os.path.join(above, name), folder), ""
    yield from refused


def _ending(name: str) -> str:
    known = sorted((*TABLES, *ARRAYS, *PICTURES, *ARCHIVES), key=len, reverse=True)
    return next(
        (end for end in known if name.lower().endswith(end)), "".join(Path(name).suffixes[-1:]).lower()
    )


def _unread(ending: str) -> str:
    if ending in ARCHIVES:
        return "an archive of a kind, or within another, that is not looked into: unpack it"
    if ending in PICKLES:
        return "a pickle is never opened, as opening one runs what it says: write Parquet or plain arrays"
    return f"no format that is read ({ending or 'no ending'})"


def _table(folder: Path, file: File) -> str:
    """Return the place and name of the table a file belongs to: its own without date and number, else its folder's."""
    above, stem = Path(file.name).parent, Path(file.name).name[: -len(file.ending)]
    plain = stem[:1] + _COUNTED.sub("", stem[1:])
    if re.search(r"[A-Za-z]", plain):
        return str(above / plain)
    return str(above) if above.name else folder.resolve().name or "rows"


def table_names(tables: Mapping[str, Sequence[File]]) -> list[str]:
    """Return the names of tables, those with most bytes first."""
    return sorted(tables, key=lambda name: -sum(file.size for file in tables[name]))
