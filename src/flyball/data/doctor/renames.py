"""Columns that one set of files has and the others have under another name: channels that an upgrade renamed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import roles

if TYPE_CHECKING:
    import polars as pl

#: Two names are thought to be of one channel when they are so much alike, however they are written.
ALIKE = 0.6
#: The middle of the values has moved when it is so many times what it was: another unit, perhaps.
MOVED = 1.5
#: Between Celsius and Kelvin it moves by this, or nearly.
KELVIN, NEAR = 273.15, 5.0


def find(names: Sequence[frozenset[str]], frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return pairs of columns of which every file has the one or the other; `names` are those of each file.

    `files` have the second name, `moved` says how its values differ, where they do.

    >>> import polars as pl
    >>> frame = pl.DataFrame({"pump_temp": [20.0, None], "PumpTemp_K": [None, 293.0]})
    >>> find([frozenset({"pump_temp"}), frozenset({"PumpTemp_K"})], frame)
    [{'column': 'PumpTemp_K', 'of': 'pump_temp', 'files': 1, 'moved': '273 more'}]
    """
    here = {
        name: frozenset(place for place, inside in enumerate(names) if name in inside)
        for name in frame.columns
    }
    every = frozenset(range(len(names)))
    some = [name for name, places in here.items() if len(places) < len(every)]
    out: list[dict[str, Any]] = []
    taken: set[str] = set()
    # The channel of a renamed one is the likest of those that stop where it begins.
    pairs = [
        (_alike(one, other), one, other) for place, one in enumerate(some) for other in some[place + 1 :]
        if here[one] | here[other] == every and not here[one] & here[other]
    ]  # fmt: skip
    for alike, one, other in sorted(pairs, key=lambda pair: -pair[0]):
        if alike < ALIKE or {one, other} & taken:
            continue
        taken |= {one, other}
        first, later = (one, other) if min(here[one]) < min(here[other]) else (other, one)
        out.append(
            {"column": later, "of": first, "files": len(here[later]), "moved": _moved(frame, first, later)}
        )
    return out


def _alike(one: str, other: str) -> float:
    """Return how much two names are alike, 1 for the same words or for one that was only added to."""
    first, second = roles.plain(one), roles.plain(other)
    short, long = sorted((first, second), key=len)
    if f"_{long}_".find(f"_{short}_") >= 0:
        return 1.0
    return SequenceMatcher(None, first, second, autojunk=False).ratio()


def _moved(frame: pl.DataFrame, first: str, later: str) -> str:
    """Return how the middle of the values has moved, in words, "" where it has not, or is none."""
    if not (frame[first].dtype.is_numeric() and frame[later].dtype.is_numeric()):
        return ""
    before, after = (frame[name].cast(float).fill_nan(None).median() for name in (first, later))
    if not isinstance(before, float) or not isinstance(after, float) or not before:
        return ""
    if abs(abs(after - before) - KELVIN) < NEAR:
        return f"{after - before:.4g} more"
    moved = after / before
    return "" if 1 / MOVED <= moved <= MOVED else f"{moved:.4g} times as large"
