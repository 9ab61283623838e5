"""What each variant of the winner costs, and what it is worth: the table and the frontier of the report.

Why: the cheapest variant that passes ships; a person wants to see what was given up for it, and what was not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyball.model import metrics
from flyball.runtime import plots

if TYPE_CHECKING:
    from flyball.runtime.package import Variant
    from flyball.runtime.result import Result

#: What the table tells of a variant: its measurement, the heading, and how many of its unit make one that is shown.
COSTS = (
    ("p50_ms", "p50 ms", 1.0),
    ("p99_ms", "p99 ms", 1.0),
    ("p999_ms", "p99.9 ms", 1.0),
    ("cpu_s", "CPU ms", 1e-3),
    ("resident_bytes", "resident MB", 1e6),
    ("size_bytes", "size MB", 1e6),
    ("cold_start_s", "cold start s", 1.0),
    ("agreement", "differs by", 1.0),
)


def text(found: Result, table: Callable[..., str]) -> str:
    """Return the variants as a table: what each costs, its first metric with interval, and whether it may ship."""
    if not found.variants:
        return ""
    metric = found.page.model.metrics[0]
    rows = []
    for variant in found.variants:
        told = variant.measured.get(f"challenger.{metric}")
        worth = "" if told is None else f"{told.value:.4g} ({told.low:.4g} to {told.high:.4g})"
        costs = [_shown(variant, name, unit) for name, _, unit in COSTS]
        name = f"{variant.name}, ships" if variant.digest == found.release else variant.name
        rows.append((name, worth, *costs, variant.passed))
    note = (
        "<p>Each in a fresh process on one core, one row a question. The cheapest that passes every gate ships; "
        "“differs by” is the largest difference to the model as it was trained, on this machine's instruction set.</p>"
    )
    return note + table(("variant", metric, *(title for _, title, _ in COSTS), ""), rows)


def _shown(variant: Variant, name: str, unit: float) -> Any:
    return variant.measured[name].value / unit if name in variant.measured else ""


def draw(found: Result) -> Any:
    """Return the first metric of every variant over its latency and over its memory; None where there is only one.

    The line joins those that no other variant beats in both.
    """
    metric = found.page.model.metrics[0]
    told = [variant for variant in found.variants if f"challenger.{metric}" in variant.measured]
    if len(told) < 2:
        return None
    higher = metrics.higher_is_better(metric, found.page.labels.kind())
    figure, axes = plots.canvas(2, width=9.0, height=3.4)
    for axis, (name, title, unit) in zip(axes, (COSTS[1], COSTS[4]), strict=True):
        costs = [variant.measured[name].value / unit for variant in told]
        worth = [variant.measured[f"challenger.{metric}"] for variant in told]
        for variant, cost, m in zip(told, costs, worth, strict=True):
            colour = plots.GREEN if variant.passed else plots.RED
            axis.plot([cost, cost], [m.low, m.high], color=colour, lw=1, alpha=0.5)
            shape, size = ("*", 12) if variant.digest == found.release else ("o", 6)
            axis.plot([cost], [m.value], shape, color=colour, ms=size)
            axis.annotate(variant.name, (cost, m.value), (4, 4), textcoords="offset points", fontsize=7)
        best = undominated(costs, [m.value for m in worth], higher)
        line = [(costs[place], worth[place].value) for place in best]
        axis.plot(*zip(*line, strict=True), color=plots.GREY, lw=1, zorder=0)
        axis.set_xlabel(title, fontsize=8)
        axis.set_xlim(0, 1.25 * max(costs))  # room for the last name
        axis.grid(alpha=0.3)
    axes[0].set_ylabel(f"{metric} ({'higher' if higher else 'lower'} is better)", fontsize=8)
    figure.supxlabel(
        "green: passes every gate, red: does not, star: ships; line: beaten by no other in both",
        fontsize=8,
        color=plots.GREY,
    )
    return figure


def undominated(costs: list[float], worth: list[float], higher: bool) -> list[int]:
    """Return the places of those that no other beats in cost and worth, the cheapest first.

    >>> undominated([1.0, 2.0, 3.0, 1.5], [0.7, 0.9, 0.8, 0.6], higher=True)
    [0, 1]
    """
    sign = 1.0 if higher else -1.0
    out: list[int] = []
    best = float("-inf")
    for place in sorted(range(len(costs)), key=lambda n: (costs[n], -sign * worth[n])):
        if sign * worth[place] > best:
            best = sign * worth[place]
            out.append(place)
    return out
