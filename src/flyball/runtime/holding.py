"""Whether model and data still hold: alarms in sentences, and what is watched against its limits."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from flyball.runtime import alarms

#: So many alarms are told, newest last; so many are in the store besides.
SHOWN = 8


def text(watch: Mapping[str, Any], table: Any) -> str:
    """Return the section of the report: what is wrong and what to do, then the alarms as a table."""
    from flyball.runtime import look

    raised = {alarms.named(one): one for one in watch.get("alarms", [])}
    retrain = watch.get("retrain")
    again = f"<p>Train again: {html.escape(retrain)}.</p>" if retrain else ""
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
