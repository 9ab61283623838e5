"""report.html: the one page a person shows a colleague.  Plots are inline SVG: readable without network."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import extras, labels
from flyball.runtime import followup, frontier, holding, journey, plots, practice, practice_plots

if TYPE_CHECKING:
    from flyball.runtime.result import Result

#: More metrics than this stand in rows.
MANY = 8

STYLE = """
:root { --ink: #1c2733; --dim: #5b6875; --line: #d8dee5; --good: #1a7f4b; --bad: #b3261e; --blue: #2463a8 }
body { font: 15px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; margin: 0 }
body { color: var(--ink); background: #f4f6f8 }
main { max-width: 58rem; margin: 0 auto; padding: 2rem 1rem 4rem }
header, section { background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: 1.1rem 1.5rem 1.3rem;
  margin-bottom: 1rem }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.08rem; margin: 0 0 .5rem }
p { margin: .35rem 0; max-width: 46rem }
header p { font-size: 1.05rem } .tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: 1rem }
.tile { border-left: 3px solid var(--blue); padding: .1rem .9rem; min-width: 8rem } .tile b { display: block;
  font-size: 1.25rem; font-variant-numeric: tabular-nums } .tile.yes { border-color: var(--good) }
.tile.no { border-color: var(--bad) } .tile span { color: var(--dim); font-size: .85rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; margin: .3rem 0 }
td, th { padding: .18rem 1.1rem .18rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
td { overflow-wrap: break-word } th { color: var(--dim); font-weight: 600 } .no { color: var(--bad); font-weight: 600 }
.yes { color: var(--good) } .dim { color: var(--dim); font-size: .85rem } code { font-size: .88em }
svg { max-width: 100%; height: auto; display: block; margin-top: .5rem } summary { cursor: pointer; color: var(--dim) }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0 .3rem 1rem; font-size: .9rem }
nav a { color: var(--blue); text-decoration: none }
@media print { nav { display: none } body { background: #fff }
  header, section { break-inside: avoid; border: 0; padding: 0 } }
"""


def write(
    found: Result, file: Path, weeks: Sequence[Mapping[str, Any]] = (), acts: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Write the report of a run: one file that needs nothing else to be read.

    `weeks` is what happened after the answers (`followup.weeks`), `acts` what was decided about the release on its way
    to the machines (`why.rollout`).
    """
    told = found.json()
    sections = [
        _head(found, told),
        _section("How good is the answer?", _figures(told), lambda: plots.contest(found)),
        _section("What it would save", _practice(found, told), lambda: practice_plots.draw(found)),
        _section("May it ship?", _gates(told)),
        _section("What does an answer cost?", frontier.text(found, table), lambda: frontier.draw(found)),
        _section("Can the answer be believed?", _calibration_note(found), lambda: plots.calibration(found)),
        _section("The alerts a planner would have had", _alerts(found), lambda: plots.alerts(found)),
        _section("What the answer rests on", "", lambda: plots.influence(found)),
        _section(
            "Does it still hold?", holding.text(told["watch"], table), lambda: holding.draw(told["watch"])
        ),
        _section(
            "What happened then?", followup.text(found, weeks, table), lambda: followup.draw(found, weeks)
        ),
        _section("How it gets to the machines", journey.text(found, acts, table)),
        _section("What came in", _data(told), lambda: plots.arrivals(found)),
        _section("How it was made", _steps(told)),
    ]
    there = [section for section in sections if section]
    body = "\n".join([there[0], _contents(there[1:]), *there[1:]])
    title = html.escape(found.page.name)
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{title}</title><style>{STYLE}</style>"
    )
    page = (
        f"<!doctype html>\n<html lang='en'><head>{head}</head><body><main>\n{body}\n</main></body></html>\n"
    )
    file.write_text(page, encoding="utf-8")


def _section(title: str, text: str, draw: Callable[[], Any] = lambda: None) -> str:
    figure = draw()
    if figure is None and not text:
        return ""
    drawn = svg(figure) if figure is not None else ""
    return f"<section id='{_anchor(title)}'><h2>{html.escape(title)}</h2>\n{text}\n{drawn}</section>"


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower()).strip("-")


def _contents(sections: Sequence[str]) -> str:
    """Return links to the sections that are there."""
    found = [re.match(r"<section id='([^']*)'><h2>(.*?)</h2>", section) for section in sections]
    links = "".join(f"<a href='#{one[1]}'>{one[2]}</a>" for one in found if one is not None)
    return f"<nav>{links}</nav>"


def svg(figure: Any) -> str:
    """Return a figure as inline SVG without any reference, the same text on every run."""
    matplotlib = extras.need("matplotlib", "lab", "to draw the report")
    sink = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "flyball", "svg.fonttype": "none"}):
        figure.savefig(sink, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    # Inside HTML the namespaces are known; without them nothing in the page looks like an address.
    for name in (' xmlns:xlink="http://www.w3.org/1999/xlink"', ' xmlns="http://www.w3.org/2000/svg"'):
        text = text.replace(name, "")
    return text.replace("xlink:href", "href")


def table(
    header: tuple[str, ...], rows: list[tuple[Any, ...]], words: tuple[str, str] = ("holds", "fails")
) -> str:
    """Return an HTML table; every cell is escaped, a truth is told in the two words."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    lines = ["".join(f"<td>{_cell(cell, words)}</td>" for cell in row) for row in rows]
    head = f"<tr>{top}</tr>" if any(header) else ""
    return "<table>" + head + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _cell(value: Any, words: tuple[str, str]) -> str:
    if isinstance(value, bool):
        return f"<span class='{'yes' if value else 'no'}'>{words[0] if value else words[1]}</span>"
    if isinstance(value, (int, float)):
        return f"{value:,.0f}" if abs(value) >= 1e4 and value == value // 1 else f"{value:.4g}"
    return html.escape(str(value))


def _head(found: Result, told: dict[str, Any]) -> str:
    rows, release = told["rows"], told["release"]
    tiles = [
        ("yes", f"<code>{release[:12]}</code>", "released")
        if release
        else ("no", "nothing", "released: a gate fails"),
        ("", f"{rows['train']:,}", "questions learned from"),
        ("", f"{rows['test']:,}", "questions judged on"),
    ]
    for metric, (value, low, high) in list((told["contest"]["challenger"] or {}).items())[:1]:
        tiles.append(("", f"{value:.3g}", f"{html.escape(metric)}, {low:.3g} to {high:.3g}"))
    raised = len(told["watch"].get("alarms", []))
    tiles += [("no" if raised else "yes", str(raised), "alarm" if raised == 1 else "alarms")]
    shown = "".join(
        f"<div class='tile {kind}'><b>{big}</b><span>{small}</span></div>" for kind, big, small in tiles
    )
    return (
        f"<header><h1>{html.escape(found.page.name)}</h1><p>{html.escape(found.page.question)}</p>"
        f"<div class='tiles'>{shown}</div><p class='dim'>page {told['fingerprint'][:12]}</p></header>"
    )


def _figures(told: dict[str, Any]) -> str:
    """Return who reached what: a row per contestant and a column per metric, turned round where metrics are many."""
    everybody = practice.everybody(told)
    metrics = list(dict.fromkeys(metric for figures in everybody.values() for metric in figures))
    rows = [
        (who, *(_with_interval(figures.get(metric)) for metric in metrics))
        for who, figures in everybody.items()
    ]
    header = ("", *metrics)
    if len(metrics) > MANY:
        header, *rows = (tuple(column) for column in zip(header, *rows, strict=True))
    note = "<p>On rows that nobody learned from; intervals are 95 %, by machine.</p>"
    differences = [
        (name.removeprefix("difference."), f"{value:+.4g}", f"{low:+.4g} to {high:+.4g}", low > 0)
        for name, (value, low, high) in told["differences"].items()
        if name.startswith("difference.")
    ]
    paired = "<p>Challenger against baseline and peers, paired on the same rows; above zero is better:</p>"
    paired += table(
        ("metric", "difference", "95 % interval", "better beyond doubt"), differences, ("yes", "no")
    )
    if len(differences) > 2 * MANY:
        paired = f"<details><summary>{len(differences)} paired differences</summary>{paired}</details>"
    return note + table(header, rows) + (paired if differences else "")


def _practice(found: Result, told: dict[str, Any]) -> str:
    if not practice.applies(found):
        return ""
    return practice.text(found, told, table) + f"<p>{practice.summary(found)}</p>"


def _with_interval(figure: list[float] | None) -> str:
    return "" if figure is None else f"{figure[0]:.4g} ({figure[1]:.4g} to {figure[2]:.4g})"


def _calibration_note(found: Result) -> str:
    kind = found.page.labels.kind()
    if isinstance(kind, labels.Probability):
        return "<p>Answers in ten groups of equal size: what was said against what happened.</p>"
    if isinstance(kind, labels.Quantity):
        answers, truth = found.held.test.answers["challenger"], found.held.test.truth
        inside = ((truth >= answers[:, 1]) & (truth <= answers[:, 2])).mean() if len(truth) else 0.0
        return f"<p>{inside:.1%} of the truths lie within the interval that was given.</p>"
    return "<p>Row: the true class, column: the answer, each as a share of the true class.</p>"


def _alerts(found: Result) -> str:
    if not found.alerts:
        return "<p>None on the rows judged on.</p>"
    first = found.alerts[:8]
    rows = [(plots.when(found, alert.moment), alert.key, alert.rank, alert.score) for alert in first]
    many = f"<p>{len(found.alerts)} on the rows judged on" + (
        ", the first:</p>" if len(found.alerts) > 8 else ":</p>"
    )
    return many + table(("when", "machine", "rank", "score"), rows)


def _data(told: dict[str, Any]) -> str:
    receipt, holds = told["data"], told["data"]["holds"]
    rows: list[tuple[Any, ...]] = [
        ("questions asked", told["rows"]["asked"]),
        ("files taken in", holds["files"]),
    ]
    rows += [(f"rows of {table_}", count) for table_, count in holds["good"].items()]
    rows += [
        (f"quarantined of {table_}", f"{count} x {reason}")
        for table_, reasons in holds["quarantined"].items()
        for reason, count in sorted(reasons.items())
    ]
    rows += [(f"absent: {column}", reason) for column, reason in holds["absent"].items()]
    rows += [(f"stopped: {name}", reason) for name, reason in receipt["stopped_features"].items()]
    rows += [(f"cleaned: {one['column']}", f"{one['figure']:g} {one['why']}") for one in receipt["cleaned"]]
    checks = [
        (one["column"], one["figure"], one["limit"], bool(one["passed"]), one.get("why", ""))
        for one in receipt["expectations"]
    ]
    return table(("", ""), rows) + (
        table(("expected of", "figure", "limit", "", ""), checks) if checks else ""
    )


def _gates(told: dict[str, Any]) -> str:
    rows = [(v["gate"], v["figure"], v["limit"], bool(v["passed"]), v["why"]) for v in told["verdicts"]]
    return table(("gate", "figure", "limit", "", ""), rows) if rows else ""


def _steps(told: dict[str, Any]) -> str:
    rows: list[tuple[Any, ...]] = []
    parts = [step for step in told["steps"] if step["name"].startswith("features/")]
    if parts:
        reused = sum(step["reused"] for step in parts)
        rows.append(
            (f"features, {len(parts)} partitions", sum(s["seconds"] for s in parts), f"{reused} reused")
        )
    rows += [
        (step["name"], step["seconds"], "reused" if step["reused"] else "")
        for step in told["steps"]
        if not step["name"].startswith("features/")
    ]
    return f"<details><summary>{len(rows)} steps</summary>{table(('step', 'seconds', ''), rows)}</details>"
