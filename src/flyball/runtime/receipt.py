"""What came of files that were taken in, as values and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Files that belong to no table are told one by one up to so many.
FEW = 10


@dataclass
class Receipt:
    """What came in: sent = good + duplicates + quarantined + let go of, per table; nothing is dropped in silence."""

    files: int = 0
    known: int = 0
    commit: int = 0
    good: dict[str, int] = field(default_factory=dict)
    duplicates: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    let_go: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, dict[str, int]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    extra: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unclaimed: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Say whether anything new came in."""
        return self.files > 0

    def json(self) -> dict[str, Any]:
        """Return the receipt as plain values."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """Return the receipt as lines for people."""
        out = [f"{self.files} file(s) taken in, {self.known} known already"]
        for table in sorted({*self.good, *self.quarantined}):
            bad = sum(self.quarantined.get(table, {}).values())
            told = f"  {table}: {self.good.get(table, 0)} rows, {bad} quarantined"
            told += f", {self.duplicates.get(table, 0)} duplicates"
            told += f", {self.late[table]} late" if self.late.get(table) else ""
            gone = f", {self.let_go[table]} of days that are not kept" if self.let_go.get(table) else ""
            out.append(told + gone)
            out += [f"    {count} x {why}" for why, count in sorted(self.quarantined.get(table, {}).items())]
        out += [f"  {column}: {why}" for column, why in sorted(self.absent.items())]
        out += [
            f"  {table}: not on the page, ignored: {', '.join(names)}"
            for table, names in sorted(self.extra.items())
        ]
        out += [f"  {note}" for note in self.notes]
        out += [f"  {name} waits: {why}" for name, why in sorted(self.waiting.items())]
        return out + [f"  {told}" for told in unclaimed(self.unclaimed)]


def unclaimed(names: Iterable[str]) -> list[str]:
    """Return what to tell of files that belong to no table: each of few, of many how many lie in which folders.

    >>> unclaimed(["notes.txt"]), unclaimed([f"A/lots/A-001/{day}.csv" for day in range(100)])
    (['notes.txt: belongs to no table'], ['A/lots/: 100 files belong to no table'])
    """
    found = list(names)
    if len(found) <= FEW:
        return [f"{name}: belongs to no table" for name in found]
    folders: dict[str, int] = {}
    for name in found:
        place = "/".join(Path(name).parts[:-1][:2])
        folders[place] = folders.get(place, 0) + 1
    return [
        f"{f'{place}/' if place else 'the folder itself'}: {count} file{'s'[: count > 1]} belong{'s'[count > 1 :]} to "
        "no table"
        for place, count in sorted(folders.items())
    ]
