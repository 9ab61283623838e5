"""The tables of a fleet, and the daily files in which its sites send them.

A file holds the rows that arrived on its day (UTC), of all machines: a row that came late lies in a later
file. The sites call the moment at which something happened `time`; `seen`, their own stamp of arrival,
travels along.
"""

from __future__ import annotations

import functools
import gzip
import pathlib
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.fab import channels, events, fleet, mess, service, truth

if TYPE_CHECKING:
    import os

    import polars as pl
    from numpy.typing import NDArray

#: How the sites call what the house reserves another name for.
NAMES = {"at": "time"}
#: Columns that hold microseconds.
TIMES = ("at", "seen", "finished", "until", "would_fail", "start", "end")


def tables(fab: fleet.Fab) -> dict[str, dict[str, NDArray[Any]]]:
    """Return what a fleet reports: telemetry, events and repairs, each as columns in the order seen.

    Every table has `machine` (a name), `at` and `seen` (microseconds since the epoch, UTC).  Telemetry holds
    the channels of `fab.UNITS` (missing values are NaN); events hold `code`; repairs hold `finished`, `part`,
    `kind` and `failed`.  Nothing is seen later than the fleet's last day.  The arrays are shared and
    read-only.

    >>> from flyball import fab
    >>> repairs = tables(fab.Fab("tiny"))["repairs"]
    >>> bool((repairs["seen"] > repairs["at"]).all()), repairs["failed"].dtype
    (True, dtype('bool'))
    """
    return {name: dict(columns) for name, columns in _tables(fab).items() if name != "mess"}


@functools.lru_cache(maxsize=2)
def _tables(fab: fleet.Fab) -> dict[str, dict[str, NDArray[Any]]]:
    from flyball.fab import dynamics

    telemetry, spoiled = mess.spoil(fab, channels.telemetry(fab))
    codes = events.events(fab)
    codes["seen"] = mess.arrival(fab, codes["machine"], codes["at"], "events")
    every = {
        "telemetry": _known(fab, telemetry),
        "events": _known(fab, codes),
        "repairs": service.work_orders(fab, dynamics.history(fab).journal),
        "mess": spoiled,
    }
    for table in every.values():
        for column in table.values():
            column.flags.writeable = False
    return every


def _known(fab: fleet.Fab, rows: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return rows in the order seen with names and microseconds, without what the last day has not seen."""
    import numpy as np

    order = np.lexsort((rows["machine"], rows["seen"]))
    order = order[rows["seen"][order] < 24.0 * fab.size().days]
    kept = {name: column[order] for name, column in rows.items()}
    first = {
        "machine": np.array(fleet.plan(fab).names)[kept.pop("machine")],
        "at": fleet.to_us(kept.pop("at")),
        "seen": fleet.to_us(kept.pop("seen")),
    }
    return {**first, **kept}


def write(
    fab: fleet.Fab, folder: str | os.PathLike[str], *, form: str = "csv.gz", with_truth: bool = True
) -> dict[str, dict[str, int]]:
    """Write a fleet's daily files and, apart, its truth; return files, rows and bytes per table.

    `form` is "csv.gz" (times in ISO 8601, missing values empty) or "parquet".  The layout is
    FOLDER/TABLE/2025-01-01.FORM, the truth FOLDER/truth/NAME.parquet.  Writing again gives the same bytes.
    Raises DataError for another form.

    >>> import tempfile
    >>> from flyball import fab
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write(fab.Fab("tiny", machines=2, days=3), folder)
    >>> sorted(written), written["telemetry"]["files"]
    (['events', 'repairs', 'telemetry', 'truth'], 3)
    """
    import polars as pl

    if form not in ("csv.gz", "parquet"):
        raise errors.DataError(f"fab.write: no form {form!r}: there are 'csv.gz' and 'parquet'")
    root, written = pathlib.Path(folder), {}
    for name, columns in tables(fab).items():
        frame = _frame(columns).rename(NAMES)
        days = frame.group_by(pl.col("seen").dt.date().alias("day"), maintain_order=True)
        written[name] = _count([(f"{name}/{day:%Y-%m-%d}.{form}", rows) for (day,), rows in days], root, form)
    if with_truth:
        known = {
            "states": truth.states(fab),
            "failures": truth.failures(fab),
            "swaps": truth.swaps(fab),
            "onsets": truth.onsets(fab),
            "mess": _tables(fab)["mess"],
        }
        frames = [(f"truth/{name}.parquet", _frame(columns)) for name, columns in known.items()]
        written["truth"] = _count(frames, root, "parquet")
    return written


def _count(frames: list[tuple[str, pl.DataFrame]], root: pathlib.Path, form: str) -> dict[str, int]:
    """Write frames and count files, rows and bytes."""
    size = 0
    for name, frame in frames:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            frame.write_parquet(path)
        else:
            text = frame.write_csv(datetime_format="%Y-%m-%dT%H:%M:%S%.3fZ").encode()
            path.write_bytes(gzip.compress(text, compresslevel=5, mtime=0))
        size += path.stat().st_size
    return {"files": len(frames), "rows": sum(frame.height for _, frame in frames), "bytes": size}


def _frame(columns: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """Turn columns into a frame: microseconds become UTC times, NaN becomes missing."""
    import polars as pl

    texts = {n: pl.Series(n, c.tolist(), dtype=pl.String) for n, c in columns.items() if c.dtype.kind == "U"}
    frame = pl.DataFrame({**columns, **texts})
    times = [name for name in TIMES if name in columns]
    return frame.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")), pl.col(pl.Float64).fill_nan(None))
