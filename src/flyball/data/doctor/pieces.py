"""The rows of a table's files, never more of them than fit: a large file is sampled, and that is said.

Text is cast by what all its cells are, so that a column of numbers is one however it was written.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import arrivals
from flyball.data.doctor import folder, layout, members, texts
from flyball.data.formats import cells
from flyball.data.formats import read as formats
from flyball.data.formats.raw import Raw

if TYPE_CHECKING:
    import polars as pl

#: At most so many plain bytes of a text are read, and so many bytes of a Parquet file.
WHOLE = 192 * 2**20
LARGEST = 512 * 2**20
#: A table keeps at most so many cells.
CELLS = 12_000_000
#: Of a table in more files than this, so many are read, evenly spread.
FILES = 2_000
#: As many cells of a hundred may be no number in a column of numbers.
STRAY = 0.02
#: Seconds from 1970 to the first and the last year that a calendar knows.
SINCE, UNTIL = -62_135_596_800, 253_402_300_799
#: What a column is, is first asked of so many cells.
FEW = 2_000


@dataclass(eq=False)
class Pieces:
    """The rows of a table: `frame`, and `origin` (n,), the place of each row's file in `files`.

    `sampled` says what was left out, `bad` counts lines by reason, `unread` are (file, reason), `strays` are cells that
    are no number, by column, with an example; `unfit` says why the files cannot be taken in as they are;
    `columns` are those of each file.
    """

    frame: pl.DataFrame
    files: list[str]
    origin: Any
    sampled: list[str] = field(default_factory=list)
    bad: dict[str, int] = field(default_factory=dict)
    unread: list[tuple[str, str]] = field(default_factory=list)
    strays: dict[str, tuple[int, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    columns: list[frozenset[str]] = field(default_factory=list)


def read(files: Sequence[folder.File], cells_: int = CELLS, whole: int = WHOLE) -> Pieces:
    """Return the rows of some files of one table, at most about `cells_` of their cells."""
    import numpy as np
    import polars as pl

    out = Pieces(pl.DataFrame(), [], np.empty(0, np.int32))
    chosen = list(files)
    if len(files) > FILES:
        chosen = [files[place] for place in np.linspace(0, len(files) - 1, FILES).astype(int).tolist()]
        out.sampled.append(f"{FILES} of {len(files)} files")
    frames: list[pl.DataFrame] = []
    left, ahead = cells_, sum(file.size for file in chosen)
    thinned = kept = had = 0
    for file in chosen:
        raw = _one(file, out, whole, cells_)
        share = max(1, left * file.size // max(ahead, 1))
        ahead -= file.size
        if raw is None or not raw.frame.width:
            continue
        most = max(100, share // raw.frame.width)
        frame = raw.frame
        if frame.height > most:
            had, thinned = had + frame.height, thinned + 1
            frame = frame.head(most)
            kept += most
        left -= frame.height * frame.width
        frames.append(_told(frame, out))
        out.files.append(file.name)
        out.columns.append(frozenset(frame.columns))
    if thinned:
        out.sampled.append(f"the first {kept} of {had} rows of {thinned} file(s)")
    if frames:
        # Cast as one, not file by file: what a column is all its files say, and many are small.
        out.frame = _typed(_together(frames, out), out)
        out.origin = np.repeat(np.arange(len(frames), dtype=np.int32), [frame.height for frame in frames])
    return out


def _one(file: folder.File, out: Pieces, whole: int, cells_: int) -> Raw | None:
    """Return the cells of one file, noting what of it is bad, cut off or left out; None where it cannot be read."""
    import polars as pl

    try:
        raw = _parquet(file, out, cells_) if file.ending == ".parquet" else _text(file, out, whole, cells_)
    except errors.FlyballError as error:
        out.unread.append((file.name, str(error)))
        return None
    except (Exception, pl.exceptions.PanicException) as error:
        out.unread.append((file.name, f"damaged ({(str(error).splitlines() or ['?'])[0][:100]})"))
        return None
    if not raw.frame.width or not raw.frame.height:
        out.unread.append((file.name, _without(file, raw)))
        return None
    for bad in raw.bad:
        out.bad[bad.reason] = out.bad.get(bad.reason, 0) + 1
    if raw.note:
        out.notes.append(f"{file.name}: {raw.note}")
    return raw


def _without(file: folder.File, raw: Raw) -> str:
    """Return why a file has no row."""
    reasons = [bad.reason for bad in raw.bad if not bad.reason.startswith("incomplete")]
    if not reasons:
        return raw.note or "no row in it"
    mend = ": `flyball templates` mines its sentences" if file.ending.startswith(".log") else ""
    return f"no row in it ({len(reasons)} lines, the first: {reasons[0]}){mend}"


def _text(file: folder.File, out: Pieces, whole: int, cells_: int) -> Raw:
    text = texts.plain(file, whole)
    content, name, unfit = text.content, texts.name(file), tuple[str, ...]()
    text = text._replace(content=b"")  # each copy that is held on to costs as much again
    if file.ending.startswith(folder.DELIMITED):
        laid = layout.tabulated(content, strict=not file.ending.startswith((".csv", ".tsv")))
        if laid is None:
            raise errors.DataError("no table in it: its lines have no fields in common")
        content, unfit, name = laid.content, laid.unfit, Path(f"{name}.csv")
        del laid
    if file.ending not in formats.READERS:
        unfit += (
            f"files that end in {file.ending} are not taken in: write them as .csv or .jsonl, plain or .gz",
        )
    out.unfit += [why for why in unfit if why not in out.unfit]
    before = len(content)
    content = _cut(content, cells_)
    raw = formats.read(name, content, limits=arrivals.Limits(file=2**40, ratio=2**40))
    raw.note = text.note or raw.note
    if text.part or len(content) < before:
        size = text.size or (0 if text.part else before)
        # A text is never counted to its end where it is not read to its end.
        about = f"about {raw.frame.height * size // max(len(content), 1)}" if size else "more, not counted,"
        out.sampled.append(f"{raw.frame.height} of {about} rows of {file.name}, {_where(file, text)}")
    return raw


def _where(file: folder.File, text: texts.Text) -> str:
    return "at its beginning, middle and end" if text.part and text.size else "at its beginning"


def _cut(content: bytes, most: int) -> bytes:
    """Return the first lines of a text that hold at most about so many cells: short lines make many of few bytes."""
    head = content[: layout.HEAD]
    separator = max((bytes([code]) for code in layout.SEPARATORS), key=head.count)
    width = head.count(separator) / max(head.count(b"\n"), 1) + 1
    lines = content.count(b"\n")
    if lines * width <= 1.5 * most:
        return content
    return content[: content.rfind(b"\n", 0, int(len(content) * most / (lines * width))) + 1]


def _parquet(file: folder.File, out: Pieces, cells_: int) -> Raw:
    import numpy as np
    import polars as pl

    if file.size > LARGEST:
        raise errors.DataError(f"{file.size} bytes, at most {LARGEST} of one Parquet file are read")
    content = members.content(file, LARGEST)
    try:
        return formats.read(Path(file.name), content, limits=arrivals.Limits(file=8 * cells_))
    except arrivals.RefusedError:
        lazy = pl.scan_parquet(io.BytesIO(content))
        rows, width = int(lazy.select(pl.len()).collect().item()), len(lazy.collect_schema())
        many = max(1, cells_ // width // 3)
        places = sorted({0, max(0, (rows - many) // 2), max(0, rows - many)})
        frame = pl.concat([lazy.slice(place, many).collect() for place in places])
        out.sampled.append(f"{frame.height} of {rows} rows of {file.name}, at its beginning, middle and end")
        return Raw(frame, np.arange(frame.height, dtype=np.int64))


def _told(frame: pl.DataFrame, out: Pieces) -> pl.DataFrame:
    """Return spans as seconds, as no other type holds them, and times of no calendar's year as missing, and say so."""
    import polars as pl

    for name, kind in frame.schema.items():
        if kind == pl.Duration:
            frame = frame.with_columns(pl.col(name).dt.total_microseconds() / 1e6)
        if kind == pl.Date or isinstance(kind, pl.Datetime):
            seconds = _seconds(frame[name])
            wrong = ((seconds < SINCE) | (seconds > UNTIL)).fill_null(False)
            if wrong.any():
                note = f"{name!r}: {int(wrong.sum())} times are of no year from 1 to 9999 and are passed over"
                out.notes.append(note)
                missing = pl.Series([None], dtype=kind)
                frame = frame.with_columns(frame[name].zip_with(~wrong, missing).alias(name))
    return frame


def _seconds(times: pl.Series) -> pl.Series:
    """Return dates or times as whole seconds since 1970."""
    import polars as pl

    count = times.to_physical().cast(pl.Int64)
    if times.dtype == pl.Date:
        return count * 86_400
    size = {"ms": 10**3, "us": 10**6, "ns": 10**9}[str(getattr(times.dtype, "time_unit", "us"))]
    return count // size


def _typed(frame: pl.DataFrame, out: Pieces) -> pl.DataFrame:
    """Return text columns as what all their cells are, and nothing as anything else."""
    return frame.with_columns([_cast(column, out) for column in frame.get_columns()])


def _cast(column: pl.Series, out: Pieces) -> pl.Series:
    import polars as pl

    if isinstance(column.dtype, (pl.Categorical, pl.Enum)):
        return column.cast(pl.String)
    if isinstance(column.dtype, pl.Decimal):
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return column
    if len(column) > 4 * FEW and (quick := _quick(column)) is not None:
        return quick
    text = column.str.strip_chars()
    there = text.drop_nulls().filter(~text.drop_nulls().str.to_lowercase().is_in(cells.MISSING))
    if not len(there):
        return pl.Series(column.name, [None], dtype=pl.Null).new_from_index(0, len(column))
    # A number with a zero before it is a name: 007 is not 7.
    if bool(there.str.contains(r"^[+-]?0\d").any()):
        return text
    if bool(there.str.to_lowercase().is_in(("true", "false")).all()):
        return text.str.to_lowercase() == "true"
    if bool(there.str.contains(r"^[+-]?\d+$").all()):
        whole = text.cast(pl.Int64, strict=False)
        if whole.null_count() == len(text) - len(there):
            return whole
    if (commas := there.str.contains(r"^[+-]?\d+,\d+$")).mean() or 0:
        fits = commas | there.str.contains(r"^[+-]?\d+$")
        if bool(fits.all()):
            note = f"{column.name!r} has decimal commas: write points"
            out.notes += [note] if note not in out.notes else []
            out.unfit += [note] if note not in out.unfit else []
            return text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    values, wrong = cells.cast(column, "number")
    stray = int(wrong.sum())
    if stray and stray > STRAY * len(there):
        return text
    if stray:
        before, example = out.strays.get(column.name, (0, str(column.filter(wrong)[0])))
        out.strays[column.name] = (before + stray, example)
    return values.alias(column.name)


def _quick(column: pl.Series) -> pl.Series | None:
    """Return a long column as decimal numbers where every cell plainly is one, None where it has to be looked at.

    Words are told by a few cells; a column that is decimal in these is cast at once, and counts only if all was cast.
    """
    import polars as pl

    few = column.gather_every(max(1, len(column) // FEW)).drop_nulls()
    if not len(few) or not bool(few.str.contains(r"\.").any()):
        return None
    if few.cast(pl.Float64, strict=False).null_count() or bool(few.str.contains(r"^[+-]?0\d").any()):
        return None
    values = column.cast(pl.Float64, strict=False)
    return values.fill_nan(None) if values.null_count() == column.null_count() else None


def _together(frames: list[pl.DataFrame], out: Pieces) -> pl.DataFrame:
    import polars as pl

    names = [frozenset(frame.columns) for frame in frames]
    if len(set(names)) > 1:
        every = frozenset.union(*names)
        some = sorted(every - frozenset.intersection(*names))
        out.notes.append(
            f"the files differ in their columns: {len(some)} are not in all ({', '.join(some[:5])})"
        )
    try:
        return pl.concat(frames, how="diagonal_relaxed", rechunk=True)
    except pl.exceptions.PolarsError:
        # Columns of one name that no type holds together are kept as text; lists and structs are none.
        nested = {name for frame in frames for name, kind in frame.schema.items() if kind.is_nested()}
        if nested:
            out.notes.append(
                f"nested in some files and not in others, left out: {', '.join(sorted(nested)[:5])}"
            )
        same = [
            frame.drop(nested, strict=False).with_columns(pl.all().cast(pl.String, strict=False))
            for frame in frames
        ]
        return pl.concat(same, how="diagonal")
