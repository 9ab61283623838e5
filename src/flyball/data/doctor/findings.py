"""What a person should read of an examination: sentences, the worst first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flyball.data.doctor import folder


def of(told: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield what is wrong, the worst kinds first: leaks across splits, leaking columns, clocks, repeats, emptiness."""
    for images in told["images"]:
        yield from _shared(images["name"], images, "images")
    for table in told["tables"]:
        yield from _shared(table["name"], table["twins"], "rows")
    for across in told["families"]:
        yield from _shared(" and ".join(across["tables"]), across, "rows")
    for table in told["tables"]:
        for leak in (*table["leaks"], *table["after"]):
            yield _say("leak", table["name"], f"{leak['column']!r}: {leak['why']}")
        if table["leaks_unjudged"]:
            yield _say("leak", table["name"], table["leaks_unjudged"])
    for table in told["tables"]:
        yield from _clocks(table)
    for table in told["tables"]:
        yield from _contents(table)


def _shared(name: str, told: Mapping[str, Any], what: str) -> Iterator[dict[str, str]]:
    whole = [one for one in told["across"] if not _piece(one, told["across"])]
    for one in whole:
        count = f"{one['rows']} of {one['out_of']} {what} of {one['of']!r} stand in {one['in']!r} too, value for value"
        pieces_ = [other for other in told["across"] if other not in whole and _within(other, one)]
        more = ", ".join(f"{other['in']} {other['rows']}" for other in sorted(pieces_, key=_counting))
        yield _say("twins", name, count + (f" ({more})" if more else ""))
    for one in told.get("near", {}).get("across", ()):
        yield _say(
            "near", name, f"{one['pairs']} pairs of {what} of {one['of']!r} and {one['in']!r} nearly agree"
        )
    if told.get("contradict"):
        yield _say("twins", name, f"{told['contradict']} groups of equal {what} have different truths")
    if what == "images" and told["repeated"]:
        yield _say("repeat", name, f"{told['repeated']} images repeat an earlier one")


def _piece(one: Mapping[str, Any], across: list[dict[str, Any]]) -> bool:
    """Say whether a pair of splits is part of another pair: "train_20" of "train"."""
    return any(other is not one and _within(one, other) for other in across)


def _within(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(
        one["of"] == other["of"] and one["in"] != other["in"] and folder.split(one["in"]) == other["in"]
    )


def _counting(one: Mapping[str, Any]) -> list[Any]:
    """Return by what names are sorted so that train_5 comes before train_10."""
    return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", one["in"])]


def _clocks(table: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for clock in table["clocks"]:
        where = f"{clock['column']!r}"
        if clock["note"]:
            yield _say("clock", table["name"], f"{where}: {clock['note']}")
        if clock["zone"] == "mixed":
            yield _say("clock", table["name"], f"{where}: some times name a zone and some do not")
        if clock.get("gaps"):
            yield _say("clock", table["name"], f"{where}: {clock['gaps']} gaps, the longest {clock['gap']}")
        for step in clock.get("hours", ()):
            yield _say("clock", table["name"], f"{where}: {step}")
        if clock.get("backwards") and clock.get("ordered"):
            yield _say("clock", table["name"], f"{where}: runs backwards {clock['backwards']} times")
        if clock.get("repeated") and clock["column"] == table["moment"]:
            of = f" of one {table['key']!r}" if table["key"] else ""
            yield _say(
                "clock",
                table["name"],
                f"{where}: {clock['repeated']} rows{of} share their moment with another",
            )
        if clock.get("outside"):
            yield _say("clock", table["name"], f"{where}: {clock['outside']} times before 1990 or after 2100")
    for pair in table["clock_pairs"]:
        one, other = pair["columns"]
        if pair["drift"]:
            yield _say("clock", table["name"], f"{other!r} drifts from {one!r}: {pair['drift']}")
        if pair["known_later"]:
            yield _say(
                "clock",
                table["name"],
                f"{other!r} comes {pair['median']} after {one!r}: when a row was seen?",
            )


def _contents(table: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    if table["repeated"]:
        yield _say("repeat", table["name"], f"{table['repeated']} rows repeat an earlier one in every column")
    for reason, count in table["bad"].items():
        yield _say("bad", table["name"], f"{count} lines: {reason}")
    for note in table["notes"]:
        yield _say("bad", table["name"], note)
    empty = [told["name"] for told in table["columns"] if told["kind"] == "nothing"]
    constant = [told["name"] for told in table["columns"] if told["constant"] and table["rows"] > 1]
    mostly = [told["name"] for told in table["columns"] if 0.5 <= told["missing"] < 1]
    for names, what in (
        (empty, "hold nothing"),
        (constant, "are constant"),
        (mostly, "are missing in half the rows or more"),
    ):
        if names:
            yield _say("column", table["name"], f"{len(names)} column(s) {what}: {_few(names)}")
    if table["same"]:
        pairs = [f"{later} = {first}" for later, first in table["same"].items()]
        yield _say("column", table["name"], f"{len(pairs)} column(s) repeat another: {_few(pairs)}")
    for told in table["columns"]:
        for note in told["notes"]:
            yield _say("column", table["name"], f"{told['name']!r}: {note}")


def _few(names: list[str]) -> str:
    shown = ", ".join(re.sub(r"[\x00-\x1f]", "?", name) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _say(kind: str, table: str, what: str) -> dict[str, str]:
    return {"kind": kind, "table": table, "what": what}
