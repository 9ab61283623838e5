"""A frame of rows as the bytes of a file: Parquet, CSV.gz, raw log lines.

Equal rows give equal bytes: no moment of writing and no file name goes into them.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

#: Columns that hold moments.
TIMES = (
    "at", "seen", "opened", "started", "finished", "until", "would_fail", "start", "end", "entered", "true_at",
)  # fmt: skip
#: How the sites call what the house reserves another name for.
NAMES = {"at": "time"}
STAMP = "%Y-%m-%dT%H:%M:%S%.3fZ"


def frame(columns: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """Turn columns into a frame: microseconds become UTC times, NaN becomes missing, an empty text too.

    >>> import numpy as np
    >>> frame({"at": np.array([0]), "jitter": np.array([float("nan")])}).rows()
    [(datetime.datetime(1970, 1, 1, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC')), None)]
    """
    import polars as pl

    texts = {
        name: pl.Series(name, column.tolist(), dtype=pl.String).replace("", None)
        for name, column in columns.items()
        if column.dtype.kind in "UO"
    }
    found = pl.DataFrame({**columns, **texts})
    times = [name for name in TIMES if name in columns]
    floats = pl.col(pl.Float64, pl.Float32)
    return found.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")), floats.fill_nan(None))


def content(rows: pl.DataFrame, form: str) -> bytes:
    """Return rows of `frame` as a file's bytes: "parquet", "csv.gz", or "log.gz" for what has a code."""
    if form == "parquet":
        sink = io.BytesIO()
        rows.write_parquet(sink)
        return sink.getvalue()
    text = rows.write_csv(datetime_format=STAMP) if form == "csv.gz" else "\n".join([*lines(rows), ""])
    return gzip.compress(text.encode(), compresslevel=5, mtime=0)


def lines(rows: pl.DataFrame) -> list[str]:
    """Return events as raw log lines: when the site's collector got it, when it happened, machine, level, code, text.

    >>> import numpy as np
    >>> us = np.array([1_735_689_600_000_000])
    >>> events = {"machine": np.array(["A-001"]), "at": us, "seen": us + 2_500_000, "code": np.array(["VA-W1"])}
    >>> lines(frame(events))
    ['2025-01-01T00:00:02.500Z 2025-01-01T00:00:00.000Z A-001 INFO VA-W1']
    """
    import polars as pl

    at = "at" if "at" in rows.columns else NAMES["at"]
    level = pl.col("level") if "level" in rows.columns else pl.lit("INFO")
    pieces = [pl.col("seen").dt.strftime(STAMP), pl.col(at).dt.strftime(STAMP), "machine", level, "code"]
    if "text" in rows.columns:
        pieces.append(pl.col("text"))
    return rows.select(pl.concat_str(pieces, separator=" ", ignore_nulls=True).alias("line"))[
        "line"
    ].to_list()
