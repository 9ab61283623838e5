"""Codes of raw logs by hour and machine, at the speed of the disk, and renames that show in them."""

from __future__ import annotations

import collections
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors, kernels
from flyball.data import arrivals, renames
from flyball.data.formats import log, read
from flyball.kernels import compressed

if TYPE_CHECKING:
    import polars as pl

#: What a log of the usual layout may call its levels.
LEVELS = (
    "TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "SEVERE", "ALARM", "CRIT", "CRITICAL", "ALERT",
    "FATAL", "FAILURE", "EMERG", "PANIC",
)  # fmt: skip
FIELDS = ("timestamp", "machine", "level", "code", "text")
#: So many codes are shown to a person; renames are looked for in so many rows.
SHOWN, MOST = 20, 5_000_000


def counted(logs: Sequence[Path], out: Path | None, propose: bool) -> dict[str, Any]:
    """Return how often each code was said by hour and machine in logs of the usual layout (`data.formats.log`).

    No line becomes a row: a file is scanned as it streams.  `out` is a CSV of hour, machine, code and count.  A line of
    another layout is counted by what it lacks; a file that breaks off is named.  Raises DataError for what is no log.
    """
    import polars as pl

    files = _files(logs)
    malformed: collections.Counter[str] = collections.Counter()
    incomplete, frames, lines = {}, [], 0
    for file in files:
        layout = kernels.LogLayout(fields=("-", *FIELDS) if _stamped(file) else FIELDS, levels=LEVELS)
        found = kernels.scan_log(file, layout, by=("hour", "machine", "code"))
        lines += found.lines
        malformed.update(found.malformed)
        frames.append(found.to_polars())
        if found.incomplete:
            incomplete[str(file)] = found.incomplete
    table = pl.concat(frames).group_by("hour", "machine", "code").agg(pl.col("count").sum()).sort(
        "hour", "machine", "code"
    )  # fmt: skip
    codes = table.group_by("code").agg(pl.col("count").sum(), pl.col("machine").n_unique()).sort(
        "count", "code", descending=[True, False]
    )  # fmt: skip
    told: dict[str, Any] = {
        "files": len(files), "lines": lines, "counted": int(table["count"].sum()), "rows": table.height,
        "malformed": dict(malformed), "incomplete": incomplete, "codes": codes.to_dicts(),
    }  # fmt: skip
    if propose:
        told["renames"] = _proposed(files)
    if out is not None:
        _written(table, out)
        told["written"] = str(out)
    return told


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the counts as a person reads them, most frequent first."""
    yield f"{told['lines']} lines in {told['files']} files, {told['counted']} counted by hour, machine and code"
    for one in told["codes"][:SHOWN]:
        yield f"  {one['count']:>9}  {one['code']}  on {one['machine']} machines"
    if len(told["codes"]) > SHOWN:
        yield f"  and {len(told['codes']) - SHOWN} more codes: --json or --out tells all"
    yield from (f"  not counted: {count} lines, {why}" for why, count in told["malformed"].items())
    yield from (f"  {file}: {why}" for file, why in told["incomplete"].items())
    yield from (f"  renamed? {one['told']}" for one in told.get("renames", ()))


def _files(logs: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in logs:
        if path.is_dir():
            found += [
                Path(folder, name) for folder, _, names in os.walk(path) for name in names
                if read.READERS.get(read.ending(Path(name))) is log.read
            ]  # fmt: skip
        elif what := arrivals.odd(path):
            raise errors.DataError(f"{path} is {what}: give logs, or folders of them")
        else:
            found.append(path)
    found = [path for path in found if not arrivals.odd(path)]
    if not found:
        raise errors.DataError(
            f"no log in {', '.join(map(str, logs))}: give files, or folders of .log, .log.gz, .log.zst"
        )
    return sorted(found)


def _stamped(file: Path) -> bool:
    """Say whether a collector's stamp stands before the time, as the first line that fits shows."""
    import re

    with file.open("rb") as opened:
        head = opened.read(2**16)
    kind = compressed.kind_of(head[:4])
    if kind != "plain":
        head = b"".join(compressed.Plain([head], kind, 2**16))
    stamp = log.STAMP
    for line in head.decode("utf-8", "replace").splitlines():
        if re.match(f"{stamp} ", line):
            return bool(re.match(f"{stamp} {stamp} ", line))
    return False


def _proposed(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return the renames that the rows of all files show; raises DataError where they are too many."""
    import polars as pl

    from flyball.data.formats import cells

    frames, rows = [], 0
    for file in files:
        try:
            frame = log.read(file, arrivals.read(file)).frame
        except arrivals.RefusedError as refused:
            raise errors.DataError(str(refused)) from None
        rows += frame.height
        if rows > MOST:
            raise errors.DataError(f"more than {MOST} rows: look for renames in fewer logs")
        if frame.height:
            at, _ = cells.moment(frame["time"], "UTC", "us")
            frames.append(
                pl.DataFrame(
                    {"machine": frame["machine"], "at": at, "code": frame["code"], "text": frame["text"]}
                )
            )
    every = pl.concat(frames) if frames else pl.DataFrame(schema=["machine", "at", "code", "text"])
    found = renames.proposed(*(every[name].to_list() for name in ("machine", "at", "code", "text")))
    return [{**dataclasses.asdict(one), "told": one.told()} for one in found]


def _written(table: pl.DataFrame, out: Path) -> None:
    part = out.with_name(f".{out.name}.part")
    table.write_csv(part, datetime_format="%Y-%m-%dT%H:%M:%SZ")
    part.replace(out)
