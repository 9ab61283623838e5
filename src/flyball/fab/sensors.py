"""Sensors that tell wrong: drift, exchanged plugs, another gain or unit, stuck, spikes, clipping.

Each kind comes at its own rate per machine-year, on a channel that the machine has, whichever.  What a broken sensor
shows need not be possible: limits of the quantity do not hold it.  Sigma is the channel's own (`channels.CHANNELS`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball import units
from flyball.fab import channels, dynamics, fleet, injected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray

    Rows = dict[str, NDArray[Any]]

#: Per machine-year.
RATES = {"drift": 2.0, "swap": 0.2, "gain": 0.1, "stuck": 1.0, "spikes": 6.0, "clipping": 0.3}
YEAR = 24.0 * 365.25
#: The unit in which somebody else sends what the house has in this one.
OTHER = {
    "W": "kW", "kW": "W", "%": "1", "1": "%", "um": "nm", "nm": "um", "pm": "nm", "ns": "ms", "s": "ms", "h": "min",
    "bar": "kPa", "kPa": "mbar", "Pa": "mbar", "hPa": "kPa", "°C": "K", "kg": "g", "A": "mA", "V": "kV", "kV": "V",
    "mm/s": "m/s",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Episode:
    """One fault of one sensor: hours, machine and channel by index, and its own random stream."""

    kind: str
    machine: int
    channel: int
    start: float
    rng: np.random.Generator


def spoil(
    fab: fleet.Fab, rows: Rows, kinds: Collection[str] = tuple(RATES)
) -> tuple[Rows, list[injected.Table]]:
    """Return rows with sensors that tell wrong, and the truth of it; `rows` stays as it was.

    `rows` is sorted by machine (index) and at (hours).  Magnitudes: drift and spikes in sigmas (a ramp that ends
    there; the largest spike), gain and unit the factor, clipping the limit in the channel's unit.

    >>> import numpy as np
    >>> one = {"machine": np.zeros(9000, int), "at": np.arange(9000.0), "jitter": np.full(9000, 2.5)}
    >>> told, truth = spoil(fleet.Fab("tiny", machines=1, days=375), one, ["drift"])
    >>> bool((told["jitter"] != 2.5).any()), {str(kind) for part in truth for kind in part["kind"]}
    (True, {'drift'})
    """
    import numpy as np

    told, truth = dict(rows), []
    cuts = np.searchsorted(rows["machine"], np.arange(fab.size().machines + 1))
    has = _has(rows, cuts)
    for kind in kinds:
        for one in _episodes(fab, kind, has):
            truth.append(_MAKE[kind](fab, told, rows, one, slice(cuts[one.machine], cuts[one.machine + 1])))
    return told, [part for part in truth if part is not None]


def _has(rows: Rows, cuts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which machine has which channel, [machines, channels]."""
    import numpy as np

    has = np.zeros((len(cuts) - 1, len(channels.CHANNELS)), dtype=bool)
    for place, channel in enumerate(channels.CHANNELS):
        if channel.name in rows:
            before = np.concatenate([[0], np.cumsum(~np.isnan(rows[channel.name]))])
            has[:, place] = np.diff(before[cuts]) > 0
    return has


def _episodes(fab: fleet.Fab, kind: str, has: NDArray[np.bool_]) -> list[Episode]:
    """Draw when and where one kind of fault comes."""
    rng, size = fleet.stream(fab, f"mess: {kind}"), fab.size()
    count = rng.poisson(RATES[kind] * 24.0 * size.days / YEAR, size.machines)
    found = []
    for machine, many in enumerate(count.tolist()):
        there = has[machine].nonzero()[0]
        for own in rng.spawn(many):
            start = own.uniform(0.0, 24.0 * size.days)
            if len(there):
                found.append(Episode(kind, machine, int(own.choice(there)), float(start), own))
    return found


def _within(rows: Rows, whose: slice, start: float, end: float) -> slice:
    """Return the rows of one machine (a slice) from start until before end."""
    first, last = whose.start + rows["at"][whose].searchsorted([start, end])
    return slice(int(first), int(last))


def _put(told: Rows, rows: Rows, channel: channels.Channel, where: slice, value: NDArray[np.float64]) -> None:
    """Write values over a channel's, which is copied the first time."""
    if told[channel.name] is rows[channel.name]:
        told[channel.name] = rows[channel.name].copy()
    told[channel.name][where] = value


def _sigma(channel: channels.Channel) -> float:
    return max(channel.sigma, channel.step)


def _stepped(channel: channels.Channel, value: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(np.round(np.rint(value / channel.step) * channel.step, 6))


def _row(
    fab: fleet.Fab, one: Episode, end: float, magnitude: float = float("nan"), *, kind: str = "", note: str = "",
    start: float | None = None, channel: str = "",
) -> injected.Table:  # fmt: skip
    return injected.table(
        fab, kind or one.kind, machine=one.machine, channel=channel or channels.CHANNELS[one.channel].name,
        start=one.start if start is None else start, end=end, magnitude=magnitude, note=note,
    )  # fmt: skip


def _drift(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table:
    """Ramp to 1 to 5 sigma within 5 to 30 days; then the sensor is set right."""
    end = one.start + 24.0 * one.rng.uniform(5.0, 30.0)
    high = one.rng.uniform(1.0, 5.0) * one.rng.choice([-1.0, 1.0])
    channel, where = channels.CHANNELS[one.channel], _within(rows, whose, one.start, end)
    ramp = high * _sigma(channel) * (rows["at"][where] - one.start) / (end - one.start)
    _put(told, rows, channel, where, _stepped(channel, told[channel.name][where] + ramp))
    return _row(fab, one, end, high)


def _swap(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table | None:
    """Exchange two like channels from the end of a maintenance until one of the next eight."""
    import numpy as np

    upkeep = dynamics.history(fab).journal.read("maintenance")
    visits = np.sort((upkeep["at"] + upkeep["value"])[upkeep["row"] == one.machine])
    visits = visits[visits >= one.start]
    there = [c for c in channels.CHANNELS if c.name in rows and not np.isnan(rows[c.name][whose]).all()]
    pairs = [
        (first, second)
        for place, first in enumerate(there)
        for second in there[place + 1 :]
        if (first.unit, first.rate, first.on_change) == (second.unit, second.rate, second.on_change)
    ]
    if not len(visits) or not pairs:
        return None
    channel, partner = pairs[one.rng.integers(len(pairs))]
    start, last = float(visits[0]), int(one.rng.integers(1, 9))
    end = float(visits[last]) if last < len(visits) else 24.0 * fab.size().days
    where = _within(rows, whose, start, end)
    mine = told[channel.name][where].copy()
    _put(told, rows, channel, where, told[partner.name][where])
    _put(told, rows, partner, where, mine)
    return injected.join(
        [
            _row(fab, one, end, start=start, channel=channel.name, note=f"shows {partner.name}"),
            _row(fab, one, end, start=start, channel=partner.name, note=f"shows {channel.name}"),
        ]
    )


def _gain(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table:
    """Another gain, or another unit, for 10 to 90 days."""
    import numpy as np

    end, channel = one.start + 24.0 * one.rng.uniform(10.0, 90.0), channels.CHANNELS[one.channel]
    factor, offset, note = float(one.rng.choice([0.8, 0.9, 1.1, 1.25])), 0.0, ""
    if one.rng.random() < 0.5 and channel.unit in OTHER:
        note = OTHER[channel.unit]
        factor, offset = units.affine(channel.unit, note)
    where = _within(rows, whose, one.start, end)
    _put(told, rows, channel, where, np.round(told[channel.name][where] * factor + offset, 9))
    return _row(fab, one, end, factor, kind="unit" if note else "gain", note=note)


def _stuck(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table:
    """Show one value for hours, 12 by the median."""
    import numpy as np

    end, channel = one.start + float(one.rng.lognormal(np.log(12.0), 1.0)), channels.CHANNELS[one.channel]
    where = _within(rows, whose, one.start, end)
    value = told[channel.name][where]
    there = ~np.isnan(value)
    stays = float(value[there][0]) if there.any() else float("nan")
    _put(told, rows, channel, where, np.where(there, stays, value))
    return _row(fab, one, end, stays)


def _spikes(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table:
    """For 1 to 12 hours every second value is 5 to 20 sigma off."""
    import numpy as np

    end, channel = one.start + float(one.rng.uniform(1.0, 12.0)), channels.CHANNELS[one.channel]
    where = _within(rows, whose, one.start, end)
    value = told[channel.name][where]
    high = one.rng.uniform(5.0, 20.0, len(value)) * one.rng.choice([-1.0, 1.0], len(value))
    high = np.where((one.rng.random(len(value)) < 0.5) & ~np.isnan(value), high, 0.0)
    spiked = _stepped(channel, value + high * _sigma(channel))
    _put(told, rows, channel, where, np.where(high != 0.0, spiked, value))
    return _row(fab, one, end, float(np.abs(high).max(initial=0.0)))


def _clipping(fab: fleet.Fab, told: Rows, rows: Rows, one: Episode, whose: slice) -> injected.Table:
    """For 5 to 30 days nothing beyond a limit is shown, within which 60 to 95 % of the values lie."""
    import numpy as np

    end, channel = one.start + 24.0 * one.rng.uniform(5.0, 30.0), channels.CHANNELS[one.channel]
    where, share, above = (
        _within(rows, whose, one.start, end),
        one.rng.uniform(0.6, 0.95),
        one.rng.random() < 0.5,
    )
    value = told[channel.name][where]
    there, limit = value[~np.isnan(value)], float("nan")
    if len(there):
        limit = float(_stepped(channel, np.quantile(there, share if above else 1.0 - share)))
        _put(told, rows, channel, where, np.minimum(value, limit) if above else np.maximum(value, limit))
    return _row(fab, one, end, limit, note="nothing above" if above else "nothing below")


_MAKE: dict[str, Callable[[fleet.Fab, Rows, Rows, Episode, slice], injected.Table | None]] = {
    "drift": _drift, "swap": _swap, "gain": _gain, "stuck": _stuck, "spikes": _spikes, "clipping": _clipping,
}  # fmt: skip
