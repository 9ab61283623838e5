"""The number of the form in which a store lies on the disk, and how an older one becomes the present one.

A store of an earlier number is brought forward when it is opened, one number after another; each step can be done
again after a crash, adds and never takes away, and the number is written last: an earlier Flyball still reads what it
wrote.  A store of a later number is refused before anything of it is read or written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import errors, seals
from flyball.runtime import journal, taking

if TYPE_CHECKING:
    from flyball.runtime.store import Store

#: The form that this Flyball writes.
FORMAT = 2
#: Where a store says which form it has; one that says nothing and holds tables has the first.
STATE = "format"


def number(folder: Path) -> int:
    """Return the number of a store's form, 0 where there is no store yet.

    Raises StoreError for one that a later Flyball wrote, and for one that is damaged.
    """
    told = folder / "state" / f"{STATE}.json"
    if not told.exists():
        return 1 if (folder / journal.LAST / "_delta_log").is_dir() else 0
    try:
        found = seals.unsealed(told.read_bytes())["format"]
        if not isinstance(found, int) or found < 1:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise errors.StoreError(
            f'{told} says no form: restore it from a copy, or write {{"format": {FORMAT}}} into it if this Flyball '
            "made the store"
        ) from None
    if found > FORMAT:
        raise errors.StoreError(
            f"{folder} has form {found} and this Flyball knows up to {FORMAT}: open it with the Flyball that wrote it, "
            "or a later one"
        )
    return found


def forward(store: Store) -> list[str]:
    """Bring a store to the present form and return what was done; under the store's write lock only."""
    found = number(store.folder)
    if found == FORMAT:
        return []
    done = []
    for step in STEPS[found - 1 :] if found else ():
        done.append(f"form {found} became {found + 1}: {step(store)}")
        found += 1
    store.state(STATE, {"format": FORMAT})
    return done


def _marks(store: Store) -> str:
    """From 1 to 2: `sources` has a column for the marks of streams, and the last commit says what each log comes to."""
    store.journal.widen(journal.LAST, taking.SOURCES)
    store.journal.relist()
    return "sources may say which messages they were, and the logs of tables are verified"


#: Step n brings form n to n + 1.
STEPS: tuple[Callable[[Store], str], ...] = (_marks,)
