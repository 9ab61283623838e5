"""Examines this machine and a store: what is installed, which kernels run, and whether everything is as written."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.runtime import audit, look, runs
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
    for table in _looked(found, kept.journal.tables, []):
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
    }


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
