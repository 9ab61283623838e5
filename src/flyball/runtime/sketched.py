"""Sketches between the release and the sites: what a release says of its rows, and what came in beside it.

A release carries the sketches of the rows it learned from and of its answers to the test rows, in `reference/`, signed
with all else.  What sites send lies in a folder by page, release and span, each sketch once under its digest; it is
merged when it is asked for, and judged by the bins and limits of the release.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, seals
from flyball.monitoring import bins, sketches

if TYPE_CHECKING:
    from flyball.data.stage import Array
    from flyball.features import stage as features
    from flyball.labels import stage as labels
    from flyball.monitoring import stage as monitoring
    from flyball.runtime.inbox import Inbox

#: Where a release keeps them, and the two that it has.
FOLDER, COLUMNS, ANSWERS = "reference", "columns.sketch", "answers.sketch"

DAY = 86_400_000_000
#: So long a sketch is kept: ten thousand machines with a hundred columns send 4 GB a day.
KEEP = 120 * DAY

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def write(
    folder: Path, x: features.Matrix, asked: features.Matrix, answers: Array, kind: labels.Kind
) -> None:
    """Write what a release says of the rows it learned from, and of its answers to those it was tested on."""
    place = folder / FOLDER
    place.mkdir()
    for name, rows, columns in (
        (COLUMNS, x, bins.watched(x, None)),
        (ANSWERS, asked, sketches.answered(answers, kind)),
    ):
        at = rows.moments.at
        since, until = (int(at.min()), int(at.max()) + 1) if len(at) else (0, 0)
        (place / name).write_bytes(sketches.of(columns, "", since, until).to_bytes())


def reference(release: Path) -> dict[str, sketches.Sketch]:
    """Return a verified release's sketches, "columns" and "answers"; none where it was made before there were any."""
    found = {"columns": release / FOLDER / COLUMNS, "answers": release / FOLDER / ANSWERS}
    return {
        name: sketches.Sketch.from_bytes(file.read_bytes()) for name, file in found.items() if file.is_file()
    }


def record(machine: str, page: str, release: str, at: int, sketch: sketches.Sketch) -> dict[str, Any]:
    """Return a sketch as a record that a machine sends."""
    sent = base64.b64encode(sketch.to_bytes()).decode("ascii")
    return {"machine": machine, "page": page, "release": release, "at": at, "sketch": sent}


class Kept:
    """The sketches that sites sent, in a folder.

    >>> import tempfile
    >>> from flyball.runtime.inbox import Inbox
    >>> from flyball.site.spool import Batch
    >>> import numpy as np
    >>> one = sketches.of({"jitter": np.ones(3)}, "s1", 0, 86_400_000_000)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     inbox = Inbox(Path(place) / "received")
    ...     _ = inbox.take("s1", [Batch("e", "sketches", 0, (record("s1", "scanner", "ab" * 32, 9, one),))])
    ...     kept = Kept(Path(place) / "sketches")
    ...     kept.take(inbox), kept.take(inbox), kept.of("scanner")[0].rows
    ((1, []), (0, []), 3)
    """

    def __init__(self, folder: Path) -> None:
        durable.folder(folder)
        self.folder = folder
        self._looked = -1

    def take(self, inbox: Inbox) -> tuple[int, list[str]]:
        """Take in what machines told since the last call, each sketch once; return how many, and why others were not.

        What is on the disk stays there when this is cut off, and is found by its digest the next time.
        """
        note = self.folder / "taken.json"
        try:
            line = int(seals.unsealed(note.read_bytes())["line"]) if note.is_file() else 0
        except (ValueError, KeyError, TypeError):
            line = 0  # all of it again: what is there already is left alone
        count, refused, after = 0, [], line
        for number, machine, told in inbox.records("sketches", line):
            after = number + 1
            try:
                count += self._keep(machine, told)
            except errors.DataError as error:
                refused.append(f"{machine}: {error}")
        if after > line:
            durable.write(note, seals.sealed({"line": after}))
        return count, refused

    def drop(self, now: int) -> int:
        """Delete what spans that began more than `KEEP` before now told; return how many sketches went.

        Newer ones are left as they came: what is merged is not to be merged again, see `sketches`.  A day is looked
        through once: every report of every machine leads here.
        """
        if now // DAY == self._looked:
            return 0
        self._looked, gone = now // DAY, 0
        for span in sorted(self.folder.glob("*/*/*")):
            if span.is_dir() and span.name.isdigit() and int(span.name) < now - KEEP:
                for file in span.iterdir():
                    file.unlink(missing_ok=True)
                    gone += file.suffix == ".sketch"
                span.rmdir()
        return gone

    def of(
        self, page: str, release: str = "*", since: int | None = None, until: int | None = None
    ) -> list[sketches.Sketch]:
        """Return what was met on a page, of all releases or one, in spans that lie in [since, until).

        Raises StoreError for a file that is not what was kept.
        """
        found = []
        for file in sorted((self.folder / page).glob(f"{release}/*/*.sketch")):
            if since is not None and int(file.parent.name) < since:
                continue
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != file.stem:
                raise errors.StoreError(f"{file}: damaged: bring it back from a copy")
            one = sketches.Sketch.from_bytes(content)
            if until is None or one.until <= until:
                found.append(one)
        return found

    def _keep(self, machine: str, told: Mapping[str, Any]) -> int:
        """Keep a sketch; 0 where it is there already.  Raises DataError for a record that holds none."""
        page, release = str(told.get("page", "")), str(told.get("release", ""))
        if told.get("machine") != machine:
            raise errors.DataError(f"a sketch in the name of {told.get('machine')!r}: passed over")
        if not all(_PLAIN.fullmatch(name) for name in (page, release)):
            raise errors.DataError(f"a sketch of page {page[:80]!r}, release {release[:80]!r}: passed over")
        try:
            content = base64.b64decode(str(told.get("sketch", "")), validate=True)
        except (binascii.Error, ValueError):
            raise errors.DataError("a sketch that is no base64: passed over") from None
        one = sketches.Sketch.from_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        file = self.folder / page / release / f"{one.since:020d}" / f"{digest}.sketch"
        if file.is_file():
            return 0
        durable.folder(file.parent)
        durable.write(file, content)
        return 1


def judged(release: Path, found: list[sketches.Sketch]) -> tuple[monitoring.Watched, ...]:
    """Return how what machines met in a span lies beside what a verified release learned from, and what alarms.

    Give the sketches of machines; they are merged here.  The statistic and its limits are those that the release's
    detector keeps in `reference.json`.  Nothing where the release watches nothing, or nothing was met.
    """
    return tuple(_judged(release, found))


def newest(packed: Path, digest: str, kept: Kept, page: str) -> tuple[monitoring.Watched, ...]:
    """Return the newest window of a packed release's own detector, over what machines sent while it served.

    Nothing where its page watches no span of time, or nothing came.
    """
    import tempfile

    from flyball import units
    from flyball.serving import release as releases
    from flyball.site import terms

    found = kept.of(page, digest)
    if not found or not packed.is_file():
        return ()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / digest
        folder.mkdir()
        releases.unpack(packed, folder, digest)
        system = terms.of(folder).page
        over = getattr(system.monitoring.drift, "over", None) if system is not None else None
        if not isinstance(over, units.Duration):
            return ()
        since = max(one.until for one in found) - over
        return judged(folder, [one for one in found if one.since >= since])


def _judged(release: Path, found: list[sketches.Sketch]) -> Iterator[monitoring.Watched]:
    file = release / "reference.json"
    kept = json.loads(file.read_text()) if file.is_file() else {}
    if not found or "columns" not in kept:
        return
    together, before = sketches.merged(found), reference(release)
    for name in ("columns", "answers"):
        settings = kept.get(name)
        if settings and (name == "columns" or sketches.ANSWER in together.columns):
            yield from sketches.watch(settings, together, before.get(name))
