"""The input of the turbofan page: what four fleets of engines would send, from the public C-MAPSS files."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import extras
from flyball.systems import public

if TYPE_CHECKING:
    import polars as pl

SUBSETS = ("FD001", "FD002", "FD003", "FD004")
#: A training engine is inspected every so many cycles; its neighbours in between say nearly the same.
EVERY = 3


def prepare(folder: Path, engines: int | None = None) -> None:
    """Write a Parquet file per subset and split, and one with the life that test engines had left; same bytes.

    A row is one flight (cycle) of a unit, such as "FD001-train-017".  `inspected` says on which flights the remaining
    life is asked: every third one of a training engine, the last one of a test engine.  `engines` limits how many of
    each subset and split are written.

    Source: Saxena and Goebel, Turbofan Engine Degradation Simulation Data Set, NASA Prognostics Center of Excellence,
    2008 (simulated; not part of Flyball).
    """
    pl = extras.need("polars", "lab", "to read the public data")
    folder.mkdir(parents=True, exist_ok=True)
    left = []
    for subset in SUBSETS:
        for split in ("train", "test"):
            frame = _flights(subset, split, engines)
            _write(frame, folder / f"cycles-{subset}-{split}.parquet")
            if split == "test":
                last = frame.group_by("unit", maintain_order=True).agg(pl.col("cycle").max())
                lives = gzip.decompress(public.file(f"cmapss/RUL_{subset}.txt.gz").read_bytes()).split()
                left.append(
                    last.with_columns(rul=pl.Series(list(map(int, lives[: last.height])), dtype=pl.Float64))
                )
    _write(pl.concat(left), folder / "truth.parquet")


def _flights(subset: str, split: str, engines: int | None) -> pl.DataFrame:
    polars = extras.need("polars", "lab", "to read the public data")
    frame = polars.read_parquet(public.file(f"cmapss/{split}_{subset}.parquet")).sort("unit", "cycle")
    if engines is not None:
        frame = frame.filter(polars.col("unit") <= engines)
    asked = (
        polars.col("cycle") % EVERY == 0
        if split == "train"
        else polars.col("cycle") == polars.col("cycle").max().over("unit")
    )
    told: pl.DataFrame = frame.select(
        unit=polars.format(
            "{}-{}-{}",
            polars.lit(subset),
            polars.lit(split),
            polars.col("unit").cast(polars.String).str.zfill(3),
        ),
        cycle="cycle",
        subset=polars.lit(subset),
        split=polars.lit(split),
        inspected=asked,
        **{name: polars.col(name).cast(polars.Float64) for name in frame.columns[2:]},
    )
    return told


def _write(frame: pl.DataFrame, file: Path) -> None:
    frame.write_parquet(file, compression="zstd", compression_level=3, statistics=False)
