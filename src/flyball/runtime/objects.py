"""A bucket of object storage (S3 and what speaks like it) as a place where files land.

An object is whole when it is there, so none waits to settle.  What is listed is fetched as it was listed
(If-Match), its checksum verified, into room under the store that is given back with the lot; then it is a file like any
other.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, extras
from flyball.data import arrivals, bundles
from flyball.runtime import claims, landing

if TYPE_CHECKING:
    from flyball.data.stage import Fleet

SCHEME = "s3://"
#: A request is sent again, so many times in all, after an error of the server's, a time-out or a broken line.
TRIES = 4
#: The longest pause between two tries, and how long a server may be silent.
PAUSE_S, CONNECT_S, SILENT_S = 8.0, 5.0, 30.0
STEP = 2**20
#: Pieces of a key that are no name: such an object is refused by name.
UP = ("", ".", "..")
#: What a server says of an object that is no longer what was listed.
CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "404", "ConditionalRequestConflict")


class Bucket:
    """The objects of `s3://BUCKET/PREFIX`, as a folder's files: below the prefix, or the one that it names.

    Whoever opens it has the credentials and the endpoint in the environment as AWS's own tools read them
    (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL).  `room` is where objects lie while they are taken.
    """

    settled_s = 0.0
    #: To fetch all once more costs more than to note what was taken.
    noted = True

    def __init__(self, url: str, room: Path, fleet: Fleet, limits: arrivals.Limits) -> None:
        self.url, self.room, self.fleet, self.limits = url, room, fleet, limits
        self.closed: dict[str, str] = {}
        self.bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
        self.prefix = prefix.strip("/")
        if not url.startswith(SCHEME) or not self.bucket:
            raise errors.DeclarationError(f"{url!r} is no place of objects: give s3://BUCKET/PREFIX")
        self._client, self._failed, self._refused = _client()

    def __repr__(self) -> str:
        return f"Bucket({self.url!r}, {os.environ.get('AWS_ENDPOINT_URL', '')!r})"

    def look(self) -> Iterator[landing.Seen]:
        """Yield the objects, but for hidden ones and those still being written; raises DataError."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for told in page.get("Contents", ()):
                    name = self._below(told["Key"])
                    if name and all(landing.landed(piece) for piece in name.split("/") if piece not in UP):
                        landed = int(told["LastModified"].timestamp() * 1e9)
                        mark = (told["ETag"], landed, told["Key"])
                        yield landing.Seen(landed, name, int(told["Size"]), mark)
        except (self._failed, self._refused) as error:
            raise errors.DataError(f"{self.url} cannot be listed ({_said(error)}): {_mend(error)}") from None

    def _below(self, key: str) -> str:
        """Return what an object is called below the prefix, "" for one that is not below it, or is a folder."""
        if key.endswith("/"):
            return ""
        if key == self.prefix:
            return key.rpartition("/")[2]
        if not self.prefix:
            return key
        return key[len(self.prefix) + 1 :] if key.startswith(f"{self.prefix}/") else ""

    @contextlib.contextmanager
    def fetch(self, lot: Sequence[landing.Seen]) -> Iterator[landing.Fetched]:
        """Fetch the objects of a lot that belong to a table; what cannot be fetched now waits."""
        room = self.room / f".objects.{os.getpid()}.part"
        shutil.rmtree(room, ignore_errors=True)
        files: list[claims.Landed] = []
        waiting: dict[str, str] = {}
        try:
            for number, seen in enumerate(lot):
                why = self._odd(seen)
                file = claims.Landed(self._at(room / str(number), seen), seen.name, refused=why)
                try:
                    if not why and claims.wanted(self.fleet, file):
                        with durable.guard(f"fetch {seen.name} into {self.room}"):
                            file.path.parent.mkdir(parents=True)
                            self._get(seen, file.path)
                    files.append(file)
                except errors.StoreError:
                    raise
                except errors.DataError as error:
                    waiting[seen.name] = str(error)
            yield landing.Fetched(files, waiting)
        finally:
            shutil.rmtree(room, ignore_errors=True)

    def _odd(self, seen: landing.Seen) -> str:
        """Return why an object must not be fetched, "" where it may."""
        pieces = seen.name.split("/")
        if any(piece in UP or len(piece.encode()) > 255 for piece in pieces) or "\0" in seen.name:
            return f"{seen.name!r} is no name of a file"
        most = self.limits.unpacked if bundles.ending(seen.name) else self.limits.file
        return f"{seen.name} has {seen.size} bytes, at most {most} are read" if seen.size > most else ""

    def _at(self, room: Path, seen: landing.Seen) -> Path:
        """Return where an object lies while it is taken: in a folder of its folder's name, which tells its table."""
        *folders, name = f"{self.prefix}/{seen.name}".replace("\0", "").split("/")
        folder = folders[-1] if folders and folders[-1] not in UP else self.bucket
        return room / folder / (name or "unnamed")

    def _get(self, seen: landing.Seen, target: Path) -> None:
        """Fetch an object as it was listed; raises DataError where that cannot be had."""
        for left in reversed(range(TRIES)):
            try:
                return self._try(seen, target)
            except self._refused as error:  # the client itself has tried again where that may help
                changed = _code(error) in CHANGED
                why = "has changed since it was seen" if changed else f"cannot be fetched ({_said(error)})"
                raise errors.DataError(f"{seen.name} {why}") from None
            except (self._failed, _Short) as error:
                if not left:
                    raise errors.DataError(f"{seen.name} cannot be fetched ({_said(error)})") from None
            time.sleep(min(PAUSE_S, 0.25 * 2.0 ** (TRIES - 1 - left)) * (0.5 + random.random() / 2))
        return None

    def _try(self, seen: landing.Seen, target: Path) -> None:
        etag, _, key = seen.mark
        told = self._client.get_object(Bucket=self.bucket, Key=key, IfMatch=etag, ChecksumMode="ENABLED")
        summed, size = hashlib.md5(usedforsecurity=False), 0
        with contextlib.closing(told["Body"]) as body, target.open("wb") as file:
            while size <= seen.size and (piece := body.read(STEP)):
                file.write(piece)
                summed.update(piece)
                size += len(piece)
        if size != seen.size:
            raise _Short(f"{size} bytes of {seen.size}")
        # Of an object sent in one part and not encrypted with a key of its own the ETag is its MD5.
        plain = told.get("ServerSideEncryption") in (None, "AES256") and "SSECustomerAlgorithm" not in told
        digest = etag.strip('"')
        if plain and len(digest) == 32 and "-" not in digest and summed.hexdigest() != digest:
            raise _Short("its checksum differs")


class _Short(errors.DataError):
    """An object came short, or not as it was sent: it is fetched again."""


def _client() -> tuple[Any, type[Exception], type[Exception]]:
    """Return a client, and what it raises when a server cannot be reached, and when it says no."""
    boto3 = extras.need("boto3", "s3", "to take files from s3://")
    config = extras.need("botocore.config", "s3", "to take files from s3://")
    raised = extras.need("botocore.exceptions", "s3", "to take files from s3://")
    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    asked = config.Config(
        connect_timeout=CONNECT_S, read_timeout=SILENT_S, retries={"mode": "standard", "total_max_attempts": TRIES},
        # Servers of one's own seldom answer to a name per bucket.
        s3={"addressing_style": "path"} if named else None,
    )  # fmt: skip
    try:
        # A session of its own: credentials are those of now.
        client = boto3.session.Session().client("s3", config=asked)
    except (raised.BotoCoreError, ValueError) as error:
        raise errors.DeclarationError(
            f"s3:// cannot be asked ({error}): look at the AWS_ variables"
        ) from None
    return client, raised.BotoCoreError, raised.ClientError


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _code(error: Exception) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _mend(error: Exception) -> str:
    """Return what to do about a listing that failed."""
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError"):
        return "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    code = _code(error)
    if code == "NoSuchBucket":
        return "name a bucket that is there"
    if code in ("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return "give credentials that may list and read it"
    return "look at AWS_ENDPOINT_URL and the line to it"
