"""Whether model and data still hold: alarms in sentences, and what is watched against its limits."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from flyball import units
from flyball.runtime import alarms, budget

#: So many alarms are told, newest last; so many are in the store besides.
SHOWN = 8
#: So many of them are drawn.
DRAWN = 3


def text(watch: Mapping[str, Any], table: Any) -> str:
    """Return the section of the report: what is wrong and what to do, then the alarms as a table."""
    from flyball.runtime import look

    raised = {alarms.named(one): one for one in watch.get("alarms", [])}
    retrain = watch.get("retrain")
    again = f"<p>Train again: {html.escape(retrain)}.</p>" if retrain else ""
    again = _performance(watch.get("performance") or {}, table) + again
    may = budget.words(watch.get("budget") or {})
    again = (f"<p class='dim'>{html.escape(may)}.</p>" if may else "") + again
    if not raised:
        return "<p>No alarm.</p>" + again
    newest = dict(sorted(raised.items(), key=lambda item: item[1]["at"])[-SHOWN:])
    told = "".join(f"<li>{html.escape(alarms.words(one))}</li>" for one in newest.values())
    rows = [
        (
            name, look.when(alarms.since(one)), ", ".join(one.get("columns", ())[:3]),
            ", ".join(one.get("machines", ())[:4]), one.get("cause") or "not known", one["statistic"], one["limit"],
        )
        for name, one in newest.items()
    ]  # fmt: skip
    header = ("alarm", "since", "columns", "machines", "cause", "figure", "limit")
    more = f"<p class='dim'>and {len(raised) - SHOWN} before</p>" if len(raised) > SHOWN else ""
    return f"<p class='no'>{len(raised)} alarm(s)</p><ul>{told}</ul>{table(header, rows)}{more}{again}"


def _performance(told: Mapping[str, Any], table: Any) -> str:
    """Return how good the answers are: expected before labels came, realised since, and which slices got worse."""
    ahead, realised = _known((told.get("ahead") or {}).get("estimated")), _known(told.get("realised"))
    reference = _known(told.get("reference"))
    metric = str(told.get("metric", "")).replace("_", " ")
    said = []
    if ahead:
        said.append(
            f"Before its truth is known, the newest answers' {metric} is expected at {_figure(ahead)}."
        )
    if realised:
        before = f", after {_figure(reference)} before" if reference else ""
        said.append(f"Of the answers whose truth came, it is {_figure(realised)}{before}.")
    if told.get("believed") is False:
        said.append("What had been expected of them was wrong: do not rest on the estimate.")
    worse = [
        (one["slice"], one["n"], one["reference"], one["realised"], one.get("cause") or "not known")
        for one in told.get("slices", ())
        if one["alarm"]
    ]
    lines = f"<p>{html.escape(' '.join(said))}</p>" if said else ""
    if worse:
        lines += "<p class='no'>It got worse here:</p>"
        lines += table(("slice", "outcomes", f"{metric} before", "now", "cause"), worse)
    return lines


def _known(told: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a figure with its interval; nothing where one of the three is no number."""
    return told if told and None not in (told["value"], told["low"], told["high"]) else {}


def _figure(told: Mapping[str, Any]) -> str:
    return f"{told['value']:.3g} ({told['low']:.3g} to {told['high']:.3g})"


def series(watch: Mapping[str, Any]) -> Any:
    """Return the newest alarms' worst columns on their worst machines, over the band they kept before; else None."""
    from flyball.runtime import plots

    drawn = [one for one in watch.get("alarms", []) if (one.get("series") or {}).get("at")]
    newest = sorted(drawn, key=lambda one: int(one["at"]))[-DRAWN:]
    if not newest:
        return None
    import numpy as np

    figure, axes = plots.canvas(len(newest), width=8.5, height=2.4)
    for axis, alarm in zip(axes, newest, strict=True):
        told = alarm["series"]
        at = np.array(told["at"])
        wall = units.is_time(int(at[-1]))
        when = at.astype("datetime64[us]") if wall else at
        axis.axhspan(told["low"], told["high"], color=plots.GREY, alpha=0.25, lw=0)
        axis.plot(
            when, [np.nan if v is None else v for v in told["value"]], "o-", color=plots.BLUE, ms=3, lw=1
        )
        since = np.datetime64(alarms.since(alarm), "us") if wall else alarms.since(alarm)
        axis.axvline(since, color=plots.RED, lw=1)
        axis.set_title(f"{told['column']} on {told['machine'] or 'the fleet'}", fontsize=8)
    figure.supxlabel("grey: what it kept to before; red: since when", fontsize=8, color=plots.GREY)
    figure.autofmt_xdate()
    return figure


def draw(watch: Mapping[str, Any]) -> Any:
    """Return the last window's statistic of the worst columns against their limits."""
    from flyball.runtime import plots

    rows = [row for row in reversed(watch.get("columns", [])) if 0 < (row["limit"] or 0) < float("inf")]
    if not rows:
        return None
    figure, (axis,) = plots.canvas(1, width=7, height=0.6 + 0.22 * len(rows))
    colours = [plots.RED if row["alarm"] else plots.BLUE for row in rows]
    axis.barh(
        [row["column"] for row in rows], [row.get("statistic", row["psi"]) for row in rows], color=colours
    )
    for place, row in enumerate(rows):
        axis.plot([row["limit"]] * 2, [place - 0.4, place + 0.4], color="black", lw=1.5)
    axis.tick_params(axis="y", labelsize=7)
    axis.set_xlabel("what is judged of the last window (mark: the limit)")
    return figure
