"""The model card of a release: what it is for, what it learned from, how well it answers, and where its limits are.

Source: Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flyball.data import stage
from flyball.model import metrics
from flyball.model import stage as model

if TYPE_CHECKING:
    from flyball.evidence import Measurement
    from flyball.features import stage as features
    from flyball.runtime import contest
    from flyball.system import System

#: So many features are named; a page may have thousands.
NAMED = 40


def text(page: System, held: contest.Held, x: features.Matrix, data: Mapping[str, Any]) -> str:
    """Return the card as Markdown; `data` is what `package.trained_on` tells."""
    return "\n".join([f"# {page.name}", "", page.question, "", *_use(page, held), *_data(page, held, x, data),
                      *_figures(page, held), *_limits(page)]) + "\n"  # fmt: skip


def _use(page: System, held: contest.Held) -> Iterator[str]:
    serving = page.serving
    yield from ("## What it is for", "")
    yield f"- answer: {page.labels.kind()!r}, by `{type(page.labels).__name__}`"
    yield f"- asked: `{page.features.asked!r}`"
    yield f"- decided by: `{serving.decide!r}`, threshold {held.threshold:.6g}, fixed before the test was read"
    yield f"- when no release can answer: {serving.fallback}"
    yield f"- page: {page.fingerprint()}"
    yield ""


def _data(page: System, held: contest.Held, x: features.Matrix, data: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## What it learned from", "")
    yield f"- learned from {len(held.trained)} rows, judged on {len(held.test.rows)} that were read once"
    yield f"- machines or things asked about: {len(x.moments.keys)}"
    if isinstance(page.data.clock, stage.WallClock):
        yield f"- moments: {_day(data['first'])} to {_day(data['last'])}"
    yield f"- tables: {', '.join(table.name for table in page.data.tables)}; content {data['content'][:16]}…"
    more = f" and {len(x.columns) - NAMED} more" if len(x.columns) > NAMED else ""
    yield f"- {len(x.columns)} features: {', '.join(list(x.columns)[:NAMED])}{more}"
    yield from (f"- stopped: {name}: {why}" for name, why in x.stopped.items())
    yield ""


def _figures(page: System, held: contest.Held) -> Iterator[str]:
    yield from ("## How well it answers", "", "| who | metric | value | 95 % interval |", "|---|---|---|---|")
    kind, sliced = page.labels.kind(), []
    for metric in page.model.metrics:
        better = "higher is better" if metrics.higher_is_better(metric, kind) else "lower is better"
        for who in (*held.test.answers, "difference"):
            m = held.measured.get(f"{who}.{metric}")
            if m is not None:  # what only ranks has no other figure
                yield _row(
                    "challenger to baseline, paired" if who == "difference" else who,
                    f"{metric} ({better})",
                    m,
                )
        for name, m in held.measured.items():
            slice_ = name.removeprefix("challenger.").removesuffix(metric).removesuffix(".")
            if (
                slice_ and name == f"challenger.{slice_}.{metric}"
            ):  # without one it is the whole, which stands above
                sliced.append(_row(slice_, metric, m))
    yield ""
    if sliced:
        yield from (
            "### The challenger by slice",
            "",
            "| slice | metric | value | 95 % interval |",
            "|---|---|---|---|",
        )
        yield from (*sliced, "")


def _limits(page: System) -> Iterator[str]:
    yield from ("## Limits", "")
    yield "- An interval speaks of machines and times like those it was judged on, and of no others."
    yield "- Features outside what was learned from are watched (`reference.json`) and not corrected."
    yield "- Figures of another variant, its latency and memory stand in the run's record, measured on the machine that"
    yield "  judged it; on every machine the golden vectors are answered anew before anything is switched."
    gates = ", ".join(f"`{gate!r}`" for gate in page.model.gates)
    yield f"- It was let through by: {gates or 'no gate'}"
    refitted = isinstance(page.model.ship, model.Refit)
    yield f"- It ships {'refitted on all rows whose answer is known' if refitted else 'as it was tested'}."


def _row(who: str, metric: str, m: Measurement) -> str:
    return f"| {who} | {metric} | {m.value:.4g} | {m.low:.4g} to {m.high:.4g} |"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d}"
