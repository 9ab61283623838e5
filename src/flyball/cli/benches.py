"""Benchmarks of a checkout: run one by its name, show it beside its peers, write the figures down."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flyball import errors

FIELDS = {"case", "ours", "peer", "peer_name", "unit", "ratio", "goal", "met"}


def names(folder: Path) -> tuple[str, ...]:
    """Return the subjects of a folder of benchmarks: its modules with a function `run`."""
    found = (file for file in folder.glob("*.py") if not file.name.startswith("_"))
    return tuple(
        sorted(file.stem for file in found if "\ndef run(" in "\n" + file.read_text(encoding="utf-8"))
    )


def run(name: str, folder: Path, out: Path | None = None, minutes: float | None = None) -> dict[str, Any]:
    """Run a benchmark and write OUT/NAME.json (by default into the folder's `results`); return what it found.

    `minutes` is for a benchmark that streams: how long.

    Raises DeclarationError when there is no such subject or it does not give rows as promised.
    """
    if not folder.is_dir():
        raise errors.DeclarationError(
            f"no folder {folder}: run this in a checkout of flyball, or give --benchmarks"
        )
    if name not in names(folder):
        raise errors.DeclarationError(
            f"no benchmark {name!r} in {folder}: {errors.did_you_mean(name, names(folder))}"
        )
    # As a module of its folder's package, so that benchmarks find what they share.
    sys.path.insert(0, str(folder.resolve().parent))
    try:
        work = importlib.import_module(f"{folder.resolve().name}.{name}").run
        if minutes is not None and "minutes" not in work.__code__.co_varnames[: work.__code__.co_argcount]:
            raise errors.DeclarationError(f"benchmark {name!r} does not stream: leave --minutes out")
        told: dict[str, Any] = work() if minutes is None else work(minutes=minutes)
    finally:
        sys.path.pop(0)
    rows = told.get("rows")
    if not {"name", "machine", "versions"} <= set(told) or not isinstance(rows, list):
        raise errors.DeclarationError(f"benchmark {name!r}: run() gives no name, machine, versions and rows")
    for row in rows:
        if missing := sorted(FIELDS - set(row)):
            raise errors.DeclarationError(f"benchmark {name!r}: a row without {', '.join(missing)}")
    place = out if out is not None else folder / "results"
    place.mkdir(parents=True, exist_ok=True)
    part = place / f".{name}.json.part"
    part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    part.replace(place / f"{name}.json")
    return {**told, "written": str(place / f"{name}.json")}


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a benchmark as a table: ours, the peer, the ratio, and whether the goal is met."""
    rows = [("case", "ours", "peer", "ratio", "goal", "")]
    rows += [_row(row) for row in told["rows"]]
    widths = [max(len(row[place]) for row in rows) for place in range(6)]
    yield f"{told['name']} on {told['machine'].get('cpu', '?')}, {told['machine'].get('cores', '?')} core(s)"
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    yield f"  written to {told['written']}"


def _row(row: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    ours, peer = _shown(row["ours"], row["unit"]), f"{_shown(row['peer'], row['unit'])} {row['peer_name']}"
    met = {True: "met", False: "MISSED", None: ""}[row["met"]]
    return str(row["case"]), ours, peer.strip(), _shown(row["ratio"]), _shown(row["goal"]), met


def _shown(value: Any, unit: str = "") -> str:
    if value is None:
        return "-"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f"{text} {unit}".strip()
