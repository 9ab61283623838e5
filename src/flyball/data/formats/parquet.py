"""Parquet: columns keep their types; a file that is cut or damaged has no footer to trust and is set apart whole."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from flyball.data.arrivals import Limits, RefusedError
from flyball.data.formats.raw import PLAIN, Bad, Raw, nothing

MAGIC = b"PAR1"
#: A cell takes so many bytes in memory, or more.
CELL = 8


def read(path: Path, content: bytes, numbers: Iterable[str] = (), limits: Limits = PLAIN) -> Raw:
    """Return the cells of a Parquet file with the types it declares.

    Raises RefusedError for one whose cells take more than the limits say.
    """
    import numpy as np
    import polars as pl

    if not content:
        return nothing([], "empty file")
    if content[:4] != MAGIC or content[-4:] != MAGIC or len(content) < 12:
        cut = content[:4] == MAGIC[: len(content[:4])]
        why = f"incomplete at byte {len(content)} (no Parquet footer)" if cut else "no Parquet file"
        return nothing([Bad(0, why, "")], why)
    try:
        # A run of a billion equal values is a few bytes: how many there are is told before any is unpacked.
        lazy = pl.scan_parquet(io.BytesIO(content))
        rows, columns = int(lazy.select(pl.len()).collect().item()), len(lazy.collect_schema())
        if rows * columns * CELL > limits.file:
            raise RefusedError(
                f"{path.name} has {rows} rows of {columns} columns, at most {limits.file} bytes are unpacked: "
                "send it in pieces"
            )
        frame = pl.read_parquet(io.BytesIO(content))
    except RefusedError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        why = f"damaged Parquet file ({str(error).splitlines()[0][:120]})"
        return nothing([Bad(0, why, "")], why)
    return Raw(frame, np.arange(1, frame.height + 1, dtype=np.int64))
