"""By a file's name to its reader, and to its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from flyball.data import stage
from flyball.data.arrivals import Limits
from flyball.data.formats import csv, jsonl, log, parquet
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing
from flyball.data.layout import Layout

READERS: dict[str, Callable[..., Raw]] = {
    ".csv": csv.read, ".csv.gz": csv.read, ".parquet": parquet.read,
    ".jsonl": jsonl.read, ".jsonl.gz": jsonl.read, ".ndjson": jsonl.read, ".ndjson.gz": jsonl.read,
    ".log": log.read, ".log.gz": log.read, ".log.zst": log.read,
}  # fmt: skip


def ending(path: Path) -> str:
    """Return the part of a file's name that says its format, or "" for none that is read.

    >>> ending(Path("telemetry-2026-01-01.csv.gz"))
    '.csv.gz'
    """
    return next(
        (end for end in sorted(READERS, key=len, reverse=True) if path.name.lower().endswith(end)), ""
    )


def read(
    path: Path,
    content: bytes,
    numbers: Iterable[str] = (),
    limits: Limits = PLAIN,
    layout: Layout | None = None,
) -> Raw:
    """Return the cells of a file; one that cannot be read at all is quarantined whole, with the reason.

    A raw log is read by the layout that the site's binding declares, if it does.

    Raises RefusedError for a file that unpacks to more than the limits say.
    """
    try:
        if layout is not None and READERS[ending(path)] is log.read:
            return log.read(path, content, numbers, limits, layout)
        return READERS[ending(path)](path, content, numbers, limits)
    except MemoryError:
        why = "does not fit into memory: send it in pieces"
        return nothing([Bad(0, why, "")], why)


def claim(fleet: stage.Fleet, file: Path, name: Path) -> stage.Table | None:
    """Return the table a file belongs to: by a folder of its name, or the start of its own.

    >>> tables = (stage.Table("wear", columns={}), stage.Table("wear-log", columns={}))
    >>> claim(stage.Fleet("m", None, tables), Path("in/wear-log-7.csv"), Path("wear-log-7.csv")).name
    'wear-log'
    """
    folders = {*name.parts[:-1], file.parent.name}
    stem = file.name[: len(file.name) - len(ending(file))]
    named = [
        t for t in fleet.tables if stem == t.name or any(stem.startswith(f"{t.name}{mark}") for mark in "-_.")
    ]
    named = named or [t for t in fleet.tables if t.name in folders]
    if named:
        return max(named, key=lambda table: len(table.name))
    # A log may be anybody's: it is taken for a table only where it is named after one.
    alone = len(fleet.tables) == 1 and ".log" not in ending(file)
    return fleet.tables[0] if alone else None
