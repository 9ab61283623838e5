"""The input of the drives page: 40 daily logs as the fleet sent them, from the public Backblaze snapshot."""

from __future__ import annotations

import gzip
from pathlib import Path

from flyball import extras
from flyball.systems import public

FILE = "backblaze_2013/drive_days_2013-04-10_2013-05-19.parquet"


def prepare(folder: Path) -> None:
    """Write one CSV.gz per day; the same bytes on every call.

    Source: Backblaze, Hard Drive Data and Stats, 2013 (free to use with citation; not part of Flyball).
    """
    pl = extras.need("polars", "lab", "to read the public data")
    file = public.file(FILE)
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.read_parquet(file).with_columns(pl.col("date").dt.date()).sort("date", "serial_number")
    for (day,), rows in frame.group_by("date", maintain_order=True):
        text: bytes = rows.write_csv().encode()
        (folder / f"{day}.csv.gz").write_bytes(gzip.compress(text, compresslevel=6, mtime=0))
