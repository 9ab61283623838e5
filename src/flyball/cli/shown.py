"""How commands talk: one JSON object when asked, else a few lines and a progress bar on a terminal."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str, int, int], None]


def say(value: Mapping[str, Any], as_json: bool, lines: Callable[[], Iterator[str]]) -> None:
    """Print a value as one JSON object, or as the lines that a person reads."""
    if as_json:
        print(json.dumps(plain(value), default=str, allow_nan=False))
        return
    for line in lines():
        print(line)


def plain(value: Any) -> Any:
    """Return a value as strict JSON knows it: what is no number (not known, no limit) becomes null.

    >>> plain({"limit": float("inf"), "rows": (1, 2.5)})
    {'limit': None, 'rows': [1, 2.5]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextmanager
def progress(quiet: bool) -> Iterator[Progress]:
    """Show a bar per long step on a terminal; nothing when the output is read by a program."""
    if quiet or not sys.stderr.isatty():
        yield lambda name, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def step(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total or None)

        yield step


def figure(value: float, low: float, high: float) -> str:
    """Return a figure with its interval as a person reads it.

    >>> figure(0.2134, 0.15, 0.2801)
    '0.213 [0.150, 0.280]'
    """
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


#: So many alarms are told after a run, the newest; `flyball why alarm` tells all.
SHOWN = 3


def run_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a run came to."""
    from flyball.runtime import alarms

    rows = told["rows"]
    yield f"{told['system']}: {rows['asked']} questions, learned from {rows['train']}, judged on {rows['test']}"
    yield from data_lines(told["data"])
    yield from _contest_lines(told["contest"])
    for verdict in told["verdicts"]:
        held = "passed" if verdict["passed"] else "FAILED"
        yield f"  gate {verdict['gate']}: {held}, {verdict['figure']:.4g} against {verdict['limit']:.4g}"
    yield f"  release: {told['release'] or 'none: a gate failed, the baseline goes on answering'}"
    raised, retrain = told["watch"].get("alarms", []), told["watch"].get("retrain")
    yield f"  watch: {len(raised)} alarm(s)" + (f", train again: {retrain}" if retrain else "")
    yield from (f"    {alarms.named(one)}: {alarms.words(one)}" for one in raised[-SHOWN:])
    reused, took = (
        sum(step["reused"] for step in told["steps"]),
        sum(step["seconds"] for step in told["steps"]),
    )
    yield f"  steps: {len(told['steps'])}, {reused} reused, {took:.1f} s"


def data_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of the data was set apart, what is missing, and which features stopped for it."""
    for table, reasons in told.get("quarantined", {}).items():
        for reason, count in sorted(reasons.items()):
            yield f"  quarantined: {table}: {count} x {reason}"
    for column, why in told.get("absent", {}).items():
        yield f"  absent: {column}: {why}"
    for name, reason in told.get("stopped_features", {}).items():
        yield f"  stopped: {name}: {reason}"
    for finding in told.get("expectations", []):
        if not finding["passed"]:
            against = f"{finding['figure']:.4g} against {finding['limit']:.4g}"
            yield f"  expected of {finding['column']}: {against}, does not hold"


def _contest_lines(contest: Mapping[str, Any]) -> Iterator[str]:
    everybody = {"baseline": contest["baseline"], **contest["peers"]}
    everybody |= {
        "challenger": contest["challenger"],
        "severity": contest.get("severity"),
        "ceiling": contest["ceiling"],
    }
    metrics = dict.fromkeys(metric for figures in everybody.values() for metric in figures or {})
    for metric in metrics:
        for who, figures in everybody.items():
            if figures and metric in figures:
                yield f"  {metric:<20} {who:<18} {figure(*figures[metric])}"
