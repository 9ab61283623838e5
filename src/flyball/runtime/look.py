"""Looks into a store without changing it: what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, errors, units
from flyball.runtime import migration, runs
from flyball.runtime.store import INTERNAL, Store

if TYPE_CHECKING:
    import polars as pl


#: So many runs are told.
RUNS = 5
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
    done = last_done(every)
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
        "files": came_in(kept).height,
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


def when(at: int | None) -> str:
    """Return a moment in microseconds as a person reads it; a small number is a step of a counter.

    >>> when(1368403200000000), when(31), when(None)
    ('2013-05-13 00:00', '31', 'never')
    """
    if at is None:
        return "never"
    if not units.is_time(at):
        return str(at)
    return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M")


def came_in(kept: Store) -> pl.DataFrame:
    """Return the files that the fleet sent, without what the store itself writes down."""
    import polars as pl

    return kept.sources().filter(~pl.col("table").is_in(INTERNAL))


def last_done(every: list[dict[str, Any]]) -> dict[str, Any]:
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
