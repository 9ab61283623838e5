"""Raw event logs, plain or gzip: one line per event, of a fixed layout; a line that is none is set apart.

A line is `TIME MACHINE LEVEL CODE TEXT`, or `SEEN TIME MACHINE LEVEL CODE TEXT` where a site's collector puts its own
stamp of arrival first.  Times are ISO 8601, a level is a word in capitals, and the text takes the rest of the line
and may be missing: what `kernels.LogLayout` calls ("timestamp", "machine", "level", "code", "text"), with a "-" before
it for the stamp.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.data.arrivals import Limits
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing, shorten, unpacked

if TYPE_CHECKING:
    import polars as pl

#: The columns that a line gives, in their order.
COLUMNS = ("seen", "time", "machine", "level", "code", "text")
_STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?"
_LINE = rf"^(?:({_STAMP}) )?({_STAMP}) ([!-~]{{1,32}}) ([A-Z]{{1,16}}) ([!-~]{{1,16}})(?: (.*))?$"
#: What a line is told to lack, by the first field that is not as it should be.
_FIELDS = (
    (rf"^(?:{_STAMP} )?{_STAMP} ", "no ISO 8601 time at the beginning"),
    (rf"^(?:{_STAMP} )?{_STAMP} [!-~]{{1,32}} ", "no machine after the time (1 to 32 characters)"),
    (
        rf"^(?:{_STAMP} )?{_STAMP} [!-~]{{1,32}} [A-Z]{{1,16}} ",
        "no level after the machine (capital letters)",
    ),
)
_CODE = "no code after the level (1 to 16 characters)"


def read(path: Path, content: bytes, numbers: Iterable[str] = (), limits: Limits = PLAIN) -> Raw:
    """Return the cells of a raw log as text, by the names of `COLUMNS`.

    A file without a stamp of arrival has no column `seen`.  A last line without a line end may have been cut, so it
    is told as incomplete.
    """
    import numpy as np
    import polars as pl

    text, note = unpacked(path, content, limits)
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if not text.strip():
        return nothing([], note or "empty file")
    *whole, tail = text.split(b"\n")
    bad = []
    if tail:
        note = note or f"incomplete at byte {len(content)} (the last line has no line end)"
        bad.append(Bad(len(whole) + 1, note, shorten(tail.decode("utf-8", "replace"))))
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
