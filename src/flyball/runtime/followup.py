"""What happened after the answers: how many outcomes are known, and whether what was said is what came, by week.

Why: a contest is won on rows of the past.  Whether the release is worth its keep shows only in what happened to the
machines it answered about, and a person who decides wants that before any statistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import data, labels, units
from flyball.monitoring import losses

if TYPE_CHECKING:
    import polars as pl

    from flyball.runtime.result import Result
    from flyball.system import System

#: At most so many spans are shown, newest last; a counter's steps are cut into so many.
MOST = 52


def weeks(page: System, outcomes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what became of the answers of each week (of each part of a counter), oldest first.

    A span tells `since`, how many answers are `known`, `pending` and `censored`, the mean that was `said` and that
    `came` where known, and the mean `loss`, named by `metric`.  An answer counts once, by its newest outcome.
    """
    import polars as pl

    if not outcomes.height:
        return []
    newest = outcomes.unique(["key", "at"], keep="last", maintain_order=True)
    wall = isinstance(page.data.clock, data.WallClock)
    last: Any = newest["at"].max()
    span = int(units.WEEK) if wall else max(1, -(-(last + 1) // MOST))
    kind = page.labels.kind()
    metric = next(iter(losses.names(kind)), "")
    out: dict[int, dict[str, Any]] = {}
    for (number,), group in newest.with_columns((pl.col("at") // span).alias("span")).group_by(["span"]):
        known = group.filter(pl.col("state") == "known")
        each = losses.of_rows(kind, known["answer"].to_numpy(), known["truth"].to_numpy())
        lost = each[metric].tolist() if metric else []
        counts = dict(group.group_by("state").len().iter_rows())
        since = int(number) * span
        out[since] = {
            "since": since, "metric": metric,
            **{state: int(counts.get(state, 0)) for state in ("known", "pending", "censored")},
            "said": known["answer"].mean(), "came": known["truth"].mean(),
            "loss": sum(lost) / len(lost) if lost else None,
        }  # fmt: skip
    return [out[since] for since in sorted(out)][-MOST:]


def text(found: Result, spans: Sequence[Mapping[str, Any]], table: Any) -> str:
    """Return the section of the report: one sentence, and the newest spans as a table."""
    if not spans:
        return ""
    counts = {state: sum(one[state] for one in spans) for state in ("known", "pending", "censored")}
    said = (
        f"<p>Of {sum(counts.values()):,} answers, what happened is known of {counts['known']:,}; {counts['pending']:,} "
        f"wait for it, and of {counts['censored']:,} it will never be known (the machine was serviced or is gone).</p>"
    )
    rare = isinstance(found.page.labels.kind(), labels.Probability)
    known = [one for one in spans if one["known"]]
    if rare and known:
        many = sum(one["known"] for one in known)
        say, came = (sum(one[name] * one["known"] for one in known) / many for name in ("said", "came"))
        said += f"<p>It said {say:.1%} on average; {came:.1%} came true.</p>"
    rows = [
        (
            _when(found, one["since"]), one["known"], one["pending"], one["censored"],
            *("" if one[name] is None else float(one[name]) for name in ("said", "came", "loss")),
        )
        for one in spans[-8:]
    ]  # fmt: skip
    metric = spans[-1]["metric"].replace("_", " ")
    header = ("since", "known", "pending", "never known", "mean said", "mean that came", f"mean {metric}")
    return said + str(table(header, rows))


def draw(found: Result, spans: Sequence[Mapping[str, Any]]) -> Any:
    """Return what was said and what came, and the mean loss, over time; None with fewer than three spans known."""
    from flyball.runtime import plots

    known = [one for one in spans if one["known"] and one["loss"] is not None]
    if len(known) < 3:
        return None
    import numpy as np

    at = plots.axis_time(found, np.array([one["since"] for one in known]))
    figure, (left, right) = plots.canvas(2, width=8.5, height=2.6)
    left.plot(at, [one["said"] for one in known], "o-", color=plots.BLUE, ms=3, label="said")
    left.plot(at, [one["came"] for one in known], "o-", color=plots.GREY, ms=3, label="came")
    left.legend(fontsize=7, frameon=False)
    left.set_title("mean of what was said, and of what came", fontsize=9)
    right.plot(at, [one["loss"] for one in known], "o-", color=plots.BLUE, ms=3)
    right.set_title(f"mean {known[-1]['metric'].replace('_', ' ')} (lower is better)", fontsize=9)
    figure.autofmt_xdate()
    return figure


def _when(found: Result, at: int) -> str:
    from flyball.runtime import plots

    return plots.when(found, at)
