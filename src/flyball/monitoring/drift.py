"""Data drift inside a budget of false alarms: every column and the answer, in windows, against the training rows.

Sensor series are autocorrelated and machines differ from one another, so the textbook bands of the population
stability index (.1, .2) alarm on most weeks in which nothing happened.  Here the limits come from the training
rows themselves: of the fleet as a whole in `flyball.monitoring.null`, of each machine against itself in
`flyball.monitoring.own`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.monitoring import bins, clocks, machines, null, own, stage
from flyball.monitoring import cells as cells_
from flyball.monitoring.standard import Standard

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: The fleet as a whole may take this part of the budget, and alarm in no more than this share of its windows.
FLEET, MOST_FLEET = 0.25, 0.1
#: So many machines at most are each held against themselves; of more, such as all disks of a data centre, only the
#: fleet is judged, and has the whole budget.
MOST_MACHINES = 1000


class Drift(stage.DriftDetector):
    """Compare each window `over` with the training rows; at most `false_alarms` episodes per machine and `per` period.

    The budget holds over everything watched: all columns, what is missing or new in them and the answer, of every
    machine and of the fleet as a whole.  An episode is a row of alarmed windows; what the whole fleet shows is one.

    A machine is held against its own baseline: level, spread, ties and missing values of every column, each in its
    own tail's unit.  The baseline begins anew at each row of a `reset` column (a work order; of a flag,
    where it is true) and where a `changed` column shows another value than before (a software release, a recipe): for
    `settle` windows they are only held against what no machine of the fleet ever looked like, then against those.
    No reset excuses values that are missing.  More than `MOST_MACHINES` are judged as a fleet only.

    `multivariate` parts tell how the columns of a window go together, such as `Reconstruction`; their figures are held
    against baselines like any column's, within the same budget, where machines are judged one by one.

    Of the tables named as `clocks`, how long after its time the newest row came in is watched like a column: a clock
    that is an hour off moves no other.

    The fleet is judged by how its machines move together from their baselines; a category, or a fleet too small for
    that, by the population stability index over deciles of the reference, with limits from a block bootstrap.  That of
    every column, the Kullback-Leibler and Jensen-Shannon divergences, the Kolmogorov-Smirnov distance over the bins,
    the Wasserstein distance over 33 quantiles and the shift of the median are shown; what is missing or new is told
    as a column of its own with ": missing" behind its name.  Windows count back from the newest moment; with `over` and
    `per` in steps they are the newest steps of every machine's counter, or, where moments are times, its newest rows.
    A window with too few rows to be judged is shown, its limit is infinite.  A column that is no longer computed counts
    as missing in every row.

    Source of the index: Siddiqi, Credit Risk Scorecards, 2006.

    >>> Drift(over=units.days(7)).reset
    ()
    >>> round(Drift(over=units.days(7), false_alarms=0.5, per=units.YEAR).share(), 4)  # of a machine's windows
    0.0096
    """

    over: units.Duration | units.Count
    false_alarms: float = 0.1
    per: units.Duration | units.Count = units.YEAR
    reset: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    settle: int = 4
    multivariate: tuple[stage.Multivariate, ...] = ()
    clocks: tuple[str, ...] = ()

    def share(self) -> float:
        """Return the share of a machine's windows that may alarm although nothing happened."""
        return self.false_alarms * int(self.over) / int(self.per)

    def shares(self, machines: int) -> tuple[float, float]:
        """Return the shares of the fleet's windows, and of each machine's, that may alarm for nothing.

        >>> [round(share, 4) for share in Drift(units.days(7), 1.0, units.days(364)).shares(8)]
        [0.0385, 0.0144]
        """
        part = FLEET if machines <= MOST_MACHINES else 1.0
        fleet = min(part * self.share() * machines, MOST_FLEET)
        return fleet, self.share() - fleet / max(machines, 1)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a window or a budget that cannot be held, and a reset by what the page does not have."""
        if not (isinstance(self.over, units.Count) and isinstance(page.data.clock, data.WallClock)):
            yield from features.span_problems(page, self.over, "over")
        elif self.over <= 0:
            yield errors.Problem("over", f"windows of {self.over!r}", "give 1 row or more")
        if type(self.over) is not type(self.per):
            what = f"windows of {self.over!r} cannot be counted per {self.per!r}"
            yield errors.Problem("per", what, "give both in time, or both in steps")
        elif self.per <= 0:
            yield errors.Problem("per", f"{self.per!r} is no period", "give a span above 0")
        elif self.over > 0 and not 0 < self.share() <= 0.5:
            what = f"{self.share():.2f} of a machine's windows may alarm for nothing"
            yield errors.Problem("false_alarms", what, "give more than none and fewer, or a longer period")
        if self.settle < 2:
            yield errors.Problem("settle", f"{self.settle} windows are no baseline", "give 2 or more")
        known = [table.name for table in page.data.tables if table.time is not None]
        for name in self.clocks:
            if not isinstance(page.data.clock, data.WallClock):
                yield errors.Problem("clocks", "a counter has no clock", "leave it out")
            elif name not in known:
                yield errors.Problem(
                    "clocks", f"no table {name!r} with a time", errors.did_you_mean(name, known)
                )
        for place in ("reset", "changed"):
            for column in getattr(self, place):
                known = page.data.columns()
                if column not in known:
                    what = f"no column {column!r}"
                    yield errors.Problem(place, what, errors.did_you_mean(column, known))

    def beside(self, fleet: data.Fleet, tables: data.Tables, moments: features.Moments) -> dict[str, Array]:
        """Return {"table: clock": seconds (n,) from its time until the newest row was seen} of the tables named."""
        usual = {table.name: int(table.arrives) for table in fleet.tables}
        return {
            name + bins.CLOCK: clocks.lag(features.arrived(tables, name), moments, usual[name])
            for name in self.clocks
        }

    def resets(self, tables: data.Tables) -> stage.Resets:
        """Return when each machine's baseline begins anew, by the rows of the `reset` and `changed` columns."""
        import numpy as np

        out: dict[str, set[int]] = {}
        for column in (*self.reset, *self.changed):
            table, name = features.split(column)
            rows = features.arrived(tables, table)
            there, true, figures = _given(rows.columns[name])
            machine = np.repeat(np.arange(len(rows.keys)), np.diff(rows.starts))
            if column in self.changed:
                told = np.flatnonzero(there)
                other = (np.diff(figures[told]) != 0) & (np.diff(machine[told]) == 0)
                found = told[1:][other]
            else:
                found = np.flatnonzero(true)
            for code, at in zip(machine[found].tolist(), rows.at[found].tolist(), strict=True):
                out.setdefault(rows.keys[code], set()).add(at)
        return {key: tuple(sorted(when)) for key, when in sorted(out.items())}

    def reference(
        self, x: features.Matrix, answers: Array | None, seed: int, resets: stage.Resets | None = None
    ) -> stage.Reference:
        """Return bins and shares of every column, machines' baselines and the limits that hold the budget, as JSON."""
        found = bins.watched(x, answers)
        told = {name: bins.describe(values) for name, values in found.items()}
        settings: dict[str, Any] = {"columns": told, "limits": [], "own": {}, "shares": self.shares(1)}
        if len(x):
            codes = {name: bins.codes(told[name], values) for name, values in found.items()}
            window, usual = self._windows(x.moments), cells_.scales(found)
            settings["shares"] = fleet, _ = self.shares(len(set(x.moments.codes.tolist())))
            settings |= {"usual": usual, "until": int(x.moments.at.max())}
            if len(x.moments.keys) <= MOST_MACHINES:
                cells = cells_.of(found, told, usual, x.moments, window, resets or {})
                rows = Standard.of(found, told, usual, cells)
                settings["multivariate"] = {repr(one): one.learn(rows, seed) for one in self.multivariate}
                figures = machines.figures(self.multivariate, settings["multivariate"], rows)
                spread = cells_.scales({str(place): row for place, row in enumerate(_each(figures))})
                settings["own"] = own.learn(cells_.joined(cells, figures), usual + spread, self.settle)
            if settings["own"].get("together"):  # only what has no level is left to the index of stability
                codes = {name: place for name, place in codes.items() if told[name]["kind"] == "category"}
            rest = {name: told[name] for name in codes}
            if rest:
                settings["limits"] = null.limits(codes, rest, x.moments.codes, window, fleet, seed)
        settings["shares"] = list(settings["shares"])
        return stage.Reference("drift", settings)

    def watch(
        self,
        reference: stage.Reference,
        x: features.Matrix,
        answers: Array | None,
        resets: stage.Resets | None = None,
    ) -> tuple[stage.Watched, ...]:
        """Return one row per column and window of the fleet, oldest window first, then every machine's alarms."""
        if len(x) == 0:
            return ()
        found = bins.watched(x, answers)
        window = self._windows(x.moments)
        each = machines.Machines(
            reference.settings, found, x.moments, window, resets or {}, self.settle, self.multivariate,
            self._spans(x.moments, window),
        )  # fmt: skip
        return (*self._fleet(reference.settings, found, x.moments, window, each), *each.alarms())

    def _fleet(
        self, kept: Mapping[str, Any], found: Mapping[str, Any], moments: features.Moments, window: Ints,
        each: machines.Machines,
    ) -> Iterator[stage.Watched]:  # fmt: skip
        import numpy as np

        for number in np.unique(window)[::-1].tolist():
            rows = np.flatnonzero(window == number)
            since, until = each.spans[number]
            limits = null.chosen(kept["limits"], len(rows))
            judged = [
                one
                for name, told in kept["columns"].items()
                for one in _judge(
                    name,
                    told,
                    found[name][rows] if name in found else None,
                    (since, until, len(rows)),
                    limits,
                )
            ]
            judged = [each.together(one, number) for one in judged]
            judged += each.related(number, (since, until, len(rows)))
            who = each.behind([one.column for one in judged if one.alarm], number)
            yield from (each.explained(one, who, kept["shares"][0]) if one.alarm else one for one in judged)

    def _windows(self, moments: features.Moments) -> Ints:
        """Return the number of every row's window, 0 for the newest."""
        import numpy as np

        if not isinstance(self.over, units.Count):
            return np.asarray((moments.at.max() - moments.at) // int(self.over))
        if self._rows(moments):
            stop = np.cumsum(np.bincount(moments.codes, minlength=len(moments.keys)))
            return np.asarray((stop[moments.codes] - 1 - np.arange(len(moments))) // int(self.over))
        newest = np.full(len(moments.keys), np.iinfo(np.int64).min)
        np.maximum.at(newest, moments.codes, moments.at)
        return np.asarray((newest[moments.codes] - moments.at) // int(self.over))

    def _rows(self, moments: features.Moments) -> bool:
        """Whether windows count rows: a count on a page whose moments are times."""
        return isinstance(self.over, units.Count) and units.is_time(int(moments.at.max()))

    def _spans(self, moments: features.Moments, window: Ints) -> dict[int, tuple[int, int]]:
        """Return when each window begins and ends; one of rows begins no later than the one before it ends."""
        import numpy as np

        numbers = np.unique(window).tolist()
        if not self._rows(moments):
            last, over = int(moments.at.max()), int(self.over)
            return {number: (last - (number + 1) * over, last - number * over) for number in numbers}
        found: dict[int, tuple[int, int]] = {}
        for number in reversed(numbers):
            at = moments.at[window == number]
            since, until = int(at.min()), int(at.max())
            found[number] = (min([since, *(end for _, end in list(found.values())[-1:])]), until)
        return found


def _each(figures: Sequence[Floats]) -> Iterator[Floats]:
    """Yield the figures (cells,) of all parts, one after the other."""
    for one in figures:
        yield from one.T


def _given(column: Any) -> tuple[Array, Array, Array]:
    """Return where a column has a value, where that is true (a text is), and its values as numbers, (n,) each."""
    import numpy as np

    codes = getattr(column, "codes", None)
    if codes is not None:
        return codes >= 0, codes >= 0, codes
    there = np.isfinite(column)
    return there, there & (column != 0), column


def _judge(
    name: str, told: Mapping[str, Any], values: Any, when: tuple[int, int, int], limits: Mapping[str, float]
) -> Iterator[stage.Watched]:
    """Yield how the values of a column lie in a window, and what is missing in it (when anything is or was)."""
    import numpy as np

    count = len(told["shares"])
    if values is None:
        shares = np.eye(count)[-1]
    else:
        shares = np.bincount(bins.codes(told, values), minlength=count) / max(len(values), 1)
    expected, found = bins.parted(np.array(told["shares"])), bins.parted(shares)
    for suffix, reference, current in zip(("", bins.MISSING), expected, found, strict=True):
        if (suffix and current[1] == reference[1] == 0) or (
            not suffix and (current.sum() == 0 or reference.sum() == 0)
        ):
            continue
        shown = bins.divergences(reference, current)
        if suffix:
            shown["share"] = float(current[1])
        elif told["kind"] == "number" and values is not None:
            grid = np.quantile(values[np.isfinite(values)].astype(np.float64), bins.GRID)
            shown["median_shift"] = float(grid[len(grid) // 2]) - told["median"]
            shown["wasserstein"] = float(np.abs(grid - np.array(told["grid"])).mean())
        psi, limit = shown["psi"], limits.get(name + suffix, math.inf)
        yield stage.Watched(name + suffix, when[0], when[1], when[2], psi, limit, shown, bool(psi > limit))
