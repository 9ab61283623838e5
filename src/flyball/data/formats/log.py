"""Raw event logs, plain, gzip or zst: one line per event, of a fixed layout; a line that is none is set apart.

A line is `TIME MACHINE LEVEL CODE TEXT`, or `SEEN TIME MACHINE LEVEL CODE TEXT` where a site's collector puts its own
stamp of arrival first.  Times are ISO 8601, a level is a word in capitals, and the text takes the rest of the line
and may be missing: what `kernels.LogLayout` calls ("timestamp", "machine", "level", "code", "text"), with a "-" before
it for the stamp.  Where the site's binding declares another layout for the table, lines are read by that.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.arrivals import FREE, Limits, RefusedError
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing, shorten, unpacked
from flyball.data.layout import TIMES, Layout, day_of
from flyball.kernels import compressed

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Flags, Ints

#: The columns that a line gives, in their order.
COLUMNS = ("seen", "time", "machine", "level", "code", "text")
#: A time as a line has it.
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?"
_LINE = rf"^(?:({STAMP}) )?({STAMP}) ([!-~]{{1,32}}) ([A-Z]{{1,16}}) ([!-~]{{1,16}})(?: (.*))?$"
#: What a line is told to lack, by the first field that is not as it should be.
_FIELDS = (
    (rf"^(?:{STAMP} )?{STAMP} ", "no ISO 8601 time at the beginning"),
    (rf"^(?:{STAMP} )?{STAMP} [!-~]{{1,32}} ", "no machine after the time (1 to 32 characters)"),
    (
        rf"^(?:{STAMP} )?{STAMP} [!-~]{{1,32}} [A-Z]{{1,16}} ",
        "no level after the machine (capital letters)",
    ),
)
_CODE = "no code after the level (1 to 16 characters)"


def read(
    path: Path,
    content: bytes,
    numbers: Iterable[str] = (),
    limits: Limits = PLAIN,
    layout: Layout | None = None,
) -> Raw:
    """Return the cells of a raw log as text, by the names of `COLUMNS`, or of the fields of a declared layout.

    A file without a stamp of arrival has no column `seen`.  A last line without a line end may have been cut, so it
    is told as incomplete.
    """
    import numpy as np
    import polars as pl

    text, note = (_unzst if path.suffix.lower() == ".zst" else unpacked)(path, content, limits)
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not text.strip():
        return nothing([], note or "empty file")
    *whole, tail = text.split(b"\n")
    bad = []
    if tail:
        note = note or f"incomplete at byte {len(content)} (the last line has no line end)"
        bad.append(Bad(len(whole) + 1, note, shorten(tail.decode("utf-8", "replace"))))
    if layout is not None:
        return _by_layout(path.name, whole, bad, note, layout)
    lines, places, foreign = _decoded(whole)
    found = lines.str.extract_groups(_LINE).struct.unnest()
    found.columns = list(COLUMNS)
    fits = found["time"].is_not_null().to_numpy()
    numbered = np.array(places, dtype=np.int64)
    bad += foreign
    bad += [Bad(int(numbered[i]), _why(lines[i]), shorten(lines[i])) for i in np.flatnonzero(~fits).tolist()]
    if not found["seen"].null_count() < found.height:
        found = found.drop("seen")
    return Raw(found.filter(pl.Series(fits)), numbered[fits], sorted(bad), note)


def _decoded(whole: list[bytes]) -> tuple[pl.Series, list[int], list[Bad]]:
    """Return the lines that are UTF-8 and not blank, their numbers, and those that are not UTF-8."""
    import polars as pl

    lines, numbered, bad = [], [], []
    for number, line in enumerate(whole, 1):
        if not line.strip():
            continue
        try:
            lines.append(line.decode("utf-8"))
            numbered.append(number)
        except UnicodeDecodeError:
            bad.append(Bad(number, "not UTF-8", shorten(line.decode("utf-8", "replace"))))
    return pl.Series(lines, dtype=pl.String), numbered, bad


def _why(line: str) -> str:
    import re

    return next((why for shape, why in _FIELDS if not re.match(shape, line)), _CODE)


def _unzst(path: Path, content: bytes, limits: Limits) -> tuple[bytes, str]:
    """Return a zst unpacked, and a note when it ends too early (RFC 8878); limits are those of gzip."""
    most = min(limits.file, max(FREE, limits.ratio * len(content)))
    plain = compressed.Plain([content], "zst", most)
    text = b"".join(plain)
    if "budget" in plain.incomplete:
        told = f"unpacks to more than {limits.file} bytes or {limits.ratio} times its {len(content)}"
        raise RefusedError(f"{path.name} {told}: send it in pieces")
    return text, plain.incomplete


def _by_layout(name: str, whole: list[bytes], bad: list[Bad], note: str, layout: Layout) -> Raw:
    """Return what a declared layout makes of the lines; each is a row, goes on with one, is blank, or is told."""
    import numpy as np
    import polars as pl

    fine = [line if len(line) <= layout.longest and b"\0" not in line else b"" for line in whole]
    for number, line in enumerate(whole, 1):
        if len(line) > layout.longest:
            bad.append(
                Bad(
                    number,
                    f"longer than {layout.longest} bytes",
                    shorten(line[:4_000].decode("utf-8", "replace")),
                )
            )
        elif b"\0" in line:
            bad.append(Bad(number, "holds NUL bytes", shorten(line.decode("utf-8", "replace"))))
    lines, places, foreign = _decoded(fine)
    names, columns = layout.names(), [f"f{place}" for place in range(len(layout.names()))]
    found = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    fits = np.zeros(len(lines), dtype=bool)
    pieces = []
    for pattern in layout.patterns():
        left = np.flatnonzero(~fits)
        now = lines[left].str.contains(pattern).to_numpy() if len(left) else np.zeros(0, dtype=bool)
        if now.any():
            rows = lines[left[now]].str.extract_groups(pattern).struct.unnest()
            pieces.append(rows.with_columns(pl.Series("row", left[now])))
            fits[left[now]] = True
    if pieces:
        found = pl.concat(pieces, how="diagonal").sort("row")
    found = found.select(
        (pl.col(column) if column in found.columns else pl.lit(None, dtype=pl.String)).alias(named)
        for column, named in zip(columns, names, strict=True)
    )
    numbered = np.array(places, dtype=np.int64)
    goes, alone = _going_on(lines, fits, numbered, bad + foreign, layout)
    found, kept, late = _timed(name, found, np.flatnonzero(fits), lines, numbered, layout)
    found, long = _joined(found, kept, goes, lines, numbered, layout)
    rows = np.setdiff1d(kept, [row for row, _ in long], assume_unique=True)
    why = "does not fit the layout " + " or ".join(map(repr, layout.lines()))
    gone = {row for row, _ in late} | {row for row, _ in long}
    apart = [*alone, *late, *long, *((at, "goes on with a line that is set apart") for start, ats in goes.items()
            if start in gone for at in ats)]  # fmt: skip
    bad += foreign + [Bad(int(numbered[row]), reason or why, shorten(lines[row])) for row, reason in apart]
    return Raw(found, numbered[rows], sorted(bad), note)


Told = list[tuple[int, str]]


def _going_on(
    lines: pl.Series, fits: Flags, numbered: Ints, bad: list[Bad], layout: Layout
) -> tuple[dict[int, list[int]], Told]:
    """Return the lines that go on with each line that fits, and those that belong to none, with the reason."""
    import numpy as np

    goes: dict[int, list[int]] = {}
    alone: Told = []
    rest = np.flatnonzero(~fits)
    on = (
        lines[rest].str.contains(f"^(?:{layout.continues})").to_numpy()
        if layout.continues and len(rest)
        else rest < 0
    )
    apart = sorted(item.line for item in bad)
    heads = np.flatnonzero(fits)
    before = np.searchsorted(heads, rest) - 1
    broken = -1
    for at, more, place in zip(rest.tolist(), on.tolist(), before.tolist(), strict=True):
        head = int(heads[place]) if place >= 0 else -1
        # What was set apart between the two may have been its head: a trace is never given to another message.
        between = head >= 0 and np.searchsorted(apart, numbered[at]) > np.searchsorted(apart, numbered[head])
        if more and head >= 0 and broken != head and not between:
            goes.setdefault(head, []).append(at)
        else:
            alone.append((at, "goes on with a line that is set apart" if more else ""))
            broken = head
    return goes, alone


def _timed(
    name: str, found: pl.DataFrame, rows: Ints, lines: pl.Series, numbered: Ints, layout: Layout
) -> tuple[pl.DataFrame, Ints, Told]:
    """Return the rows with their times as ISO 8601, and those whose time is none."""
    import numpy as np
    import polars as pl

    fits = np.ones(found.height, dtype=bool)
    for column in (column for column in TIMES if column in found.columns):
        different = found[column].unique().drop_nulls().to_list()
        moments = {text: layout.moment(text, name) for text in different}
        values = [None if text is None else moments[text] for text in found[column].to_list()]
        fits &= ~np.array([one is None for one in values], dtype=bool) | found[column].is_null().to_numpy()
        found = found.with_columns(pl.Series(column, values, dtype=pl.String))
    year = "the time has no year, and the file's name tells none" if layout.yearless() else ""
    why = f"no time as {layout.time!r}"
    why = year if year and day_of(name) is None else why
    return found.filter(pl.Series(fits)), rows[fits], [(int(row), why) for row in rows[~fits]]


def _joined(
    found: pl.DataFrame,
    rows: Ints,
    goes: dict[int, list[int]],
    lines: pl.Series,
    numbered: Ints,
    layout: Layout,
) -> tuple[pl.DataFrame, Told]:
    """Return the rows with what goes on behind a line feed in the last field, and those that became too long."""
    import numpy as np
    import polars as pl

    if not goes or not found.height:
        return found, []
    last = layout.names()[-1]
    texts, long = found[last].to_list(), []
    for place, row in enumerate(rows.tolist()):
        if row in goes:
            texts[place] = "\n".join([texts[place] or "", *(lines[at] for at in goes[row])])
            if len(texts[place].encode()) > layout.longest:
                long.append((row, f"a message longer than {layout.longest} bytes"))
    gone = np.isin(rows, [row for row, _ in long])
    return found.with_columns(pl.Series(last, texts, dtype=pl.String)).filter(pl.Series(~gone)), long
