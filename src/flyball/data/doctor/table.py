"""The profile of one table: its columns, what each of them is, its clocks, and what repeats and leaks in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import (
    clocks,
    columns,
    leaks,
    machines,
    mixtures,
    pieces,
    relations,
    renames,
    roles,
    rows,
    splits,
    stuck,
)
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
    codes, names = (None, []) if seen.key is None else _codes(frame[seen.key])
    content = [
        told["name"] for told in profiles
        if told["kind"] in TELLING and told["name"] not in seen.taken() and told["name"] not in apart
    ]  # fmt: skip
    _steady(frame, profiles, content, seen)
    _odd(frame, profiles, content, seen, (codes, names))
    first = seen.clocks.get(seen.moment or "")
    return {
        "name": name, "files": len(got.files), "file": got.files[0], "names": got.files,
        "rows": frame.height, "sampled": got.sampled, "notes": got.notes, "bad": got.bad, "unfit": got.unfit,
        "columns": profiles, "content": content,
        "counter": seen.counter, "key": seen.key, "key_why": seen.key_why, "identifiers": list(seen.identifiers),
        "moment": seen.moment, "machines": None if codes is None else len(names),
        "readable": first is None or first.readable, "epoch": "" if first is None else first.epoch,
        **_timed(seen, codes, names, bool(got.sampled)), **_told(frame, got, seen, profiles, content, codes),
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
    machines, few = frame[seen.key].n_unique(), frame.head(10_000)
    known = few[seen.key].n_unique()
    for told in profiles:
        if told["name"] in content:
            # Most columns change soon: then nothing more is counted.
            steady = few.select(seen.key, told["name"]).n_unique() == known
            told["steady"] = steady and frame.select(seen.key, told["name"]).n_unique() == machines


def _odd(
    frame: pl.DataFrame, profiles: list[dict[str, Any]], content: Sequence[str], seen: Seen,
    known: tuple[Codes | None, Sequence[str]],
) -> None:  # fmt: skip
    """Note columns of numbers in which units are mixed, and those that stand still where rows follow one another."""
    import numpy as np

    codes, names = known
    clock = seen.clocks.get(seen.moment or "")
    order = (
        None if clock is None else np.lexsort((clock.at, np.zeros(frame.height) if codes is None else codes))
    )
    for told in profiles:
        if told["name"] not in content or told["kind"] not in ("number", "count") or told["constant"]:
            continue
        values = frame[told["name"]].cast(float).fill_null(float("nan")).to_numpy()
        if told["sentinel"] is not None:
            values = np.where(values == told["sentinel"], np.nan, values)
        if (mixed := mixtures.find(values, told["unit"], codes, names)) is not None:
            told["mixed"] = mixed._asdict() | {"what": mixtures.told(mixed)}
        if (codes is None and clock is None) or told.get("steady"):
            continue
        if (still := stuck.find(values, order, codes)) is not None:
            told["stuck"] = still._asdict() | {
                "machine": None if codes is None or codes[still.first] < 0 else names[codes[still.first]],
                "since": None if clock is None else clocks.text(int(clock.at[still.first])),
            }


def _timed(seen: Seen, codes: Codes | None, names: Sequence[str], sampled: bool) -> dict[str, Any]:
    """Return what the clocks show, the one that orders the rows first, machine by machine, and against the others."""
    ordered = sorted(seen.clocks.values(), key=lambda clock: clock.name != seen.moment)
    judged = [clocks.judge(clock, codes, sampled) for clock in ordered]
    pairs = [(other, clocks.compare(ordered[0], other)) for other in ordered[1:]]
    if codes is not None:
        for clock, told in zip(ordered[:1], judged, strict=False):
            told["machines"] = machines.judge(clock, codes, names) if told.get("ordered") else None
        for other, pair in pairs:
            if pair is not None:
                pair["machines"] = machines.lags(ordered[0], other, codes, names)
    return {"clocks": judged, "clock_pairs": [pair for _, pair in pairs if pair is not None]}


def _told(
    frame: pl.DataFrame, got: pieces.Pieces, seen: Seen, profiles: list[dict[str, Any]], content: Sequence[str],
    codes: Codes | None,
) -> dict[str, Any]:  # fmt: skip
    """Return what repeats in a table, how it is split, its truth, and what leaks into that."""
    parts = splits.of(frame, seen.split, got)
    clock = seen.clocks.get(seen.moment or "")
    constant = {told["name"] for told in profiles if told["constant"]}
    whole = [told["name"] for told in profiles if told["kind"] not in ("nested", "nothing")]
    truth = seen.truth
    found = [] if truth is None else leaks.find(frame, truth, [*content, *seen.identifiers], codes)
    if truth is not None:
        found += leaks.order(frame, truth, None if clock is None else clock.at)
    varying = [name for name in content if name not in constant]
    same = columns.same(frame, varying)
    return {
        "split": seen.split, "split_why": seen.split_why,
        "splits": {name: parts.count(name) for name in sorted(set(parts) - {""})},
        "shared": splits.shared(parts, codes, clock),
        "repeated": rows.repeated(frame.select(whole)) if whole else 0,
        "twins": rows.twins(frame, content, parts, truth, seen.key is None or seen.key in seen.identifiers),
        "same": same, "related": relations.exact(frame, [name for name in varying if name not in same]),
        "renamed": renames.find(got.columns, frame), "truth": truth, "truth_why": seen.truth_why,
        "truths": [told["name"] for told in roles.truths(profiles, (truth, *seen.clocks))],
        "classes": [] if truth is None else sorted(cells.text(frame[truth])[0].drop_nulls().unique().to_list()),
        "leaks": found, "leaks_unjudged": "" if truth is None else leaks.judged(frame, truth),
        "after": leaks.later(profiles, truth),
    }  # fmt: skip


def _codes(key: pl.Series) -> tuple[Codes, list[str]]:
    """Return (n,) a code for every machine, -1 where none is named, and the machines' names by code."""
    import numpy as np
    import polars as pl

    text = key.cast(pl.String)
    ranks = text.rank("dense").fill_null(0).to_numpy()
    return np.asarray(ranks).astype(np.int32) - 1, text.drop_nulls().unique().sort().to_list()
