from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyball import errors, units
from flyball.serving import calendar
from flyball.serving.calendar import Calendar, Freeze, Window
from flyball.serving.trust.order import Policy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = int(units.minutes(1)), int(units.hours(1)), int(units.DAY)
#: Summer time of an hour, of half an hour, at midnight, a day that was skipped, offsets that are no whole hours, none.
ZONES = ("Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia",
         "Pacific/Chatham", "Asia/Seoul", "Asia/Kolkata", "UTC")  # fmt: skip
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)  # the Sundays on which Amsterdam changes its clocks


def at(text):
    """The moment of an ISO text with its offset, in microseconds."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


def spans(window, day):
    """When the windows of one day of the site are open, minute by minute: what the module does by reckoning."""
    zone = ZoneInfo(window.zone)
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=2)
    minutes = [begin + timedelta(minutes=n) for n in range(5 * 1440)]
    shown = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]

    def first(later, time):
        wall = datetime(day.year, day.month, day.day) + timedelta(
            days=later, hours=int(time[:2]), minutes=int(time[3:])
        )
        found = next(minute for minute, clock in zip(minutes, shown, strict=True) if clock >= wall)
        return (found - EPOCH) // timedelta(microseconds=1)

    return first(0, window.since), first(int(window.until <= window.since), window.until)


times = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
windows = st.builds(
    Window,
    st.lists(st.sampled_from(calendar.DAYS), min_size=1, max_size=3, unique=True),
    times,
    st.one_of(times, st.just("24:00")),
    st.sampled_from(ZONES),
).filter(lambda window: window.since != window.until)
moments = st.integers(at("1995-01-01T00:00+00:00"), at("2037-01-01T00:00+00:00"))
freezes = st.builds(
    lambda since, long: Freeze(since, since + long),
    st.integers(at("2026-01-01T00:00+00:00"), at("2026-03-01T00:00+00:00")),
    st.integers(1, 20 * DAY),
)
calendars = st.builds(Calendar, st.lists(windows, max_size=3), st.lists(freezes, max_size=4))
early = st.integers(at("2026-01-01T00:00+00:00"), at("2026-03-01T00:00+00:00"))


@given(windows, st.dates(date(1995, 1, 1), date(2037, 12, 31)))
@example(Window(("sun",), "02:30", "04:00", "Europe/Amsterdam"), SPRING)
@example(Window(("sun",), "02:15", "02:45", "Europe/Amsterdam"), SPRING)
@example(Window(("sun",), "02:15", "02:45", "Europe/Amsterdam"), AUTUMN)
@example(Window(("sun",), "01:00", "02:30", "Europe/Amsterdam"), AUTUMN)
@example(Window(("sun",), "01:45", "02:15", "Australia/Lord_Howe"), date(2026, 10, 4))
@example(Window(("sun",), "00:00", "01:00", "America/Havana"), date(2026, 3, 8))
@example(Window(("thu",), "22:00", "04:00", "Pacific/Apia"), date(2011, 12, 29))
@example(Window(("fri",), "00:00", "24:00", "Pacific/Apia"), date(2011, 12, 30))
def test_it_is_open_when_the_clock_on_the_wall_says_so(window, day):
    window = Window((calendar.DAYS[day.weekday()],), window.since, window.until, window.zone)
    since, until = spans(window, day)
    if since == until:
        assert not window.open_at(since) and not window.open_at(since - 1)
        return
    assert [window.open_at(since), window.open_at(until - 1)] == [True, True]
    assert not window.open_at(since - 1) or (until - since) >= DAY - HOUR
    assert not window.open_at(until)
    assert window.next_open(since - 1) == since
    assert window.next_open(until - 1) == until - 1


@given(windows, moments)
def test_a_window_opens_next_where_it_says_and_nowhere_before(window, now):
    found = window.next_open(now)
    assert found is not None and now <= found <= now + 15 * DAY
    assert window.open_at(found) and window.next_open(found) == found
    between = range(now, found, max(1, (found - now) // 50))
    assert not any(window.open_at(moment) for moment in between)
    assert found == now or not window.open_at(found - 1)


def test_hours_on_the_wall_are_other_moments_in_summer():
    window = Window(("mon",), "22:00", "23:00", "Europe/Amsterdam")
    assert window.next_open(at("2026-01-05T00:00+00:00")) == at("2026-01-05T21:00+00:00")
    assert window.next_open(at("2026-07-06T00:00+00:00")) == at("2026-07-06T20:00+00:00")


def test_an_evening_lasts_into_a_day_that_is_not_named():
    window = Window(("sun",), "22:00", "04:00", "Asia/Seoul")
    assert window.open_at(at("2026-11-30T03:59:59.999999+09:00"))
    assert not window.open_at(at("2026-11-30T04:00+09:00"))
    assert not window.open_at(at("2026-11-29T03:00+09:00"))


def test_the_hour_that_clocks_skip_does_not_open_and_the_next_week_does():
    window = Window(("sun",), "02:15", "02:45", "Europe/Amsterdam")
    assert window.next_open(at("2026-03-28T00:00+01:00")) == at("2026-04-05T02:15+02:00")


def test_the_hour_that_clocks_show_twice_opens_once():
    window = Window(("sun",), "02:15", "02:45", "Europe/Amsterdam")
    assert window.open_at(at("2026-10-25T02:30+02:00"))
    assert not window.open_at(at("2026-10-25T02:30+01:00"))


@given(calendars, early)
def test_a_calendar_opens_next_where_it_says_and_nowhere_before(site, now):
    found = site.next_open(now)
    assert found is not None and found >= now and site.open_at(found)
    ends = [end for freeze in site.freezes for end in (freeze.since, freeze.until)]
    starts = [window.next_open(moment) for window in site.windows for moment in (now, *ends)]
    tried = {moment for moment in (*ends, *starts, *range(now, found, DAY // 3)) if now <= moment < found}
    assert not any(site.open_at(moment) for moment in tried)
    assert found == now or not site.open_at(found - 1)


@given(calendars, early)
def test_a_calendar_is_open_in_any_window_and_in_no_freeze(site, now):
    may = not site.windows or any(window.open_at(now) for window in site.windows)
    frozen = any(freeze.since <= now < freeze.until for freeze in site.freezes)
    assert site.open_at(now) == (may and not frozen)


@given(calendars, early)
def test_the_order_of_windows_and_freezes_is_irrelevant(site, now):
    other = Calendar(site.windows[::-1], site.freezes[::-1])
    assert (other.open_at(now), other.next_open(now)) == (site.open_at(now), site.next_open(now))


def test_freezes_that_touch_are_waited_out_together():
    site = Calendar(freezes=(Freeze(20, 30), Freeze(10, 20), Freeze(29, 45)))
    assert [site.next_open(now) for now in (9, 10, 25, 45)] == [9, 45, 45, 45]


def test_a_freeze_for_ever_never_opens():
    for site in (
        Calendar(freezes=(Freeze(0, 2**63 - 1),)),
        Calendar((Window(("mon",), "01:00", "02:00"),), (Freeze(0, 2**63 - 1),)),
    ):
        assert not site.open_at(5)
        assert site.next_open(5) is None


def test_no_window_reaches_beyond_the_last_moment():
    window = Window(calendar.DAYS, "00:00", "00:01")
    assert window.next_open(calendar.LAST - HOUR) is None
    assert Calendar((window,)).next_open(calendar.LAST - HOUR) is None


@pytest.mark.parametrize("now", [-1, calendar.LAST, 2**63])
@pytest.mark.parametrize("site", [Window(("mon",), "01:00", "02:00"), Freeze(0, 9), Calendar()])
def test_a_clock_that_is_broken_opens_nothing(site, now):
    for asked in (site.next_open, Calendar().next_open):
        with pytest.raises(errors.DataError, match="set the clock"):
            asked(now)


@given(windows)
def test_a_window_reads_back_from_its_text(window):
    assert calendar.read(repr(window)) == window


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Window(('sun',), '22:00', '04:00', 'Europe/Amsterdm')", "Europe/Amsterdam"),
        ("Window(('sun',), '22:00', '04:00', '../passwd')", "no time zone"),
        ("Window(('sun',), '22:00', '04:00', 7)", "no time zone 7"),
        ("Window(('son',), '22:00', '04:00')", "did you mean 'sun'"),
        ("Window((), '22:00', '04:00')", "no day of the week"),
        ("Window('sun', '22:00', '04:00')", r"give \('sun',\)"),
        ("Window((1,), '22:00', '04:00')", "1 is no day"),
        ("Window(('sun',), '9:00', '04:00')", "'9:00' is no time"),
        ("Window(('sun',), '24:00', '04:00')", "'24:00' is no time"),
        ("Window(('sun',), '22:00', '24:01')", "'24:01' is no time"),
        ("Window(('sun',), '22:00\\n', '04:00')", "is no time"),
        ("Window(('sun',), 22, 4)", "22 is no time"),
        ("Window(('sun',), '22:00', '22:00')", "'24:00' for a whole day"),
        ("Window(('sun',), '22:00')", "needs 'until'"),
        ("('sun', '22:00', '04:00')", "is no window"),
        ("__import__('os').getcwd()", "not a known part"),
    ],
)
def test_a_text_that_is_no_window_is_refused(text, told):
    with pytest.raises(errors.DeclarationError, match=told):
        calendar.read(text)


def test_every_mistake_of_a_window_is_told_at_once():
    places = [problem.place for problem in Window(("son",), "9:00", "25:00", "Mars").problems()]
    assert places == ["days", "since", "until", "zone"]
    assert list(Window(("sun",), "22:00", "24:00").problems()) == []


def test_a_window_that_is_none_opens_for_nobody():
    window = Window(("sun",), "22:00", "04:00", "Mars")
    for asked in (window.open_at, window.next_open, Calendar((window,)).open_at):
        with pytest.raises(errors.DeclarationError, match="Mars"):
            asked(0)


def test_a_machine_without_time_zones_says_what_to_install(monkeypatch):
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    with pytest.raises(errors.DeclarationError, match="install tzdata"):
        calendar.read("Window(('sun',), '22:00', '04:00', 'No/Where')")


@pytest.mark.parametrize("ends", [(9, 9), (9, 3), (1.5, 3), ("1", 3), (True, 3)])
def test_a_freeze_that_is_none_is_refused(ends):
    freeze = Freeze(*ends)
    for asked in (freeze.open_at, Calendar(freezes=(freeze,)).open_at, lambda _: calendar.of([], [ends])):
        with pytest.raises(errors.DeclarationError):
            asked(5)


def test_problems_of_a_calendar_have_their_place():
    site = Calendar((Window(("sun",), "22:00", "22:00"),), (Freeze(1, 2), Freeze(2, 1)))
    assert [problem.place for problem in site.problems()] == ["windows[0].until", "freezes[1].until"]


def test_it_holds_what_a_policy_laid_down():
    text = "serving.Window(('sun',), '22:00', '04:00', zone='Asia/Seoul')"
    policy = Policy("fab-1", {}, windows=(text,), freezes=((at("2026-12-20T00:00+09:00"), 2 * 10**15),))
    site = calendar.of(policy.windows, policy.freezes)
    assert site.open_at(at("2026-12-13T23:00+09:00"))
    assert not site.open_at(at("2026-12-14T12:00+09:00"))
    assert not site.open_at(at("2026-12-20T23:00+09:00"))
    for now in range(at("2026-12-13T00:00+09:00"), at("2026-12-21T00:00+09:00"), DAY // 5):
        assert policy.frozen(now) != Calendar(freezes=site.freezes).open_at(now)
    assert calendar.of((), ()).open_at(0)
