"""How a release gets to the machines: every decision of its rollout, with the evidence that decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyball.runtime.result import Result

#: What a stage means to somebody who reads it the first time.
STAGES = {
    "shadow": "answers beside the one that serves, unseen, and is judged by what then happens",
    "canary": "serves on a few machines, judged by latency, crashes, physics, drift and disagreement",
    "wave": "serves on a part of the fleet that grows",
    "done": "serves wherever it was sent",
}


def text(found: Result, acts: Sequence[Mapping[str, Any]], table: Any) -> str:
    """Return the section of the report: where the release stands, in one sentence, and every decision."""
    if not acts:
        return ""
    from flyball.runtime import look

    last = acts[-1]
    if last["act"] == "rolled back":
        said = f"<p class='no'>It was stopped, and the machines went back: {_safe(last['why'])}.</p>"
    elif last["act"] == "promoted":
        said = "<p class='yes'>It went through every stage and serves wherever it was sent.</p>"
    elif last["act"] == "paused":
        said = f"<p>It stands still in {_safe(last['stage'])}: {_safe(last['why'])}.</p>"
    else:
        meaning = next((what for stage, what in STAGES.items() if last["stage"].startswith(stage)), "")
        said = f"<p>It is in {_safe(last['stage'])}" + (f": it {meaning}" if meaning else "") + ".</p>"
    rows = [(look.when(one["at"]), one["act"], one["stage"], one["why"] or "as asked") for one in acts[-24:]]
    return said + str(table(("when", "decision", "stage", "because"), rows))


def _safe(words: str) -> str:
    import html

    return html.escape(words.rstrip("."))
