"""When a machine may switch: weekly windows in a site's time zone, and freezes.

Moments are microseconds since 1970 (UTC) and are passed in: nothing here reads a clock.  A window is written as
people read it, by the wall clock of the site, so its moments move with daylight saving.  An end of a window is the
first moment at which the wall clock shows that time or a later one.  In spring a window inside the hour that clocks
skip does not open; in autumn a window opens once, though the clock shows its hour twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, part

if TYPE_CHECKING:
    from datetime import date, tzinfo

#: Days of the week as a window names them, in the order of `datetime.date.weekday`.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: The year 9000: a clock that shows a later moment is broken, and a calendar reaches no farther.
LAST = 221_845_392_000_000_000

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class Window(part.Part):
    """A span of some days of every week in which machines may switch, by the wall clock of the site.

    Why: planners give hours on the wall ("Sunday 22:00 to 04:00"), and those are other moments in summer than in
    winter.  `days` name the days on which it opens; an `until` that is not after `since` belongs to the next day, and
    "24:00" is the end of the day.  `zone` is a name of the IANA time zone database.

    >>> window = Window(("sun",), "22:00", "04:00", "Europe/Amsterdam")
    >>> window.open_at(1_798_412_400_000_000)  # Sunday 27 December 2026, 23:00 UTC: midnight at the site
    True
    """

    days: tuple[str, ...]
    since: str
    until: str
    zone: str = "UTC"

    def open_at(self, now: int) -> bool:
        """Return whether the window is open at a moment; raises DeclarationError for a window that is none."""
        return any(since <= now < until for since, until in self._spans(_moment(now), after=1))

    def next_open(self, now: int) -> int | None:
        """Return the first moment from `now` on at which the window is open; None where it never is again.

        >>> Window(("thu",), "01:00", "02:00").next_open(0)  # 1 January 1970 was a Thursday
        3600000000
        """
        # Daylight saving can swallow the window of one week, a change of the date line that of another.
        ahead = [max(since, now) for since, until in self._spans(_moment(now), after=22) if until > now]
        return min((at for at in ahead if at < LAST), default=None)

    def _spans(self, now: int, after: int) -> Iterator[tuple[int, int]]:
        """Yield (since, until) in microseconds of each opening from two days before the moment to `after` days on."""
        from datetime import timedelta

        if found := list(self.problems()):
            raise errors.DeclarationError(f"{self!r} is no window", found)
        zone = _zone(self.zone)
        today = _wall(now, zone).date()
        # An evening's window opened yesterday; where the clock once went back by a day, the day before.
        for ahead in range(-2, after + 1):
            day = today + timedelta(days=ahead)
            if DAYS[day.weekday()] in self.days:
                ends = day if self.until > self.since else day + timedelta(days=1)
                since, until = _first(day, self.since, zone), _first(ends, self.until, zone)
                if since < until:
                    yield since, until

    def problems(self, page: Any = None) -> Iterator[errors.Problem]:
        """Yield days, times and zones that are none, and a window that would open and close at once."""
        days = self.days if isinstance(self.days, tuple) else (self.days,)
        for day in days or ("",):
            if day not in DAYS:
                fix = errors.did_you_mean(str(day), DAYS)
                yield errors.Problem("days", f"{day!r} is no day of the week", fix)
        if not isinstance(self.days, tuple) and self.days in DAYS:
            yield errors.Problem("days", f"{self.days!r} is not a list of days", f"give ({self.days!r},)")
        for name, last in (("since", ""), ("until", "24:00")):
            time = getattr(self, name)
            if not isinstance(time, str) or not (_TIME.fullmatch(time) or (last and time == last)):
                yield errors.Problem(name, f"{time!r} is no time of day", "give one such as '04:30'")
        if self.since == self.until:
            what = f"it opens and closes at {self.since!r}"
            yield errors.Problem("until", what, "give '00:00' and '24:00' for a whole day")
        try:
            _zone(self.zone)
        except errors.DeclarationError as error:
            yield errors.Problem("zone", str(error))


class Freeze(part.Part):
    """A span from `since` to before `until`, in microseconds, in which nothing may switch.

    >>> Freeze(10, 20, "year end").open_at(20), Freeze(10, 20).next_open(15)
    (True, 20)
    """

    since: int
    until: int
    why: str = ""

    def open_at(self, now: int) -> bool:
        """Return whether it lets a machine switch at a moment; raises DeclarationError for a freeze that is none."""
        # One whose ends are the wrong way round would never freeze anything, and nobody would be told.
        if found := list(self.problems()):
            raise errors.DeclarationError(f"{self!r} is no freeze", found)
        return not self.since <= _moment(now) < self.until

    def next_open(self, now: int) -> int | None:
        """Return the first moment from `now` on at which the freeze lets a machine switch; None where none comes."""
        at = now if self.open_at(now) else self.until
        return at if at < LAST else None

    def problems(self, page: Any = None) -> Iterator[errors.Problem]:
        """Yield ends that are no moments, and a freeze that ends before it begins."""
        for name in ("since", "until"):
            if type(getattr(self, name)) is not int:
                what = f"{getattr(self, name)!r} is no moment"
                yield errors.Problem(name, what, "give microseconds since 1970")
                return
        if self.until <= self.since:
            yield errors.Problem("until", f"{self.until} is not after {self.since}", "give a later moment")


class Calendar(part.Part):
    """When machines of a site may switch: in any of its windows, and in no freeze.

    A site without windows is open whenever nothing is frozen.

    >>> calendar = Calendar((Window(("thu",), "00:00", "02:00"),), (Freeze(0, 3_600_000_000),))
    >>> calendar.open_at(0), calendar.next_open(0)
    (False, 3600000000)
    """

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()

    def open_at(self, now: int) -> bool:
        """Return whether a machine may switch at a moment; raises DeclarationError for a calendar that is none."""
        may = [window.open_at(now) for window in self.windows] or [True]
        return any(may) and all(freeze.open_at(now) for freeze in self.freezes)

    def next_open(self, now: int) -> int | None:
        """Return the first moment from `now` on at which a machine may switch; None where none comes."""
        at: int | None = _moment(now)
        while at is not None and not self.open_at(at):
            for freeze in self.freezes:
                at = None if at is None else freeze.next_open(at)
            if at is not None and self.windows:
                ahead = [window.next_open(at) for window in self.windows]
                at = min((one for one in ahead if one is not None), default=None)
        return at

    def problems(self, page: Any = None) -> Iterator[errors.Problem]:
        """Yield every mistake of the windows and freezes, with its place."""
        for name in ("windows", "freezes"):
            for index, inner in enumerate(getattr(self, name)):
                for problem in inner.problems():
                    yield problem._replace(place=f"{name}[{index}].{problem.place}")


def read(text: str) -> Window:
    """Return the window that a text stands for; nothing in it is run.

    Raises DeclarationError for a text that is no window, with every mistake: a window read wrongly is a machine
    that switches in the middle of a lot.

    >>> read("serving.Window(('sun',), '22:00', '04:00', zone='Europe/Amsterdam')").days
    ('sun',)
    """
    told = part.parse(text, {"serving.Window": Window, "calendar.Window": Window, "Window": Window})
    if not isinstance(told, Window):
        raise errors.DeclarationError(f"{text[:80]!r} is no window: write serving.Window(days, since, until)")
    if found := list(told.problems()):
        raise errors.DeclarationError(f"{text[:80]!r} is no window", found)
    return told


def of(windows: Iterable[str], freezes: Iterable[tuple[int, int]] = ()) -> Calendar:
    """Return the calendar of a site's policy, which holds windows as text and freezes as pairs of moments.

    >>> of(["Window(('sun',), '22:00', '24:00')"], [(0, 10)]).freezes
    (serving.Freeze(0, 10),)
    """
    calendar = Calendar(tuple(map(read, windows)), tuple(Freeze(*ends) for ends in freezes))
    if found := list(calendar.problems()):
        raise errors.DeclarationError("the calendar cannot be held to", found)
    return calendar


def _moment(now: int) -> int:
    """Return a moment that a clock may show; raises DataError for one before 1970 or after the year 9000."""
    if not 0 <= now < LAST:
        raise errors.DataError(f"{now} is no moment between 1970 and 9000: set the clock of this machine")
    return now


def _zone(name: str) -> tzinfo:
    """Return a time zone; raises DeclarationError for a name that this machine does not know."""
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (LookupError, ValueError, TypeError, AttributeError, OSError):
        known = zoneinfo.available_timezones()
    what = errors.did_you_mean(str(name), known) if known else "none is installed: install tzdata"
    raise errors.DeclarationError(f"no time zone {name!r}, {what}")


def _wall(at: int, zone: tzinfo) -> Any:
    """Return what the wall clock shows at a moment, exact to the microsecond."""
    from datetime import UTC, datetime, timedelta

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)


def _first(day: date, time: str, zone: tzinfo) -> int:
    """Return the first moment at which the wall clock shows a time of a day or a later one."""
    from datetime import UTC, datetime, timedelta

    wall = datetime(day.year, day.month, day.day) + timedelta(hours=int(time[:2]), minutes=int(time[3:]))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)

    def moment(fold: int) -> int:
        return (wall.replace(tzinfo=zone, fold=fold) - epoch) // timedelta(microseconds=1)

    # Told twice: the first.  Never told: clocks skip it at the moment that lies between its two readings.
    high, low = moment(0), moment(1)
    if _wall(high, zone).replace(tzinfo=None) == wall:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if _wall(middle, zone).replace(tzinfo=None) < wall:
            low = middle
        else:
            high = middle
    return high
