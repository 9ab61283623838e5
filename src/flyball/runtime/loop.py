"""The loop: take in what arrived, answer, watch, and train again when it is due.  The only loop over the stages.

State lies in the store alone, so a loop that is killed goes on where it was, and one that slept catches up: what
arrived meanwhile is taken in at once and a training that fell due is done once, not once per missed week.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball.runtime import run as running
from flyball.runtime import store

if TYPE_CHECKING:
    from flyball.runtime.run import Bound
    from flyball.system import System


def go(page: System, bound: Bound, every_s: float, rounds: int = 0) -> Iterator[dict[str, Any]]:
    """Yield what each round came to; ends after `rounds`, or never when that is 0."""
    done = 0
    while True:
        begun = time.monotonic()
        yield once(page, bound)
        done += 1
        if rounds and done >= rounds:
            return
        time.sleep(max(0.0, every_s - (time.monotonic() - begun)))


def once(page: System, bound: Bound) -> dict[str, Any]:
    """Go round once: everything up to the watch when something arrived, a training when one is due.

    Training is done at a cut that moves only when a trigger says so: between trainings the newest questions are
    answered by the release that the last one made.
    """
    kept = store.Store.open(bound.store, page.data)
    before = kept.state("loop").get("as_of")
    arrived = kept.ingest([bound.source], binding=bound.binding) if bound.source is not None else None
    now = kept.horizon()
    reason = _due(page, kept, now, before)
    cut = now if reason else before
    if reason or arrived is None or arrived.changed:
        found = running.run(page, _at(bound, cut))
        kept.state("loop", {"as_of": cut, "trained_because": reason or kept.state("loop").get("trained_because", "")})
        told = found.json()
        kept.state("watch", told["watch"])
    else:
        told = {"system": page.name, "release": kept.state("loop").get("release"), "watch": kept.state("watch")}
    receipt = arrived.json() if arrived is not None else {}
    return {**told, "arrived": receipt, "trained": bool(reason), "because": reason, "as_of": cut}


def line(told: Mapping[str, Any]) -> str:
    """Return a round as one line."""
    files = told["arrived"].get("files", 0)
    trained = f"trained ({told['because']})" if told["trained"] else "answered"
    raised = len(told["watch"].get("alarms", []))
    return f"{told['system']}: {files} file(s), {trained}, release {(told['release'] or 'none')[:12]}, {raised} alarm(s)"


def _due(page: System, kept: store.Store, now: int | None, trained: int | None) -> str:
    from flyball import evidence

    if trained is None:
        return "first training"
    raised = tuple(
        evidence.Alarm(alarm["detector"], alarm["at"], alarm["statistic"], alarm["limit"])
        for alarm in kept.state("watch").get("alarms", [])
    )
    reasons = (trigger.due(now or 0, trained, raised) for trigger in page.monitoring.retrain)
    return next((reason for reason in reasons if reason), "")


def _at(bound: Bound, cut: int | None) -> Bound:
    from dataclasses import replace

    return replace(bound, learned=cut, source=None)
