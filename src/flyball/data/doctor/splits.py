"""How rows are parted into what is learned from and what is judged, and what both parts share: machines, times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import clocks, folder, pieces

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Codes


def of(frame: pl.DataFrame, split: str | None, got: pieces.Pieces) -> list[str]:
    """Return the split of every row: by the column that tells it, else by the name of its file ("" for none)."""
    if split is not None:
        return [str(value or "") for value in frame[split].to_list()]
    named = [folder.split(name) for name in got.files]
    return [named[place] for place in got.origin.tolist()] if any(named) else [""] * frame.height


def shared(splits: Sequence[str], codes: Codes | None, clock: clocks.Clock | None) -> list[dict[str, Any]]:
    """Return what pairs of splits share, the one that is judged first: machines, and rows from before what is learned.

    `machines` of `out_of` machines of the one stand in the other too; `earlier` is the share of its rows that are not
    later than the last row of the other.  (None where no machine, or no time, is told.)
    """
    import numpy as np

    if not any(splits):
        return []
    wholes = np.array([folder.split(name) or name for name in splits])
    there = [name for name in folder.STRENGTH if (wholes == name).any()]
    out = []
    for name, other in _pairs(there):
        mine, theirs = wholes == name, wholes == other
        told: dict[str, Any] = {"of": name, "in": other, "machines": None, "out_of": None, "earlier": None}
        if codes is not None:
            own = set(np.unique(codes[mine & (codes >= 0)]).tolist())
            both = own & set(np.unique(codes[theirs & (codes >= 0)]).tolist())
            told |= {"machines": len(both), "out_of": len(own)}
        if clock is not None and (clock.there & mine).any() and (clock.there & theirs).any():
            last = clock.at[clock.there & theirs].max()
            told["earlier"] = float((clock.at[clock.there & mine] <= last).mean())
        out.append(told)
    return out


def _pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            yield name, other
