"""The loop: take in what arrived, answer, watch, and train again when it is due.  The only loop over the stages.

State lies in the store alone, so a loop that is killed goes on where it was, and one that slept catches up: what
arrived meanwhile is taken in at once and a training that fell due is done once, not once per missed week.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flyball import data, durable, errors, evidence
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
    answered by the release that the last one made.  A page without a wall clock has no cut: it trains on what came.
    A training that cannot be done, or fails its gates, leaves the release that serves and its cut where they are.
    With a fleet bound, a release passes the same shadow, canary and waves there as one that a person ships: every
    round hears the machines and goes a step, what the fleet runs is what answers, and the newest release is offered
    once nothing is under way.  Raises StoreError while another loop goes round in the same store.
    """
    kept = store.Store.open(bound.store, page.data)
    with durable.lock(bound.store / "loop.lock", wait_s=0.0):
        return _round(page, bound, kept)


def _round(page: System, bound: Bound, kept: store.Store) -> dict[str, Any]:
    arrived = kept.ingest([bound.source], binding=bound.binding) if bound.source is not None else None
    followed = _followed(bound, kept)
    before = kept.state("loop")
    # What was done is told by the digest of what it was done with: a round that was cut off is gone round again.
    sources, now = kept.sources_digest(), kept.horizon()
    wall = isinstance(page.data.clock, data.WallClock)
    reason = _due(page, kept, before, now) if wall else _grown(before, sources)
    receipt = arrived.json() if arrived is not None else {}
    out = {"arrived": receipt, "trained": bool(reason), "because": reason, "refused": ""}
    if followed:
        out["fleet"] = followed
        bound = replace(bound, serving=_serving(kept, followed))
    same = before.get("sources") == sources and before.get("serving", bound.serving) == bound.serving
    if not reason and same:
        return _idle(page, before) | out | _offer(bound, kept, before.get("release"), before, followed)
    told, cut = None, before.get("as_of")
    if reason:
        told, out["refused"] = _trained(page, replace(bound, learned=now, source=None), before)
        cut = cut if out["refused"] else now
    if told is None:
        told = running.run(page, replace(bound, learned=cut, source=None)).json()
    # One write: alarms and the training that they are newer or older than belong together.
    kept.state("loop", {
        "as_of": cut, "tried": now if reason else before.get("tried"), "sources": sources,
        "trained_because": reason or before.get("trained_because", ""),
        "release": told["release"], "watch": told["watch"],
        "refused": out["refused"] if reason else before.get("refused", ""), "serving": bound.serving,
    })  # fmt: skip
    kept.state("watch", told["watch"])
    out |= _offer(bound, kept, told["release"], kept.state("loop"), followed)
    return {**told, **out, "as_of": cut}


def _followed(bound: Bound, kept: store.Store) -> dict[str, Any]:
    """Take the rollout of the bound fleet a step further; {} without one."""
    return {} if bound.fleet is None else bound.fleet.step(kept.horizon())


def _serving(kept: store.Store, followed: Mapping[str, Any]) -> str:
    """Return the release that the fleet runs, where this store holds it; "" while it runs none of them."""
    digest = str(followed["serving"])
    return digest if digest and (kept.folder / "releases" / digest).is_dir() else ""


def _offer(
    bound: Bound, kept: store.Store, digest: str | None, now: Mapping[str, Any], followed: Mapping[str, Any]
) -> dict[str, Any]:
    """Offer the newest release to the bound fleet; it is looked for every round, so that nothing is forgotten."""
    if bound.fleet is None or not digest:
        return {}
    waits = bound.fleet.offer(kept.folder / "releases" / digest, f"loop: {now.get('trained_because', '')}")
    return {"fleet": {**followed, "waits": waits}}


def _trained(page: System, bound: Bound, before: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """Train; return what it came to, or None and why it is not used: then the release that serves goes on serving.

    Where nothing serves yet there is nothing to go on with, and what is wrong is raised.
    """
    serving = before.get("release")
    try:
        told = running.run(page, bound).json()
    except (errors.DataError, errors.GateError) as error:
        if not serving or isinstance(error, errors.StoreError):
            raise
        return None, f"{type(error).__name__}: {error}"
    if told["release"] or not serving:
        return told, ""
    failed = ", ".join(verdict["gate"] for verdict in told["verdicts"] if not verdict["passed"])
    return None, f"the training at hand did not pass {failed}"


def _idle(page: System, before: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: before.get(name) for name in ("release", "as_of")}
    return {"system": page.name, "watch": before.get("watch", {}), **told}


def line(told: Mapping[str, Any]) -> str:
    """Return a round as one line."""
    files = told["arrived"].get("files", 0)
    trained = f"trained ({told['because']})" if told["trained"] else "answered"
    trained += f" and goes on with the release before: {told['refused']}" if told["refused"] else ""
    raised = len(told["watch"].get("alarms", []))
    release = (told["release"] or "none")[:12]
    if (fleet := told.get("fleet")) is not None:
        release += f", fleet runs {fleet['serving'][:12] or 'none'}"
        release += f" with {fleet['candidate'][:12]} in {fleet['stage']}" if fleet["candidate"] else ""
    return f"{told['system']}: {files} file(s), {trained}, release {release}, {raised} alarm(s)"


def _due(page: System, kept: store.Store, before: Mapping[str, Any], now: int | None) -> str:
    """Return why to train now, at a wall clock; "" for no reason."""
    trained = before.get("tried")
    if trained is None or now is None:
        return "first training"
    raised = tuple(
        evidence.Alarm(alarm["detector"], alarm["at"], alarm["statistic"], alarm["limit"])
        for alarm in before.get("watch", {}).get("alarms", [])
    )
    labelled = kept.labelled(trained)
    reasons = (trigger.due(now, trained, raised, labelled) for trigger in page.monitoring.retrain)
    return next((reason for reason in reasons if reason), "")


def _grown(before: Mapping[str, Any], sources: str) -> str:
    """Return why to train now, without a wall clock."""
    if not before:
        return "first training"
    return "new rows" if before.get("sources") != sources else ""
