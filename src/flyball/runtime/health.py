"""Examines this machine and a store: what is installed, which kernels run, and whether everything is as written."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from flyball import audit, errors
from flyball.runtime import look, runs
from flyball.runtime.store import Store
from flyball.serving import release


def doctor(folder: Path) -> dict[str, Any]:
    """Return what was found on this machine and in a store; `healthy` is False when anything needs mending.

    A store that is not there yet is no illness.
    """
    told: dict[str, Any] = {"python": platform.python_version(), "extras": _extras(), "kernels": _kernels()}
    found: list[str] = []
    if not folder.exists():
        told["store"] = None
    else:
        try:
            told["store"] = _store(look.opened(folder), found)
        except errors.DataError as error:
            told["store"] = {"folder": str(folder)}
            found.append(str(error))
    return {**told, "problems": found, "healthy": not found}


def is_store(folder: Path) -> bool:
    """Say whether a folder is a store: one that commits were made to, or that one was under way to.

    >>> is_store(Path("/no/such/folder"))
    False
    """
    marks = ("sources/_delta_log", "audit.jsonl", "pending/last.json")
    return any((folder / mark).exists() for mark in marks) or any(folder.glob("pending/[0-9]*.json"))


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the examination in plain words."""
    yield f"python {told['python']}, kernels: {told['kernels']}"
    for name, extra in told["extras"].items():
        lacking = (
            f", lacks {', '.join(extra['missing'])}: pip install 'flyball[{name}]'"
            if extra["missing"]
            else ""
        )
        versions = ", ".join(f"{library} {version}" for library, version in extra["versions"].items())
        yield f"  {name}: {versions or 'nothing'}{lacking if name != 'flyball' else ''}"
    if told["store"] is None:
        yield "  store: not there yet"
    for name, value in (told["store"] or {}).items():
        yield f"  {name}: {value if value != [] else 'none'}"
    yield from (f"  PROBLEM: {problem}" for problem in told["problems"])
    yield "healthy" if told["healthy"] else f"{len(told['problems'])} problem(s) to mend"


def _store(kept: Store, found: list[str]) -> dict[str, Any]:
    files = 0
    torn = list(_torn(kept))
    found += [*torn, *_lost(kept)]
    if torn:
        found.append("no data file was verified, as the logs say which there are: mend them and look again")
    for table in [] if torn else _looked(found, kept.journal.tables, []):
        for file in _looked(found, lambda table=table: kept.journal.files(table), []):
            files += 1
            path = kept.folder / table / file.path
            _looked(found, lambda path=path, file=file: kept.journal.verify(path, file), None)
    places = [place for place in sorted((kept.folder / "releases").glob("*")) if place.name[0] != "."]
    for place in places:
        _looked(found, lambda place=place: release.verify(place), None)
    acts = _looked(found, lambda: audit.Audit(kept.folder / "audit.jsonl").verify(), 0)
    every = runs.listed(kept)
    found += [f"run {told['run']}: its record cannot be read" for told in every if told["state"] == "damaged"]
    pending = sorted(file.name for file in (kept.folder / "pending").glob("[0-9]*.json"))
    return {
        "folder": str(kept.folder),
        "data files verified": files,
        "releases verified": len(places),
        "acts in the audit": acts,
        "interrupted runs": [told["run"] for told in every if told["state"] == "interrupted"],
        # Whoever opens the store next carries these on.
        "commits to be carried on": pending,
        "set aside": sorted(path.name for path in (kept.folder / "set-aside").glob("*")),
    }


def _torn(kept: Store) -> Iterator[str]:
    """Yield the entries of tables' logs that are torn, each with what mends it."""
    for table in kept.journal.tables():
        log = kept.folder / table / "_delta_log"
        entries = sorted(path for path in log.glob("*.json") if path.stem.isdigit())
        for entry in entries:
            if _whole(entry):
                continue
            mend = (
                "the next `flyball ingest` or `run` sets it aside and carries its commit on"
                if entry is entries[-1]
                else "entries after it build on it: restore the store from a copy"
            )
            yield f"{entry} is torn: {mend}"


def _lost(kept: Store) -> Iterator[str]:
    """Yield the commits of which data files vanished, each with what mends it."""
    try:
        lost = kept.journal.lost()
    except (OSError, ValueError):
        yield f"{kept.folder / 'lost.json'} cannot be read: which commits lost rows is not known, send all files again"
        return
    for number in lost:
        yield f"commit {number} has lost rows: its files count as not taken in, send them again"


def _whole(entry: Path) -> bool:
    import json

    try:
        lines = [line for line in entry.read_text("utf-8").splitlines() if line.strip()]
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except (OSError, ValueError):
        return False


def _looked(found: list[str], look_at: Any, otherwise: Any) -> Any:
    """Return what a look gives; what cannot be trusted, read or opened is a problem, and the next one is looked at."""
    try:
        return look_at()
    except (errors.FlyballError, OSError, ValueError) as error:
        found.append(str(error))
        return otherwise


def _kernels() -> str:
    from flyball.kernels import backend

    return (
        "native"
        if backend.native
        else "reference (plain Python, slow: install flyball again with a compiler)"
    )


def _extras() -> dict[str, dict[str, Any]]:
    """Return every extra of the installed flyball with the versions of what is there and what is missing of it."""
    import re

    wanted: dict[str, list[str]] = {"flyball": []}
    try:
        required = metadata.requires("flyball") or []
    except metadata.PackageNotFoundError:
        required = []
    for line in required:
        name = re.split(r"[^A-Za-z0-9_.-]", line)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        place = extra[1] if extra else "flyball"
        if name != "flyball" and place not in ("all", "dev"):
            wanted.setdefault(place, []).append(name)
    out: dict[str, dict[str, Any]] = {}
    for place, names in wanted.items():
        versions = {name: version for name in names if (version := _version(name))}
        out[place] = {"versions": versions, "missing": [name for name in names if name not in versions]}
    return out


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
