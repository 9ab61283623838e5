"""The report's section on practice: what alerts would find, how long before, what that saves, and who lived how long.

It is told of every contestant beside the oracles, at the rates of false alarms that the page names.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flyball import labels
from flyball.features import stage as features
from flyball.model import operating, survival

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats
    from flyball.runtime.result import Result

Table = Callable[[tuple[str, ...], list[tuple[Any, ...]]], str]

#: What a figure at a rate of false alarms is called in the report.
CALLED = {
    "event_recall": "events found",
    "order_precision": "orders that were right",
    "median_lead_hours": "median lead, h",
    "low_lead_hours": "one in ten leads is below, h",
    "share_a_day_ahead": "leads of a day or more",
    "net_saving": "net saving per machine-year",
}
SURVIVAL = {"roc_auc": "ipcw_auc", "brier": "ipcw_brier"}


def applies(found: Result) -> bool:
    """Say whether the page asks for a figure at a rate of false alarms, so that there is something to tell."""
    kind = found.page.labels.kind()
    return isinstance(kind, labels.Probability) and bool(rates(found))


def rates(found: Result) -> list[float]:
    """Return the rates of false alarms per machine-year that the page's metrics name, lowest first."""
    told = (operating.parsed(name) for name in found.page.model.metrics)
    return sorted({one[1] for one in told if one is not None})


def middle(found: Result) -> float:
    """Return the rate at which leads and savings are shown: that of the net saving, else the middle one."""
    told = [operating.parsed(name) for name in found.page.model.metrics]
    priced = [one[1] for one in told if one is not None and one[0] == "net_saving"]
    every = rates(found)
    return priced[0] if priced else every[len(every) // 2]


def everybody(told: Mapping[str, Any]) -> dict[str, Mapping[str, list[float]]]:
    """Return the figures by who reached them: baseline, peers, challenger, then the oracles."""
    contest = told["contest"]
    every = {"baseline": contest["baseline"], **contest["peers"], "challenger": contest["challenger"]}
    every |= {name: contest.get(name) for name in ("severity", "ceiling")}
    return {who: figures for who, figures in every.items() if figures}


def text(found: Result, told: Mapping[str, Any], table: Table) -> str:
    """Return the section's tables and what must be known to read them; empty where it does not apply."""
    if not applies(found):
        return ""
    parts = [
        _rates(found, told, table),
        _costs(found),
        _calibration(told, table),
        _survival(found, told, table),
    ]
    return "\n".join(part for part in parts if part)


def _rates(found: Result, told: Mapping[str, Any], table: Table) -> str:
    names = [name for name in found.page.model.metrics if operating.parsed(name)]
    every = everybody(told)
    rows = []
    for name in names:
        what, rate = operating.parsed(name) or ("", 0.0)
        figures = [_range(figures.get(name), what) for figures in every.values()]
        rows.append((f"{CALLED[what]}, at {rate:g} a year", *figures))
    note = (
        "<p>At most so many false alarms per machine-year; a machine is silent for a week after an alert. An alert "
        "that comes when the failure is nearer than the gap is too late and counts as none.</p>"
    )
    return note + table(("", *every), rows)


def _range(figure: list[float] | None, what: str) -> str:
    if figure is None:
        return ""
    value, low, high = figure
    shown = "{:,.0f}" if what == "net_saving" else "{:.3g}"
    return f"{shown.format(value)} ({shown.format(low)} to {shown.format(high)})"


def _costs(found: Result) -> str:
    costs = found.page.model.costs
    if costs is None:
        return ""
    return (
        f"<p>Stated costs: {costs.unscheduled:,.0f} for a stop that nobody foresaw, {costs.scheduled:,.0f} for a "
        f"planned repair, {costs.inspect:,.0f} to look at a machine that is well. A failure found saves "
        f"{costs.saved():,.0f}.</p>"
    )


def _calibration(told: Mapping[str, Any], table: Table) -> str:
    names = ("calibration_error", "reliability", "resolution", "d_calibration")
    rows = [
        (who, *(_range(figures.get(name), "") for name in names))
        for who, figures in everybody(told).items()
        if any(name in figures for name in names)
    ]
    return f"<p>Is what is said what happens?</p>{table(('', *names), rows)}" if rows else ""


def _survival(found: Result, told: Mapping[str, Any], table: Table) -> str:
    seen = found.held.followed
    if seen is None or not len(seen.rows):
        return ""
    names = [name for pair in SURVIVAL.items() for name in pair]
    names += ["uno_concordance", "ipcw_integrated_brier"]
    rows = [
        (who, *(_range(figures.get(name), "") for name in names))
        for who, figures in everybody(told).items()
        if any(name in figures for name in names)
    ]
    censored = int((~found.y.known[seen.rows]).sum())
    note = (
        f"<p>{len(seen.rows) - censored:,} questions have an answer; of {censored:,} more the machine was serviced "
        "or lost from sight within the window. Figures named ipcw and the concordance count those for as long as "
        "they were followed, which is right only if being serviced did not depend on what was to come. Where people "
        "replace what looks worn it does: then neither column is the truth, and how far they lie apart is a "
        "hint, no bound.</p>"
    )
    return note + table(("", *names), rows)


def lives(
    moments: features.Moments, until: Any, came: Any, per: float = 86_400_000_000.0
) -> tuple[Floats, Flags, Flags]:
    """Return (k,) how long each life lasted, whether a failure ended it, and whether its end is that of the history.

    A life runs from one failure or planned replacement of a machine to the next, in units of `per`.  A machine's first
    life is left out: when it began is not known (left truncation).
    """
    import numpy as np

    until, came = np.asarray(until, dtype=np.int64), np.asarray(came, dtype=bool)
    followed = until > moments.at
    pairs, first = np.unique(
        np.stack([moments.codes[followed].astype(np.int64), until[followed]]), axis=1, return_index=True
    )
    ended = came[followed][first]
    if not len(first):
        return np.zeros(0), ended, ended
    same = np.append(False, pairs[0, 1:] == pairs[0, :-1])
    last = np.append(pairs[0, 1:] != pairs[0, :-1], True)
    lasted = np.append(0, np.diff(pairs[1])) / per
    return lasted[same], ended[same], last[same]


def curves(found: Result) -> tuple[survival.Curve, survival.Curve, Floats] | None:
    """Return the survival of lives with replacements taken as independent, as failures, and when lives were cut short.

    Between the two lies the truth if what was replaced would have failed sooner than the others, as is likely.
    """
    y = found.y
    if y.until is None or y.came is None:
        return None
    lasted, ended, last = lives(found.x.moments, y.until, y.came)
    if not ended.any():
        return None
    return (
        survival.kaplan_meier(lasted, ended),
        survival.kaplan_meier(lasted, ended | ~last),
        lasted[~ended],
    )


def summary(found: Result) -> str:
    """Return one line on the lives drawn, "" where none are."""
    told = curves(found)
    if told is None:
        return ""
    curve, worst, cut = told
    many = int(curve.events.sum()) + len(cut)
    half = [
        f"{_half(one):.0f}" if _half(one) < float("inf") else "more than was seen" for one in (curve, worst)
    ]
    return html.escape(
        f"{many} lives from one stop to the next, {len(cut)} of them not seen to their end. Half last "
        f"{half[0]} days if replacement did not depend on what was to come, {half[1]} if all that was replaced "
        "would have failed at once: the truth lies between."
    )


def _half(curve: survival.Curve) -> float:
    import numpy as np

    below = np.flatnonzero(curve.survival <= 0.5)
    return float(curve.time[below[0]]) if len(below) else float("inf")
