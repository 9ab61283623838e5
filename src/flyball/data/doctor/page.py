"""A page proposed for a folder: only what was found with a reason stands on it, and what is missing is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball.data import stage
from flyball.data.binding import Binding
from flyball.data.doctor import members, plan, script

#: With fewer rows no page is proposed: nothing could be judged on it.
ROWS = 100
#: A table of events has at least so many.
EVENTS = 10


def propose(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page for what an examination found: `text` (None where it would be dishonest), why, and what is missing.

    The largest table with a truth is chosen that can be taken in as it is, else the largest without one: then the page
    says TODO where the truth is to be named, and `todo` is True.  `decisions` says what was taken for what and why;
    `missing` what a person has to say before there can be a page, or a better one; `from` is the folder or file to
    run it on, `binding` a site binding where the clock needs one.
    """
    out: dict[str, Any] = dict.fromkeys(("text", "table", "from", "binding"))
    out |= {"todo": False, "decisions": [], "missing": list(_lacking(told))}
    refused: list[str] = []
    for table, events in _candidates(told["tables"]):
        lacking, source = list(_unfit(table)), told["folder"] if events is not None else _source(told, table)
        if source is None:
            lacking.append(
                f"{table['name']}: its files lie among others: put them into a folder of their own"
            )
        made = None if lacking else plan.Plan(table, events)
        if made is not None and not made.columns:
            lacking.append(f"{table['name']}: no column is left that may answer the question")
        if made is None or lacking:
            refused += lacking
            continue
        out |= {"text": script.text(made), "table": table["name"], "from": source, "todo": not made.known}
        out |= {"decisions": made.decisions}
        out |= {"missing": [*made.missing, *(_elsewhere(told, table) if events is None else ())]}
        if table["epoch"] in ("s", "ms"):
            out["binding"] = repr(Binding("site", epoch=table["epoch"]))
        return out
    return out | {"missing": [*refused, *out["missing"]]}


def _candidates(
    tables: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Return the tables that may get a page, each with the table of its machines' events, if that is another one.

    Tables with such events come first, then those with a truth; the larger first.
    """
    fit = [table for table in tables if not table.get("arrays")]
    fit.sort(key=lambda table: (table["truth"] is None, -int(table["rows"])))
    told = [event for table in fit if (event := _event(table)) is not None]
    pairs = [(table, event) for table in fit for event in told if _befalls(event, table)]
    return [*sorted(pairs, key=lambda pair: -int(pair[0]["rows"])), *((table, None) for table in fit)]


def _event(table: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a table as one of events: its truth tells of them, or every row is one; None where it is no such table."""
    for told in table["columns"]:
        every = told["constant"] and told["high"] == 1 and table["rows"] * (1 - told["missing"]) >= EVENTS
        if plan.tells(told) and every:
            why = f"all {table['rows']} rows of {table['name']!r} are such events"
            return {**table, "truth": told["name"], "truth_why": why}
        if plan.tells(told) and told["name"] == table["truth"] and not table["leaks_unjudged"]:
            return table
    return None


def _befalls(event: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Say whether events befall the machines of a larger table that tells of none."""
    if event["name"] == table["name"] or table["truth"] is not None:
        return False
    timed = all(one["moment"] and one["readable"] and not one["unfit"] for one in (table, event))
    # Two tables are told apart by the names of their files: so each must be called as its files are.
    called = all(plan.named(one) == one["name"] for one in (table, event))
    many = table["machines"] and event["rows"] < table["rows"] and table["machines"] < table["rows"] / 3
    same = table["key"] is not None and table["key"] == event["key"] and table["epoch"] == event["epoch"]
    return bool(many and same and timed and called)


def _elsewhere(told: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    """Yield where else a truth may stand, for a table that has none."""
    for other in told["tables"]:
        if table["truth"] is not None or other is table or other["truth"] is None:
            continue
        if other["key"] and other["key"] == table["key"]:
            yield f"{other['name']}.{other['truth']} may be what is to be known: declare that table too"
        elif other["rows"] == table["rows"]:
            into = f"put it into the rows of {table['name']}"
            yield f"{other['name']}.{other['truth']} may be what is to be known: {into}"


def _lacking(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a folder lacks from which no page comes."""
    if not told["tables"]:
        yield "no file was found that holds rows" + (
            ": pictures alone do not say what they show" if told["images"] else ""
        )
    for table in told["tables"]:
        if table.get("arrays"):
            yield (
                f"{table['name']}: NumPy arrays are not taken in: write the rows as Parquet, an image as the bytes of "
                "an .npy in its cell (`flyball prepare wafer` writes such), and begin from `flyball init wafer`"
            )


def _unfit(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield why no honest page can be made of a table."""
    name = table["name"]
    yield from (f"{name}: {why}" for why in table["unfit"])
    if not table["readable"]:
        clock = next(one for one in table["clocks"] if one["column"] == table["moment"])
        yield f"{name}: times in {table['moment']!r} are written {clock['format']}: write them as ISO 8601"
    if table["rows"] < ROWS:
        yield f"{name}: {table['rows']} rows are too few to learn from and judge on ({ROWS} are needed)"
    if plan.key(table) is None:
        yield f"{name}: no column tells its rows apart: add one that names the machine, the lot or the wafer"
    if table["truth"] in stage.RESERVED:
        yield f"{name}: {table['truth']!r} is a reserved name: rename the column"
    if table["leaks_unjudged"]:
        yield f"{name}: {table['leaks_unjudged']}"


def _source(told: Mapping[str, Any], table: Mapping[str, Any]) -> str | None:
    """Return where a page of this one table is run on: its file, or a folder that holds no other table's files."""
    place = Path(told["folder"])
    if table["files"] == 1:
        return str(members.outside(place / table["file"]))
    above = members.outside(Path(table["file"]).parent)
    others = [other["file"] for other in told["tables"] if other is not table and not other.get("arrays")]
    alone = not any(Path(other).is_relative_to(above) for other in others)
    return str(place / above) if alone else None
