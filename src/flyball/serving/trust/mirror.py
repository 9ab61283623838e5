"""Where a signed set is read from: a folder, a bundle that crossed an air gap, or a server over HTTP.

Nothing that comes from here is believed.  What is read is bounded in bytes by who reads it, and in time here: a link
slower than any in use is told as an attack and let go.
"""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient.fetcher import FetcherInterface

from flyball import errors

PIECE = 2**16
#: Fewer bytes a second than this, after the first seconds, is no link: a release of 10 MB would take three hours.
FLOOR, GRACE_S = 1000.0, 10.0
#: How long a server may stay silent, and the longest that one file may take.
SILENT_S, LONGEST_S = 10.0, 3600.0


class Mirror(FetcherInterface):
    """Abstract: reads a file of the set by its path, "metadata/timestamp.json", piece by piece."""

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a path; raises FileNotFoundError where there is none."""
        raise NotImplementedError

    def _fetch(self, url: str) -> Iterator[bytes]:
        """Return the pieces of a file for python-tuf, which counts them against its caps."""
        try:
            return steady(self.read(url), url)
        except FileNotFoundError:
            raise DownloadHTTPError(f"{url}: not found", 404) from None


def steady(
    pieces: Iterator[bytes], what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[bytes]:
    """Yield pieces as they come, or raise SlowRetrievalError when they come more slowly than `FLOOR`."""
    begun, got = clock(), 0
    first = next(pieces, b"")  # so that what is not there is told at once, not when somebody reads
    return _steady(first, pieces, what, clock, begun, got)


def _steady(
    first: bytes, pieces: Iterator[bytes], what: str, clock: Callable[[], float], begun: float, got: int
) -> Iterator[bytes]:
    piece: bytes | None = first
    while piece is not None:
        got += len(piece)
        spent = clock() - begun
        if spent > GRACE_S and (got / spent < FLOOR or spent > LONGEST_S):
            raise errors.SlowRetrievalError(
                f"{what}: {got} bytes in {spent:.0f} s: slow retrieval attack or a dead link, tried again later"
            )
        if piece:
            yield piece
        piece = next(pieces, None)


class Folder(Mirror):
    """A set in a folder: a mount, a stick, what a controller writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a file below the folder."""
        place = (self.folder / path).resolve()
        if not place.is_relative_to(self.folder.resolve()) or not place.is_file():
            if not self.folder.is_dir():
                raise errors.UnreachableError(f"{self.folder}: no folder there: is it mounted?")
            raise FileNotFoundError(path)
        with place.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


class Bundle(Mirror):
    """A set in one tar file that was carried over an air gap (`flyball ship --bundle`)."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.is_file():
            raise errors.UnreachableError(f"{file}: no such bundle")

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of the first plain member of that name."""
        try:
            with tarfile.open(self.file, "r:") as tar:
                for member in tar:
                    if member.name == path and member.isreg():
                        content: Any = tar.extractfile(member)
                        while piece := content.read(PIECE):
                            yield piece
                        return
        except tarfile.TarError as error:
            raise errors.TamperedError(
                f"{self.file}: damaged bundle ({error}): carry it over again"
            ) from None
        raise FileNotFoundError(path)


class Server(Mirror):
    """A set behind HTTP(S); TLS is checked with `ca` where given, and `token` is sent as a bearer token."""

    def __init__(self, url: str, ca: Path | None = None, token: str | None = None) -> None:
        import urllib3

        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.PoolManager(
            ca_certs=str(ca) if ca else None, retries=False,
            timeout=urllib3.Timeout(connect=SILENT_S, read=SILENT_S),
        )  # fmt: skip

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the body of a GET; a server that does not answer is unreachable, one that drips is slow."""
        import urllib3

        try:
            answer = self._pool.request(
                "GET", f"{self.url}/{path}", headers=self._headers, preload_content=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise errors.UnreachableError(f"{self.url}: {type(error).__name__}: {error}") from None
        try:
            if answer.status in (403, 404):
                raise FileNotFoundError(path)
            if answer.status != 200:
                raise errors.UnreachableError(f"{self.url}/{path}: HTTP status {answer.status}")
            while piece := answer.read(PIECE):
                yield piece
        except urllib3.exceptions.TimeoutError:
            raise errors.SlowRetrievalError(
                f"{self.url}/{path}: silent for {SILENT_S:.0f} s in the middle of a file: tried again later"
            ) from None
        except urllib3.exceptions.HTTPError as error:
            raise errors.UnreachableError(f"{self.url}/{path}: {error}") from None
        finally:
            answer.close()


class Late(Mirror):
    """A mirror that is looked for at every read: a stick that is put in later, a mount that comes and goes.

    >>> list(Late(lambda: of("/no/such/place")).read("metadata/root.json"))
    Traceback (most recent call last):
    flyball.errors.UnreachableError: /no/such/place: no such bundle
    """

    def __init__(self, find: Callable[[], Mirror]) -> None:
        self._find = find

    def read(self, path: str) -> Iterator[bytes]:
        """Yield the content of a path from where it is found now."""
        return self._find().read(path)


def of(place: str, ca: Path | None = None, token: str | None = None) -> Mirror:
    """Return the mirror at a place: an http(s) address, a folder, or a bundle file.

    >>> type(of("https://updates.example")).__name__
    'Server'
    """
    if place.startswith(("http://", "https://")):
        return Server(place, ca, token)
    return Folder(Path(place)) if Path(place).is_dir() else Bundle(Path(place))
