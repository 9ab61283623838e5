"""Bundles of data files as they arrive from strangers: .zip, .tar, .tar.gz, .tgz and .tar.zst.

Nothing is extracted.  A bundle is listed first: how many members it has, how large they are, in all and against its own
size, where each would lie and what it is.  Only then is a member read, one at a time, into memory and never beyond what
was listed.  What listing itself may cost (directories, headers, what a compressed tar unpacks to) is bounded as well.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from flyball import errors, extras
from flyball.data import arrivals
from flyball.data.arrivals import Limits, RefusedError

if TYPE_CHECKING:
    import tarfile
    import zipfile

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst")
#: So much of a zip's directory, and of a tar's headers, is read for each member that a bundle may have.
TOLD, HEADERS = 512, 2048
#: The end of a zip, with its comment, is always read.
LEAST = 2**17
#: A header (a long name, say) has at most so many bytes.
HEADER = 8192
STEP = 2**18


class Member(NamedTuple):
    """A file of a bundle: its name, size, where it is found, and why it must not be read ("" where it may)."""

    name: str
    size: int
    place: Any
    refused: str = ""


class Cut(errors.DataError):
    """A member of which a part is missing, or that is damaged."""


def ending(name: str) -> str:
    """Return the part of a name that says what bundle it is, "" for none.

    >>> ending("2026-01-01.tar.gz"), ending("2026-01-01.csv.gz")
    ('.tar.gz', '')
    """
    return next((end for end in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(end)), "")


class Bundle:
    """A bundle that is open: its `members`, what is wrong with it as a whole (`note`), and their content."""

    def __init__(self, file: IO[bytes], path: Path, limits: Limits, before: arrivals.Mark) -> None:
        self.path, self.limits, self._file = path, limits, file
        self._before = before
        self._zip: zipfile.ZipFile | None = None
        self._stream: Metered | None = None
        self.note = ""
        try:
            self.members = self._zipped() if ending(path.name) == ".zip" else self._tarred()
        except OSError as error:
            raise errors.DataError(f"{path.name} cannot be read ({error.strerror or error})") from None

    def read(self, member: Member) -> bytes:
        """Return the content of a member; those of a compressed tar are read in their order.

        Raises RefusedError for one that must not be read, Cut for one that is not whole, and ChangingError when the
        bundle changed since it was opened.
        """
        if member.refused:
            raise RefusedError(member.refused)
        try:
            content = self._zip_member(member) if self._zip is not None else self._tar_member(member)
        except RefusedError:
            raise
        except _damages(EOFError) as error:
            raise Cut(
                f"{member.name!r} in {self.path.name} is damaged or cut off ({str(error)[:80]})"
            ) from None
        except OSError as error:
            raise errors.DataError(f"{self.path.name} cannot be read ({error.strerror or error})") from None
        if arrivals.mark(os.fstat(self._file.fileno())) != self._before:
            raise arrivals.ChangingError(
                f"{self.path.name} changes while it is read: send it again when it is whole"
            )
        if len(content) != member.size:
            raise Cut(
                f"{member.name!r} in {self.path.name} is cut off: {len(content)} of {member.size} bytes"
            )
        return content

    def _zipped(self) -> list[Member]:
        import zipfile

        counted = Metered(self._file, self.path.name, at_once=max(LEAST, TOLD * self.limits.members))
        try:
            self._zip = zipfile.ZipFile(counted)
        except RefusedError:
            raise
        except _damages(EOFError, ValueError, OverflowError) as error:
            told = f"incomplete at byte {self._before[0]} or damaged"
            raise RefusedError(f"{self.path.name} is {told} ({str(error)[:80]})") from None
        found = self._zip.infolist()
        counted.at_once = None
        self._judge(len(found), sum(told.file_size for told in found))
        return [
            self._listed(told.filename, told.file_size, told, _zip_kind(told))
            for told in found
            if not told.is_dir()
        ]

    def _zip_member(self, member: Member) -> bytes:
        assert self._zip is not None
        with self._zip.open(member.place) as opened:
            return opened.read(member.size + 1)

    def _tarred(self) -> list[Member]:
        import tarfile

        stream = self._unpacked(at_once=HEADER, headers=LEAST + HEADERS * self.limits.members)
        found: list[Member] = []
        size, last = 0, 0
        try:
            with tarfile.open(fileobj=stream, mode="r:") as file:  # type: ignore[call-overload]
                for told in file:
                    size += max(told.size, 0)
                    self._judge(len(found) + 1, size)
                    last = file.offset
                    if not told.isdir():
                        found.append(self._listed(told.name, told.size, told.offset_data, _tar_kind(told)))
            if stream.last != bytes(tarfile.BLOCKSIZE):
                self.note = self._cut(f"no end of the archive after byte {last} of it")
            else:
                stream.at_once = stream.headers = None
                stream.drain()  # the checksum of a compressed one stands at its end
        except (EOFError, tarfile.ReadError) as error:
            self.note = self._cut(str(error))
            if not found:
                raise RefusedError(f"{self.path.name}: {self.note}") from None
        except RefusedError:
            raise
        except _damages(ValueError, OverflowError) as error:
            raise RefusedError(f"{self.path.name} is a damaged archive ({str(error)[:80]})") from None
        return found

    def _tar_member(self, member: Member) -> bytes:
        if self._stream is None or self._stream.tell() > member.place:
            self._stream = self._unpacked()
        self._stream.seek(member.place)
        return self._stream.read(member.size)

    def _unpacked(self, at_once: int | None = None, headers: int | None = None) -> Metered:
        """Return the tar within, from its beginning; it gives no more than the limits say."""
        kind, packed = ending(self.path.name), self._before[0]
        self._file.seek(0)
        if kind == ".tar":
            return Metered(self._file, self.path.name, at_once, headers)
        most = min(self.limits.unpacked, max(arrivals.FREE, self.limits.ratio * packed))
        return Metered(_decompressed(self._file, kind), self.path.name, at_once, headers, most, forward=True)

    def _cut(self, why: str) -> str:
        return f"incomplete at byte {self._before[0]} ({why[:80]})"

    def _judge(self, count: int, size: int) -> None:
        """Refuse a bundle of more or larger members than its limits say."""
        limits, packed = self.limits, self._before[0]
        if count > limits.members:
            raise RefusedError(f"{self.path.name} has more than {limits.members} members: send it in pieces")
        if size > limits.unpacked:
            raise RefusedError(
                f"{self.path.name} unpacks to {size} bytes, at most {limits.unpacked} are read"
            )
        if size > max(arrivals.FREE, limits.ratio * packed):
            raise RefusedError(
                f"{self.path.name} unpacks to {size} bytes, more than {limits.ratio} times its {packed}"
            )

    def _listed(self, name: str, size: int, place: Any, kind: str) -> Member:
        """Return a member with the reason why it must not be read, if there is one."""
        shown = arrivals.shown(name)
        pieces = PurePosixPath(name.replace("\\", "/")).parts
        if not pieces or ".." in pieces or pieces[0] == "/" or pieces[0].endswith(":") or "\0" in name:
            kind = "leads out of it"
        elif not kind and not 0 <= size <= self.limits.file:
            kind = f"has {size} bytes, at most {self.limits.file} are read"
        return Member(shown, size, place, f"{shown!r} in {self.path.name} {kind}" if kind else "")


@contextlib.contextmanager
def opened(path: Path, limits: Limits, seen: arrivals.Mark | None = None) -> Iterator[Bundle]:
    """Give a bundle, listed and within its limits, as it was `seen` where that is given.

    Raises RefusedError for what is no regular file, too large in any way, or damaged; DataError for what cannot be
    read.
    """
    handle, before = arrivals.opened(path, seen)
    with os.fdopen(handle, "rb") as file:
        yield Bundle(file, path, limits, arrivals.mark(before))


class Metered:
    """A file that gives no more than was agreed: so much `at_once`, so much of `headers`, so much in all (`most`).

    A file that unpacks as it is read goes `forward` only, in steps, and is stopped where it becomes too much.
    """

    def __init__(
        self, file: Any, name: str, at_once: int | None = None, headers: int | None = None,
        most: int | None = None, forward: bool = False,
    ) -> None:  # fmt: skip
        self.at_once, self.headers, self.last = at_once, headers, b""
        self._file, self._name, self._most, self._forward = file, name, most, forward
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end; raises RefusedError beyond what was agreed."""
        if size is None or size < 0:
            size = self.at_once if self.at_once is not None else 2**62
        if self.at_once is not None and size > self.at_once:
            raise RefusedError(
                f"{self._name} tells of itself in {size} bytes, at most {self.at_once} are read"
            )
        if self.headers is not None:
            self.headers -= size
            if self.headers < 0:
                raise RefusedError(f"{self._name} has more headers than its members may have")
        self.last = self._given(size)
        return self.last

    def _given(self, size: int) -> bytes:
        if not self._forward:
            content: bytes = self._file.read(size)
            return content
        out, left = [], size
        while left and (piece := self._file.read(min(left, STEP))):
            self._at += len(piece)
            if self._most is not None and self._at > self._most:
                raise RefusedError(f"{self._name} unpacks to more than {self._most} bytes")
            out.append(piece)
            left -= len(piece)
        return b"".join(out)

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place; forward only where it unpacks as it is read."""
        if not self._forward:
            if place < self.tell() and self.headers is not None:
                raise RefusedError(f"{self._name} has a header that leads back")
            self._file.seek(place, whence)
            return self.tell()
        if whence != io.SEEK_SET or place < self._at:
            raise RefusedError(f"{self._name} has a header that leads back")
        while self._at < place and self._given(min(place - self._at, STEP)):
            pass
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at if self._forward else int(self._file.tell())

    def drain(self) -> None:
        """Read what is left of a file that unpacks, so that its checksum is verified."""
        while self._forward and self._given(STEP):
            pass

    def seekable(self) -> bool:
        """Say yes: zip files ask."""
        return True

    def close(self) -> None:
        """Leave the file open: it is somebody else's."""


def _decompressed(file: IO[bytes], kind: str) -> Any:
    if kind == ".tar.zst":
        zstandard = extras.need("zstandard", "lab", "to read .tar.zst")
        # A frame may ask for a window of gigabytes.
        return zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(
            file, read_across_frames=True, closefd=False
        )
    import gzip

    return gzip.GzipFile(fileobj=file, mode="rb")


def _damages(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return what the libraries raise for damaged archives, and more."""
    import gzip
    import tarfile
    import zipfile
    import zlib

    found: tuple[type[Exception], ...] = (
        gzip.BadGzipFile, tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
        UnicodeError, *more,
    )  # fmt: skip
    with contextlib.suppress(ImportError):
        import zstandard

        found = (*found, zstandard.ZstdError)
    return found


def _zip_kind(told: zipfile.ZipInfo) -> str:
    """Return what a member of a zip is that is no plain file, "" for one that is."""
    import zipfile

    mode = told.external_attr >> 16
    if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        return "is a symbolic link" if stat.S_ISLNK(mode) else "is no regular file"
    if told.flag_bits & 1:
        return "is encrypted"
    # These two unpack no further than is asked for.
    return (
        "" if told.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else "is packed in another way"
    )


def _tar_kind(told: tarfile.TarInfo) -> str:
    if told.issym():
        return "is a symbolic link"
    if told.islnk():
        return "is a hard link"
    if told.isdev():
        return "is a pipe" if told.isfifo() else "is a device"
    return "" if told.isreg() and not told.issparse() else "is no regular file"
