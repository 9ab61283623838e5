"""One run of a page: ingest, features, labels, contest, ship, answer, watch, report.  Reads as the diagram does."""

from __future__ import annotations

import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flyball import data, durable
from flyball.evidence import Outcome
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import stage as model
from flyball.model import unpack
from flyball.runtime import (
    alerts,
    budget,
    build,
    leaks,
    package,
    performance,
    plan,
    result,
    reviewing,
    runs,
    store,
    watching,
)
from flyball.runtime import contest as contests
from flyball.runtime import held as kept_as
from flyball.serving import release

if TYPE_CHECKING:
    from flyball.runtime import following
    from flyball.system import System

Progress = Callable[[str, int, int], None]

#: What decides what a contest comes to: the text of these rooms (the features have keys of their own).
CONTEST_ROOMS = ("labels", "model", "serving", "runtime/contest.py", "runtime/followed.py")


#: What decides what a watch tells.
WATCH_FILES = ("runtime/watching.py", "runtime/performance.py", "runtime/budget.py")

#: What decides how the report looks.
REPORT_FILES = tuple(
    f"runtime/{name}.py"
    for name in (
        "alarms", "followup", "frontier", "holding", "journey", "plots", "practice", "practice_plots", "report",
        "result", "why",
    )
)  # fmt: skip


#: So long does a run wait for another one on the same store.
RUN_WAIT_S = 600.0


@dataclass(frozen=True)
class Bound:
    """What a run is bound to that the page does not say: where things lie, the cuts, the seed, the known truth.

    `as_of` is the cut of the run: nothing seen later is known.  `learned` is the cut of the training; it may lie
    earlier, then newer questions are answered by the release that was trained at that cut.  `stored` is a moment: what
    the store was given after it counts as not there.  `serving` is the release that answers where another one than
    the run's own does, "" for none: on a fleet the newest is only tried in shadow at first.  `fleet` is the one that a
    loop follows.
    """

    store: Path
    source: Path | None = None
    binding: data.Binding | data.Bindings | None = None
    as_of: int | None = None
    learned: int | None = None
    stored: int | None = None
    seed: int = 0
    ceiling: contests.Ceiling | None = None
    ceiling_key: str = ""
    severity: contests.Ceiling | None = None
    progress: Progress = lambda name, done, total: None
    serving: str | None = None
    fleet: following.Following | None = None


def run(page: System, bound: Bound) -> result.Result:
    """Carry a page through all seven stages once; every step whose key is kept is reused.

    Raises DeclarationError when the page has problems, DataError when the world does, LeakError when something
    knew the future.  A failed gate is no error: then nothing is released and the verdicts say why.
    """
    page.check()
    kept = store.Store.open(bound.store, page.data, bound.stored)
    with (
        durable.lock(bound.store / "run.lock", RUN_WAIT_S),
        runs.lease(kept, page.name, page.fingerprint()) as record,
    ):
        kept.refresh()  # a run that went before may have taken files in meanwhile
        steps = plan.Plan(kept, bound.progress)
        receipt = ingest(kept, steps, bound)
        found = _carry(page, kept, steps, bound, receipt)
        record.finish(found.json())
        kept.audit("run", {"system": page.name, "fingerprint": page.fingerprint(), "release": found.release})
    return found


def ingest(kept: store.Store, steps: plan.Plan, bound: Bound) -> Mapping[str, Any]:
    """Take in what lies in the source folder; a file that is already in changes nothing."""
    if bound.source is None:
        return {}
    begun = time.perf_counter()
    receipt = kept.ingest([bound.source], binding=bound.binding, progress=bound.progress)
    told: Mapping[str, Any] = receipt.json()
    steps.note("ingest", plan.key(kept.sources_digest()), time.perf_counter() - begun, not receipt.changed)
    return told


def _carry(
    page: System, kept: store.Store, steps: plan.Plan, bound: Bound, receipt: Mapping[str, Any]
) -> result.Result:
    asked, partitions = build.matrix(page, kept, steps)
    tables = _Lazily(lambda: build.tables(page, kept, None, None, None))
    as_of = bound.as_of if bound.as_of is not None else kept.horizon()
    learned = bound.learned if bound.learned is not None else as_of
    asked = build.until(asked, as_of)
    # Everything up to the cut of the training has a key of its own, so that what arrives later leaves it alone.
    x, upstream = build.until(asked, learned), build.key_until(partitions, learned)
    x, y, content = build.learned(page, kept, steps, x, upstream, learned)
    findings = _expectations(page, kept, steps, build.key_until(partitions, None), tables, as_of)
    _leaks(page, kept, steps, x, content)
    upstream = plan.key(
        content, _split(page, steps, x, y, tables, content, upstream), bound.seed, bound.ceiling_key
    )
    held = _contest(page, steps, x, y, tables, upstream, bound)
    resets = [_resets(page, kept, steps, tables, cut) for cut in (learned, as_of)]
    # A clock may be that of a table which no feature reads.
    clocks = kept.sources_digest() if getattr(page.monitoring.drift, "clocks", ()) else ""
    reference = _reference(page, steps, held, x, upstream + clocks, bound, resets[0], tables)
    variants, digest = _ship(page, kept, steps, held, x, y, reference, upstream, bound)
    states, outcomes = _serve(page, kept, steps, asked, y, tables, digest, as_of, bound.serving)
    moment = as_of if as_of is not None else time.time_ns() // 1000
    reviewing.fill(page, kept, held, x, asked, held.threshold, moment)
    now = plan.key(upstream, build.key_until(partitions, as_of), as_of, clocks)
    watch = _watch(
        page, held, x, asked, reference, outcomes, steps, now, as_of, bound.seed, resets[1], tables
    )
    test = held.test
    would = page.serving.decide.decide(test.answers["challenger"], x.moments[test.rows], held.threshold)
    found = result.Result(
        page,
        steps.steps,
        receipt,
        kept.holds(),
        findings,
        x,
        y,
        held,
        variants,
        digest,
        watch,
        would,
        states,
        str(bound.store),
    )
    _report(found, kept, steps)
    return found


class _Lazily(Mapping[str, data.Rows]):
    """The page's tables, read from the store only if a step that needs them is not kept."""

    def __init__(self, read: Callable[[], data.Tables]) -> None:
        self._read, self._found = read, None  # type: tuple[Any, data.Tables | None]

    def _tables(self) -> data.Tables:
        if self._found is None:
            self._found = self._read()
        return self._found

    def __getitem__(self, name: str) -> data.Rows:
        return self._tables()[name]

    def __iter__(self) -> Any:
        return iter(self._tables())

    def __len__(self) -> int:
        return len(self._tables())


def _expectations(
    page: System, kept: store.Store, steps: plan.Plan, upstream: str, tables: data.Tables, as_of: int | None
) -> list[Mapping[str, Any]]:  # fmt: skip
    """Judge the page's expectations, its context and its cleaners' counts; what fails is told, in report and JSON."""
    cut = as_of if page.data.context else None
    # Rows that take context have versions that no file brought: these are judged as they stand at the cut.
    versions = {joined.to for joined in page.data.context}
    key = plan.key(page.data, upstream, plan.code("data"), "expect", "counts", cut)

    def judge(folder: Path) -> None:
        found = [
            finding
            for check in page.data.expect
            for name in tables
            for finding in check.judge(name, tables[name].known(cut) if name in versions else tables[name])
        ]
        told = [{**vars(finding), "by": "check"} for finding in found]
        told += [{**vars(finding), "by": "cleaner"} for finding in build.counted(page, kept)]
        if page.data.context:
            told += build.orphans(page, build.cleaned(page, build.raw(page, kept)), cut)
        (folder / "findings.json").write_text(json.dumps(told))

    found: list[Mapping[str, Any]] = json.loads(
        (steps.carry("expect", key, judge) / "findings.json").read_text()
    )
    return found


def _leaks(page: System, kept: store.Store, steps: plan.Plan, x: features.Matrix, content: str) -> None:
    """Refuse a feature whose value at a moment changes with rows that were seen only after it."""
    key = plan.key(
        "leaks",
        page.features,
        page.data,
        content,
        plan.code("data", "features", "kernels", "runtime/leaks.py"),
    )

    def look(folder: Path) -> None:
        looked = leaks.ahead(page, x, lambda: build.raw(page, kept), build.absent(page, kept))
        (folder / "leaks.json").write_text(json.dumps({"moments": looked}))

    steps.carry("leaks", key, look)


def _split(
    page: System, steps: plan.Plan, x: features.Matrix, y: labels.Answers, tables: data.Tables,
    content: str, upstream: str,
) -> str:  # fmt: skip
    """Return a key of how the rows are parted: a split may read tables, whose other rows are no matter to it."""
    key = plan.key(
        "split",
        page.model.test,
        page.model.choose,
        content,
        upstream,
        plan.code("model", "runtime/contest.py"),
    )

    def part_(folder: Path) -> None:
        train, test, inner = contests.parted(page, x, y, tables)
        rows = [train, test, *(rows for fold in inner for rows in (fold.train, fold.test))]
        (folder / "split").write_text(plan.key(*(hashlib.sha256(row.tobytes()).hexdigest() for row in rows)))

    return (steps.carry("split", key, part_) / "split").read_text()


def _contest(
    page: System, steps: plan.Plan, x: features.Matrix, y: labels.Answers, tables: data.Tables,
    upstream: str, bound: Bound,
) -> contests.Held:  # fmt: skip
    key = plan.key(
        "contest", page.model, page.labels, page.serving.decide, upstream, plan.code(*CONTEST_ROOMS),
        plan.versions(),
    )  # fmt: skip

    def hold(folder: Path) -> None:
        found = contests.hold(page, x, y, tables, bound.seed, bound.ceiling, bound.progress, bound.severity)
        kept_as.write(folder, found)

    return kept_as.read(steps.carry("contest", key, hold))


def _resets(
    page: System, kept: store.Store, steps: plan.Plan, tables: data.Tables, cut: int | None
) -> Mapping[str, Sequence[int]]:
    """Return when machines' baselines begin anew as it was known at a cut; only a page that declares it reads rows."""
    drift = page.monitoring.drift
    if not (getattr(drift, "reset", ()) or getattr(drift, "changed", ())):
        return {}
    key = plan.key("resets", drift, kept.sources_digest(), plan.code("data", "monitoring"), cut)

    def look(folder: Path) -> None:
        found = drift.resets({name: tables[name].known(cut) for name in tables}) if drift else {}
        (folder / "resets.json").write_text(json.dumps(found))

    found: Mapping[str, Sequence[int]] = json.loads(
        (steps.carry("resets", key, look) / "resets.json").read_text()
    )
    return found


def _reference(
    page: System, steps: plan.Plan, held: contests.Held, x: features.Matrix, upstream: str, bound: Bound,
    resets: Mapping[str, Sequence[int]] = MappingProxyType({}), tables: data.Tables = watching.NONE,
) -> Mapping[str, Any]:  # fmt: skip
    key = plan.key(
        "reference",
        page.monitoring.drift,
        page.monitoring.concept,
        page.model,
        upstream,
        plan.code(*CONTEST_ROOMS, "monitoring", *WATCH_FILES),
        bound.seed,
        json.dumps(dict(resets)),
    )

    def describe(folder: Path) -> None:
        told = watching.reference(page, held, x, bound.seed, resets, tables)
        told |= {"concept": performance.reference(page, held, x, bound.seed)}
        (folder / "reference.json").write_text(json.dumps(told))

    found: Mapping[str, Any] = json.loads(
        (steps.carry("reference", key, describe) / "reference.json").read_text()
    )
    return found


def _ship(
    page: System, kept: store.Store, steps: plan.Plan, held: contests.Held, x: features.Matrix, y: labels.Answers,
    reference: Mapping[str, Any], upstream: str, bound: Bound,
) -> tuple[list[package.Variant], str | None]:  # fmt: skip
    key = plan.key(
        "ship",
        page,
        upstream,
        json.dumps(reference, sort_keys=True),
        plan.code(*CONTEST_ROOMS, "site", "runtime/package.py", "runtime/measure.py"),
        plan.versions(),
    )

    def ship(folder: Path) -> None:
        variants = package.ship(page, held, x, y, reference, folder, bound.seed)
        (folder / "variants.json").write_text(
            json.dumps([kept_as.variant_json(variant) for variant in variants])
        )

    folder = steps.carry("ship", key, ship)
    variants = [kept_as.variant(told) for told in json.loads((folder / "variants.json").read_text())]
    winner = package.chosen(variants)
    if winner is None:
        return variants, None
    package.publish(winner, folder, kept.folder / "releases")
    return variants, winner.digest


def _serve(
    page: System, kept: store.Store, steps: plan.Plan, asked: features.Matrix, y: labels.Answers, tables: data.Tables,
    digest: str | None, as_of: int | None, serving: str | None = None,
) -> tuple[dict[str, int], list[Outcome]]:  # fmt: skip
    """Answer the newest questions, raise alerts, and join older answers with what happened.

    Where another release than the run's own serves, that one's answers are acted on, and the run's stand beside them.
    """
    begun = time.perf_counter()
    newest = _newest(page, asked, y)
    changed = 0
    acted_on = digest if serving is None else serving or None
    beside = digest if digest != acted_on else None
    for one, role in ((acted_on, "serving"), (beside, "shadow")):
        if one is not None and len(newest):
            changed += kept.answer(newest.moments, _scorer(kept, one)[0].predict(newest), one, role)
    if as_of is not None:
        alerts.decide(page, kept, asked, functools.cache(functools.partial(_scorer, kept)), as_of)
        alerts.ended(kept, page.feedback.orders(tables, as_of), as_of)
    steps.note(
        "answer",
        plan.key("answer", digest, newest.moments.at.tolist()),
        time.perf_counter() - begun,
        not changed,
    )
    answers = kept.answers()
    states: dict[str, int] = {}
    acted: list[Outcome] = []
    if len(answers) and as_of is not None:
        outcomes = page.feedback.collect(answers, tables, page.labels, as_of)
        for outcome, said_as in zip(outcomes, answers.words("role").texts(), strict=True):
            states[outcome.state] = states.get(outcome.state, 0) + 1
            acted += [outcome] if said_as == "serving" else []
        kept.outcomes(acted, as_of)
    return states, performance.closed(page, acted, as_of)


def _scorer(kept: store.Store, digest: str) -> tuple[model.Predictor, float]:
    """Return what answers in a release, and its frozen threshold."""
    folder = kept.folder / "releases" / digest
    told = json.loads((folder / "serving.json").read_bytes())
    return unpack.unpack(release.read_packed(folder / "model")), float(told["threshold"])


def _newest(page: System, asked: features.Matrix, y: labels.Answers) -> features.Matrix:
    """Return the questions of the newest moment; without a wall clock those whose answer nobody knows yet."""
    import numpy as np

    if not len(asked):
        return asked
    if isinstance(page.data.clock, data.WallClock):
        return asked.take(np.flatnonzero(asked.moments.at == asked.moments.at.max()))
    return asked.take(np.flatnonzero(~y.known))


def _watch(
    page: System, held: contests.Held, x: features.Matrix, asked: features.Matrix, reference: Mapping[str, Any],
    outcomes: Sequence[Outcome], steps: plan.Plan, upstream: str, as_of: int | None, seed: int,
    resets: Mapping[str, Sequence[int]], tables: data.Tables,
) -> dict[str, Any]:  # fmt: skip
    key = plan.key(
        "watch",
        page.monitoring,
        upstream,
        plan.code(*CONTEST_ROOMS, "monitoring", *WATCH_FILES),
        tuple((o.key, o.moment, o.answer, o.truth) for o in outcomes),
        json.dumps(resets),
    )

    def watch(folder: Path) -> None:
        watched = watching.drift(page, held, x, asked, reference, resets, tables)
        states: dict[str, Any] = {}
        raised = watching.alarms(watched, len(asked.moments.keys))
        concept = reference.get("concept", {})
        losses = performance.stream(page, outcomes)
        risen = watching.concept(performance.detectors(page, concept), losses, states)
        told, worse = performance.look(page, held, x, asked, outcomes, concept, raised, seed, risen)
        raised += worse
        trained = int(x.moments.at.max())
        retrain = watching.due(page, as_of if as_of is not None else trained, trained, raised)
        found = watching.shown(watched, raised, retrain) | {"performance": told}
        found["budget"] = budget.told(page.monitoring, watching.newer(held, x, asked).moments, raised)
        (folder / "watch.json").write_text(json.dumps(found))

    found: dict[str, Any] = json.loads((steps.carry("watch", key, watch) / "watch.json").read_text())
    return found


def redrawn(found: result.Result) -> None:
    """Draw the report of a run again, when something came after it: a rollout that went on, say."""
    kept = store.Store.open(Path(found.store), found.page.data)
    _report(found, kept, plan.Plan(kept))


def _report(found: result.Result, kept: store.Store, steps: plan.Plan) -> None:
    """Write the report; it is drawn again only when something in it changed."""
    from flyball.runtime import followup, report, why

    told = {name: value for name, value in found.json().items() if name != "steps"}
    told["data"] = {name: value for name, value in told["data"].items() if name not in found.receipt}
    weeks = followup.weeks(found.page, kept.frame("outcomes"))
    acts = why.rollout(kept.folder, found.release)
    key = plan.key(
        "report",
        json.dumps([told, weeks, acts], sort_keys=True, default=str),
        plan.code("model", *REPORT_FILES),
    )
    folder = steps.carry("report", key, lambda place: report.write(found, place / "report.html", weeks, acts))
    durable.write(kept.folder / "report.html", (folder / "report.html").read_bytes())
