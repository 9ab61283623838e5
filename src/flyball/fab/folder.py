"""The folder into which a fleet is written as its sites would send it, with a manifest of what it holds.

`fab.json`, written last, says which fleet it is and how many files, rows and bytes every table has, with a digest:
the same fleet written anywhere has the same digests.  Until it is there, a hidden note says which fleet is on its
way, so that a run that was stopped can be made again and no folder ever holds two fleets.
"""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Any

from flyball import durable, errors, part
from flyball.fab import files, fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST, NOTE = "fab.json", ".fab-unfinished.json"


def fill(fab: fleet.Fab, folder: pathlib.Path, progress: files.Progress | None = None) -> dict[str, Any]:
    """Write a fleet as its sites would send it, daily files per machine and the truth apart; return the manifest.

    Written again, it gives the same bytes; a run that was stopped is completed by another.  Raises StoreError where
    the folder cannot be written, DataError where it holds another fleet or anything else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     first = fill(fleet.Fab("tiny", machines=1, days=2), pathlib.Path(place))
    ...     again = fill(fleet.Fab("tiny", machines=1, days=2), pathlib.Path(place))
    >>> first["tables"]["telemetry"]["files"], first == again
    (2, True)
    """
    told = _identity(fab)
    _claim(folder, told)
    told["tables"] = files.write(fab, folder, form="habit", per="machine", progress=progress)
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    durable.write(folder / MANIFEST, text.encode())
    with durable.guard(f"finish {folder}"):
        (folder / NOTE).unlink(missing_ok=True)
    return told


def _identity(fab: fleet.Fab) -> dict[str, Any]:
    """Return what tells one fleet from another; a later version of the simulator tells another life."""
    import flyball

    size = fab.size()
    return {
        "fleet": f"{fab.preset}, seed {fab.seed}", "fingerprint": part.fingerprint((fab, flyball.__version__)),
        "flyball": flyball.__version__, "sites": size.sites, "machines": size.machines, "days": size.days,
        "note": "simulated: names, codes and lives are invented, no vendor's data",
    }  # fmt: skip


def _claim(folder: pathlib.Path, told: Mapping[str, Any]) -> None:
    """Make the folder this fleet's, or say why it cannot be; sweep what a stopped run left half-written."""
    with durable.guard(f"write into {folder}"):
        if folder.exists() and not folder.is_dir():
            raise errors.DataError(f"{folder} is a file: give --out a folder, it is made if it is not there")
        durable.folder(folder)
        there = [inner for inner in folder.iterdir() if not inner.name.endswith(".part")]
        owner = next((_read(folder / name) for name in (MANIFEST, NOTE) if (folder / name).exists()), None)
        if owner is None and there:
            raise errors.DataError(f"{folder} is not empty ({there[0].name}): give --out a new folder")
        if owner is not None and owner.get("fingerprint") != told["fingerprint"]:
            raise errors.DataError(
                f"{folder} holds another fleet ({owner.get('fleet')}, flyball {owner.get('flyball')}): give --out a "
                "new folder, two fleets in one would be taken for one"
            )
        for rest in folder.rglob(".*.part"):
            rest.unlink()
    if not (folder / MANIFEST).exists():
        durable.write(folder / NOTE, json.dumps(dict(told)).encode())


def _read(file: pathlib.Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"fleet": "unknown, its manifest cannot be read"}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was written, as a person reads it."""
    yield f"{told['fleet']}: {told['machines']} machines at {told['sites']} sites, {told['days']} days"
    for name, table in told["tables"].items():
        yield (
            f"  {name}: {table['rows']} rows in {table['files']} files, {table['bytes'] / 1e6:.1f} MB, "
            f"{table['digest'][:12]}"
        )
