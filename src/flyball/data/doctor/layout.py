"""How a text is laid out: what parts its fields, whether its first line names them; and which files are one table.

What is not as `flyball ingest` takes it (no line of names, blanks between fields, UTF-16) is brought into that form to
be looked at, and told: a page can be run on such files only when they were written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from flyball.data.doctor import folder, members, texts

SEPARATORS = b",;\t|"
#: So much of a file is looked at to say how it is laid out, in so many lines.
HEAD, LINES = 64 * 2**10, 50
#: A text of another ending is a table where so many of its lines have as many fields.
ALIKE = 0.95
#: With more columns than this, 1, 2, 3, ... are names as well as 0, 1, 2, ... are.
COUNTED = 4
#: Folders beside each other are parts of one table when they share so many of their columns: channels come and go.
NEARLY = 0.8
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
    """Return the tables by name, with those joined that have the same columns, and what was joined.

    Tables of one name in several folders are one where their columns are; else the folder tells them apart.

    Folders of files, one per machine say, are joined like files.  Only where a common beginning of their names, or the
    folder above, can name them: so a page finds the files again.
    """
    columns = {place: _columns(files[0]) for place, files in tables.items()}
    tables, columns, notes = _named(tables, columns)
    out = {name: list(files) for name, files in tables.items()}
    joined: set[str] = set()
    for above, names in _groups(tables, columns):
        called = _called(above, names, tables)
        shown = f"{_shown(names)} have the same {len(columns[names[0]]) or ''} columns".replace("  ", " ")
        if not called or (called in out and called not in (*names, *joined)):
            notes.append(f"{shown}: one table?")
            continue
        files = [file for name in names for file in out.pop(name)]
        out[called] = sorted((*out.get(called, ()), *files), key=lambda file: file.name)
        joined.add(called)
        notes.append(f"{shown} and are taken as one table, {called}")
    return out, notes


def _groups(
    tables: Mapping[str, Sequence[folder.File]], columns: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, list[str]]]:
    """Return (folder, names) of what is one table: files of the same columns, folders of nearly the same."""
    groups: list[tuple[str, bool, list[str]]] = []
    for name, files in tables.items():
        above, foldered = _above(name, files), _foldered(name, files)
        if folder.split(name) or not (foldered or len(columns[name]) > 1):
            continue
        for place, kind, names in groups:
            least = NEARLY if foldered else 1.0
            same_ending = tables[names[0]][0].ending == files[0].ending
            if (
                (place, kind) == (above, foldered)
                and same_ending
                and _overlap(columns[names[0]], columns[name]) >= least
            ):
                names.append(name)
                break
        else:
            groups.append((above, foldered, [name]))
    return [(above, names) for above, _, names in groups if len(names) > 1]


def _overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of two sets of columns that both have; 1 for none at all, as of logs."""
    every = {*one, *other}
    return len({*one} & {*other}) / len(every) if every else 1.0


def _called(above: str, names: Sequence[str], tables: Mapping[str, Sequence[folder.File]]) -> str:
    """Return a name by which a page finds the files of some tables, "" for none."""
    first = tables[names[0]]
    if not _foldered(names[0], first) and (beginning := _beginning(names)):
        return beginning
    if not all(name in names for name, files in tables.items() if _below(above, files)):
        return ""
    return Path(above).name or _place(first[0], names[0])


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _named(
    tables: Mapping[str, Sequence[folder.File]], columns: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, list[folder.File]], dict[str, tuple[str, ...]], list[str]]:
    """Return tables, and their columns, by names of their own instead of places, and what is to be said of names."""
    alike: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for place, files in tables.items():
        alike.setdefault((_plain(place), files[0].ending, columns[place]), []).append(place)
    names = [name for name, _, _ in alike]
    out: dict[str, list[folder.File]] = {}
    known, notes = {}, []
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        places = [places[0] for (other, _, _), places in alike.items() if other == name]
        if all(_overlap(columns[places[0]], columns[place]) > 0 for place in places):
            notes.append(
                f"{_shown(places)} have one name and other columns: a binding says what each site calls them"
            )
    for (name, _, told), places in alike.items():
        called = name if names.count(name) == 1 else places[0]
        called = called if called not in out else f"{called}{tables[places[0]][0].ending}"
        out[called] = [file for place in places for file in tables[place]]
        known[called] = told
    return out, known, notes


def _plain(place: str) -> str:
    """Return the name of a table by its place: an archive without its ending."""
    path = Path(place)
    return path.stem if path.suffix.lower() in members.ENDINGS else path.name


def _above(name: str, files: Sequence[folder.File]) -> str:
    """Return the folder in which a table's files lie, or in which the folder of its name lies."""
    above = Path(files[0].name).parent
    return str(above.parent if _foldered(name, files) else above)


def _foldered(name: str, files: Sequence[folder.File]) -> bool:
    """Say whether a table is named by the folder of its files."""
    return Path(files[0].name).parent.name == Path(name).name


def _below(above: str, files: Sequence[folder.File]) -> bool:
    return any(Path(file.name).is_relative_to(above) for file in files)


def _place(file: folder.File, name: str) -> str:
    """Return the name of the folder that was given, in which a file or the folder of a table's name lies."""
    above = file.path.resolve().parent
    return (above.parent if Path(file.name).parent.name == name else above).name or "rows"


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

            return tuple(sorted(pl.read_parquet_schema(io.BytesIO(members.content(file, LARGEST)))))
        if not file.ending.startswith(folder.DELIMITED):
            return ()
        laid = tabulated(texts.plain(file, HEAD).content, not file.ending.startswith((".csv", ".tsv")))
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
