"""The tables of a fleet, and the daily files in which its sites send them.

A file holds the rows that arrived on its day (UTC): a row that came late lies in a later file. The sites call
the moment at which something happened `time`; `seen`, their own stamp of arrival, travels along. Each site has
its habits: one sends Parquet, another CSV, and event codes come as raw log lines from all.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from typing import TYPE_CHECKING, Any

from flyball import durable, errors
from flyball.fab import (
    daily,
    events,
    fleet,
    forms,
    frames,
    injected,
    maps,
    mess,
    metrology,
    oracle,
    orders,
    states,
    telemetry,
    truth,
    upgrades,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterator

    import polars as pl
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]
    Progress = Callable[[str, int, int], None]

#: What a site's tables come as, site after site and over again.
HABITS = ("csv.gz", "parquet")
FORMS, EACH = ("csv.gz", "parquet", "habit"), ("fleet", "site", "machine")


@dataclasses.dataclass(frozen=True)
class Table:
    """One table: its name, the function that gives its rows, whether machines send it as raw logs, or a site's system.

    `rows` returns columns; `machine` is an index or a name, moments are hours since the first day or
    microseconds since the epoch (integers), and rows without `seen` arrive as the network lets them.  Where rows name
    a file in `image`, `picture` gives its content for a machine's index and the number of the frame.
    """

    name: str
    rows: Callable[[fleet.Fab], Columns]
    raw: bool = False
    central: bool = False
    picture: Callable[[fleet.Fab, int, int], NDArray[Any]] | None = None


def _spoilt(fab: fleet.Fab) -> Columns:
    return _telemetry(fab)[0]


def _daily(fab: fleet.Fab) -> Columns:
    """Return the day's aggregates of what sites have: copies of a row are told by machine and moment."""
    import numpy as np

    rows = _spoilt(fab)
    within = (rows["at"] >= 0.0) & (rows["at"] < 24.0 * fab.size().days)  # by clocks that are off
    rows = {name: column[within] for name, column in rows.items()}
    order = np.lexsort((rows["at"], rows["machine"]))
    machine, at = rows["machine"][order], rows["at"][order]
    first = np.concatenate([[True], (np.diff(machine) != 0) | (np.diff(at) != 0.0)])[: len(order)]
    return daily.daily(fab, {name: column[order[first]] for name, column in rows.items()})


def _picture(fab: fleet.Fab, machine: int, number: int) -> NDArray[Any]:
    return frames.scene(fab, machine, number).picture()


def _injected(fab: fleet.Fab) -> Columns:
    return injected.join([_telemetry(fab)[1], *mess.of_lots(fab)])


@functools.lru_cache(maxsize=2)
def _telemetry(fab: fleet.Fab) -> tuple[Columns, Columns]:
    return mess.spoil(fab, telemetry.telemetry(fab))


#: What sites send, and what only the simulator knows.
SENT = (
    Table("telemetry", _spoilt),
    Table("daily", _daily, central=True),
    Table("events", events.events, raw=True),
    Table("repairs", orders.orders, central=True),
    Table("states", mess.reported_states, central=True),
    Table("overlay", metrology.overlays, central=True),
    Table("marks", metrology.marks, central=True),
    Table("defects", maps.defects, central=True),
    Table("maps", maps.maps, central=True),
    Table("frames", frames.review, central=True, picture=_picture),
)
TRUTH = (
    Table("latent", truth.states),
    Table("events", events.truth),
    Table("states", states.truth),
    Table("repairs", orders.truth),
    Table("failures", truth.failures),
    Table("swaps", truth.swaps),
    Table("onsets", truth.onsets),
    Table("mess", _injected),
    Table("overlay", metrology.truth),
    Table("maps", maps.truth),
    Table("frames", frames.truth),
    Table("oracle", oracle.scores),
)


def tables(fab: fleet.Fab, *names: str) -> dict[str, Columns]:
    """Return what a fleet reports, all tables or the named ones, each as columns in the order seen.

    Every table has `machine` (a name), `at` and `seen` (microseconds since the epoch, UTC).  Telemetry holds
    the channels of `fab.UNITS` (missing values are NaN); events hold `code`; repairs hold `finished`, `part`,
    `kind` and `failed`.  Nothing is seen later than the fleet's last day.  The arrays are shared and
    read-only.  Raises DeclarationError for a name that no table has.

    >>> from flyball import fab
    >>> repairs = tables(fab.Fab("tiny"), "repairs")["repairs"]
    >>> bool((repairs["seen"] > repairs["at"]).all()), repairs["failed"].dtype
    (True, dtype('bool'))
    """
    return {table.name: dict(_known(fab, table)) for table in _named(names)}


def _named(names: Collection[str]) -> tuple[Table, ...]:
    known = [table.name for table in SENT]
    for name in names:
        if name not in known:
            raise errors.DeclarationError(f"fab: no table {name!r}, {errors.did_you_mean(name, known)}")
    return tuple(table for table in SENT if not names or table.name in names)


@functools.lru_cache(maxsize=2 * len(SENT))
def _known(fab: fleet.Fab, table: Table) -> Columns:
    """Return a table in the order seen with names and microseconds, without what the last day has not seen."""
    import numpy as np

    rows = table.rows(fab)
    if "seen" not in rows:
        rows = {**rows, "seen": mess.arrival(fab, rows["machine"], rows["at"], table.name)}
    if rows["seen"].dtype.kind == "f":
        order = np.lexsort((rows["machine"], rows["seen"]))
        order = order[rows["seen"][order] < 24.0 * fab.size().days]
        rows = {name: column[order] for name, column in rows.items()}
    rows = _told(fab, rows)
    kept = {name: rows[name] for name in dict.fromkeys(("machine", "at", "seen", *rows))}
    for column in kept.values():
        column.flags.writeable = False
    return kept


def _told(fab: fleet.Fab, rows: Columns) -> Columns:
    """Return rows with machines by name and moments in microseconds."""
    import numpy as np

    told = dict(rows)
    if "machine" in rows and rows["machine"].dtype.kind in "iu":
        told["machine"] = np.array(fleet.plan(fab).names)[rows["machine"]]
    for name in forms.TIMES:
        if name in rows and rows[name].dtype.kind == "f":
            told[name] = fleet.to_us(rows[name])
    return told


def write(
    fab: fleet.Fab, folder: str | os.PathLike[str], *, form: str = "csv.gz", per: str = "fleet",
    only: Collection[str] = (), with_truth: bool = True, progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Write a fleet's daily files and, apart, its truth; return files, rows, bytes and digest per table.

    `form` is "csv.gz" (times in ISO 8601, missing values empty), "parquet", or "habit": each site its own, and
    events as raw log lines.  With `per="fleet"` the layout is FOLDER/TABLE/2025-01-01.FORM; with "site"
    FOLDER/SITE/TABLE/2025-01-01.FORM; with "machine", as machines send, FOLDER/SITE/TABLE/MACHINE/2025-01-01.FORM.
    `only` names the tables (all).  The truth is FOLDER/truth/truth-NAME.parquet: so named, no page takes it for a
    table.  Files of sites and machines call channels as their software does, and `bindings/` beside them tells how
    to read them (`fab.upgrades`).  A file has its name when it is whole and on the disk; writing again gives the
    same bytes.

    Raises DataError for another form or layout, StoreError where the files cannot be written.

    >>> import tempfile
    >>> from flyball import fab
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = write(fab.Fab("tiny", machines=2, days=3), folder, only=("telemetry", "repairs"))
    >>> sorted(written), written["telemetry"]["files"]
    (['repairs', 'telemetry', 'truth'], 3)
    """
    _check(form, per)
    root, written = pathlib.Path(folder), {}
    for table in _named(only):
        written[table.name] = _put(root, table.name, _days(fab, table, form, per), progress)
    if per != "fleet" and "telemetry" in written:
        written["bindings"] = _put(root, "bindings", _bindings(fab), progress)
    if with_truth:
        written["truth"] = _put(root, "truth", _truth(fab), progress)
    return written


def _check(form: str, per: str) -> None:
    if form not in FORMS:
        raise errors.DataError(f"fab.write: no form {form!r}: there are {', '.join(map(repr, FORMS))}")
    if per not in EACH:
        raise errors.DataError(f"fab.write: no layout per {per!r}: there are {', '.join(map(repr, EACH))}")
    if (form, per) == ("habit", "fleet"):
        raise errors.DataError(
            "fab.write: sites have habits, a fleet has none: give per='site' or per='machine'"
        )


@dataclasses.dataclass(frozen=True)
class Piece:
    """One file to be written: its name below the folder, how many rows it holds, and its content when it is wanted."""

    name: str
    rows: int
    content: Callable[[], bytes]

    @staticmethod
    def of(name: str, rows: pl.DataFrame, form: str) -> Piece:
        """Return the file of some rows."""
        return Piece(name, rows.height, lambda: forms.content(rows, form))


def _days(fab: fleet.Fab, table: Table, form: str, per: str) -> Iterator[tuple[int, Piece]]:
    """Yield how many files a table has, and each of them: a day of the fleet, of a site or of a machine."""
    import polars as pl

    per = "site" if table.central and per == "machine" else per
    site = {name: name.partition("-")[0] for name in fleet.plan(fab).names}
    rows = forms.frame(_known(fab, table)).rename(forms.NAMES)
    whose = {
        "fleet": pl.lit(""),
        "site": pl.col("machine").replace_strict(site),
        "machine": pl.col("machine"),
    }
    keys = [whose[per].alias("whose"), pl.col("seen").dt.strftime("%Y-%m-%d").alias("day")]
    days = rows.with_columns(keys).partition_by("whose", "day", as_dict=True, include_key=False)
    many = len(days) + (rows.height if table.picture else 0)
    for (who, day), mine in sorted(days.items()):
        at = who if per == "site" else site.get(who, "")
        if table.name == "telemetry" and per != "fleet":
            mine = upgrades.as_sent(fab, ord(at) - ord("A"), day, mine)
        kind = (
            form if form != "habit" else "log.gz" if table.raw else HABITS[(ord(at) - ord("A")) % len(HABITS)]
        )
        folders = {"fleet": table.name, "site": f"{at}/{table.name}", "machine": f"{at}/{table.name}/{who}"}
        yield many, Piece.of(f"{folders[per]}/{day}.{kind}", mine, kind)
        if table.picture is not None:
            for piece in _pictures(fab, table.picture, folders[per], mine):
                yield many, piece


def _pictures(
    fab: fleet.Fab, picture: Callable[[fleet.Fab, int, int], NDArray[Any]], folder: str, rows: pl.DataFrame
) -> Iterator[Piece]:
    """Yield the images that some rows name, as files beside the rows' own."""
    place = {name: number for number, name in enumerate(fleet.plan(fab).names)}
    for name, machine, number in rows.select("image", "machine", "frame").iter_rows():

        def content(machine: int = place[machine], number: int = number) -> bytes:
            return forms.png(picture(fab, machine, number))

        yield Piece(f"{folder}/{name}", 0, content)


def _truth(fab: fleet.Fab) -> Iterator[tuple[int, Piece]]:
    for table in TRUTH:
        rows = forms.frame(_told(fab, table.rows(fab)))
        yield len(TRUTH), Piece.of(f"truth/truth-{table.name}.parquet", rows, "parquet")


def _bindings(fab: fleet.Fab) -> Iterator[tuple[int, Piece]]:
    """Yield what people at the sites would write down of their own names, one file for each software."""
    found = upgrades.bindings(fab)
    for binding in found:
        name = f"bindings/{binding.site}-{binding.since or 'first'}.binding"
        yield len(found), Piece(name, 0, f"{binding!r}\n".encode)


def _put(
    root: pathlib.Path, name: str, pieces: Iterator[tuple[int, Piece]], progress: Progress | None
) -> dict[str, Any]:
    """Write files and count them, their rows and bytes; `digest` is of their names and contents."""
    total, files, rows, size = hashlib.sha256(), 0, 0, 0
    for count, piece in pieces:
        content = piece.content()
        path = root / piece.name
        with durable.guard(f"write {path}"):
            durable.folder(path.parent)
        durable.write(path, content)
        total.update(f"{piece.name} {hashlib.sha256(content).hexdigest()}\n".encode())
        files, rows, size = files + 1, rows + piece.rows, size + len(content)
        if progress is not None:
            progress(name, files, count)
    return {"files": files, "rows": rows, "bytes": size, "digest": total.hexdigest()}
