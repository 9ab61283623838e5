"""What a person should read of an examination: sentences with their evidence, the worst first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flyball.data.doctor import folder

#: A column is nearly constant when one value has this share of its cells and more; half empty from this share on.
NEARLY, HALF = 0.99, 0.5
#: So many examples are told.
EXAMPLES = 3
#: A share of a test's rows that lie before the end of what is learned from is told from here on.
EARLIER = 0.01
#: A clock that should be even and is not: less than this share of its intervals is within a tenth of the usual one.
EVEN = 0.95


def of(told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what is wrong, the worst kinds first: leaks across splits, leaking columns, clocks, repeats, emptiness.

    Each has `kind`, `table`, `what`, and where it can be told `file`, `column`, `share` (0 to 1) and `examples`.
    """
    for names in told["copies"]:
        yield from _copies(names)
    for images in told["images"]:
        yield from _shared({"file": images["name"], **images}, images, "images")
    for table in told["tables"]:
        yield from _shared(table, table["twins"], "rows")
        yield from _parts(table)
    for across in told["families"]:
        yield from _shared({"name": " and ".join(across["tables"])}, across, "rows")
    for table in told["tables"]:
        for leak in (*table["leaks"], *table["after"]):
            yield _say("leak", table, f"{leak['column']!r}: {leak['why']}", leak["column"], leak["figure"])
        if table["leaks_unjudged"]:
            yield _say("unsure", table, table["leaks_unjudged"], table["truth"])
    for table in told["tables"]:
        yield from _clocks(table)
    for table in told["tables"]:
        yield from _bad(table)
        yield from _columns(table)


def _copies(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    splits = sorted({folder.split(name) for name in names} - {""})
    across = f", in {' and '.join(splits)}" if len(splits) > 1 else ""
    what = f"{len(names)} files are byte for byte the same{across}: {_few(names)}"
    yield _say("twins" if across else "repeat", {"name": names[0], "file": names[0]}, what, examples=names)


def _shared(table: Mapping[str, Any], told: Mapping[str, Any], what: str) -> Iterator[dict[str, Any]]:
    for one in told["across"]:
        if _piece(one, told["across"]):
            continue
        count = f"{one['rows']} of {one['out_of']} {what} of {one['of']!r} stand in {one['in']!r} too, value for value"
        parts = [other for other in told["across"] if other is not one and _within(other, one)]
        more = ", ".join(f"{other['in']} {other['rows']}" for other in sorted(parts, key=_counting))
        share = one["rows"] / one["out_of"]
        yield _say("twins", table, count + (f" ({more})" if more else ""), None, share, one["example"])
    for one in told.get("near", {}).get("across", ()):
        count = f"{one['pairs']} pairs of {what} of {one['of']!r} and {one['in']!r} nearly agree"
        count += f", {told['near']['sampled']}" if "sampled" in told["near"] else ""
        yield _say("near", table, count, None, None, one["example"])
    if told.get("contradict"):
        yield _say("twins", table, f"{told['contradict']} groups of equal {what} have different truths")
    if what == "images" and told["repeated"]:
        share = told["repeated"] / max(told["images"], 1)
        yield _say("repeat", table, f"{told['repeated']} images repeat an earlier one", None, share)


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


def _parts(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in table["shared"]:
        if one["machines"]:
            what = (
                f"{one['machines']} of {one['out_of']} machines of {one['of']!r} stand in {one['in']!r} too"
            )
            yield _say("leak", table, what, table["key"], one["machines"] / one["out_of"])
        if one["earlier"] and one["earlier"] > EARLIER:
            what = f"{one['earlier']:.1%} of the rows of {one['of']!r} are not later than the last of {one['in']!r}"
            yield _say("leak", table, what, table["moment"], one["earlier"])


def _clocks(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for clock in table["clocks"]:
        name, rows = clock["column"], max(table["rows"], 1)
        for what, count in _clock(table, clock):
            yield _say("clock", table, f"{name!r}: {what}", name, count / rows if count else None)
        if found := clock.get("machines"):
            yield from _machines(table, name, found)
    for pair in table["clock_pairs"]:
        one, other = pair["columns"]
        if pair["drift"]:
            yield _say("clock", table, f"{other!r} drifts from {one!r}: {pair['drift']}", other)
        if pair["known_later"]:
            what = f"{other!r} comes {pair['median']} after {one!r}: when a row was seen?"
            yield _say("clock", table, what, other)
        if off := pair.get("machines"):
            shown = [f"{machine} {lag}" for machine, lag in off]
            what = f"{other!r} lies elsewhere against {one!r} on {len(off)} machines: {_few(shown)}"
            yield _say("clock", table, what, other, examples=shown)


def _clock(table: Mapping[str, Any], clock: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield (what is wrong with a clock, rows that are concerned or 0)."""
    if clock["note"]:
        yield clock["note"], 0
    if clock["zone"] == "mixed":
        yield "some times name a zone and some do not", 0
    if clock.get("gaps"):
        yield f"{clock['gaps']} gaps, the longest {clock['gap']}", clock["gaps"]
    if clock.get("regular") and clock["even"] < EVEN:
        yield (
            f"{1 - clock['even']:.1%} of its intervals are more than a tenth off the usual {clock['interval']}",
            0,
        )
    for step in clock.get("hours", ()):
        yield step, 0
    if clock.get("backwards") and clock.get("ordered"):
        yield f"runs backwards {clock['backwards']} times", clock["backwards"]
    if clock.get("repeated") and clock["column"] == table["moment"]:
        of = f" of one {table['key']!r}" if table["key"] else ""
        yield f"{clock['repeated']} rows{of} share their moment with another", clock["repeated"]
    if clock.get("outside"):
        yield f"{clock['outside']} times before 1990 or after 2100", clock["outside"]


def _machines(table: Mapping[str, Any], name: str, found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if found["back"] and found["judged"] > 1:
        shown = [f"{machine} ({count}, at most {most})" for machine, count, most in found["back"]]
        what = f"{name!r}: runs backwards on {len(shown)} of {found['judged']} machines: {_few(shown)}"
        yield _say("clock", table, what, name, len(shown) / max(found["judged"], 1), shown)
    if found["ahead"]:
        shown = [f"{machine} by {jump} at {when}" for machine, jump, when in found["ahead"]]
        what = f"{name!r}: jumps ahead and back again on {len(shown)} machines: {_few(shown)}"
        yield _say("clock", table, what, name, len(shown) / max(found["judged"], 1), shown)
    if found["pace"]:
        shown = [f"{machine} every {one}" for machine, one in found["pace"]]
        what = f"{name!r}: {len(shown)} of {found['judged']} machines send at another pace: {_few(shown)}"
        yield _say("clock", table, what, name, len(shown) / max(found["judged"], 1), shown)


def _bad(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if table["repeated"]:
        what = f"{table['repeated']} rows repeat an earlier one in every column"
        yield _say("repeat", table, what, None, table["repeated"] / table["rows"])
    # A cut end is told once, with its file where that is known.
    cut = [note for note in table["notes"] if "incomplete" in note]
    for reason, count in table["bad"].items():
        if not (cut and reason.startswith("incomplete")):
            yield _say("bad", table, f"{count} lines: {reason}", None, count / max(table["rows"] + count, 1))
    if cut:
        more = f" and {len(cut) - EXAMPLES} more files alike" if len(cut) > EXAMPLES else ""
        share = len(cut) / max(table["files"], 1)
        yield _say("bad", table, "; ".join(cut[:EXAMPLES]) + more, None, share, cut)
    for note in dict.fromkeys((*table["notes"], *table["unfit"])):
        if note not in cut:
            yield _say("bad", table, note)


def _columns(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    columns = table["columns"]
    empty = [told["name"] for told in columns if told["kind"] == "nothing"]
    constant = [told["name"] for told in columns if told["constant"] and table["rows"] > 1]
    mostly = [told["name"] for told in columns if HALF <= told["missing"] < 1]
    nearly = [
        f"{told['name']} ({told['usual_share']:.2%} {told['usual']!r})" for told in columns
        if told["usual_share"] >= NEARLY and told["name"] not in (table["truth"], *table["truths"])
    ]  # fmt: skip
    for names, what in (
        (empty, "hold nothing"), (constant, "are constant"), (nearly, "are nearly constant"),
        (mostly, "are missing in half the rows or more"),
    ):  # fmt: skip
        if names:
            share = len(names) / len(columns)
            yield _say("column", table, f"{len(names)} column(s) {what}: {_few(names)}", None, share, names)
    if table["same"]:
        pairs = [f"{later} = {first}" for later, first in table["same"].items()]
        what = f"{len(pairs)} column(s) repeat another: {_few(pairs)}"
        yield _say("column", table, what, None, len(pairs) / len(columns), pairs)
    if table["related"]:
        pairs = [
            f"{one['column']} = {one['scale']:.6g} x {one['of']} {one['offset']:+.6g}"
            for one in table["related"]
        ]
        what = f"{len(pairs)} column(s) follow from another up to rounding: {_few(pairs)}"
        yield _say("column", table, what, None, len(pairs) / len(columns), pairs)
    for one in table["renamed"]:
        moved = f", its values {one['moved']}: another unit?" if one["moved"] else ""
        what = (
            f"{one['column']!r} stands in the {one['files']} files that have no {one['of']!r}: renamed{moved}"
        )
        yield _say("column", table, what, one["column"], one["files"] / table["files"], [one["of"]])
    for told in columns:
        yield from _column(table, told)


def _column(table: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name = told["name"]
    if mixed := told["mixed"]:
        yield _say("unit", table, f"{name!r}: {mixed['what']}", name, mixed["share"], mixed["machines"])
    if still := told["stuck"]:
        where = f" on {still['machine']}" if still["machine"] else ""
        since = f" from {still['since']}" if still["since"] else ""
        what = (
            f"stands still {still['stretches']} times, the longest for {still['longest']} rows{where}{since}"
        )
        share = still["rows"] / max(table["rows"], 1)
        yield _say(
            "column", table, f"{name!r}: {what} at {still['value']:.6g}", name, share, [still["first"]]
        )
    if told["sure"] == "doubtful":
        yield _say("unit", table, f"{name!r}: {told['why']}", name, None, told["examples"])
    for note in told["notes"]:
        yield _say("column", table, f"{name!r}: {note}", name, None, told["examples"])


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(re.sub(r"[\x00-\x1f]", "?", name) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _say(
    kind: str, table: Mapping[str, Any], what: str, column: str | None = None, share: float | None = None,
    examples: Sequence[Any] = (),
) -> dict[str, Any]:  # fmt: skip
    return {
        "kind": kind, "table": table["name"], "file": table.get("file"), "column": column, "share": share,
        "examples": list(examples[:EXAMPLES]), "what": what,
    }  # fmt: skip
