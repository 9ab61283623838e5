"""Files as they arrive from strangers: regular ones only, no links followed, read whole or not at all.

A member of a .zip or .tar beside the table is named through it, `lot-7.zip/w03.png`.  Nothing is extracted: a member
is read into memory, never beyond its budget, whatever the archive says of its size.
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from flyball import errors

if TYPE_CHECKING:
    import zipfile


class RefusedError(errors.DataError):
    """A file that must not be read: no regular file, too large, outside its folder, or changing."""


class ChangingError(RefusedError):
    """A file that changes while it is read: whoever can wait reads it again when it is whole."""


#: What a file is told to be the same by: size, time of its last change (ns), inode.
Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Limits:
    """How much is read of what strangers send, in bytes: refused before it is unpacked, and never more in memory.

    `file` is a data file, as it lies and unpacked; a bundle has at most `members` of them and `unpacked` bytes in
    all.  Beyond 16 MiB nothing unpacks to more than `ratio` times its size: logs of one sentence reach some 100.
    """

    file: int = 2**30
    members: int = 10_000
    unpacked: int = 4 * 2**30
    ratio: int = 200


#: So much may be unpacked whatever the ratio.
FREE = 16 * 2**20


ARCHIVES = (".zip", ".tar")
#: An archive of more entries is refused.
ENTRIES = 1_000_000
_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


def odd(path: Path) -> str:
    """Return what a path is that is no regular file ("a pipe"), "" for one that is.

    >>> odd(Path("/dev/null"))
    'a device'
    """
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        return f"not there ({error.strerror})"
    return next((what for test, what in _KINDS if test(mode)), "")


def read(path: Path, most: int | None = None, seen: Mark | None = None) -> bytes:
    """Return the content of a regular file of at most `most` bytes, as it was `seen` where that is given.

    Raises RefusedError for a link, a pipe, a device, a file that is too large, and (ChangingError) one that changes
    while it is read or since it was seen; DataError for one that cannot be read.
    """
    handle, before = opened(path, seen)
    try:
        if most is not None and before.st_size > most:
            raise RefusedError(f"{path.name} has {before.st_size} bytes, at most {most} are read")
        # One byte more than it has: a file that grows is noticed, and read no further.
        with os.fdopen(handle, "rb", buffering=0, closefd=False) as file:
            content = file.read(before.st_size + 1) or b""
            while 0 < len(content) <= before.st_size:
                piece = file.read(before.st_size + 1 - len(content))
                if not piece:
                    break
                content += piece
        after = os.fstat(handle)
    except OSError as error:
        raise errors.DataError(f"{path.name} cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)
    if mark(before) != mark(after) or len(content) != before.st_size:
        raise ChangingError(f"{path.name} changes while it is read: send it again when it is whole")
    return content


def piece(path: Path, place: int, size: int) -> bytes:
    """Return at most `size` bytes of a regular file from a place on: of one that is too large to be read whole.

    Raises RefusedError for a link, a pipe or a device, DataError for one that cannot be read.
    """
    handle = _opened(path)
    try:
        if what := next((what for test, what in _KINDS if test(os.fstat(handle).st_mode)), ""):
            raise RefusedError(f"{path.name} is {what}: send a regular file")
        return os.pread(handle, size, place)
    except OSError as error:
        raise errors.DataError(f"{path.name} cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)


def mark(told: os.stat_result) -> Mark:
    """Return what tells a file's content from what it was before."""
    return told.st_size, told.st_mtime_ns, told.st_ino


def opened(path: Path, seen: Mark | None = None) -> tuple[int, os.stat_result]:
    """Return the handle of a regular file, as it was `seen` where that is given, and what it was then.

    Its errors are those of `read`.
    """
    handle = _opened(path)
    try:
        found = os.fstat(handle)
        if what := next((what for test, what in _KINDS if test(found.st_mode)), ""):
            raise RefusedError(f"{path.name} is {what}: send a regular file")
        if seen is not None and mark(found) != seen:
            raise ChangingError(f"{path.name} has changed since it was seen")
    except BaseException:
        os.close(handle)
        raise
    return handle, found


def shown(name: str) -> str:
    """Return a name as text: what is not UTF-8 in a file's name becomes question marks.

    >>> shown(f"m{chr(0xDCFF)}.csv")
    'm?.csv'
    """
    return name.encode("utf-8", "replace").decode()


def _opened(path: Path) -> int:
    # Neither a link is followed nor does a pipe without a writer hold us up.
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        what = odd(path)
        if what and not what.startswith("not there"):
            raise RefusedError(f"{path.name} is {what}: send a regular file") from None
        raise errors.DataError(f"{path.name} cannot be read ({error.strerror})") from None


def find(name: str, folder: Path, most: int | None = None) -> bytes:
    """Return the content of the file, or the member of an archive, that a name says below a folder.

    Raises DataError for a name that leads out of the folder or of the archive, and for all that `read` refuses.
    """
    path = folder / name
    if "\0" in name or Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise RefusedError(f"{name!r} lies outside the folder of its file")
    pieces = PurePosixPath(name).parts
    for depth in range(1, len(pieces)):
        archive = folder.joinpath(*pieces[:depth])
        if archive.suffix.lower() in ARCHIVES and not archive.is_dir():
            return _member(archive, "/".join(pieces[depth:]), most)
    return read(path, most)


def _member(archive: Path, name: str, most: int | None) -> bytes:
    import tarfile
    import zipfile
    import zlib

    if what := odd(archive):
        raise RefusedError(f"{archive.name} is {what}: send a regular file")
    if ".." in PurePosixPath(name).parts or name.startswith("/"):
        raise RefusedError(f"{name!r} leads out of {archive.name}")
    try:
        if archive.suffix.lower() == ".zip":
            return _zipped(archive, name, most)
        return _tarred(archive, name, most)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        NotImplementedError,
        RuntimeError,
        zlib.error,
        EOFError,
    ) as error:
        raise errors.DataError(f"{archive.name} is a damaged archive ({str(error)[:80]})") from None
    except OSError as error:
        raise errors.DataError(f"{archive.name} cannot be read ({error.strerror})") from None


def _zipped(archive: Path, name: str, most: int | None) -> bytes:
    file = _zip(archive, *_mark(archive))
    try:
        told = file.getinfo(name)
    except KeyError:
        raise errors.DataError(f"no {name!r} in {archive.name}") from None
    if stat.S_ISLNK(told.external_attr >> 16):
        raise RefusedError(f"{name!r} in {archive.name} is a symbolic link")
    _within(told.file_size, name, archive, most)
    with file.open(told) as member:
        content = member.read(told.file_size + 1)
    if len(content) != told.file_size:
        raise errors.DataError(f"{name!r} in {archive.name} is not as long as the archive says")
    return content


def _tarred(archive: Path, name: str, most: int | None) -> bytes:
    told = _tar(archive, *_mark(archive)).get(name)
    if told is None:
        raise errors.DataError(f"no {name!r} in {archive.name}")
    place, size, regular = told
    if not regular:
        raise RefusedError(f"{name!r} in {archive.name} is no regular file")
    _within(size, name, archive, most)
    with archive.open("rb") as file:
        file.seek(place)
        content = file.read(size)
    if len(content) != size:
        raise errors.DataError(f"{name!r} in {archive.name} is cut off")
    return content


def _mark(archive: Path) -> tuple[int, int]:
    found = archive.stat()
    return found.st_mtime_ns, found.st_size


# The rows of a table name the members of one archive after another: it is listed once.
@functools.lru_cache(maxsize=2)
def _zip(archive: Path, changed: int, size: int) -> zipfile.ZipFile:
    import zipfile

    file = zipfile.ZipFile(archive)
    if len(file.filelist) > ENTRIES:
        raise RefusedError(f"{archive.name} has {len(file.filelist)} entries, at most {ENTRIES} are read")
    return file


@functools.lru_cache(maxsize=2)
def _tar(archive: Path, changed: int, size: int) -> dict[str, tuple[int, int, bool]]:
    import tarfile

    found = {}
    with tarfile.open(archive, "r:") as file:
        for number, told in enumerate(file):
            if number >= ENTRIES:
                raise RefusedError(f"{archive.name} has more than {ENTRIES} entries")
            found[told.name] = told.offset_data, told.size, told.isreg() and not told.issparse()
    return found


def _within(size: int, name: str, archive: Path, most: int | None) -> None:
    if most is not None and size > most:
        raise RefusedError(f"{name!r} in {archive.name} has {size} bytes, at most {most} are read")
