"""What software upgrades do to the files of a site: other names and units, and the bindings that undo it.

From the midnight after an upgrade on, a site's files of telemetry call some channels otherwise, and send some in
another unit.  In Python (`fab.tables`) and in files of the whole fleet channels keep their names.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from typing import TYPE_CHECKING

from flyball import data, units
from flyball.fab import channels, clocks, fleet, injected, regimes, sensors

if TYPE_CHECKING:
    import polars as pl

#: Channels that each upgrade calls otherwise, and how many of them come in another unit as well.
RENAMED, CONVERTED = 4, 1


@dataclasses.dataclass(frozen=True)
class Renaming:
    """A channel of a site from one of its upgrades (0, 1) on: what it is called, and its unit."""

    site: int
    upgrade: int
    channel: str
    name: str
    unit: str


@functools.lru_cache(maxsize=4)
def renamings(fab: fleet.Fab) -> tuple[Renaming, ...]:
    """Return what the upgrades of all sites call otherwise; no channel is renamed twice.

    >>> one = renamings(fleet.Fab("tiny"))[0]
    >>> one.name != one.channel, one.unit != next(c.unit for c in channels.CHANNELS if c.name == one.channel)
    (True, True)
    """
    if not fab.mess:
        return ()
    rng, found = fleet.stream(fab, "upgrades"), []
    for site in range(fab.size().sites):
        order = [channels.CHANNELS[place] for place in rng.permutation(len(channels.CHANNELS))]
        order.sort(key=lambda channel: channel.unit not in sensors.OTHER)
        convertible, rest = order[: 2 * CONVERTED], order[2 * CONVERTED :]
        plain = RENAMED - CONVERTED
        for upgrade in (0, 1):
            for channel in convertible[upgrade * CONVERTED :][:CONVERTED]:
                unit = sensors.OTHER[channel.unit]
                found.append(
                    Renaming(site, upgrade, channel.name, _called(channel.name, upgrade) + _ascii(unit), unit)
                )
            for channel in rest[upgrade * plain :][:plain]:
                found.append(
                    Renaming(site, upgrade, channel.name, _called(channel.name, upgrade), channel.unit)
                )
    return tuple(found)


def _called(name: str, upgrade: int) -> str:
    """Return what an upgrade calls a channel: the first likes capitals, the second numbers."""
    return "".join(part.capitalize() for part in name.split("_")) if upgrade == 0 else f"sw3_{name}"


def _ascii(unit: str) -> str:
    return "_" + {"1": "share", "mm/s": "mms", "m/s": "ms"}.get(unit, unit)


@functools.lru_cache(maxsize=16)
def epochs(fab: fleet.Fab, site: int) -> tuple[tuple[str, str, tuple[Renaming, ...]], ...]:
    """Return a site's times of one software each: first day and the day after the last (empty: open), and names.

    >>> [(first == "", last == "", len(names)) for first, last, names in epochs(fleet.Fab("tiny"), 0)]
    [(True, False, 0), (False, False, 4), (False, True, 8)]
    """
    days = [_day(hour) for hour in regimes.upgraded(fab)[site]]
    bounds = list(zip(["", *days], [*days, ""], strict=True))
    mine = [one for one in renamings(fab) if one.site == site]
    found = [
        (first, last, tuple(one for one in mine if one.upgrade < number))
        for number, (first, last) in enumerate(bounds)
    ]
    return tuple(one for one in found if one[0] != one[1])


def _day(hour: float) -> str:
    start = datetime.datetime.fromtimestamp(fleet.START_US / 1e6, datetime.UTC)
    return (start + datetime.timedelta(hours=float(hour))).date().isoformat()


def as_sent(fab: fleet.Fab, site: int, day: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return a frame of a site's telemetry as its files have it on a day of arrival (ISO).

    Channels under their names and in their units, without those that the site has not; the stamps of its loggers
    (column `time`) without a zone.
    """
    import polars as pl

    if not fab.mess:
        return rows
    hour = _hour(day)
    gone = [
        name
        for where, name, first, last in regimes.existing(fab)
        if where == site and not first <= hour < last
    ]
    names = next(
        names for first, last, names in epochs(fab, site) if first <= day and (not last or day < last)
    )
    rows = rows.drop(gone, strict=False).with_columns(
        pl.col(one.channel) * factor + offset
        for one in names
        if one.channel in rows.columns and one.channel not in gone
        for factor, offset in [units.affine(_unit(one.channel), one.unit)]
        if (factor, offset) != (1.0, 0.0)
    )
    if "time" in rows.columns:
        rows = rows.with_columns(pl.col("time").dt.replace_time_zone(None))
    return rows.rename({one.channel: one.name for one in names if one.channel in rows.columns})


def _hour(day: str) -> float:
    """Return the hour of the fleet at which a day begins."""
    moment = datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC)
    return (moment.timestamp() * 1e6 - fleet.START_US) / fleet.HOUR_US


def _unit(channel: str) -> str:
    return channels.UNITS[channel]


def bindings(fab: fleet.Fab) -> tuple[data.Binding, ...]:
    """Return what a person at each site would write down to undo it all: one binding for each software of each site.

    Names and units from one day until another, and the zone in which loggers write; of the hour that comes twice in
    autumn the earlier one is taken, so that hour's second rows stay an hour off.

    >>> one = bindings(fleet.Fab("tiny"))[1]
    >>> one.site, len(one.names), len(one.units), one.zone
    ('A', 4, 1, 'Europe/London')
    """
    found = []
    for site in range(fab.size().sites if fab.mess else 0):
        for first, last, names in epochs(fab, site):
            found.append(
                data.Binding(
                    chr(ord("A") + site), since=first or None, until=last or None, zone=clocks.ZONE,
                    names={f"telemetry.{one.channel}": one.name for one in names},
                    units={
                        f"telemetry.{one.channel}": one.unit for one in names if one.unit != _unit(one.channel)
                    },
                )
            )  # fmt: skip
    return tuple(found)


def truth(fab: fleet.Fab) -> list[injected.Table]:
    """Return the truth of names: the factor to another unit, and the new name with its unit as a note.

    Hours are of arrival.
    """
    end, since = 24.0 * fab.size().days, regimes.upgraded(fab)
    return [
        injected.table(
            fab, "renamed channel", site=one.site, channel=one.channel, start=since[one.site, one.upgrade], end=end,
            magnitude=units.affine(_unit(one.channel), one.unit)[0], note=f"{one.name} in {one.unit}, in files",
        )
        for one in renamings(fab)
    ]  # fmt: skip
