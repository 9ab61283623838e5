"""How a text is laid out: what parts its fields, whether its first line names them; and which files are one table.

What is not as `flyball ingest` takes it (no line of names, blanks between fields, UTF-16) is brought into that form to
be looked at, and told: a page can be run on such files only when they were written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flyball.data import arrivals
from flyball.data.doctor import folder, texts

SEPARATORS = b",;\t|"
#: So much of a file is looked at to say how it is laid out, in so many lines.
HEAD, LINES = 64 * 2**10, 50
#: A text of another ending is a table where so many of its lines have as many fields.
ALIKE = 0.95
#: With more columns than this, 1, 2, 3, ... are names as well as 0, 1, 2, ... are.
COUNTED = 4
#: A Parquet file of more bytes is not opened for its columns alone.
LARGEST = 64 * 2**20
_NUMBER = re.compile(rb'\s*"?[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"?\s*|\s*"?(nan|na|null|)"?\s*', re.I)
_MOMENT = re.compile(rb'\s*"?\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d\d.*)?"?\s*')


class Layout(NamedTuple):
    """A text as CSV with a line of names; `unfit` says what has to be written anew before it can be taken in."""

    content: bytes
    unfit: tuple[str, ...]


def tabulated(content: bytes, strict: bool = False) -> Layout | None:
    """Return a text as CSV; None for what is no table, which is asked only of text that may be anything (`strict`).

    >>> tabulated(b"m1 20.5\\nm1 20.7\\nm2 21.0\\n").content
    b'c1\\tc2\\nm1\\t20.5\\nm1\\t20.7\\nm2\\t21.0\\n'
    >>> tabulated(b"machine,x\\nm1,2\\n")
    Layout(content=b'machine,x\\nm1,2\\n', unfit=())
    """
    unfit = []
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
        unfit.append("it is UTF-16: write it as UTF-8")
    content = content.removeprefix(b"\xef\xbb\xbf")
    lines = _lines(content)
    if not lines:
        return None if strict else Layout(content, ())
    separator = max((bytes([code]) for code in SEPARATORS), key=lines[0].count)
    if not lines[0].count(separator) and _blank(lines):
        content = _parted(content)
        lines, separator = _lines(content), b"\t"
        unfit.append("blanks part its fields: write it with commas")
    rows = [line.split(separator) for line in lines]
    counts = [len(row) for row in rows]
    if strict and (counts[0] < 2 or len(rows) < 3 or counts.count(counts[0]) < ALIKE * len(rows)):
        return None
    if nameless(rows):
        names = separator.join(f"c{place}".encode() for place in range(1, counts[0] + 1))
        content = names + b"\n" + content
        unfit.append(f"its first line names no columns: they are called c1 to c{counts[0]} here, name them")
    return Layout(content, tuple(unfit))


def nameless(rows: Sequence[Sequence[bytes]]) -> bool:
    """Say whether the first of some rows is one of them, and no line of names.

    It is where it holds numbers (but 0, 1, 2, ... are names that tables are given) or moments, or where one of its
    words stands in the same column again.
    """
    first = rows[0]
    if sum(bool(_MOMENT.fullmatch(cell)) for cell in first):
        return True
    numbers = [cell.strip().strip(b'"') for cell in first if cell.strip() and _NUMBER.fullmatch(cell)]
    if 2 * len(numbers) >= len(first):
        counted = [[str(since + place).encode() for place in range(len(numbers))] for since in (0, 1)]
        return numbers not in (counted if len(numbers) > COUNTED else counted[:1]) or len(numbers) < 2
    below = [row for row in rows[1:] if len(row) == len(first)]
    return any(
        cell.strip() and any(row[place].strip() == cell.strip() for row in below)
        for place, cell in enumerate(first)
    )


def together(tables: Mapping[str, Sequence[folder.File]]) -> tuple[dict[str, list[folder.File]], list[str]]:
    """Return the tables with those joined that have the same columns in one folder, and what was joined.

    Only where a common beginning of their names, or their folder, can name them: so a page finds the files again.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, files in tables.items():
        columns = _columns(files[0])
        if len(columns) > 1 and not folder.split(name):
            groups.setdefault((str(Path(files[0].name).parent), columns), []).append(name)
    out = {name: list(files) for name, files in tables.items()}
    notes = []
    for (above, columns), names in groups.items():
        if len(names) < 2:
            continue
        alone = all(name in names or _above(files) != above for name, files in tables.items())
        called = _beginning(names) or ((Path(above).name or _place(tables[names[0]][0])) if alone else "")
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        if not called or (called in out and called not in names):
            notes.append(f"{shown} have the same {len(columns)} columns: one table?")
            continue
        files = sorted((file for name in names for file in out.pop(name)), key=lambda file: file.name)
        out[called] = files
        notes.append(f"{shown} have the same {len(columns)} columns and are taken as one table, {called}")
    return out, notes


def _above(files: Sequence[folder.File]) -> str:
    return str(Path(files[0].name).parent)


def _place(file: folder.File) -> str:
    return file.path.resolve().parent.name or "rows"


def _beginning(names: Sequence[str]) -> str:
    """Return the words with which all names begin, "" for none.

    >>> _beginning(["scanner_a", "scanner_b"]), _beginning(["north", "nora"])
    ('scanner', '')
    """
    first, last = f"{min(names)}_", f"{max(names)}_"
    pairs = enumerate(zip(first, last, strict=False))
    common = first[: next((place for place, (one, other) in pairs if one != other), len(first))]
    found = re.match(r"(.*[A-Za-z0-9])[-_.]", common)
    return found[1] if found and re.search("[A-Za-z]", found[1]) else ""


def _columns(file: folder.File) -> tuple[str, ...]:
    """Return the names of a file's columns, () where they cannot be told at once."""
    import io

    try:
        if file.ending == ".parquet":
            import polars as pl

            return tuple(sorted(pl.read_parquet_schema(io.BytesIO(arrivals.read(file.path, LARGEST)))))
        if not file.ending.startswith(folder.DELIMITED):
            return ()
        laid = tabulated(texts.plain(file, HEAD).content, strict=True)
    except Exception:  # what is wrong with a file is told by whoever reads it
        return ()
    if laid is None:
        return ()
    line = laid.content.partition(b"\n")[0]
    separator = max((bytes([code]) for code in SEPARATORS), key=line.count)
    return tuple(sorted(name.decode("utf-8", "replace").strip().strip('"') for name in line.split(separator)))


def _lines(content: bytes) -> list[bytes]:
    head = content[:HEAD]
    if len(content) > HEAD:
        head = head[: head.rfind(b"\n") + 1]
    return [line for line in head.replace(b"\r\n", b"\n").split(b"\n") if line.strip()][:LINES]


def _blank(lines: Sequence[bytes]) -> bool:
    """Say whether blanks part the fields of lines: as many of them in nearly all."""
    counts = [len(_fields(line)) for line in lines]
    return counts[0] > 1 and counts.count(counts[0]) >= ALIKE * len(counts)


def _fields(line: bytes) -> list[bytes]:
    return re.findall(rb'"[^"\n]*"|\S+', line)


def _parted(content: bytes) -> bytes:
    """Return a text whose fields blanks part with a tab in their place; what stands in quotes stays."""
    if b'"' in content:
        return b"\n".join(b"\t".join(_fields(line)) for line in content.split(b"\n"))
    return re.sub(rb"(?m)^\t+|[\t\r]+$", b"", re.sub(rb"[ \t]+", b"\t", content))
