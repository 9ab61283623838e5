"""Templates of log files: mined, named, written down, and compared with those of an earlier release."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.data import templates

#: More lines than this are not kept in memory; what was left out is said.
MOST = 2_000_000
#: So many templates are shown to a person.
SHOWN = 40
#: A line is read up to so many bytes.
LONG = 65_536


def mined(logs: Sequence[Path], vary: int, against: Path | None, out: Path | None) -> dict[str, Any]:
    """Return the templates of some files; with `against`, also what is new and what is gone.

    Raises DataError for a file that is not there, is no text or holds no line.
    """
    lines: list[str] = []
    left_out = 0
    for file in logs:
        for line in _read(file):
            if len(lines) < MOST:
                lines.append(line)
            else:
                left_out += 1
    found = templates.mine(lines, vary)
    told: dict[str, Any] = {
        "lines": len(lines), "left_out": left_out,
        "templates": [
            {"name": templates.name(text), "count": count, "text": text}
            for text, count in zip(found.texts, found.counts, strict=True)
        ],
    }  # fmt: skip
    if against is not None:
        new, gone = templates.changes(_written(against), found)
        told |= {"new": list(new), "gone": list(gone)}
    if out is not None:
        part = out.with_name(f".{out.name}.part")
        part.write_text(json.dumps(told["templates"], indent=1) + "\n", encoding="utf-8")
        part.replace(out)
        told["written"] = str(out)
    return told


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the templates as a person reads them, most frequent first."""
    yield f"{told['lines']} lines, {len(told['templates'])} templates"
    if told["left_out"]:
        yield f"  {told['left_out']} lines beyond the first {MOST} were not looked at"
    for one in told["templates"][:SHOWN]:
        yield f"  {one['count']:>8}  {one['name']}  {one['text']}"
    if len(told["templates"]) > SHOWN:
        yield f"  and {len(told['templates']) - SHOWN} more: --json or --out tells all"
    for word in ("new", "gone"):
        yield from (f"  {word}: {text}" for text in told.get(word, ()))


def _read(file: Path) -> Iterator[str]:
    """Yield the lines of a log; raises DataError where it is none."""
    if not file.is_file():
        raise errors.DataError(f"no log {file}: give files, plain or .gz")
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
            while line := opened.readline(LONG):
                if b"\0" in line:
                    raise errors.DataError(f"{file} is no text: a log has lines of words")
                text = line.decode("utf-8", errors="replace").strip()
                if text:
                    yield text
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise errors.DataError(
            f"{file} is damaged ({error}): fetch it again, or unpack what is left"
        ) from None


def _written(file: Path) -> templates.Templates:
    """Return templates that were written down."""
    try:
        told = list[Any](json.loads(file.read_text(encoding="utf-8")))
        if not told:
            raise ValueError
        return templates.Templates(
            tuple(str(one["text"]) for one in told), tuple(int(one["count"]) for one in told)
        )
    except (ValueError, KeyError, TypeError):
        raise errors.DataError(f"{file} holds no templates: give a file that --out has written") from None
