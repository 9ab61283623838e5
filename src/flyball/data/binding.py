"""A site binding: what this site calls things, in which units, clock and codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball import errors, part, units
from flyball.data.dictionaries import Dictionary
from flyball.data.layout import Layout
from flyball.data.query import Query

EPOCHS = ("s", "ms", "us")
#: What is wrong with a name that a page does not declare.
UNKNOWN = "the page has no such column"


class Binding(part.Part):
    """Maps a site's own names, units, time zone and codes to the page's, so that one page serves every site.

    `names` maps the page's name ("telemetry.vibration", or "vibration" for every table; also the key's and the
    time's) to the site's column; `units` maps the page's name to the unit the site sends; `zone` is the zone of
    times that carry none; `epoch` says what a numeric time counts since 1970 ("s", "ms" or "us"); `codes` maps
    the page's name of a category column to {site's code: page's}.  `software` names the releases of the
    machines' software it was written for; `queries` pull tables from the site's database.  A binding holds for files of
    the days from `since` until before `until` (ISO dates): the day that a file's name tells, or the one on which it is
    taken in.

    `layouts` says by table how a line of its raw logs reads; `dictionaries` what releases of the machines' software
    call codes since when, row by row: codes get their former names back, and `codes` then translates those.

    >>> Binding("north", names={"telemetry.vibration": "VIB_1"}).site_name("telemetry", "vibration")
    'VIB_1'
    """

    site: str
    since: str | None = None
    until: str | None = None
    names: Mapping[str, str] = part.field(default_factory=dict)
    units: Mapping[str, str] = part.field(default_factory=dict)
    zone: str = "UTC"
    epoch: str = "us"
    codes: Mapping[str, Mapping[str, str]] = part.field(default_factory=dict)
    software: tuple[str, ...] = ()
    layouts: Mapping[str, Layout] = part.field(default_factory=dict)
    dictionaries: tuple[Dictionary, ...] = ()
    queries: tuple[Query, ...] = ()

    def site_name(self, table: str, column: str) -> str:
        """Return what the site calls a column of the page."""
        return self.names.get(f"{table}.{column}", self.names.get(column, column))

    def site_unit(self, table: str, column: str, declared: str) -> str:
        """Return the unit in which the site sends a column."""
        return self.units.get(f"{table}.{column}", self.units.get(column, declared))

    def site_codes(self, table: str, column: str) -> Mapping[str, str]:
        """Return {site's code: page's code} of a category column."""
        return self.codes.get(f"{table}.{column}", self.codes.get(column, {}))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield every mistake of this binding; with a page (its data stage) also names that the page has not."""
        from datetime import date
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(self.zone)
        except Exception:
            yield errors.Problem("zone", f"no time zone {self.zone!r}", "give a name like 'Europe/Amsterdam'")
        if self.epoch not in EPOCHS:
            yield errors.Problem("epoch", f"no epoch unit {self.epoch!r}", "give 's', 'ms' or 'us'")
        for place in ("since", "until"):
            try:
                date.fromisoformat(getattr(self, place) or "2000-01-01")
            except ValueError:
                yield errors.Problem(place, f"{getattr(self, place)!r} is no date", "give it as '2026-01-31'")
        for name, unit in self.units.items():
            if not units.is_unit(unit):
                yield errors.Problem(
                    f"units[{name!r}]", f"no unit {unit!r}", errors.did_you_mean(unit, units.names())
                )
        inner = [(f"layouts[{table!r}]", layout) for table, layout in self.layouts.items()]
        books = [(f"dictionaries[{place}]", book) for place, book in enumerate(self.dictionaries)]
        asked = [(f"queries[{number}]", query) for number, query in enumerate(self.queries)]
        for place, one in (*inner, *books, *asked):
            for problem in one.problems(page):
                yield problem._replace(place=f"{place}.{problem.place}")
        if page is not None:
            yield from self._unknown(page)

    def _unknown(self, fleet: Any) -> Iterator[errors.Problem]:
        columns = fleet.arriving()
        known = {*columns, *(name.partition(".")[2] for name in columns), fleet.key, "key", "at", "seen"}
        known |= {table.time for table in fleet.tables if table.time}
        for place in ("names", "units", "codes"):
            for name in getattr(self, place):
                if name not in known:
                    yield errors.Problem(f"{place}[{name!r}]", UNKNOWN, errors.did_you_mean(name, known))
        for table in self.layouts:
            if fleet.table(table) is None:
                tables = [one.name for one in fleet.tables]
                yield errors.Problem(f"layouts[{table!r}]", UNKNOWN, errors.did_you_mean(table, tables))
        for number, book in enumerate(self.dictionaries):
            for field, name in (("of", book.of), ("child", book.child)):
                if name and name not in known:
                    fix = errors.did_you_mean(name, known)
                    yield errors.Problem(f"dictionaries[{number}].{field}[{name!r}]", UNKNOWN, fix)
        for name, unit in self.units.items():
            for full, declared in columns.items():
                fits = name in (full, full.partition(".")[2])
                if fits and units.is_unit(unit) and not units.same_dimension(unit, declared):
                    yield errors.Problem(
                        f"units[{name!r}]", f"{unit!r} cannot become {declared!r}, which the page declares for {full}",
                        "mend the unit here, or declare another one on the page",
                    )  # fmt: skip

    def check(self, fleet: Any = None) -> Binding:
        """Return the binding itself, or raise one DataError that lists every problem."""
        self.refuse(self.site, list(self.problems(fleet)))
        return self

    @staticmethod
    def refuse(site: str, problems: Sequence[errors.Problem]) -> None:
        """Raise one DataError that lists all problems of a site's binding; without any nothing happens."""
        if problems:
            lines = "\n".join(f"  {problem}" for problem in problems)
            raise errors.DataError(f"binding {site!r}: {len(problems)} problem(s)\n{lines}")

    def span(self) -> str:
        """Return from when until when the binding holds, as a person reads it."""
        return f"holds from {self.since or 'ever'} until {self.until or 'ever'}"

    def holds_on(self, iso: str) -> bool:
        """Return whether the binding is valid on a day, given as '2026-01-31'."""
        return (self.since or "") <= iso and not (self.until and iso >= self.until)

    def holds(self, now_us: int) -> None:
        """Raise DataError when the binding is not valid at a moment (microseconds)."""
        if not self.holds_on(day(now_us)):
            raise errors.DataError(
                f"binding {self.site!r} {self.span()}, not on {day(now_us)}: give the site's binding for that day"
            )


def day(now_us: int) -> str:
    """Return the day of a moment (microseconds, UTC) as an ISO date.

    >>> day(0)
    '1970-01-01'
    """
    from datetime import UTC, datetime

    return datetime.fromtimestamp(now_us / 1e6, UTC).date().isoformat()


_NAMES = {
    **{name: getattr(units, name) for name in units.MAKERS},
    **{f"{at}{kind.__name__}": kind for kind in (Binding, Dictionary, Layout, Query) for at in ("data.", "")},
}


def read(path: Path) -> Binding:
    """Read a binding from a file that holds its repr (`data.Binding("north", ...)`); nothing in it is run.

    Raises DeclarationError when the text is no binding.
    """
    found = part.parse(path.read_text(encoding="utf-8"), _NAMES)
    if not isinstance(found, Binding):
        raise errors.DeclarationError(f"{path} holds no data.Binding(...)")
    return found
