"""report.html: the one page a person shows a colleague.  Plots are inline SVG: readable without network."""

from __future__ import annotations

import html
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import extras
from flyball.runtime import plots

if TYPE_CHECKING:
    from flyball.runtime.result import Result

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } td, th { padding: .2rem .9rem .2rem 0; text-align: left }
th { border-bottom: 1px solid #9aa7b4 } .no { color: #b3261e; font-weight: 600 } .yes { color: #1a7f4b } .dim { color: #5b6875 }
svg { max-width: 100%; height: auto }
"""


def write(found: Result, file: Path) -> None:
    """Write the report of a run."""
    told = found.json()
    sections = [
        _head(found, told),
        _section("How good is the answer?", _figures(told), lambda: plots.contest(found)),
        _section("Can the probability be believed?", _calibration_note(found), lambda: plots.calibration(found)),
        _section("The alerts a planner would have had", _alerts(found), lambda: plots.alerts(found)),
        _section("What the answer rests on", "", lambda: plots.influence(found)),
        _section("Does it still hold?", _watch(told), lambda: plots.drift(told["watch"])),
        _section("What came in", _data(told), lambda: plots.arrivals(found)),
        _gates(told),
        _steps(told),
    ]
    body = "\n".join(section for section in sections if section)
    title = html.escape(found.page.name)
    head = f"<meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>"
    file.write_text(f"<!doctype html><html lang='en'><head>{head}</head><body>\n{body}\n</body></html>\n")


def _section(title: str, text: str, draw: Callable[[], Any]) -> str:
    figure = draw()
    if figure is None and not text:
        return ""
    return f"<h2>{html.escape(title)}</h2>\n{text}\n{svg(figure) if figure is not None else ''}"


def svg(figure: Any) -> str:
    """Return a figure as inline SVG, the same text on every run."""
    matplotlib = extras.need("matplotlib", "lab", "to draw the report")
    sink = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "flyball", "svg.fonttype": "none"}):
        figure.savefig(sink, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = sink.getvalue()
    return text[text.index("<svg") :]


def table(header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """Return an HTML table; cells are escaped, a `Cell` keeps its class."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    lines = ["".join(f"<td>{_cell(cell)}</td>" for cell in row) for row in rows]
    return "<table><tr>" + top + "</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "<span class='yes'>holds</span>" if value else "<span class='no'>fails</span>"
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def _head(found: Result, told: dict[str, Any]) -> str:
    rows = told["rows"]
    release = told["release"]
    state = f"Release <code>{release[:12]}</code>" if release else "<span class='no'>No release: a gate failed</span>"
    return (
        f"<h1>{html.escape(found.page.name)}</h1><p>{html.escape(found.page.question)}</p>"
        f"<p>{state}. Learned from {rows['train']:,} questions, judged on {rows['test']:,}"
        f" <span class='dim'>(page {told['fingerprint'][:12]})</span></p>"
    )


def _figures(told: dict[str, Any]) -> str:
    everybody = {"baseline": told["contest"]["baseline"], **told["contest"]["peers"]}
    everybody |= {"challenger": told["contest"]["challenger"], "ceiling": told["contest"]["ceiling"]}
    rows = [
        (who, metric, value, f"{low:.4g} to {high:.4g}")
        for who, metrics in everybody.items()
        for metric, (value, low, high) in (metrics or {}).items()
    ]
    return table(("who", "metric", "value", "95 % interval, by machine"), rows)


def _calibration_note(found: Result) -> str:
    if found.held.test.answers["challenger"].ndim != 1:
        return ""
    return "<p>Answers in ten groups of equal size: what was said against what happened.</p>"


def _alerts(found: Result) -> str:
    if not found.alerts:
        return "<p>None on the test rows.</p>"
    rows = [(plots.when(found, alert.moment), alert.key, alert.score) for alert in found.alerts[:8]]
    return f"<p>{len(found.alerts)} on the test rows; the first:</p>" + table(("when", "machine", "score"), rows)


def _watch(told: dict[str, Any]) -> str:
    raised = told["watch"].get("alarms", [])
    lines = "".join(f"<li>{html.escape(alarm['why'])}</li>" for alarm in raised)
    retrain = told["watch"].get("retrain")
    again = f"<p>Train again: {html.escape(retrain)}.</p>" if retrain else ""
    return (f"<p>{len(raised)} alarm(s).</p><ul>{lines}</ul>" if raised else "<p>No alarm.</p>") + again


def _data(told: dict[str, Any]) -> str:
    receipt = told["data"]
    simple = [(name, value) for name, value in receipt.items() if isinstance(value, (int, float, str)) and value != ""]
    rows = [("questions asked", told["rows"]["asked"]), *simple]
    rows += [(f"quarantined: {reason}", count) for reason, count in receipt.get("reasons", {}).items()]
    rows += [(f"stopped: {name}", reason) for name, reason in receipt["stopped_features"].items()]
    rows += [
        (f"expected of {finding['column']}", f"{finding['figure']:.4g} against {finding['limit']:.4g}"
         + ("" if finding["passed"] else ": does not hold"))
        for finding in receipt["expectations"]
    ]  # fmt: skip
    return table(("", ""), rows)


def _gates(told: dict[str, Any]) -> str:
    rows = [(v["gate"], v["figure"], v["limit"], bool(v["passed"]), v["why"]) for v in told["verdicts"]]
    return "<h2>Gates</h2>" + table(("gate", "figure", "limit", "", ""), rows) if rows else ""


def _steps(told: dict[str, Any]) -> str:
    rows: list[tuple[Any, ...]] = []
    parts = [step for step in told["steps"] if step["name"].startswith("features/")]
    if parts:
        reused = sum(step["reused"] for step in parts)
        rows.append((f"features, {len(parts)} partitions", sum(s["seconds"] for s in parts), f"{reused} reused"))
    rows += [
        (step["name"], step["seconds"], "reused" if step["reused"] else "")
        for step in told["steps"]
        if not step["name"].startswith("features/")
    ]
    return "<h2>Steps</h2>" + table(("step", "seconds", ""), rows)
