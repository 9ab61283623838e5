"""JSON lines: one object per line; a line that is none is set apart, the others are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flyball.data.arrivals import Limits
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing, shorten, unpacked


def read(path: Path, content: bytes, numbers: Iterable[str] = (), limits: Limits = PLAIN) -> Raw:
    """Return the cells of a JSON-lines file as text; a name that a line does not have is missing there."""
    import numpy as np
    import polars as pl

    text, note = unpacked(path, content, limits)
    text = text.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return nothing([], note or "empty file")
    cells: dict[str, list[str | None]] = {}
    numbered: list[int] = []
    bad: list[Bad] = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found, why = parsed(line)
        if found is None:
            cut = number == len(lines)
            note = note or (f"incomplete at byte {len(content)}" if cut else "")
            bad.append(
                Bad(
                    number,
                    f"{why} ({note})" if cut and note else why,
                    shorten(line.decode("utf-8", "replace")),
                )
            )
            continue
        for name in found:
            if name not in cells:
                cells[name] = [None] * len(numbered)
        for name, column in cells.items():
            column.append(cell(found.get(name)))
        numbered.append(number)
    frame = pl.DataFrame({name: pl.Series(column, dtype=pl.String) for name, column in cells.items()})
    return Raw(frame, np.array(numbered, dtype=np.int64), bad, note)


def parsed(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """Return the object in a line, or None and why there is none."""
    try:
        found = json.loads(line)
    except UnicodeDecodeError:
        return None, "not UTF-8"
    except (ValueError, RecursionError):
        return None, "no JSON"
    return (found, "") if isinstance(found, dict) else (None, "no JSON object")


def cell(value: Any) -> str | None:
    """Return a value of JSON as a cell's text."""
    if value is None or isinstance(value, str):
        return value
    return repr(value) if isinstance(value, float) else json.dumps(value)
