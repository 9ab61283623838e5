"""What arrives at a machine: lines of files in a folder, items of a ring; where reading stopped is plain JSON.

A file may grow for ever or be put there whole.  A line counts once its line end has come.  Nothing is moved or
removed: the folder belongs to whoever fills it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors, kernels
from flyball.data import arrivals, stage
from flyball.data.formats import csv, plain
from flyball.data.formats import read as formats
from flyball.data.formats.raw import Bad

if TYPE_CHECKING:
    from flyball.data.binding import Binding

#: Bytes read from one file at a time, and items of a ring.
PIECE, ITEMS = 2**20, 2**14
#: A file is known again by so many of its first bytes.
FIRST = 4096
#: A file that has not changed for so many seconds is taken to be whole.
SETTLED_S = 5.0
ENDINGS = (".csv", ".jsonl", ".ndjson")


class Came(NamedTuple):
    """Rows of a table that came from one place, what was set aside of it, and whether more waits there."""

    table: str
    name: str
    rows: stage.Rows
    bad: tuple[Bad, ...]
    more: bool


class Files:
    """The files of a folder, each read from where it was left.

    `state` maps a file's name to where reading stopped: bytes and lines read, a digest of its beginning, the header.
    """

    def __init__(
        self,
        folder: Path,
        fleet: stage.Fleet,
        binding: Binding | None,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.fleet = folder, fleet
        self.state: dict[str, dict[str, Any]] = {name: dict(one) for name, one in (state or {}).items()}
        self._readers = {table.name: plain.Plain(fleet, table, binding) for table in fleet.tables}
        #: Files that are not read, and why.
        self.passed: dict[str, str] = {}

    def read(self, now: int, machine: str) -> Iterator[Came]:
        """Yield what is new in every file, a piece of each; raises DataError where the folder is not there."""
        if not self.folder.is_dir():
            raise errors.DataError(f"{self.folder}: no folder there: is it mounted?")
        found = sorted(path for path in self.folder.rglob("*") if self._ours(path))
        names = {str(path.relative_to(self.folder)) for path in found}
        self.state = {name: one for name, one in self.state.items() if name in names}
        for path in found:
            name = str(path.relative_to(self.folder))
            table = formats.claim(self.fleet, path, Path(name))
            if table is None or path.suffix.lower() not in ENDINGS:
                self.passed.setdefault(
                    name,
                    "no table of the page" if table is None else f"only {', '.join(ENDINGS)} are read here",
                )
                continue
            try:
                came = self._piece(path, name, self._readers[table.name], now, machine)
            except errors.DataError as error:
                self.passed.setdefault(name, str(error))
                continue
            if came is not None:
                yield came

    def _ours(self, path: Path) -> bool:
        inner = path.relative_to(self.folder).parts
        return arrivals.odd(path) != "a folder" and not any(piece.startswith(".") for piece in inner)

    def _piece(self, path: Path, name: str, reader: plain.Plain, now: int, machine: str) -> Came | None:
        size = path.lstat().st_size
        known = self.state.get(name)
        # A quote that was never closed holds back the lines after it only while the file may still grow.
        stuck = known is not None and size == known["size"] and known["stuck"] and _settled(path)
        if known is not None and size == known["size"] and not stuck:
            return None
        first = arrivals.piece(path, 0, FIRST)
        if known is None or size < known["at"] or zlib.crc32(first[: known["first"]]) != known["crc"]:
            known = {
                "at": 0,
                "line": 1,
                "header": None,
            }  # new, or another file under the name of one that was read
        text = arrivals.piece(path, known["at"], PIECE)
        end = text.rfind(b"\n") + 1
        quoted = path.suffix.lower() == ".csv" and not stuck
        whole = text[: _whole(text) if quoted else end]
        bad: list[Bad] = []
        if not whole and len(text) == PIECE:
            bad.append(Bad(known["line"], f"no line end in {PIECE} bytes: passed over", ""))
            whole = text
        used, line, head = len(whole), known["line"], known["header"]
        lines: Iterable[plain.Line | Bad] = ()
        if path.suffix.lower() != ".csv":
            lines = plain.json_lines(whole.removeprefix(b"\xef\xbb\xbf"), line)
        elif not bad:
            body = whole.replace(b"\r\n", b"\n")
            if head is None and body:
                top, _, body = body.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
                named, separator = csv.header(top)
                if why := csv.header_problem(named):
                    raise errors.DataError(why)
                head = [[one.decode() for one in named], separator.decode()]
                line += 1
            if head is not None:
                lines = plain.csv_lines(head[0], head[1], body, line)
        good = []
        for one in lines:
            bad.append(one) if isinstance(one, Bad) else good.append(one)
        rows, wrong = reader.rows(good, now, machine)
        read = known["at"] + used
        self.state[name] = {
            "at": read, "line": known["line"] + whole.count(b"\n"), "header": head, "first": min(FIRST, read),
            "crc": zlib.crc32(first[: min(FIRST, read)]), "size": size if len(text) < PIECE else -1,
            "stuck": len(whole) < end,
        }  # fmt: skip
        if not used:
            return None
        return Came(reader.table.name, name, rows, tuple(bad + wrong), len(text) == PIECE)


class Ring:
    """A ring of sensor data (`kernels.RingWriter` fills it), read from the item after the last that was counted.

    `state` is the number of the next item, and the ring it belongs to.  `lost` counts items that were overwritten
    before they were read here.
    """

    def __init__(
        self, file: Path, fleet: stage.Fleet, binding: Binding | None, state: Mapping[str, Any] | None = None
    ) -> None:
        table = formats.claim(fleet, file, Path(file.name))
        if table is None:
            raise errors.DeclarationError(
                f"{file}: no table of the page is called so, "
                f"{errors.did_you_mean(file.stem, [one.name for one in fleet.tables])}"
            )
        self.file, self._reader = file, plain.Plain(fleet, table, binding)
        self.state: dict[str, int] = {name: int(value) for name, value in (state or {}).items()}
        self.lost = 0
        self._ring: kernels.RingReader | None = None

    def read(self, now: int, machine: str) -> Iterator[Came]:
        """Yield what is new; nothing while no ring is there.  What was yielded is this reader's to keep."""
        import numpy as np

        ring = self._opened()
        if ring is None:
            return
        try:
            view = ring.take(ITEMS, 0.0)
        except errors.RingError:  # its writer ended: it is looked for again
            self.close()
            return
        if not len(view):
            return
        first, items = ring.sequence, np.array(view)
        if not ring.release():  # overwritten while it was copied: counted by what comes next
            return
        due = self.state["next"]
        self.lost += max(0, first - due)
        items = items[max(0, due - first) :]
        self.state["next"] = max(due, first + len(view))
        if len(items):
            rows, bad = self._reader.samples(items, now, machine)
            yield Came(self._reader.table.name, self.file.name, rows, tuple(bad), len(view) == ITEMS)

    def close(self) -> None:
        """Free the reader's place."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _opened(self) -> kernels.RingReader | None:
        if self._ring is None:
            try:
                made = self.file.stat().st_ino
                self._ring = kernels.RingReader(str(self.file))
            except (OSError, errors.RingError):
                return None
            if self.state.get("ring") != made:
                self.state = {"ring": made, "next": self._ring.sequence}
        return self._ring


def _settled(path: Path) -> bool:
    return time.time() - path.lstat().st_mtime > SETTLED_S


def _whole(text: bytes) -> int:
    """Return where the last record ends: at a line end that stands in no quotes.

    >>> _whole(b'a,b\\n1,"x\\ny')
    4
    """
    end = text.rfind(b"\n") + 1
    if text.count(b'"', 0, end) % 2 == 0:
        return end
    # Back over at most so many lines as a quoted field may have; a quote that is never closed spoils its own line.
    back = end
    for _ in range(csv.LINES_IN_A_FIELD):
        back = text.rfind(b"\n", 0, max(0, back - 1)) + 1
        if back == 0:
            break
        if text.count(b'"', 0, back) % 2 == 0:
            return back
    return end
