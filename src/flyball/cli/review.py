"""`flyball review`: the questions that are worth a look, and what reviewers say of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flyball import errors, systems


def go(
    page: str, store: Path, which: str | None, label: str | None, who: str | None, file: Path | None
) -> dict[str, Any]:
    """Take what was said, from the command line or a file, and return what still waits."""
    from flyball.cli.alerts import user
    from flyball.runtime import look, reviewing
    from flyball.runtime.store import Store

    system = systems.load(page).check()
    look.opened(store)
    kept = Store.open(store, system.data)
    told: list[tuple[str, str, str]] = []
    if which is not None:
        if label is None:
            raise errors.DeclarationError(
                f"question {which}: what is said of it? `flyball review PAGE {which} yes`"
            )
        told.append((which, label, who or user()))
    if file is not None:
        told += list(_read(file, who))
    taken = reviewing.say(system, kept, told) if told else 0
    waits = reviewing.waiting(kept)
    names = ("id", "key", "at", "why", "value", "answer")
    return {
        "store": str(store), "taken": taken, "waiting": [{name: one[name] for name in names} for one in waits],
        "reviewed": kept.frame("reviews").height,
    }  # fmt: skip


def _read(file: Path, who: str | None) -> Iterator[tuple[str, str, str]]:
    """Yield (question, label, who) of a CSV with the columns id, label and, where --who is not given, who."""
    if not file.is_file():
        raise errors.DataError(f"no file {file}: give a CSV with the columns id, label, who")
    with file.open(newline="", encoding="utf-8") as source:
        rows = csv.DictReader(source)
        columns = set(rows.fieldnames or ())
        for needed in ("id", "label") if who else ("id", "label", "who"):
            if needed not in columns:
                raise errors.DataError(
                    f"{file}: no column {needed!r}: {errors.did_you_mean(needed, columns)}"
                )
        for row in rows:
            if row["label"]:
                yield row["id"], row["label"], who or row["who"] or ""


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what waits, as a person reads it."""
    from flyball.runtime import look

    if told["taken"]:
        yield f"{told['taken']} label(s) taken"
    yield f"{told['store']}: {len(told['waiting'])} question(s) wait, {told['reviewed']} label(s) were given"
    for one in told["waiting"]:
        why = f"{one['why']} ({one['value']:.2f})"
        yield f"  {one['id']} {look.when(one['at'])} {one['key']}: answered {one['answer']:.3g}, {why}"
