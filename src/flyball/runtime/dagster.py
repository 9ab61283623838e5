"""The loop as assets of Dagster: what a page takes in, releases, answers, learns of and watches, with their checks.

Why: a plant that already runs Dagster looks at its lineage, its schedules and its failures there, and wants one
scheduler, not two.  The loop stays the only loop over the stages: a materialization goes round it once
(`runtime.loop.once`), under the same lock, so that the command and the orchestrator can stand beside each other.

A code location is one file:

    from pathlib import Path
    from flyball import systems
    from flyball.runtime import dagster, run

    bound = run.Bound(Path("var/scanner"), Path("inbox"))
    definitions = dagster.definitions(systems.load("scanner"), bound)
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors, extras
from flyball.runtime import loop
from flyball.runtime.store import Store

if TYPE_CHECKING:
    import dagster

    from flyball.runtime.run import Bound
    from flyball.system import System

#: A round that finds another one going on is tried again so often.
TRIES = 3
#: The assets of a page in the order in which data flows, and what each is.
ASSETS = {
    "data": "Files that the fleet sent, taken in or quarantined.",
    "release": "The release that answers: it won its contest and passed its gates.",
    "answers": "What the release answers to the newest questions.",
    "outcomes": "What happened after the answers that were given.",
    "watch": "Whether the data, the concept and the model still hold.",
}


def definitions(
    page: System, bound: Bound, cron: str = "0 6 * * *", every_s: int = 60, again_s: float = 60.0
) -> dagster.Definitions:
    """Return a page as assets, their checks, a schedule at `cron` and two sensors that look `every_s` seconds.

    One sensor asks for a round when files arrived in the bound folder, the other when an alarm or the calendar asks
    for a training; the schedule catches what neither sees.  Rounds do not overlap: while one goes on, another waits
    and tries again after `again_s` seconds.  Raises MissingExtraError without Dagster, DeclarationError for a page
    with problems.
    """
    # Read when Dagster is imported: nothing is told to anybody.
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    made = extras.need("dagster", "dagster", "to offer the loop as assets")
    page.check()
    name = re.sub(r"\W", "_", page.name)
    round_ = _round(made, page, bound, name, again_s)
    checks = _checks(made, page, bound, name)
    job = made.define_asset_job(f"{name}_round", selection=[round_])
    found: dagster.Definitions = made.Definitions(
        assets=[round_], asset_checks=checks, jobs=[job],
        schedules=[made.ScheduleDefinition(name=f"{name}_daily", job=job, cron_schedule=cron)],
        sensors=_sensors(made, page, bound, name, job, every_s),
    )  # fmt: skip
    return found


def _round(made: Any, page: System, bound: Bound, name: str, again_s: float) -> Any:
    before: list[str] = []
    specs = []
    for asset, what in ASSETS.items():
        deps = [made.AssetKey([name, one]) for one in before[-1:]]
        specs.append(
            made.AssetSpec([name, asset], deps=deps, description=what, skippable=True, kinds={"flyball"})
        )
        before.append(asset)
    retry = made.RetryPolicy(max_retries=TRIES, delay=again_s)

    def go() -> Iterator[Any]:
        try:
            told = loop.once(page, bound)
        except errors.StoreError as error:  # another round goes on, or the disk is full: worth another try
            raise made.Failure(description=str(error), allow_retries=True) from error
        except errors.FlyballError as error:
            raise made.Failure(description=str(error), allow_retries=False) from error
        for asset, metadata in materialized(told).items():
            yield made.MaterializeResult(asset_key=[name, asset], metadata=metadata)

    go.__name__ = f"{name}_round"
    return made.multi_asset(name=f"{name}_round", specs=specs, retry_policy=retry, group_name=name)(go)


def materialized(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return which assets a round made anew, and what it tells of each; none where nothing had arrived.

    >>> materialized({"arrived": {"files": 0}, "trained": False, "release": "ab", "watch": {}})
    {}
    """
    out: dict[str, dict[str, Any]] = {}
    if told["arrived"].get("files"):
        out["data"] = {"files": told["arrived"]["files"]}
    if told["trained"]:
        held = {verdict["gate"]: bool(verdict["passed"]) for verdict in told.get("verdicts", ())}
        why = {
            "because": told["because"],
            "refused": told["refused"] or "no",
            "release": told["release"] or "none",
        }
        out["release"] = {**why, "gates": held}
    if "steps" in told:
        out["answers"] = {"release": told["release"] or "none", "alerts": told["alerts"]}
        out["outcomes"] = dict(told["outcomes"])
        alarms = told["watch"].get("alarms", [])
        retrain = told["watch"].get("retrain", "") or "no"
        out["watch"] = {
            "alarms": len(alarms),
            "why": _newest(alarms),
            "retrain": retrain,
        }
    return out


def _checks(made: Any, page: System, bound: Bound, name: str) -> list[Any]:
    """Return what Dagster shows as checks: the last training was not refused, and nothing raised an alarm."""

    def state(which: str) -> Mapping[str, Any]:
        return Store.open(bound.store, page.data).state(which)

    def gates() -> Any:
        refused = state("loop").get("refused", "")
        return made.AssetCheckResult(passed=not refused, metadata={"refused": refused or "no"})

    def holds() -> Any:
        raised = state("watch").get("alarms", [])
        told = {"alarms": len(raised), "why": _newest(raised)}
        return made.AssetCheckResult(passed=not raised, severity=made.AssetCheckSeverity.WARN, metadata=told)

    def check(asset: str, what: str, judge: Any) -> Any:
        return made.asset_check(asset=made.AssetKey([name, asset]), description=what)(judge)

    return [
        check("release", "The last training passed its gates.", gates),
        check("watch", "Nothing raised an alarm.", holds),
    ]


def _newest(raised: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(one["why"] for one in raised[-3:])


def _sensors(made: Any, page: System, bound: Bound, name: str, job: Any, every_s: int) -> list[Any]:
    def arrived(context: Any) -> Iterator[Any]:
        seen = listing(bound.source)
        if not seen or seen == context.cursor:
            yield made.SkipReason("no new file" if bound.source is not None else "no folder is bound")
            return
        context.update_cursor(seen)
        yield made.RunRequest(run_key=seen)

    def due(context: Any) -> Iterator[Any]:
        if not bound.store.exists():
            yield made.SkipReason("no round has gone yet")
            return
        kept = Store.open(bound.store, page.data)
        retrain = kept.state("watch").get("retrain", "")
        if not retrain:
            yield made.SkipReason("nothing asks for a training")
            return
        # Once for each reason at each state of the data: a training that was refused waits for something new.
        key = f"{kept.sources_digest()}: {retrain}"
        yield made.RunRequest(run_key=key, tags={"flyball/because": retrain})

    def sensor(look: Any) -> Any:
        named = f"{name}_{look.__name__}"
        return made.sensor(name=named, job=job, minimum_interval_seconds=every_s)(look)

    return [sensor(arrived), sensor(due)]


def listing(folder: Path | None) -> str:
    """Return a digest of the names, sizes and times of what lies in a folder; "" for none or an empty one.

    >>> listing(None)
    ''
    """
    if folder is None or not folder.is_dir():
        return ""
    seen = hashlib.sha256()
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for file in files:
        told = file.stat()
        seen.update(f"{file.relative_to(folder)}\0{told.st_size}\0{told.st_mtime_ns}\n".encode())
    return seen.hexdigest() if files else ""
