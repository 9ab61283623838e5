"""The audit: one JSON line per act, each holding the hash of the one before, so that a change shows."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flyball import durable, errors

FIRST = "0" * 64


class Audit:
    """An append-only file of acts.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     audit = Audit(Path(place) / "audit.jsonl")
    ...     audit.append("run", {"system": "drives"})
    ...     [entry["act"] for entry in audit.entries()], audit.verify()
    (['run'], 1)
    """

    def __init__(self, path: Path, clock: Callable[[], int] | None = None) -> None:
        self.path = path
        self._clock = clock or (lambda: time.time_ns() // 1000)

    def append(self, act: str, told: Mapping[str, Any]) -> None:
        """Add an act; it is on the disk when this returns.  The caller holds the store's lock."""
        self._mend()
        previous = self._last()
        entry = {"act": act, "at": self._clock(), "told": told, "previous": previous}
        body = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        line = json.dumps({**entry, "hash": _hash(body)}, sort_keys=True, separators=(",", ":"))
        durable.append(self.path, line.encode() + b"\n")

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the acts, oldest first; a torn last line (a crash in the middle of writing it) is left out."""
        if self.path.exists():
            for line in self.path.read_bytes().split(b"\n")[:-1]:
                yield json.loads(line)

    def verify(self) -> int:
        """Return how many acts there are; raises TamperedError that names the first line that does not follow."""
        previous, number = FIRST, 0
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                told = entry.pop("hash")
                body = json.dumps(entry, sort_keys=True, separators=(",", ":"))
                follows = entry["previous"] == previous and told == _hash(body)
            except (ValueError, KeyError, TypeError, AttributeError):
                follows = False
            if not follows:
                raise errors.TamperedError(f"{self.path}: line {number} was changed, removed or put in later")
            previous = told
        return number

    def about(self, release: str = "") -> list[dict[str, Any]]:
        """Return the acts that tell of a release, by the start of its digest (of any: ""), oldest first."""
        return [one for one in self.entries() if str(one["told"].get("release", "")).startswith(release)]

    def _last(self) -> str:
        last = FIRST
        if self.path.exists() and (size := self.path.stat().st_size):
            with self.path.open("rb") as file:
                span = 4096
                while True:
                    file.seek(max(0, size - span))
                    lines = file.read(span).rstrip(b"\n").split(b"\n")
                    if len(lines) > 1 or span >= size:
                        break
                    span *= 2
            try:
                last = json.loads(lines[-1])["hash"]
            except (ValueError, KeyError, TypeError):
                raise errors.TamperedError(f"{self.path}: the last line is damaged") from None
        return last

    def _mend(self) -> None:
        """Take back a last line without its end: it was never acknowledged."""
        if not self.path.exists():
            return
        size = self.path.stat().st_size
        if not size:
            return
        with self.path.open("rb") as file:
            file.seek(size - 1)
            if file.read(1) == b"\n":
                return
        whole = self.path.read_bytes().rfind(b"\n") + 1
        with durable.guard(f"mend {self.path}"):
            os.truncate(self.path, whole)
            durable.sync(self.path)


def _hash(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
