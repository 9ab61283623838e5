"""Parquet: columns keep their types; a file that is cut or damaged has no footer to trust and is set apart whole."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from flyball.data.formats.raw import Bad, Raw, nothing

MAGIC = b"PAR1"


def read(path: Path, content: bytes, numbers: Iterable[str] = ()) -> Raw:
    """Return the cells of a Parquet file with the types it declares."""
    import numpy as np
    import polars as pl

    if not content:
        return nothing([], "empty file")
    if content[:4] != MAGIC or content[-4:] != MAGIC or len(content) < 12:
        cut = content[:4] == MAGIC[: len(content[:4])]
        why = f"incomplete at byte {len(content)} (no Parquet footer)" if cut else "no Parquet file"
        return nothing([Bad(0, why, "")], why)
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (Exception, pl.exceptions.PanicException) as error:
        why = f"damaged Parquet file ({str(error).splitlines()[0][:120]})"
        return nothing([Bad(0, why, "")], why)
    return Raw(frame, np.arange(1, frame.height + 1, dtype=np.int64))
