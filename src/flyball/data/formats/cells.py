"""One column of cells to one kind: what does not fit is marked, never changed in silence.

Each function returns (values, wrong): a Series with null where missing, and a mask of the cells that are there and
do not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import units

if TYPE_CHECKING:
    import polars as pl

#: Texts that say "no value" in a numeric column.
MISSING = ("", "na", "n/a", "nan", "null", "none")
TRUE = ("true", "1", "yes", "t", "y", "1.0")
FALSE = ("false", "0", "no", "f", "n", "0.0")
SECOND = 1_000_000
#: Of a column with more cells than this, every different text is parsed once.
SHORT = 1_000
EPOCH = {"s": 1_000_000, "ms": 1_000, "us": 1}


def cast(values: pl.Series, kind: str) -> tuple[pl.Series, pl.Series]:
    """Return a column as its declared kind or unit: Float64, Int64 (count), Boolean (bool) or String.

    >>> import polars as pl
    >>> values, wrong = cast(pl.Series(["1.5", "", "x"]), "kW")
    >>> values.to_list(), wrong.to_list()
    ([1.5, None, None], [False, False, True])
    """
    import polars as pl

    if values.dtype == pl.Null:
        return values.cast(dtype(kind)), values.is_null() & False
    if isinstance(values.dtype, (pl.Categorical, pl.Enum)):
        values = values.cast(pl.String)
    if kind == "bool":
        return _flag(values)
    if kind == "count":
        return _count(values)
    if kind == "number" or units.is_unit(kind):
        return _number(values)
    if kind == "image" and values.dtype == pl.Binary:
        return values, values.is_null() & False
    return text(values)


def dtype(kind: str) -> Any:
    """Return the type in which the store holds a kind."""
    import polars as pl

    if kind == "bool":
        return pl.Boolean
    if kind == "count":
        return pl.Int64
    return pl.Float64 if kind == "number" or units.is_unit(kind) else pl.String


def _missing(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    stripped = values.str.strip_chars()
    return stripped, stripped.is_null() | stripped.str.to_lowercase().is_in(MISSING)


def _number(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    there = values.is_not_null()
    if values.dtype == pl.String:
        values, missing = _missing(values)
        there = ~missing
    elif not values.dtype.is_numeric():
        return pl.Series(values.name, [None], dtype=pl.Float64).new_from_index(0, len(values)), there
    found = values.cast(pl.Float64, strict=False)
    return found.fill_nan(None), there & found.is_null()


def _count(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    found: pl.Series | None
    if values.dtype.is_integer():
        found = values.cast(pl.Int64, strict=False)
        return found, values.is_not_null() & found.is_null()
    if values.dtype == pl.String:
        stripped, missing = _missing(values)
        found = stripped.cast(pl.Int64, strict=False)
        if not (found.is_null() & ~missing).any():
            return found, missing & False
        floats, wrong = _number(stripped)
    else:
        found = None
        floats, wrong = _number(values)
    whole = (floats == floats.round(0)) & (floats.abs() < 2.0**53)
    wrong = wrong | (floats.is_not_null() & ~whole.fill_null(True))
    rounded = floats.zip_with(~wrong, pl.Series([None], dtype=pl.Float64)).cast(pl.Int64, strict=False)
    if found is not None:  # integers beyond 2**53 stay exact
        rounded = found.zip_with(found.is_not_null(), rounded)
        wrong = wrong & found.is_null()
    return rounded, wrong.fill_null(False)


def _flag(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    import polars as pl

    if values.dtype == pl.Boolean:
        return values, values.is_null() & False
    if values.dtype.is_numeric():
        there = values.is_not_null() & values.cast(pl.Float64).is_not_nan().fill_null(False)
        yes, no = values == 1, values == 0
    elif values.dtype == pl.String:
        stripped, missing = _missing(values)
        there, lower = ~missing, stripped.str.to_lowercase()
        yes, no = lower.is_in(TRUE), lower.is_in(FALSE)
    else:
        return pl.Series(values.name, [None], dtype=pl.Boolean).new_from_index(
            0, len(values)
        ), values.is_not_null()
    fits = (yes | no).fill_null(False)
    return yes.zip_with(fits, pl.Series([None], dtype=pl.Boolean)), there & ~fits


def text(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return a column as text: numbers as they print (whole ones without a point), an empty text is missing."""
    import polars as pl

    kind = values.dtype
    nothing = values.is_null() & False
    if kind == pl.String:
        stripped = values.str.strip_chars()
        return stripped.replace("", None), nothing
    if kind.is_float():
        whole, wrong = _count(values)
        named = whole.cast(pl.String)
        return named.zip_with(~wrong, values.cast(pl.String)), nothing
    if kind.is_integer() or kind in (pl.Boolean, pl.Date) or isinstance(kind, (pl.Datetime, pl.Decimal)):
        return values.cast(pl.String), nothing
    return pl.Series(values.name, [None], dtype=pl.String).new_from_index(
        0, len(values)
    ), values.is_not_null()


def moment(values: pl.Series, zone: str, epoch: str) -> tuple[pl.Series, pl.Series]:
    """Return times as int64 microseconds UTC; those without a zone are local to `zone`, dates are midnight UTC.

    Of a local time that happens twice the earlier one is meant; one that does not happen is wrong.
    """
    import polars as pl

    kind = values.dtype
    if kind == pl.Null:
        return values.cast(pl.Int64), values.is_null() & False
    if kind == pl.Date:
        return values.cast(pl.Datetime("us")).dt.epoch("us"), values.is_null() & False
    if isinstance(kind, pl.Datetime):
        found = values if kind.time_unit == "us" else values.cast(pl.Datetime("us", kind.time_zone))
        if kind.time_zone is None and zone != "UTC":
            found = found.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        if found.null_count() == values.null_count():
            return found.dt.epoch("us"), no(found)
        return found.dt.epoch("us"), values.is_not_null() & found.is_null()
    if kind.is_integer():
        return values.cast(pl.Int64, strict=False) * EPOCH[epoch], values.is_null() & False
    if kind.is_float():
        floats = values.fill_nan(None)
        inside = floats.abs() * EPOCH[epoch] < 2.0**62
        found = floats.zip_with(inside.fill_null(False), pl.Series([None], dtype=kind)) * EPOCH[epoch]
        return found.round(0).cast(pl.Int64), floats.is_not_null() & ~inside.fill_null(True)
    if kind == pl.String:
        return _from_text(values, zone, epoch)
    return pl.Series(values.name, [None], dtype=pl.Int64).new_from_index(0, len(values)), values.is_not_null()


def twice(at: pl.Series, zone: str) -> int:
    """Return how many times (int64 microseconds UTC) lie in an hour that a zone's clocks show twice, at its first pass.

    >>> import polars as pl
    >>> autumn = pl.Series([1761438600000000, 1761442200000000])  # 2025-10-26 02:30 in Amsterdam, and once more
    >>> twice(autumn, "Europe/Amsterdam"), twice(autumn, "UTC")
    (1, 0)
    """
    import polars as pl

    if zone == "UTC" or not len(at):
        return 0
    plain = at.drop_nulls()
    shown = [
        pl.from_epoch(one, "us")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(zone)
        .dt.replace_time_zone(None)
        for one in (plain, plain + 3600 * SECOND)
    ]
    return (shown[0] == shown[1]).to_list().count(True)


def _from_text(values: pl.Series, zone: str, epoch: str) -> tuple[pl.Series, pl.Series]:
    """Parse texts; of a long column every different one once, for a fleet's rows share few of them."""
    import polars as pl

    cell = pl.col("cell").str.strip_chars()
    stripped = values.alias("cell").to_frame().select(pl.when(cell != "").then(cell)).to_series()
    different = stripped if len(stripped) <= SHORT else stripped.unique().drop_nulls()
    # One call for all that is usual: a file of a few rows costs what its calls cost.
    found = different.alias("cell").to_frame().select(_usual(zone)).to_series()
    if found.null_count() > different.null_count():
        slow = [
            parsed(t, zone, epoch) if known is None and t is not None else known
            for t, known in zip(different, found, strict=True)
        ]
        found = pl.Series(slow, dtype=pl.Int64)
    if len(stripped) > SHORT:
        found = stripped.replace_strict(different, found, default=None, return_dtype=pl.Int64)
    if found.null_count() == stripped.null_count():
        return found, no(found)
    return found, stripped.is_not_null() & found.is_null()


def no(values: pl.Series) -> pl.Series:
    """Return a mask that marks nothing, for as many cells."""
    import numpy as np
    import polars as pl

    return pl.Series(np.zeros(len(values), dtype=bool))


def _usual(zone: str) -> pl.Expr:
    """Return what reads the column `cell` as a date, or for UTC as ISO 8601 in microseconds; null for all else."""
    import polars as pl

    cell = pl.col("cell")
    dates = cell.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.epoch("us")
    if zone != "UTC":
        return dates
    plain = cell.str.replace("T", " ", literal=True).str.strip_suffix("Z")
    full = plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us").dt.epoch("us")
    return pl.coalesce(dates, full)


def parsed(text: str, zone: str, epoch: str) -> int | None:
    """Parse one ISO 8601 text or epoch number; None for what is neither."""
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    digits = text.removeprefix("-").replace(".", "", 1)
    if digits.isdecimal() and len(digits) > 8:
        whole, _, fraction = text.partition(".")
        size = EPOCH[epoch]
        value = int(whole) * size + round(float(f"0.{fraction or 0}") * size)
        return value if abs(value) < 2**62 else None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        local = when.replace(tzinfo=UTC if len(text) <= 10 else ZoneInfo(zone))
        back = local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None)
        if back != when:
            return None
        when = local
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
