"""Looks into a store without changing it: what it holds, and why something is as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, errors
from flyball.runtime import migration, runs
from flyball.runtime.store import Store

if TYPE_CHECKING:
    import polars as pl

    from flyball.features.stage import Matrix

#: So many runs, answers, and features are told.
RUNS, ANSWERS, FEATURES = 5, 10, 8
#: What a store's folder has at least one of.
MARKS = ("sources", "runs", "state", "pending", "audit.jsonl")


def opened(folder: Path) -> Store:
    """Return the store of a folder for looking only; raises StoreError when there is none."""
    fix = "give --store the folder of one, or make one with `flyball run`"
    if folder.exists() and not folder.is_dir():
        raise errors.StoreError(f"{folder} is a file, not a store: {fix}")
    if not any((folder / mark).exists() for mark in MARKS):
        raise errors.StoreError(f"no store at {folder}: {fix}")
    migration.number(folder)
    # Nothing is read through the page's tables, so no page is needed.
    return Store(folder, data.Fleet("key", None, ()))


def status(folder: Path) -> dict[str, Any]:
    """Return what a store holds: tables, quarantine, the last runs, releases and the last watch."""
    kept = opened(folder)
    every = runs.listed(kept)
    done = _last_done(every)
    tables = {
        name.partition("/")[2]: sum(file.rows for file in kept.journal.files(name))
        for name in kept.journal.tables()
        if name.startswith("tables/")
    }
    states: dict[str, int] = {}
    for told in every:
        states[told["state"]] = states.get(told["state"], 0) + 1
    return {
        "store": str(folder),
        "tables": tables,
        "files": _came_in(kept).height,
        "quarantine": kept.quarantine(),
        "runs": {"states": states, "last": [_run(told) for told in every[-RUNS:]]},
        "releases": [_release(kept, place, done) for place in _releases(kept)],
        "watch": kept.state("watch") or done.get("watch", {}),
        "loop": kept.state("loop"),
    }


def status_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a store's status in plain words."""
    yield f"{told['store']}: {told['files']} file(s) taken in"
    for name, count in told["tables"].items():
        yield f"  {name}: {count} rows"
    for table, reasons in told["quarantine"].items():
        for reason, count in reasons.items():
            yield f"  quarantined: {table}: {count} x {reason}"
    states = ", ".join(f"{count} {state}" for state, count in sorted(told["runs"]["states"].items()))
    yield f"  runs: {states or 'none yet'}"
    for run in told["runs"]["last"]:
        why = f": {run['why']}" if run["why"] else ""
        yield f"    {when(run['began'])} {run['system']} {run['state']}{why}"
    for release in told["releases"]:
        yield f"  release {release['digest'][:12]} of {release['system']}" + (
            ", answers now" if release["now"] else ""
        )
    if not told["releases"]:
        yield "  releases: none"
    raised, retrain = told["watch"].get("alarms", []), told["watch"].get("retrain")
    yield f"  watch: {len(raised)} alarm(s)" + (f", train again: {retrain}" if retrain else "")


def why(folder: Path, what: str) -> dict[str, Any]:
    """Return why the release is what it is, why there is an alarm, or why a machine is answered as it is.

    Raises DataError for a machine that was never answered, and where there is nothing to explain yet.
    """
    kept = opened(folder)
    done = _last_done(runs.listed(kept))
    if not done:
        raise errors.DataError(f"{folder}: no run has ended here yet: there is nothing to explain")
    if what == "release":
        return {"what": what, **_why_release(kept, done)}
    if what == "alarm":
        return {"what": what, **_why_alarm(kept, done)}
    return {"what": "machine", **_why_machine(kept, done, what)}


def why_lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield an explanation in plain words."""
    yield from {"release": _release_lines, "alarm": _alarm_lines, "machine": _machine_lines}[told["what"]](
        told
    )


def when(at: int | None) -> str:
    """Return a moment in microseconds as a person reads it; a small number is a step of a counter.

    >>> when(1368403200000000), when(31), when(None)
    ('2013-05-13 00:00', '31', 'never')
    """
    if at is None:
        return "never"
    if abs(at) < 10**12:
        return str(at)
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def _came_in(kept: Store) -> pl.DataFrame:
    """Return the files that the fleet sent, without what the store itself writes down."""
    import polars as pl

    return kept.sources().filter(~pl.col("table").is_in(["answers", "outcomes", "frames"]))


def _last_done(every: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the last run that ended well came to, {} when none did."""
    return next(
        (told["result"] for told in reversed(every) if told["state"] == "done" and told.get("result")), {}
    )


def _run(told: Mapping[str, Any]) -> dict[str, Any]:
    names = ("run", "system", "state", "began", "ended", "why")
    found = {name: told.get(name) for name in names}
    return {**found, "release": told.get("result", {}).get("release")}


def _releases(kept: Store) -> list[Path]:
    """Return the releases, oldest first."""
    places = [
        place for place in (kept.folder / "releases").glob("*") if place.is_dir() and place.name[0] != "."
    ]
    return sorted(places, key=lambda place: (place.stat().st_mtime_ns, place.name))


def _release(kept: Store, place: Path, done: Mapping[str, Any]) -> dict[str, Any]:
    import re

    page = place / "page.txt"
    name = (
        re.search(r"System\((?:name=)?'([^']*)'", page.read_text(encoding="utf-8"))
        if page.is_file()
        else None
    )
    return {
        "digest": place.name,
        "system": name[1] if name else "?",
        "now": place.name == done.get("release"),
    }


def _why_release(kept: Store, done: Mapping[str, Any]) -> dict[str, Any]:
    sources = _came_in(kept)
    cut = kept.state("loop").get("as_of") or (sources["last"].max() if sources.height else None)
    return {
        "system": done["system"],
        "page": done["fingerprint"],
        "release": done["release"],
        "data": {
            "files": sources.height,
            "digest": kept.sources_digest(),
            "until": cut,
            "rows": done["rows"],
        },
        "contest": done["contest"],
        "differences": done["differences"],
        "verdicts": done["verdicts"],
        "variants": done["variants"],
    }


def _release_lines(told: Mapping[str, Any]) -> Iterator[str]:
    if told["release"]:
        yield f"{told['system']}: release {told['release']} answers, for it won and passed every gate"
    else:
        yield f"{told['system']}: nothing was released, for a gate does not hold; the baseline goes on answering"
    rows, found = told["data"]["rows"], told["data"]
    yield f"  page {told['page'][:12]}, data {found['digest'][:12]}"
    yield f"  {found['files']} file(s), known until {when(found['until'])}"
    yield f"  learned from {rows['train']} questions, judged on {rows['test']}"
    for name, (value, low, high) in told["differences"].items():
        yield f"  {name}: {value:+.4g}, 95 % between {low:+.4g} and {high:+.4g}"
    for verdict in told["verdicts"]:
        held = "holds" if verdict["passed"] else "DOES NOT HOLD"
        yield f"  {verdict['gate']} {held}: {verdict['why'] or verdict['figure']}"
    for variant in told["variants"]:
        yield f"  variant {variant['name']}: " + ("passed" if variant["passed"] else "did not pass")


def _why_alarm(kept: Store, done: Mapping[str, Any]) -> dict[str, Any]:
    watch = kept.state("watch") or done.get("watch", {})
    episodes: dict[str, dict[str, Any]] = {}
    for alarm in sorted(watch.get("alarms", []), key=lambda one: one["at"]):
        episode = episodes.setdefault(alarm["detector"], {**alarm, "since": alarm["at"], "times": 0})
        since, times = episode["since"], episode["times"] + 1
        columns = list(dict.fromkeys([*alarm["columns"], *episode["columns"]]))
        episodes[alarm["detector"]] = {**alarm, "since": since, "times": times, "columns": columns}
    return {
        "alarms": list(episodes.values()),
        "watched": watch.get("columns", []),
        "retrain": watch.get("retrain", ""),
    }


def _alarm_lines(told: Mapping[str, Any]) -> Iterator[str]:
    if not told["alarms"]:
        yield "no alarm: everything watched lies within its limits"
    for alarm in told["alarms"]:
        yield f"{alarm['detector']}: since {when(alarm['since'])}, {alarm['times']} time(s), last {when(alarm['at'])}"
        yield f"  {alarm['statistic']:.4g} against the limit {alarm['limit']:.4g}"
        if alarm["columns"]:
            yield f"  columns, worst first: {', '.join(alarm['columns'])}"
        if alarm["why"]:
            yield f"  {alarm['why']}"
    if told["retrain"]:
        yield f"train again: {told['retrain']}"


def _why_machine(kept: Store, done: Mapping[str, Any], name: str) -> dict[str, Any]:
    import polars as pl

    answers = kept.frame("answers")
    known = answers["key"].unique().to_list() if answers.height else []
    if name not in known:
        raise errors.DataError(f"no answer about {name!r}: {errors.did_you_mean(name, known)}")
    mine = answers.filter(pl.col("key") == name).sort("at", maintain_order=True)
    at, release = mine["at"][-1], mine["release"][-1]
    same = answers.filter(pl.col("at") == at, pl.col("release") == release)
    rank = same.filter(pl.col("answer") > mine["answer"][-1]).height + 1
    outcomes = kept.frame("outcomes")
    found = (
        outcomes.filter(pl.col("key") == name).sort("at").tail(ANSWERS).to_dicts() if outcomes.height else []
    )
    return {
        "machine": name,
        "system": done["system"],
        "answers": mine.tail(ANSWERS).select("at", "answer", "release").to_dicts(),
        "rank": rank,
        "among": same.height,
        "threshold": done.get("threshold"),
        "features": _standing_out(kept, done, name, at),
        "outcomes": found,
    }


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


def _machine_lines(told: Mapping[str, Any]) -> Iterator[str]:
    newest = told["answers"][-1]
    rank = f"rank {told['rank']} of {told['among']}"
    yield f"{told['machine']}: answered {newest['answer']:.4g} at {when(newest['at'])}, {rank}"
    if told["threshold"] is not None:
        yield f"  the decision's threshold is {told['threshold']:.4g}"
    for one in told["features"]:
        median = f"the fleet's median is {one['fleet']:.4g} ({one['away']:+.1f} spreads)"
        yield f"  {one['feature']}: {one['value']:.4g}, {median}"
    if not told["features"]:
        yield "  no feature stands out against the fleet"
    for answer in told["answers"][:-1][::-1]:
        yield f"  before: {answer['answer']:.4g} at {when(answer['at'])} by release {answer['release'][:12]}"
    for outcome in told["outcomes"]:
        truth = f", truth {outcome['truth']:.4g}" if outcome["state"] == "known" else ""
        yield f"  outcome of {when(outcome['at'])}: {outcome['state']}{truth}"
