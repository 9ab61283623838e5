"""Drift on a fleet whose truth is known: 40 machines with 200 channels for three years by the hour.

Synthetic: channels, faults and their sizes are made up here, so this shows that the mechanism does what it says, and no
more.  A channel is one of the simulated scanner's (`flyball.fab.channels`), several times over: its noise is half
AR(1) (.9 an hour) and half white, partly shared within its subsystem, each machine has a level of its own, load moves
it from week to week and the year some; maintenance, which is logged, moves some levels.  The first year is the
reference, the other two are watched.

Nothing happens: how many episodes of false alarm a machine has in a year, against the stated budget, and for the
textbook's rules on the same weeks (PSI above .2 and a Kolmogorov-Smirnov test at 5 % for each column of a machine).
Then faults, on four machines of forty at a time, each of another kind (a site, for what comes by software or recipe):
share found within twelve weeks, days until it was, and whether channel, machine, cause and kind are named rightly.

The method was settled on seeds 0 and 1; what is told is of seeds that it had never met.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import sidebyside
from flyball import evidence, fab, monitoring, units
from flyball.fab import channels as fab_channels
from flyball.fab import fleet as fab_fleet
from flyball.features import stage as features
from flyball.monitoring import bins, episodes

SEEDS, MACHINES, CHANNELS, YEARS = (2, 3, 4, 5), 40, 200, 3
#: So many times four machines (or a site) are spoiled, with each seed.
ROUNDS, TURNS, AT_ONCE = 45, 4, 4
WEEK_H = 168
WEEKS = YEARS * 52
#: Weeks of a fault's own watch: quiet ones first, then those in which it counts as found.
QUIET, AFTER = 8, 12
BUDGET = 0.5
LAG = "telemetry" + bins.CLOCK
DRIFT = monitoring.Drift(
    over=units.WEEK, false_alarms=BUDGET, per=units.days(364), settle=2, reset=("repairs.part",),
    multivariate=(monitoring.Reconstruction(),),
)  # fmt: skip
HOUR = 3_600_000_000


class Simulated:
    """One seed: values float32 (machines, hours, columns), names, who stands where, and the logged maintenance.

    The last column is how long after its time a row came in, in seconds: what a machine's clock shows.
    """

    def __init__(
        self, seed: int, machines: int = MACHINES, columns: int = CHANNELS, weeks: int = WEEKS
    ) -> None:
        plan = fab_fleet.plan(fab.Fab("paper", seed=seed, machines=machines, days=weeks * 7))
        rng = np.random.default_rng([seed, 8])
        self.rng, self.machines, self.weeks = rng, plan.names, weeks
        chosen = [one for one in fab_channels.CHANNELS if not one.on_change and one.rate != "day"]
        self.channels = [chosen[place % len(chosen)] for place in range(columns)]
        self.names = [f"{one.name}_{place // len(chosen)}" for place, one in enumerate(self.channels)]
        self.names.append(LAG)
        self.site = plan.site
        self.sigma = np.array([max(one.sigma, one.step) for one in self.channels])
        self.usual = np.array([one.usual for one in self.channels])
        self.resets: dict[str, tuple[int, ...]] = {}
        hours = weeks * WEEK_H
        self.values = np.empty((machines, hours, columns + 1), dtype=np.float32)
        self.values[:, :, -1] = 30.0 * rng.lognormal(0.0, 0.5, (machines, hours)) + rng.normal(
            0, 0.5, (machines, 1)
        )
        season = np.array([one.season for one in self.channels])
        held = np.array([one.held for one in self.channels])
        year = np.sin(2 * np.pi * np.arange(hours) / 8766.0)
        for machine in range(machines):
            out = self.values[machine, :, :-1]
            self._noise(out)
            week = (np.arange(hours) / WEEK_H).astype(np.int64)
            load = 3.0 * (plan.duty[machine][week] - plan.duty[machine].mean())
            out += (load[:, None] * ~held).astype(np.float32)
            out += (0.07 * plan.ambient[plan.site[machine]] * year[:, None] * season).astype(np.float32)
            self._maintained(machine, out)
        self.raw()

    def _noise(self, out: Any) -> None:
        """Fill (hours, channels) with unit noise: slow and white halves, the slow one partly of its subsystem."""
        from scipy import signal

        hours, columns = out.shape
        groups = (columns + 3) // 4
        slow = self.rng.standard_normal((hours, columns + groups), dtype="f4")
        slow *= np.float32(math.sqrt(1 - 0.81))
        slow = signal.lfilter([np.float32(1)], np.array([1, -0.9], dtype="f4"), slow, axis=0)
        own, shared = slow[:, :columns], np.repeat(slow[:, columns:], 4, axis=1)[:, :columns]
        np.multiply(0.6 * own + 0.8 * shared, np.float32(math.sqrt(0.5)), out=out)
        out += np.float32(math.sqrt(0.5)) * self.rng.standard_normal((hours, columns), dtype="f4")

    def _maintained(self, machine: int, out: Any) -> None:
        """Add a machine's levels, which logged work shifts on one channel in sixteen about every ninth week."""
        hours, columns = out.shape
        when = np.flatnonzero(self.rng.random(self.weeks) < 0.11) * WEEK_H + self.rng.integers(0, WEEK_H)
        level = self.rng.normal(size=columns)
        begin = 0
        for end in (*when.tolist(), hours):
            out[begin:end] += level.astype(np.float32)
            moved = self.rng.permutation(columns)[: columns // 16]
            level[moved] = 0.7 * level[moved] + self.rng.normal(0.0, 1.0, len(moved))
            begin = end
        self.resets[self.machines[machine]] = tuple((when.astype(np.int64) * HOUR).tolist())

    def raw(self) -> None:
        """Turn sigmas into what is logged: the channel's unit, its step and what it cannot leave, in place."""
        for place, one in enumerate(self.channels):
            value = self.usual[place] + self.sigma[place] * self.values[:, :, place].astype(np.float64)
            value = np.clip(np.rint(value / one.step) * one.step, one.least, one.most)
            self.values[:, :, place] = value

    def matrix(self, values: Any, begin: int) -> features.Matrix:
        """Return hours of all machines from one on as what is watched; `values` (machines, hours, channels)."""
        machines, hours, columns = values.shape
        codes = np.repeat(np.arange(machines, dtype=np.int32), hours)
        at = np.tile((np.arange(hours, dtype=np.int64) + begin + 1) * HOUR, machines)
        order = sorted(range(machines), key=lambda place: self.machines[place])
        keys = tuple(self.machines[place] for place in order)
        flat = values[order].reshape(-1, columns)
        held = {name: np.ascontiguousarray(flat[:, place]) for place, name in enumerate(self.names)}
        return features.Matrix(features.Moments(keys, codes, at), held)


def run() -> dict[str, Any]:
    """Return the false alarms of quiet years and what became of each kind of fault, over all seeds."""
    return told(SEEDS)


def told(seeds: Sequence[int]) -> dict[str, Any]:
    """Return the same of some seeds."""
    begun = time.perf_counter()
    quiet: list[dict[str, float]] = []
    faults: dict[str, list[dict[str, Any]]] = {name: [] for name in FAULTS}
    peers: dict[str, float] = {}
    for seed in seeds:
        found = Simulated(seed)
        kept = DRIFT.reference(found.matrix(found.values[:, : 52 * WEEK_H], 0), None, seed, found.resets)
        quiet.append(watched_quietly(found, kept))
        peers = peers or textbook(found)
        for place, names in enumerate(rounds()):
            week = 52 + (place * 17 + seed * 6) % (WEEKS - 52 - QUIET - AFTER)
            for name, outcome in lived(found, kept, names, week, np.random.default_rng([seed, place])):
                faults[name].append(outcome)
    rows = [*_quiet_rows(quiet, peers), *(row for name in FAULTS for row in _fault_rows(name, faults[name]))]
    rows.append(
        sidebyside.row("all of it took", (time.perf_counter() - begun) / 60, None, "", "min", goal=None)
    )
    return sidebyside.result("watch", ("numpy",), rows)


def rounds() -> Iterator[tuple[str, ...]]:
    """Yield the faults of each round: four of single machines, every kind as often, or one of a site."""
    alone = [name for name, (_, site_wide, *_) in FAULTS.items() if not site_wide]
    for turn in range(ROUNDS):
        yield tuple(alone[(turn * AT_ONCE + place) % len(alone)] for place in range(AT_ONCE))
    for name, (_, site_wide, *_) in FAULTS.items():
        if site_wide:
            yield from [(name,)] * TURNS


def watched_quietly(found: Simulated, kept: Any) -> dict[str, float]:
    """Return how many episodes, alarmed machine-weeks and machine-years the quiet years of one seed have."""
    begin = 52 * WEEK_H
    seen = DRIFT.watch(kept, found.matrix(found.values[:, begin:], begin), None, found.resets)
    machines = len(found.machines)
    raised = episodes.alarms(seen, machines)
    weeks = {(one.machine, one.until) for one in seen if one.alarm and one.machine}
    years = (found.weeks - 52) / 52 * machines
    return {"episodes": len(raised), "years": years, "weeks": len(weeks), "all": years * 52,
            "fleet": sum(len(one.machines) > 1 for one in raised)}  # fmt: skip


def textbook(found: Simulated, machines: int = 6) -> dict[str, float]:
    """Return the share of machine-weeks that textbook rules alarm on, each machine against its own first year."""
    from flyball import kernels

    alarmed = {"psi": 0, "ks": 0}
    weeks = found.weeks - 52
    for machine in range(machines):
        table = np.ascontiguousarray(found.values[machine], dtype=np.float64)
        old = table[: 52 * WEEK_H]
        binned, ordered = kernels.BinnedReference.of(old), kernels.SortedReference(old)
        least = next(d / 1000 for d in range(1, 1000) if kernels.ks_pvalue(d / 1000, len(old), WEEK_H) < 0.05)
        for week in range(52, found.weeks):
            rows = table[week * WEEK_H : (week + 1) * WEEK_H]
            alarmed["psi"] += bool((binned.psi(binned.histogram().push(rows)) > 0.2).any())
            alarmed["ks"] += bool((ordered.distances(rows).ks >= least).any())
    return {name: 100.0 * many / (machines * weeks) for name, many in alarmed.items()}


Spoil = Callable[["Simulated", Any, int, int, int, Any], tuple[set[str], float]]


def _ramp(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    high, last = rng.uniform(1.0, 5.0), min(at + int(24 * rng.uniform(5.0, 30.0)), end)
    rise = high * rng.choice([-1.0, 1.0]) * found.sigma[column] * np.linspace(0, 1, last - at)
    own[at:last, column] = _step(found, column, own[at:last, column] + rise)
    return {found.names[column]}, high


def _step(found: Simulated, column: int, values: Any) -> Any:
    step = found.channels[column].step
    return np.rint(values / step) * step


def _swap(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    """Exchange two channels of one unit and rate, not two copies of one."""
    mine = found.channels[column]
    like = [
        place
        for place, one in enumerate(found.channels)
        if one is not mine and (one.unit, one.rate) == (mine.unit, mine.rate)
    ]
    if not like:
        return _swap(found, own, int(rng.integers(len(found.channels))), at, end, rng)
    other = int(rng.choice(like))
    apart = abs(found.usual[other] - found.usual[column]) / max(found.sigma[other], found.sigma[column])
    own[at:end, [column, other]] = own[at:end, [other, column]]
    return {found.names[column], found.names[other]}, float(apart)


def _unit(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    from flyball.fab import sensors

    while found.channels[column].unit not in sensors.OTHER:
        column = int(rng.integers(len(found.channels)))
    unit = found.channels[column].unit
    factor, offset = units.affine(unit, sensors.OTHER[unit])
    last = min(at + int(24 * rng.uniform(10.0, 90.0)), end)
    own[at:last, column] = own[at:last, column] * factor + offset
    return {found.names[column]}, factor


def _flat(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    hours = max(2, int(rng.lognormal(math.log(12.0), 1.0)))
    own[at : min(at + hours, end), column] = own[at, column]
    return {found.names[column]}, float(hours)


def _spikes(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    hours = int(rng.integers(1, 13))
    high = rng.uniform(5.0, 20.0, hours) * rng.choice([-1.0, 1.0], hours) * (rng.random(hours) < 0.5)
    own[at : at + hours, column] += high * found.sigma[column]
    return {found.names[column]}, float((high != 0).sum())


def _missing(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    hours = max(1, int(rng.lognormal(math.log(6.0), 1.2)))
    own[at : min(at + hours, end), column] = np.nan
    return {found.names[column]}, float(hours)


def _clock(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    """Let the clock go an hour ahead: what happened is told of an hour later, and comes in before it."""
    own[at + 1 : end, :-1] = own[at : end - 1, :-1].copy()
    own[at:end, -1] -= 3600.0
    return {LAG}, 1.0


def _foreign(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    """Show on a channel what another machine measures, with the level of its own: a cable, an address."""
    first = int(rng.integers(0, 52 * WEEK_H - (end - at)))  # of its quiet year
    other = found.values[int(rng.integers(len(found.machines))), first : first + end - at, column]
    level = np.nanmean(own[:at, column])
    own[at:end, column] = _step(found, column, other - np.nanmean(other) + level)
    return {found.names[column]}, 1.0


def _renamed(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    own[:, at:end, column] = np.nan
    return {found.names[column]}, 1.0


def _recipe(found: Simulated, own: Any, column: int, at: int, end: int, rng: Any) -> tuple[set[str], float]:
    """Move three channels in ten, on all machines of the site alike, by half a sigma or so."""
    moved = rng.permutation(len(found.channels))[: len(found.channels) * 3 // 10]
    for one in moved.tolist():
        own[:, at:end, one] += rng.normal(0.0, 0.5) * found.sigma[one]
    return {found.names[one] for one in moved.tolist()}, 0.5


#: kind of fault: (what it does, whether to a whole site, the right cause, the right kinds; a logged reset with it)
FAULTS: Mapping[str, tuple[Spoil, bool, str, tuple[str, ...], bool]] = {
    "ramp of 1 to 5 sigma in 5 to 30 days": (_ramp, False, "sensor", ("ramp", "shift"), False),
    "two channels swapped at logged maintenance": (_swap, False, "sensor", ("swap", "unit"), True),
    "two channels swapped, not logged": (_swap, False, "sensor", ("swap",), False),
    "another unit": (_unit, False, "sensor", ("unit",), False),
    "flatline, hours (12 by the median)": (_flat, False, "sensor", ("flatline",), False),
    "spikes for 1 to 12 hours": (_spikes, False, "sensor", ("spikes", "noise"), False),
    "missing for hours (6 by the median)": (_missing, False, "sensor", ("missing",), False),
    "clock one hour off": (_clock, False, "sensor", ("clock",), False),
    "a channel shows another machine's": (_foreign, False, "sensor", ("relation",), False),
    "channel renamed at one site": (_renamed, True, "data", ("missing",), False),
    "recipe changed at one site, not logged": (_recipe, True, "data", (), False),
}  # fmt: skip


def lived(
    found: Simulated, kept: Any, names: Sequence[str], week: int, rng: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Return what became of some faults, each on a machine (or a site) of its own, after quiet weeks from `week` on."""
    first, hours = week * WEEK_H, (QUIET + AFTER) * WEEK_H
    values = found.values[:, first : first + hours].copy()
    resets = dict(found.resets)
    truth: list[tuple[set[str], int, set[str], float]] = []
    machines = rng.permutation(len(found.machines))
    for place, name in enumerate(names):
        spoil, site_wide, _, _, logged = FAULTS[name]
        site = found.site == rng.choice(np.unique(found.site))
        group = np.flatnonzero(site) if site_wide else machines[[place]]
        at = QUIET * WEEK_H + int(rng.integers(0, (1 if site_wide else 4) * WEEK_H))
        column = int(rng.integers(len(found.channels)))
        own = values[group] if site_wide else values[group[0]]
        columns, size = spoil(found, own, column, at, hours, rng)
        values[group if site_wide else group[0]] = own
        for machine in group.tolist() if logged else ():
            key = found.machines[machine]
            resets[key] = tuple(sorted((*resets[key], (first + at) * HOUR)))
        truth.append(
            ({found.machines[machine] for machine in group.tolist()}, (first + at) * HOUR, columns, size)
        )
    seen = DRIFT.watch(kept, found.matrix(values, first), None, resets)
    raised = episodes.alarms(seen, len(found.machines))
    return [(name, _outcome(one, raised, *FAULTS[name][2:4])) for name, one in zip(names, truth, strict=True)]


def _outcome(
    truth: tuple[set[str], int, set[str], float],
    raised: list[evidence.Alarm],
    cause: str,
    kinds: tuple[str, ...],
) -> dict[str, Any]:
    """Return whether an alarm named what was spoiled, how long that took, and what else it said rightly."""
    machines, at, columns, size = truth
    mine = [one for one in raised if one.at > at and machines & set(one.machines)]
    right = [one for one in mine if _bare(one.columns) & _bare(columns)]
    if not right:
        return {"found": False, "size": size, "other": bool(mine)}
    first = right[0]
    named = set(first.machines)
    return {
        "found": True, "size": size, "days": (first.at - at) / (24 * HOUR),
        "channel": _bare(first.columns[:1]) <= _bare(columns),
        "machine": len(named & machines) >= 0.5 * len(machines) and len(named - machines) <= 0.25 * len(named),
        "cause": first.cause == cause,
        "kind": not kinds or first.kind.split(" ")[0] in kinds,
    }  # fmt: skip


def _bare(columns: Iterable[str]) -> set[str]:
    return {bins.bare(column) for column in columns}


def _quiet_rows(quiet: list[dict[str, float]], peers: Mapping[str, float]) -> list[dict[str, Any]]:
    from scipy import stats

    many, years = sum(one["episodes"] for one in quiet), sum(one["years"] for one in quiet)
    low = stats.chi2.ppf(0.025, 2 * many) / 2 / years if many else 0.0
    high = stats.chi2.ppf(0.975, 2 * many + 2) / 2 / years
    share = 100 * sum(one["weeks"] for one in quiet) / sum(one["all"] for one in quiet)
    unit = "a machine-year"
    return [
        sidebyside.row("quiet: episodes of false alarm, budget as goal", many / years, None, "", unit, goal=BUDGET),
        sidebyside.row("quiet: low end of the 95 % interval, budget as goal", low, None, "", unit, goal=BUDGET),
        sidebyside.row("quiet: high end of the 95 % interval", high, None, "", unit, goal=None),
        sidebyside.row("quiet: machine-weeks alarmed", share, peers["psi"], "PSI above .2", "%", goal=None),
        sidebyside.row("quiet: machine-weeks alarmed", share, peers["ks"], "KS at 5 % a column", "%", goal=None),
        sidebyside.row("quiet: machine-years watched", years, None, "", "", goal=None),
    ]  # fmt: skip


def _fault_rows(name: str, outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = [one for one in outcomes if one["found"]]
    rows = [
        sidebyside.row(
            f"{name}: found, of {len(outcomes)}", 100 * len(found) / len(outcomes), None, "", "%", goal=None
        )
    ]
    if not found:
        return rows
    days = np.array([one["days"] for one in found])
    for what, value in (("median", np.median(days)), ("90 %", np.quantile(days, 0.9))):
        rows.append(sidebyside.row(f"  days until it was, {what}", float(value), None, "", "d", goal=None))
    for what in ("channel", "machine", "cause", "kind"):
        right = 100 * float(np.mean([one[what] for one in found]))
        rows.append(sidebyside.row(f"  {what} named rightly", right, None, "", "%", goal=None))
    return rows
