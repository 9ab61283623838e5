"""A frame of rows as the bytes of a file: Parquet, CSV.gz, raw log lines; and a picture as a PNG.

Equal rows give equal bytes: no moment of writing and no file name goes into them.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

from flyball.fab import eventlog

if TYPE_CHECKING:
    import numpy as np
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
    """Return rows of `frame` as a file's bytes: "parquet", "csv.gz", or "log.gz" for events."""
    if form == "parquet":
        sink = io.BytesIO()
        rows.write_parquet(
            sink, statistics=False
        )  # a day has nothing to skip, and wide tables grow by a third
        return sink.getvalue()
    text = _log(rows) if form == "log.gz" else _csv(rows)
    return gzip.compress(text, compresslevel=5, mtime=0)


def _csv(rows: pl.DataFrame) -> bytes:
    """Return rows as CSV; a time without a zone has no Z behind it."""
    import polars as pl

    local = [name for name, kind in rows.schema.items() if kind == pl.Datetime("us", None)]
    rows = rows.with_columns(pl.col(local).dt.strftime(STAMP.removesuffix("Z")))
    return rows.write_csv(datetime_format=STAMP).encode()


def png(picture: NDArray[np.uint8]) -> bytes:
    """Return a grey picture [rows, columns] of 8 bits as a PNG file (ISO/IEC 15948): plain rows, deflated.

    >>> import numpy as np
    >>> png(np.zeros((2, 3), dtype=np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    import numpy as np

    height, width = picture.shape
    rows = np.zeros(
        (height, width + 1), dtype=np.uint8
    )  # each row begins with the number of its filter: 0, none
    rows[:, 1:] = picture
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def _log(rows: pl.DataFrame) -> bytes:
    """Return events as the lines of a log that a site's collector has stamped."""
    import polars as pl

    there = rows.rename({site: house for house, site in NAMES.items() if site in rows.columns})
    plain = there.with_columns(pl.col("at", "seen").dt.epoch("us"), pl.col("set_clear").fill_null(""))
    return eventlog.lines({column.name: column.to_numpy() for column in plain})
