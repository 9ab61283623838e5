"""CSV and CSV.gz: fields are counted here, because a short or long row must not lose or invent a value.

Two ways to the same rows: a fast one for files in which every row has as many fields as the header, and one line
by line for all others.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.arrivals import Limits
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing, shorten, unpacked

if TYPE_CHECKING:
    import polars as pl

#: Fields are parted by the one of these that the header has most of.
SEPARATORS = b",;\t|"
#: A quoted field may hold line ends, but not more than this many.
LINES_IN_A_FIELD = 100


def read(path: Path, content: bytes, numbers: Iterable[str] = (), limits: Limits = PLAIN) -> Raw:
    """Return the cells of a CSV file as text (`numbers` names columns that may come as Float64 already).

    The first line names the columns.  A last line without a line end may have been cut in the middle of a value,
    so it is told as incomplete.
    """
    text, note = unpacked(path, content, limits)
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if not text.strip():
        return nothing([], note or "empty file")
    bad = []
    if not text.endswith(b"\n"):
        cut = text.rfind(b"\n") + 1
        tail, text = text[cut:], text[:cut]
        size = len(content)
        note = note or f"incomplete at byte {size} (the last line has no line end)"
        bad.append(Bad(text.count(b"\n") + 1, note, shorten(_decoded(tail))))
    named, separator = header(text)
    problem = header_problem(named) if text else "incomplete: the line with the column names is cut off"
    if problem:
        lines = text.split(b"\n")[1:-1] if text else []
        bad += [Bad(number, problem, shorten(_decoded(line))) for number, line in enumerate(lines, 2)]
        return nothing(bad, note or problem)
    names = [_decoded(name) for name in named]
    found = _fast(text, names, separator, frozenset(numbers))
    found = found if found is not None else _slow(text, names, separator.decode())
    found.bad += bad
    found.note = note
    return found


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", errors="replace")


def header(text: bytes) -> tuple[list[bytes], bytes]:
    """Return the names in the first line, and what parts them."""
    line = text[: text.find(b"\n")] if b"\n" in text else text
    separator = max((bytes([code]) for code in SEPARATORS), key=line.count)
    return [name.strip().strip(b'"').strip() for name in line.split(separator)], separator


def header_problem(header: list[bytes]) -> str:
    """Return what is wrong with the names, or an empty text."""
    try:
        names = [name.decode("utf-8") for name in header]
    except UnicodeDecodeError:
        return "the line with the column names is not UTF-8"
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        return f"two columns are called {twice[0]!r}"
    return ""


def _fast(text: bytes, names: list[str], separator: bytes, numbers: frozenset[str]) -> Raw | None:
    """Return the rows when all have as many fields as the header, else None.

    With no quote in the file, fields are separators: the total is right and no row is too long (the parser would
    say so), so no row is too short.
    """
    import numpy as np
    import polars as pl

    lines = text.count(b"\n")
    whole = len(names) > 1 and b'"' not in text and text.count(separator) == (len(names) - 1) * lines
    if not whole or b"\r" in text or b"\x00" in text:
        return None
    schema: dict[str, Any] = {name: pl.Float64 if name in numbers else pl.String for name in names}
    try:
        frame = pl.read_csv(io.BytesIO(text), separator=separator.decode(), quote_char=None, schema=schema)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if frame.height != lines - 1:
        return None
    return Raw(frame, np.arange(2, lines + 1, dtype=np.int64))


def _slow(text: bytes, names: list[str], separator: str) -> Raw:
    """Go line by line: what is no row of as many fields as the header is set apart with its number."""
    import numpy as np
    import polars as pl

    rows: list[list[str]] = []
    numbers: list[int] = []
    bad: list[Bad] = []
    for number, line in records(text):
        if not line.strip():
            continue
        try:
            found = fields(line.decode("utf-8"), separator)
        except (UnicodeDecodeError, ValueError) as error:
            why = "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            bad.append(Bad(number, why, shorten(_decoded(line))))
            continue
        if len(found) != len(names):
            bad.append(Bad(number, f"{len(found)} fields, {len(names)} expected", shorten(_decoded(line))))
            continue
        rows.append(found)
        numbers.append(number)
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    frame = pl.DataFrame([_texts(name, column) for name, column in zip(names, columns, strict=True)])
    return Raw(frame, np.array(numbers, dtype=np.int64), bad)


def _texts(name: str, values: Iterable[str]) -> pl.Series:
    import polars as pl

    return pl.Series(name, [value if value != "" else None for value in values], dtype=pl.String)


def records(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number of the first line, record): lines joined while a quoted field is open.

    A quote that is never closed spoils its own line and not the rest of the file.
    """
    lines = text.split(b"\n")[:-1]
    place = 1
    while place < len(lines):
        end = place + 1
        record = lines[place]
        if record.count(b'"') % 2:
            while end < len(lines) and end - place < LINES_IN_A_FIELD and record.count(b'"') % 2:
                record += b"\n" + lines[end]
                end += 1
            if record.count(b'"') % 2:
                record, end = lines[place], place + 1
        yield place + 1, record
        place = end


def fields(line: str, separator: str) -> list[str]:
    """Return the fields of one record; raises ValueError for one that is damaged."""
    import csv

    try:
        found = list(
            csv.reader(
                [line] if "\n" not in line else line.splitlines(True), delimiter=separator, strict=True
            )
        )
    except csv.Error as error:
        raise ValueError(f"damaged quotes ({error})") from None
    if len(found) != 1:
        raise ValueError("a line end inside a field that is not quoted")
    if "\x00" in line:
        raise ValueError("a NUL byte")
    return found[0]
