"""The disks that a power cut may leave: rebuilt from a trace of what was written, forced and renamed.

Why: no test of kill -9 shows a missing fsync, as the system writes everything in the end.  The model is the one that
POSIX leaves open: until a file is forced, any of its writes since may be there, whole, torn or not at all, in any
order; until a folder is forced, any of the names that came and went in it since may have come or gone.  A rename is
one act.
Source of the idea: the crash tests of SQLite (sqlite.org/testing.html, 4.2) and ALICE (OSDI 2014).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

#: A write is torn at multiples of this.
SECTOR = 512


class Act(NamedTuple):
    """One record of a trace; `until` is how many bytes of the trace there are up to its end."""

    what: str
    path: str
    other: str
    offset: int
    content: bytes
    until: int


def acts(trace: bytes) -> Iterator[Act]:
    """Yield the records of a trace in order; one that is cut off at the end is left out."""
    at = 0
    while (end := trace.find(b"\n", at)) >= 0:
        what, path, other, offset, size = trace[at:end].decode("utf-8", "surrogateescape").split("\t")
        until = end + 1 + int(size)
        if until > len(trace):
            return
        yield Act(what, path, other, int(offset), trace[end + 1 : until], until)
        at = until


@dataclass(eq=False)
class File:
    """A file: what is on the disk for certain, and the writes (offset, bytes) and cuts (length) that may be."""

    forced: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def force(self) -> None:
        """Make all of it certain."""
        for one in self.pending:
            self.forced = _written(self.forced, *one)
        self.pending = []

    def after(self, rng: random.Random) -> bytes:
        """Return what a cut may leave of it."""
        way = rng.choice(("all", "none", "torn", "some", "zeros"))
        whole = self.forced
        for one in self.pending:
            whole = _written(whole, *one)
        if way == "all" or not self.pending:
            return whole
        if way == "none":
            return self.forced
        if way == "zeros":  # the length is there and the data are not
            return self.forced[: len(whole)] + bytes(max(0, len(whole) - len(self.forced)))
        found = self.forced
        chosen = self.pending[: rng.randrange(len(self.pending)) + 1]
        if way == "some":
            chosen = [one for one in self.pending if rng.random() < 0.5]
            rng.shuffle(chosen)
        for place, (offset, content) in enumerate(chosen):
            if content and (way == "some" or place == len(chosen) - 1) and rng.random() < 0.5:
                content = content[: rng.randrange(len(content) + 1) // SECTOR * SECTOR]
            found = _written(found, offset, content)
        return found


@dataclass(eq=False)
class Folder:
    """A folder: names that are there for certain, and acts (gone, come, what) that may have been."""

    forced: dict[str, File | Folder] = field(default_factory=dict)
    now: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[tuple[str, str, File | Folder | None]] = field(default_factory=list)

    def act(self, gone: str, come: str, what: File | Folder | None) -> None:
        """Let a name go, another come, or both at once."""
        _change(self.now, gone, come, what)
        self.pending.append((gone, come, what))

    def force(self) -> None:
        """Make all names certain."""
        self.forced, self.pending = dict(self.now), []

    def after(self, rng: random.Random) -> dict[str, File | Folder]:
        """Return the names that a cut may leave."""
        found = dict(self.forced)
        until = rng.randrange(len(self.pending) + 1)
        chosen = (
            self.pending[:until] if rng.random() < 0.5 else [p for p in self.pending if rng.random() < 0.5]
        )
        for one in chosen:
            _change(found, *one)
        return found


class Disk:
    """A folder's files as the trace leaves them; `play` acts up to some point, then `cut`."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.top = _read(root)

    def play(self, act: Act) -> None:
        """Let an act happen."""
        folder, name = self._at(act.path)
        if folder is None:
            return
        if act.what == "mkdir":
            folder.act("", name, Folder())
        elif act.what == "create":
            folder.act("", name, File())
        elif act.what in ("unlink", "rmdir"):
            folder.act(name, "", None)
        elif act.what in ("rename", "link"):
            target, new = self._at(act.other)
            what = folder.now.get(name)
            if target is None:
                folder.act(name, "", None)
            elif target is folder and act.what == "rename":
                folder.act(name, new, what)
            else:
                target.act("", new, what)
                if act.what == "rename":
                    folder.act(name, "", None)
        else:
            self._content(folder.now.get(name) if name else self.top, act)

    def _content(self, what: File | Folder | None, act: Act) -> None:
        if what is None:
            return
        if act.what == "sync":
            what.force()
        elif isinstance(what, File) and act.what == "write":
            what.pending.append((act.offset, act.content))
        elif isinstance(what, File) and act.what == "truncate":
            what.pending.append((act.offset, None))

    def _at(self, path: str) -> tuple[Folder | None, str]:
        """Return the folder of a path and the name in it; the root itself has no name."""
        if not (path == self.root or path.startswith(self.root + "/")):
            return None, ""
        folder, pieces = self.top, [one for one in path[len(self.root) :].split("/") if one]
        for piece in pieces[:-1]:
            inner = folder.now.get(piece)
            if not isinstance(inner, Folder):
                return None, ""
            folder = inner
        return folder, pieces[-1] if pieces else ""

    def cut(self, out: Path, rng: random.Random) -> None:
        """Write a state that a power cut may leave into a new folder."""
        _lay(self.top, out, rng)


def _read(place: Path) -> Folder:
    folder = Folder()
    for inner in place.iterdir() if place.exists() else ():
        folder.now[inner.name] = _read(inner) if inner.is_dir() else File(inner.read_bytes())
    folder.force()
    return folder


def _lay(folder: Folder, out: Path, rng: random.Random) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, what in sorted(folder.after(rng).items()):
        if isinstance(what, Folder):
            _lay(what, out / name, rng)
        else:
            (out / name).write_bytes(what.after(rng))


def _written(content: bytes, offset: int, more: bytes | None) -> bytes:
    """Return a content with a write at an offset, or cut (or filled) to a length where there is none."""
    if more is None:
        return content[:offset] + bytes(max(0, offset - len(content)))
    head = content[:offset] + bytes(max(0, offset - len(content)))
    return head + more + content[offset + len(more) :]


def _change(names: dict[str, File | Folder], gone: str, come: str, what: File | Folder | None) -> None:
    if gone:
        names.pop(gone, None)
    if come and what is not None:
        names[come] = what
