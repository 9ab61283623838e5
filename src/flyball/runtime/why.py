"""Why an alarm, a release or a machine is as it is, for somebody who has to decide and did not build the model.

Each explanation is one JSON object.  Its `words` are sentences, most important first, made from the figures beside
them and from nothing else; everything is read from what runs, the watch and the audit wrote down, nothing is computed
again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import audit, errors
from flyball.runtime import alarms as telling
from flyball.runtime import budget, look, runs

if TYPE_CHECKING:
    from flyball.features.stage import Matrix
    from flyball.runtime.store import Store

#: So many answers and features are told.
ANSWERS, FEATURES = 10, 8


def why(folder: Path, what: str) -> dict[str, Any]:
    """Return why there is an alarm, why a release is what it is, or why a machine is answered as it is.

    `what` is "release", the start of a release's digest, "alarm", an alarm's name or its detector, or a machine.
    Raises DataError for what is none of these, with what could have been meant, and where nothing ran yet.
    """
    kept = look.opened(folder)
    done = look.last_done(runs.listed(kept))
    if not done:
        raise errors.DataError(f"{folder}: no run has ended here yet: there is nothing to explain")
    watch = kept.state("watch") or done.get("watch", {})
    past = _past(kept, what)
    if what == "release" or (past is not None and past.name == done.get("release")):
        found = _release(kept, done, watch)
    elif past is not None:
        found = _release_before(kept, past, done)
    elif what == "alarm" or (named := _named(watch, what)):
        found = _alarm(done, watch, [] if what == "alarm" else named)
    else:
        found = _machine(kept, done, watch, what)
    return {"words": _words(found), **found}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield an explanation as a person reads it: the sentences first, then the figures."""
    yield from told["words"]
    yield from {"release": _release_lines, "alarm": _alarm_lines, "machine": _machine_lines}[told["what"]](
        told
    )


def _words(found: Mapping[str, Any]) -> list[str]:
    return list(
        {"release": _release_words, "alarm": _alarm_words, "machine": _machine_words}[found["what"]](found)
    )


def _past(kept: Store, what: str) -> Path | None:
    """Return the kept release whose digest begins so; raises DataError where several do."""
    if len(what) < 6 or any(letter not in "0123456789abcdef" for letter in what):
        return None
    found = [place for place in (kept.folder / "releases").glob(f"{what}*") if (place / "page.txt").is_file()]
    if len(found) > 1:
        raise errors.DataError(f"{what}: {len(found)} releases begin so: give more of the digest")
    return found[0] if found else None


def _named(watch: Mapping[str, Any], what: str) -> list[Mapping[str, Any]]:
    """Return the alarms that a name or a detector means."""
    raised = watch.get("alarms", [])
    return [one for one in raised if what in (telling.named(one), one["detector"].partition("(")[0])]


def _names(raised: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(telling.named(one) for one in raised))


def _release(kept: Store, done: Mapping[str, Any], watch: Mapping[str, Any]) -> dict[str, Any]:
    sources, loop = look.came_in(kept), kept.state("loop")
    return {
        "what": "release",
        "system": done["system"],
        "page": done["fingerprint"],
        "release": done["release"],
        "answers_now": bool(done["release"]),
        "because": loop.get("trained_because", ""),
        "data": {
            "files": sources.height,
            "digest": kept.sources_digest(),
            "until": loop.get("as_of") or (sources["last"].max() if sources.height else None),
            "rows": done["rows"],
        },
        "contest": done["contest"],
        "differences": done["differences"],
        "verdicts": done["verdicts"],
        "variants": done["variants"],
        "rollout": rollout(kept.folder, done["release"]),
        "alarms": _names(watch.get("alarms", [])),
    }


def _release_before(kept: Store, place: Path, done: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a release that answers no more, or not yet, says of itself."""

    def read(name: str) -> Any:
        file = place / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    trained, measured = read("data.json"), read("contest.json")
    return {
        "what": "release",
        "system": done["system"],
        "page": "",
        "release": place.name,
        "answers_now": False,
        "because": "",
        "data": {
            "files": None,
            "digest": trained.get("content", ""),
            "until": trained.get("last"),
            "rows": {"train": trained.get("rows"), "test": None},
        },
        "contest": {},
        "differences": {
            k: v for k, v in measured.items() if k.startswith("difference.") and k.count(".") == 1
        },
        "verdicts": [{"why": "", **verdict} for verdict in read("gates.json").get("verdicts", [])],
        "variants": [],
        "rollout": rollout(kept.folder, place.name),
        "alarms": [],
    }


def audits(folder: Path) -> list[Path]:
    """Return the audits of the fleets that this store's releases went to: simulated ones, and the one of its loop."""
    note = look.opened(folder).state("fleet")
    fleets = [folder / "fleet", folder / "fleet" / "drill", *([Path(note["folder"])] if note else [])]
    found = (fleet / "controller" / "audit.jsonl" for fleet in fleets)
    return [file for file in found if file.is_file()]


def rollout(folder: Path, release: str | None) -> list[dict[str, Any]]:
    """Return what was decided about a release on its way out, oldest first, where it went out from this store.

    Raises TamperedError where the audit was changed.
    """
    names, found = ("stage", "why", "figure", "limit", "kinds"), []
    for file in audits(folder) if release is not None else ():
        log = audit.Audit(file)
        log.verify()
        for one in log.about(release or ""):
            found.append(
                {"act": one["act"], "at": one["at"], **{name: one["told"].get(name, "") for name in names}}
            )
    return sorted(found, key=lambda one: int(one["at"]))


def _release_words(told: Mapping[str, Any]) -> Iterator[str]:
    failed = [verdict for verdict in told["verdicts"] if not verdict["passed"]]
    if told["answers_now"]:
        yield f"{told['system']}: release {told['release']} answers, for it won and passed every gate"
    elif told["release"]:
        yield f"{told['system']}: release {told['release']} passed every gate; it is not the one that answers here now"
    else:
        yield f"{told['system']}: nothing was released, for a gate does not hold; the baseline goes on answering"
    for verdict in failed:
        yield f"  {verdict['gate']}: {verdict['why'] or 'not held'}"
    for name, (value, low, high) in list(told["differences"].items())[:1]:
        better = "beyond doubt" if low > 0 else "within what chance does"
        metric = name.removeprefix("difference.").replace("_", " ")
        rows = told["data"]["rows"]["test"]
        judged = f"{rows} questions" if rows is not None else "questions"
        yield (
            f"  against the baseline it gains {value:+.3g} of {metric} on {judged} that nobody learned from"
            f" (95 % between {low:+.3g} and {high:+.3g}: {better})"
        )
    if told["because"]:
        yield f"  it was trained because: {told['because']}"
    if told["rollout"]:
        last = told["rollout"][-1]
        yield f"  on its way out, last: {last['act']} at {look.when(last['at'])}, {last['why'] or 'as asked'}"
    if told["alarms"]:
        yield f"  since then {len(told['alarms'])} alarm(s): {', '.join(told['alarms'][:4])}"


def _release_lines(told: Mapping[str, Any]) -> Iterator[str]:
    rows, found = told["data"]["rows"], told["data"]
    page = f"page {told['page'][:12]}, " if told["page"] else ""
    yield f"  {page}data {found['digest'][:12]}, known until {look.when(found['until'])}"
    if found["files"] is not None:
        yield f"  {found['files']} file(s)"
    yield f"  learned from {rows['train']} questions" + (
        f", judged on {rows['test']}" if rows["test"] else ""
    )
    for name, (value, low, high) in told["differences"].items():
        yield f"  {name}: {value:+.4g}, 95 % between {low:+.4g} and {high:+.4g}"
    for verdict in told["verdicts"]:
        held = "holds" if verdict["passed"] else "DOES NOT HOLD"
        yield f"  {verdict['gate']} {held}: {verdict['why'] or verdict['figure']}"
    for variant in told["variants"]:
        yield f"  variant {variant['name']}: " + ("passed" if variant["passed"] else "did not pass")


def _alarm(
    done: Mapping[str, Any], watch: Mapping[str, Any], only: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the alarms that stand, or those asked for; one that came again under its name is told once."""
    found: dict[str, dict[str, Any]] = {}
    for alarm in sorted(only or watch.get("alarms", []), key=lambda one: one["at"]):
        name = telling.named(alarm)
        times = found.get(name, {"times": 0})["times"] + 1
        found[name] = {
            "name": name, "cause": "", "machines": [], "sure": None, **alarm, "since": telling.since(alarm),
            "times": times, "words": telling.words(alarm),
        }  # fmt: skip
    return {
        "what": "alarm",
        "system": done["system"],
        "release": done["release"],
        "alarms": list(found.values()),
        "watched": watch.get("columns", []),
        "performance": watch.get("performance", {}),
        "retrain": watch.get("retrain", ""),
        "budget": watch.get("budget", {}),
    }


def _alarm_words(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["alarms"]:
        yield "no alarm: everything watched lies within its limits"
    for alarm in told["alarms"]:
        yield f"{alarm['name']}, since {look.when(alarm['since'])}: {alarm['words']}"
    if told["retrain"]:
        yield f"train again: {told['retrain']}"
    if may := budget.words(told["budget"]):
        yield may


def _alarm_lines(told: Mapping[str, Any]) -> Iterator[str]:
    for alarm in told["alarms"]:
        yield f"  {alarm['name']}: {alarm['detector']}, last at {look.when(alarm['at'])}"
        yield f"    {alarm['statistic']:.4g} against the limit {alarm['limit']:.4g}"
        if alarm["columns"]:
            yield f"    columns, worst first: {', '.join(alarm['columns'])}"
        if alarm["machines"]:
            yield f"    machines, worst first: {', '.join(alarm['machines'])}"
        if alarm["why"]:
            yield f"    {alarm['why']}"


def _machine(kept: Store, done: Mapping[str, Any], watch: Mapping[str, Any], name: str) -> dict[str, Any]:
    import polars as pl

    answers = kept.frame("answers")
    known = answers["key"].unique().to_list() if answers.height else []
    if name not in known:
        others = [
            *known,
            *(telling.named(one) for one in watch.get("alarms", [])),
            "release",
            "alarm",
            "rollout",
        ]
        raise errors.DataError(f"no answer about {name!r}: {errors.did_you_mean(name, others)}")
    mine = answers.filter(pl.col("key") == name).sort("at", maintain_order=True)
    at, release = mine["at"][-1], mine["release"][-1]
    same = answers.filter(pl.col("at") == at, pl.col("release") == release)
    rank = same.filter(pl.col("answer") > mine["answer"][-1]).height + 1
    outcomes = kept.frame("outcomes")
    found = (
        outcomes.filter(pl.col("key") == name).sort("at").tail(ANSWERS).to_dicts() if outcomes.height else []
    )
    return {
        "what": "machine",
        "machine": name,
        "system": done["system"],
        "answers": mine.tail(ANSWERS).select("at", "answer", "release").to_dicts(),
        "rank": rank,
        "among": same.height,
        "threshold": done.get("threshold"),
        "features": _standing_out(kept, done, name, at),
        "outcomes": found,
        "alarms": _names(one for one in watch.get("alarms", []) if name in one.get("machines", ())),
    }


def _machine_words(told: Mapping[str, Any]) -> Iterator[str]:
    newest = told["answers"][-1]
    rank = f"rank {told['rank']} of {told['among']}"
    yield f"{told['machine']}: answered {newest['answer']:.4g} at {look.when(newest['at'])}, {rank}"
    if told["threshold"] is not None:
        beyond = "at or above" if newest["answer"] >= told["threshold"] else "below"
        yield f"  {beyond} the decision's threshold, which is {told['threshold']:.4g}"
    for one in told["features"][:1]:
        side = "above" if one["away"] > 0 else "below"
        yield f"  what stands out most: {one['feature']}, {abs(one['away']):.1f} spreads {side} the fleet's median"
    if not told["features"]:
        yield "  no feature stands out against the fleet"
    if told["alarms"]:
        yield f"  its data or its model may not hold: {', '.join(told['alarms'][:4])}"


def _machine_lines(told: Mapping[str, Any]) -> Iterator[str]:
    for one in told["features"]:
        median = f"the fleet's median is {one['fleet']:.4g} ({one['away']:+.1f} spreads)"
        yield f"  {one['feature']}: {one['value']:.4g}, {median}"
    for answer in told["answers"][:-1][::-1]:
        yield f"  before: {answer['answer']:.4g} at {look.when(answer['at'])} by release {answer['release'][:12]}"
    for outcome in told["outcomes"]:
        truth = f", truth {outcome['truth']:.4g}" if outcome["state"] == "known" else ""
        yield f"  outcome of {look.when(outcome['at'])}: {outcome['state']}{truth}"


def _standing_out(kept: Store, done: Mapping[str, Any], name: str, at: int) -> list[dict[str, Any]]:
    """Return the features in which a machine differs most from the fleet at a moment, those that count first."""
    import numpy as np

    x = _asked(kept, done, name, at)
    if x is None:
        return []
    fleet = np.flatnonzero(x.moments.at == at)
    own = fleet[x.moments.codes[fleet] == x.moments.keys.index(name)]
    if not len(own) or len(fleet) < 3:
        return []
    influence = _influence(kept, done)
    out: list[dict[str, Any]] = []
    for column, values in x.columns.items():
        if not isinstance(values, np.ndarray) or values.ndim != 1:
            continue
        here, value = values[fleet], float(values[own[0]])
        if not np.isfinite(value) or not np.isfinite(here).any():
            continue
        median = float(np.nanmedian(here))
        # 1.4826 makes the median absolute deviation comparable to a standard deviation.
        spread = 1.4826 * float(np.nanmedian(np.abs(here - median))) or float(np.nanstd(here))
        if spread > 0 and value != median:
            away = (value - median) / spread
            told = {"feature": column, "value": value, "fleet": median, "away": away}
            out.append({**told, "influence": influence.get(column, 0.0)})
    counts = max((one["influence"] for one in out), default=0.0)
    if counts > 0:
        out = [one for one in out if one["influence"] > 0.001 * counts]
    return sorted(out, key=lambda one: -abs(one["away"]))[:FEATURES]


def _asked(kept: Store, done: Mapping[str, Any], name: str, at: int) -> Matrix | None:
    """Return the kept features of the partition in which a machine was asked at a moment."""
    from flyball.features import arrays

    for told in reversed(done["steps"]):
        folder = kept.step(told["key"]) if told["name"].startswith("features/") else None
        if folder is not None and (folder / "x.npz").is_file():
            x = arrays.read_matrix(folder / "x.npz", kept.fetch)
            if name in x.moments.keys and bool((x.moments.at == at).any()):
                return x
    return None


def _influence(kept: Store, done: Mapping[str, Any]) -> dict[str, float]:
    folders = (kept.step(told["key"]) for told in done["steps"] if told["name"] == "contest")
    file = next(
        (folder / "predictors/challenger/influence.json" for folder in folders if folder is not None), None
    )
    found: dict[str, float] = json.loads(file.read_text()) if file is not None and file.is_file() else {}
    return found
