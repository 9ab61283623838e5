"""The profile of one table: its columns, what each of them is, its clocks, and what repeats and leaks in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import clocks, columns, folder, leaks, pieces, roles, rows
from flyball.data.formats import cells

if TYPE_CHECKING:
    import polars as pl

    from flyball.data.stage import Codes

#: What may tell something about a truth, or tell rows apart by their content.
TELLING = ("number", "count", "bool", "category", "text")
#: What can be no clock.
TIMELESS = ("bool", "nothing", "nested", "bytes", "image")


@dataclass(eq=False)
class Seen:
    """Which column of a table is what, each with the reason."""

    clocks: Mapping[str, clocks.Clock]
    moment: str | None
    counter: str | None
    key: str | None
    key_why: str
    split: str | None
    split_why: str
    truth: str | None
    truth_why: str
    identifiers: Sequence[str]

    def taken(self) -> set[str | None]:
        """Return the columns that are no content of the rows."""
        named = {self.key, self.moment, self.counter, self.split, self.truth}
        return {*named, *self.clocks, *self.identifiers}


def profile(name: str, got: pieces.Pieces, apart: Sequence[str] = ()) -> dict[str, Any]:
    """Return the profile of one table; columns named `apart` are no content of its rows."""
    frame = got.frame
    profiles = [columns.profile(frame[column]) for column in frame.columns]
    for told in profiles:
        if stray := got.strays.get(told["name"]):
            told["notes"].append(f"{stray[0]} cells are no number, such as {stray[1][:20]!r}")
    seen = _seen(frame, profiles)
    for told in profiles:
        if told["name"] in seen.clocks:
            told |= {"kind": "time", "unit": "", "why": seen.clocks[told["name"]].format}
    machines = None if seen.key is None else _codes(frame[seen.key])
    content = [
        told["name"] for told in profiles
        if told["kind"] in TELLING and told["name"] not in seen.taken() and told["name"] not in apart
    ]  # fmt: skip
    _steady(frame, profiles, content, seen)
    first = seen.clocks.get(seen.moment or "")
    return {
        "name": name, "files": len(got.files), "file": got.files[0], "rows": frame.height, "sampled": got.sampled,
        "notes": got.notes, "bad": got.bad, "columns": profiles, "content": content, "counter": seen.counter,
        "key": seen.key, "key_why": seen.key_why, "identifiers": list(seen.identifiers), "moment": seen.moment,
        "machines": None if machines is None or not len(machines) else int(machines.max()) + 1,
        "readable": first is None or first.readable, "epoch": "" if first is None else first.epoch,
        **_timed(seen, machines, bool(got.sampled)), **_told(frame, got, seen, profiles, content, machines),
    }  # fmt: skip


def _seen(frame: pl.DataFrame, profiles: list[dict[str, Any]]) -> Seen:
    found = {
        told["name"]: clock for told in profiles
        if told["kind"] not in TIMELESS and (clock := clocks.read(frame[told["name"]])) is not None
    }  # fmt: skip
    timed = [told | {"kind": "time"} if told["name"] in found else told for told in profiles]
    moment = roles.moment(timed, found)
    counter = None if moment else roles.counter(timed)
    key, key_why = roles.key(frame, timed, moment or counter)
    split, split_why = roles.split(frame, timed)
    truth, truth_why = roles.truth(frame, timed, (key, moment, counter, split, *found))
    names = roles.identifiers(timed, frame.height)
    return Seen(found, moment, counter, key, key_why, split, split_why, truth, truth_why, names)


def _steady(frame: pl.DataFrame, profiles: list[dict[str, Any]], content: Sequence[str], seen: Seen) -> None:
    """Note columns that never change on a machine: what a window over them would only repeat."""
    if seen.key is None or seen.moment is None:
        return
    machines = frame[seen.key].n_unique()
    for told in profiles:
        if told["name"] in content:
            told["steady"] = frame.select(seen.key, told["name"]).n_unique() == machines


def _timed(seen: Seen, machines: Codes | None, sampled: bool) -> dict[str, Any]:
    """Return what the clocks show, the one that orders the rows first, and how the others run against it."""
    ordered = sorted(seen.clocks.values(), key=lambda clock: clock.name != seen.moment)
    pairs = [clocks.compare(ordered[0], other) for other in ordered[1:]]
    return {
        "clocks": [clocks.judge(clock, machines, sampled) for clock in ordered],
        "clock_pairs": [pair for pair in pairs if pair is not None],
    }


def _told(
    frame: pl.DataFrame, got: pieces.Pieces, seen: Seen, profiles: list[dict[str, Any]], content: Sequence[str],
    machines: Codes | None,
) -> dict[str, Any]:  # fmt: skip
    """Return what repeats in a table, how it is split, its truth, and what leaks into that."""
    splits = _splits(frame, seen.split, got)
    constant = {told["name"] for told in profiles if told["constant"]}
    whole = [told["name"] for told in profiles if told["kind"] not in ("nested", "nothing")]
    truth = seen.truth
    found = [] if truth is None else leaks.find(frame, truth, [*content, *seen.identifiers], machines)
    return {
        "split": seen.split, "split_why": seen.split_why,
        "splits": {name: splits.count(name) for name in sorted(set(splits) - {""})},
        "repeated": rows.repeated(frame.select(whole)) if whole else 0,
        "twins": rows.twins(frame, content, splits, truth, seen.key is None or seen.key in seen.identifiers),
        "same": columns.same(frame, [name for name in content if name not in constant]),
        "truth": truth, "truth_why": seen.truth_why,
        "truths": [told["name"] for told in roles.truths(profiles, (truth, *seen.clocks))],
        "classes": [] if truth is None else sorted(cells.text(frame[truth])[0].drop_nulls().unique().to_list()),
        "leaks": found, "leaks_unjudged": "" if truth is None else leaks.judged(frame, truth),
        "after": leaks.later(profiles, truth),
    }  # fmt: skip


def _codes(key: pl.Series) -> Codes:
    """Return (n,) a code for every machine, -1 where none is named."""
    import numpy as np
    import polars as pl

    ranks = key.cast(pl.String).rank("dense").fill_null(0).to_numpy()
    return np.asarray(ranks).astype(np.int32) - 1


def _splits(frame: pl.DataFrame, split: str | None, got: pieces.Pieces) -> list[str]:
    """Return the split of every row: by the column that tells it, else by the name of its file."""
    if split is not None:
        return [str(value or "") for value in frame[split].to_list()]
    named = [folder.split(name) for name in got.files]
    return [named[place] for place in got.origin.tolist()] if any(named) else [""] * frame.height
