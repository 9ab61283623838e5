"""Concept drift whose truth is known: three years of forty scanners, redesigned droplet generators from 0.6 of it on.

Simulated (`flyball.fab`): it shows the mechanism and is no headline.  The question is whether the droplet generator
fails within a week.  A model learns from the first three tenths, the next fifteen hundredths are its reference, and it
is never trained again.  From 0.6 on a generator that is replaced is of a design that wears out in a third of the time:
the same signs mean another thing.  Old ones stay until they fail, so the change comes machine by machine, over months.

Told is, over several fleets: alarms before the redesign (false ones), whether and when each detector alarmed after it,
counted from the first day and with the days until truth is known, and what cause was named: the inputs look much as
before, so `concept` is right, `data` is wrong, and nothing named is no answer.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import sidebyside, year
from flyball import fab, monitoring, units
from flyball.fab import fleet as fleets
from flyball.features import stage as features
from flyball.monitoring import losses, means, rates, shift
from flyball.monitoring import performance as judging
from flyball.runtime import build, plan
from flyball.runtime.store import Store

SEEDS = (2, 3, 4)
#: Shares of the three years: learned until, reference until; the redesign comes at 0.6.
LEARNED, REFERENCE, REDESIGN = 0.3, 0.45, 0.6
PART = "DGEN"
BUDGET = 1.0
WEEKS = 8
DETECTORS: tuple[monitoring.Detector, ...] = (
    monitoring.PageHinkley("log_loss", false_alarms=BUDGET, per=units.YEAR),
    monitoring.Adwin("log_loss", false_alarms=BUDGET, per=units.YEAR),
    monitoring.Kswin("log_loss", false_alarms=BUDGET, per=units.YEAR),
)
PERFORMANCE = monitoring.Performance(over=units.Duration(WEEKS * int(units.WEEK)), false_alarms=BUDGET)
DAY = int(units.DAY)


@dataclasses.dataclass
class Lived:
    """One fleet: the rows, whether they came true, what was said of them, and when the redesign came."""

    x: features.Matrix
    truth: Any
    said: Any
    redesign: int
    end: int
    begin: int

    def rows(self, since: float, until: float) -> Any:
        """Return the rows between two shares of the three years."""
        at = (self.x.moments.at - self.begin) / (self.end - self.begin)
        return np.flatnonzero((at >= since) & (at < until))


def run() -> dict[str, Any]:
    """Return what each detector made of the redesign, over all fleets."""
    begun = time.perf_counter()
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in SEEDS:
        lived = live(seed)
        for name, told in judged(lived, seed):
            found.setdefault(name, []).append(told)
    told = [row for name, each in found.items() for row in _rows(name, each)]
    told.append(
        sidebyside.row("all of it took", (time.perf_counter() - begun) / 60, None, "", "min", goal=None)
    )
    return sidebyside.result("concept", ("numpy", "lightgbm"), told)


def live(seed: int) -> Lived:
    """Return a fleet's rows, answered by a model that learned from the first part only."""
    fleet = fab.Fab("paper", seed=seed, every_h=6, mess=False)
    begin = fleets.START_US
    end = begin + fleet.size().days * DAY
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fab.write(fleet, folder / "sent", only=("telemetry", "events", "repairs"), with_truth=False)
        kept = Store.open(folder / "store", year.PAGE.data)
        # By a clock at the end of the three years: rows of the future would be put aside.
        kept.ingest([folder / "sent"], now=end + 30 * DAY)
        x, _ = build.matrix(year.PAGE, kept, plan.Plan(kept))
        tables = dict(build.tables(year.PAGE, kept, None, None, None))
        repairs = tables["repairs"]
        of = np.array([text == PART for text in repairs.words("part").texts()])
        failed = np.where(of, np.asarray(repairs.columns["failed"], dtype=np.float64), 0.0)
        tables["repairs"] = dataclasses.replace(repairs, columns={**repairs.columns, "failed": failed})
        y = year.PAGE.labels.label(tables, x.moments, kept.horizon())
        known = np.flatnonzero(y.known)
        x, y = x.take(known), y.take(known)
    redesign = begin + int(fleets.plan(fleet).redesign * 3_600_000_000)
    lived = Lived(x, y.value, np.empty(len(x)), redesign, end, begin)
    learned = lived.rows(0.05, LEARNED)
    fitted = year.PAGE.model.challenger.fit(x.take(learned), y.take(learned), year.PAGE.labels.kind(), 0)
    lived.said = np.asarray(fitted.predict(x), dtype=np.float64)
    return lived


def judged(lived: Lived, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what each detector, and the windows of eight weeks, made of the losses after the reference."""
    lost = losses.of_rows(year.PAGE.labels.kind(), lived.said, lived.truth)["log_loss"]
    late = int(year.PAGE.labels.horizon()) + units.days(3)
    old, new = lived.rows(LEARNED + 0.015, REFERENCE), lived.rows(REFERENCE + 0.015, 1.0)
    codes, at = lived.x.moments.codes, lived.x.moments.at
    reference = rates.Losses(at[old], codes[old], lost[old])
    for detector in DETECTORS:
        settled = rates.settle(detector, reference, int(late), seed).detector
        state, raised, since = settled.start(), [], {}
        for moment, value in zip(*rates.Losses(at[new], codes[new], lost[new]).stream(), strict=True):
            state, alarm = settled.update(state, int(moment), float(value))
            if alarm is not None:
                raised.append(int(moment))
                since[int(moment)] = int(moment if alarm.since is None else alarm.since)
        yield type(detector).__name__, _told(lived, lost, old, raised, late, since, seed)
    windows = (at[new] - at[new].min()) // int(PERFORMANCE.over)
    lost_rows = judging.Lost(lived.x.moments[old], lost[old], {})
    found = judging.judge(
        PERFORMANCE, lost_rows, judging.Lost(lived.x.moments[new], lost[new], {}), int(late), windows
    )
    rose = {one.until: one.since for one in found if one.name == judging.ALL and one.alarm}
    yield f"windows of {WEEKS} weeks", _told(lived, lost, old, list(rose), late, rose, seed)


def _told(
    lived: Lived, lost: Any, old: Any, raised: Sequence[int], late: int, since: Mapping[int, int], seed: int
) -> dict[str, Any]:
    before = [at for at in raised if at < lived.redesign]
    after = [at for at in raised if at >= lived.redesign]
    quiet = (lived.redesign - lived.begin) / (lived.end - lived.begin) - REFERENCE
    told = {
        "false": len(before), "years": quiet * (lived.end - lived.begin) / int(units.YEAR), "found": bool(after),
        "days": (after[0] + late - lived.redesign) / DAY if after else np.nan, "cause": "",
    }  # fmt: skip
    if after:
        told["cause"] = _cause(lived, lost, old, since[after[0]], after[0], seed)
    return told


def _cause(lived: Lived, lost: Any, old: Any, since: int, alarm: int, seed: int) -> str:
    """Return the cause that is named at the alarm, from the time in which the loss had risen."""
    at = lived.x.moments.at
    new = np.flatnonzero((at >= since) & (at <= alarm))
    weight = shift.weights(lived.x.take(old), lived.x.take(new), seed)

    def rows(some: Any) -> means.Rows:
        return means.Rows(lost[some], lived.x.moments.codes[some], at[some] // int(units.WEEK))

    return shift.explain(rows(old), weight, rows(new), drifted=False).cause


def _rows(name: str, each: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    found = [one for one in each if one["found"]]
    false, years = sum(one["false"] for one in each), sum(one["years"] for one in each)
    yield sidebyside.row(
        f"{name}: false alarms before the redesign, budget as goal",
        false / years,
        None,
        "",
        "a year",
        goal=BUDGET,
    )
    yield sidebyside.row(f"{name}: alarmed after it, of {len(each)}", len(found), None, "", "", goal=None)
    if not found:
        return
    days = [one["days"] for one in found]
    yield sidebyside.row("  days until it did, median", float(np.median(days)), None, "", "d", goal=None)
    for cause in ("concept", "data", ""):
        many = sum(one["cause"] == cause for one in found)
        yield sidebyside.row(f"  cause named: {cause or 'none'}", many, None, "", "", goal=None)
