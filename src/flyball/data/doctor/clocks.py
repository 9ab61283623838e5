"""Clocks: which column tells time and how, and what is wrong with it: gaps, repeats, steps of an hour, drift."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data.formats import cells

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Codes, Flags, Ints

#: What sites call a moment.
NAMED = re.compile(
    r"(^|[_\s])(time|timestamp|datetime|date|ts|at|seen|when|occurred|day)([_\s]|$)|time$|^date", re.I
)
#: Formats beside ISO 8601, the day first where it is not said.
FORMATS = tuple(
    f"{day}{time}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%Y")
    for time in (" %H:%M:%S%.f", " %H:%M:%S", " %H:%M", "")
)  # fmt: skip
EPOCHS = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 1e-3}
SINCE, UNTIL = 631_152_000_000_000, 4_102_444_800_000_000  # 1990 and 2100
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000
#: A gap is so many times the usual interval; an interval is usual when this share of all is within a tenth of it.
GAP, REGULAR = 5, 0.8
#: At most so many are named.
NAMED_MOST = 3


@dataclass(eq=False)
class Clock:
    """A column that tells time: microseconds UTC (as if it were UTC where it names no zone), and how it is written."""

    name: str
    at: Ints
    there: Flags
    format: str
    zone: str
    epoch: str = ""
    readable: bool = True
    note: str = ""


def read(column: pl.Series) -> Clock | None:
    """Return the clock that a column is, None where it tells no time.

    >>> import polars as pl
    >>> found = read(pl.Series("time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:10Z"]))
    >>> found.format, found.zone, (found.at[1] - found.at[0]).item()
    ('ISO 8601', 'UTC', 10000000)
    """
    import polars as pl

    kind = column.dtype
    if kind == pl.Date:
        return _made(column, cells.moment(column, "UTC", "us")[0], "a date", "none")
    if isinstance(kind, pl.Datetime):
        zone = kind.time_zone or "none"
        return _made(column, cells.moment(column, "UTC", "us")[0], "a date and time", zone)
    if kind == pl.String:
        return _written(column)
    if kind.is_integer() or kind.is_float():
        return _counted(column)
    return None


def _made(column: pl.Series, at: pl.Series, format_: str, zone: str, **more: Any) -> Clock:
    return Clock(column.name, at.fill_null(0).to_numpy(), at.is_not_null().to_numpy(), format_, zone, **more)


def _written(column: pl.Series) -> Clock | None:
    sample = column.drop_nulls().unique(maintain_order=True)
    sample = sample.gather_every(max(1, len(sample) // 500)).head(500)
    # What a date is has a digit in front or, like "Nov", a word; a name never has two marks between digits.
    if not len(sample) or float(sample.str.contains(r"\d[-/.:T ]?\w{2,}.*\d").mean() or 0.0) < 0.9:  # type: ignore[arg-type]
        return None
    at, wrong = cells.moment(sample, "UTC", "us")
    if float(wrong.mean() or 0.0) <= 0.05 and bool(sample.str.contains(r"\d-\d\d-\d").any()):  # type: ignore[arg-type]
        zoned = sample.str.contains(r"(Z|[+-]\d\d:?\d\d)$") & sample.str.contains(":")
        share = float(zoned.mean() or 0.0)  # type: ignore[arg-type]
        zone = "none" if share == 0 else "mixed" if share < 1 else "UTC"
        if share == 1 and not bool(sample.str.contains(r"(Z|[+-]00:?00)$").all()):
            zone = "offsets"
        at, wrong = cells.moment(column, "UTC", "us")
        bad = int(wrong.sum())
        note = f"{bad} cells are no time" if bad else ""
        return _made(column, at, "ISO 8601", zone, note=note)
    return _other(column, sample)


def _other(column: pl.Series, sample: pl.Series) -> Clock | None:
    """Return the clock of a format beside ISO 8601; where day and month may be either, that is said."""
    fits = [
        written for written in FORMATS
        if float(sample.str.to_datetime(written, strict=False, time_unit="us").is_null().mean() or 0.0) <= 0.02  # type: ignore[arg-type]
    ]  # fmt: skip
    if not fits:
        return None
    format_ = fits[0]
    either = {written[:5] for written in fits} >= {"%d/%m", "%m/%d"} or {w[:5] for w in fits} >= {
        "%d-%m",
        "%m-%d",
    }
    at = column.str.to_datetime(format_, strict=False, time_unit="us").dt.epoch("us")
    note = "day and month may be either: the day is taken to come first" if either else ""
    return _made(column, at, format_.replace("%.f", ""), "none", readable=False, note=note)


def _counted(column: pl.Series) -> Clock | None:
    """Return the clock of numbers that count since 1970: by their name and by where they would lie."""
    if not NAMED.search(column.name) and not re.search(r"epoch|unix", column.name, re.I):
        return None
    values = (column.fill_nan(None) if column.dtype.is_float() else column).drop_nulls().cast(float)
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    for epoch, size in EPOCHS.items():
        if low * size >= SINCE and high * size <= UNTIL:
            at = (column.cast(float).fill_nan(None) * size).round(0).cast(int)
            told = f"{epoch} since 1970"
            return _made(column, at, told, "UTC", epoch=epoch, readable=epoch != "ns")
    return None


def judge(clock: Clock, machines: Codes | None = None, sampled: bool = False) -> dict[str, Any]:
    """Return what a clock shows, machine by machine (`machines` (n,) has the code of each row's, -1 for none).

    Rows are looked at in the order in which they stand in the files.
    """
    import numpy as np

    told: dict[str, Any] = {
        "column": clock.name, "format": clock.format, "zone": clock.zone, "note": clock.note,
        "missing": int((~clock.there).sum()), "first": None, "last": None,
    }  # fmt: skip
    keep = clock.there if machines is None else clock.there & (machines >= 0)
    at = clock.at[keep]
    if not len(at):
        return told
    who = np.zeros(len(at), np.int32) if machines is None else machines[keep]
    told |= {"first": text(int(at.min())), "last": text(int(at.max()))}
    order = np.argsort(who, kind="stable")
    at, who = at[order], who[order]
    same = who[1:] == who[:-1]
    step = (at[1:] - at[:-1])[same]
    begins = at[:-1][same]
    told["backwards"] = int((step < 0).sum())
    told["ordered"] = bool(told["backwards"] <= 0.05 * max(len(step), 1))
    told["monotone"] = told["backwards"] == 0
    told["hours"] = _hours(step, begins) if told["ordered"] else []
    by_time = np.lexsort((at, who))
    at, who = at[by_time], who[by_time]
    same = who[1:] == who[:-1]
    step, begins = (at[1:] - at[:-1])[same], at[:-1][same]
    told["repeated"] = int((step == 0).sum())
    ahead = step > 0
    told |= _intervals(step[ahead], begins[ahead], who[1:][same][ahead], sampled)
    outside = (at < SINCE) | (at > UNTIL)
    if outside.any():
        told["outside"] = int(outside.sum())
    return told


def _intervals(step: Ints, begins: Ints, who: Codes, sampled: bool) -> dict[str, Any]:
    """Return the usual interval, whether there is one, and the gaps: every machine is held to its own pace."""
    import numpy as np

    if not len(step):
        return {"interval": None, "regular": False, "gaps": 0, "gap": None}
    usual = float(np.median(step))
    pace = _paces(step, who)
    off = np.abs(step - pace)
    even = float(np.mean(off <= 0.1 * pace))
    regular = even >= REGULAR
    told: dict[str, Any] = {
        "interval": span(usual),
        "interval_us": int(usual),
        "regular": regular,
        "gaps": 0,
        "gap": None,
        "jitter": span(float(np.median(off))),
        "even": even,
    }
    if regular and not sampled:
        wide = step > GAP * pace
        told["gaps"] = int(wide.sum())
        if told["gaps"]:
            longest = int(np.argmax(np.where(wide, step, 0)))
            told["gap"] = f"{span(float(step[longest]))} from {text(int(begins[longest]))}"
    elif sampled:
        told["gaps"] = None
    return told


def _paces(step: Ints, who: Codes) -> Ints:
    """Return (n,) the median of the intervals of each interval's machine."""
    import numpy as np

    order = np.lexsort((step, who))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(who[order])) + 1])
    counts = np.diff(np.append(starts, len(order)))
    medians = step[order][starts + counts // 2]
    out = np.empty_like(step)
    out[order] = np.repeat(medians, counts)
    return out


def _hours(step: Ints, begins: Ints) -> list[str]:
    """Return steps of an hour back or ahead on a grid that is finer: a clock that was set by hand, or for summer."""
    import numpy as np

    ahead = step[step > 0]
    if not len(ahead):
        return []
    usual = float(np.median(ahead))
    if usual > HOUR / 2:
        return []
    out = []
    loose = 0.5 * usual + SECOND
    for sign, word in ((-1, "back"), (1, "ahead")):
        hit = np.abs(step - (usual + sign * HOUR)) <= loose
        if sign == 1 and np.mean(np.abs(ahead - usual) <= 0.1 * usual) < REGULAR:
            hit &= False  # An hour without rows is no step where rows come as they come.
        places = np.flatnonzero(hit)
        if len(places):
            summer = all(_summer(int(begins[place])) for place in places.tolist())
            more = ", as summer time does: name the zone" if summer else ""
            when = ", ".join(text(int(begins[place])) for place in places[:NAMED_MOST].tolist())
            out.append(f"{len(places)} step(s) of an hour {word} ({when}){more}")
    return out


def _summer(at: int) -> bool:
    """Say whether a moment lies in a night in which many countries change their clocks (EU and US rules)."""
    from datetime import UTC, datetime

    when = datetime.fromtimestamp(at / 1e6, UTC)
    return when.month in (3, 4, 10, 11) and (when.weekday() == 6 or (when.weekday() == 5 and when.hour >= 22))


def compare(one: Clock, other: Clock) -> dict[str, Any] | None:
    """Return how a second clock of the same rows runs against the first: behind by how much, and drifting or not.

    `known_later` is True when it never comes before the first: it may be when the row was seen.
    """
    import numpy as np

    both = one.there & other.there
    if both.sum() < 20:
        return None
    at, lag = one.at[both].astype(np.float64), (other.at[both] - one.at[both]).astype(np.float64)
    median = float(np.median(lag))
    told: dict[str, Any] = {
        "columns": [one.name, other.name], "median": span(median), "before": int((lag < 0).sum()),
        "known_later": bool((lag >= 0).all() and (lag > 0).any()), "same": bool((lag == 0).all()), "drift": "",
    }  # fmt: skip
    order = np.argsort(at, kind="stable")
    bins = [part for part in np.array_split(order, min(20, len(order) // 10 or 1)) if len(part)]
    if len(bins) < 5 or at.max() == at.min():
        return told
    x = np.array([np.median(at[part]) for part in bins])
    y = np.array([np.median(lag[part]) for part in bins])
    noise = float(np.median([np.median(np.abs(lag[part] - np.median(lag[part]))) for part in bins]))
    slope, start = np.polyfit(x - x[0], y, 1)
    rest = float(np.abs(y - (start + slope * (x - x[0]))).max())
    change = abs(float(slope) * (x[-1] - x[0]))
    if change > max(5 * noise / np.sqrt(len(order) / len(bins)), 0.5 * SECOND) and rest < 0.25 * change:
        told["drift"] = f"{span(float(slope) * DAY)} a day, {span(change)} in all"
    return told


def text(at: int) -> str:
    """Return a moment as a person reads it."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(at / 1e6, UTC).replace(tzinfo=None).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at} us"


def span(size: float) -> str:
    """Return a span in the unit that a person would choose.

    >>> span(90_000_000.0), span(-3_600_000_000.0), span(0.0)
    ('1.5 min', '-1 h', '0 s')
    """
    for unit, least in (("d", DAY), ("h", HOUR), ("min", 60 * SECOND), ("s", SECOND), ("ms", 1000)):
        if abs(size) >= least:
            return f"{size / least:.4g} {unit}"
    return f"{size:.4g} us" if size else "0 s"
