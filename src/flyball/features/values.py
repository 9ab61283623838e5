"""What a column holds, row by row, and which rows of it a stream must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats, Ints


def floats(rows: data.Rows, column: str) -> Floats:
    """Return a numeric column as float64 (n,)."""
    import numpy as np

    return rows.floats(column).astype(np.float64, copy=False)


def holds(rows: data.Rows, column: str, code: str | None = None) -> Flags:
    """Return (n,) where a column holds something: a text (that `code`), or a number other than 0."""
    import numpy as np

    if column not in rows.columns:
        raise errors.DataError(
            f"column {column!r} has not arrived: {errors.did_you_mean(column, rows.columns)}"
        )
    values = rows.columns[column]
    if isinstance(values, data.Words):
        if code is None:
            return np.asarray(values.codes >= 0)
        return np.asarray(values.codes == (values.labels.index(code) if code in values.labels else -2))
    if isinstance(values, np.ndarray):
        return np.asarray((values != 0) & ~np.isnan(values))
    return np.ones(len(rows), dtype=bool)


def known(rows: data.Rows, column: str) -> Flags:
    """Return (n,) where a column has a value."""
    import numpy as np

    values = rows.columns[column]
    if isinstance(values, data.Words):
        return values.codes >= 0
    if isinstance(values, np.ndarray):
        return ~np.isnan(values)
    return np.ones(len(rows), dtype=bool)


def pick(rows: data.Rows, column: str, row: Ints) -> Any:
    """Return the column at those rows; missing where the row is -1."""
    import numpy as np

    values = rows.columns[column]
    if isinstance(values, data.Words):
        codes = np.append(values.codes, np.int32(-1))
        return data.Words(codes[row], values.labels)
    return np.append(rows.floats(column), np.nan)[row]


def until_first(rows: data.Rows, valid: Flags, moment: int) -> Flags:
    """Return a mask of one machine's rows up to the first known one at the moment."""
    import numpy as np

    holds = valid & (rows.at <= moment) & (rows.seen <= moment) & (rows.until > moment)
    found = np.flatnonzero(holds)
    if not len(found):
        return np.ones(len(rows), dtype=bool)
    return np.asarray(rows.at <= rows.at[found[0]])


def since_last(rows: data.Rows, valid: Flags, moment: int) -> Flags:
    """Return a mask of one machine's rows from the last known one at the moment on."""
    import numpy as np

    holds = valid & (rows.at <= moment) & (rows.seen <= moment) & (rows.until > moment)
    found = np.flatnonzero(holds)
    if not len(found):
        return np.ones(len(rows), dtype=bool)
    return np.asarray(rows.at >= rows.at[found[-1]])
