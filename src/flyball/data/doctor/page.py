"""A page proposed for a folder: only what was found with a reason stands on it, and what is missing is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball.data import stage
from flyball.data.binding import Binding
from flyball.data.doctor import plan

#: With fewer rows no page is proposed: nothing could be judged on it.
ROWS = 100


def propose(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page for what an examination found: `text` (None where it would be dishonest), why, and what is missing.

    `decisions` says what was taken for what and why; `missing` what a person has to say before there can be a page, or
    a better one; `from` is the folder or file to run it on, `binding` a site binding where the clock needs one.
    """
    out: dict[str, Any] = dict.fromkeys(("text", "table", "from", "binding"))
    out |= {"decisions": [], "missing": []}
    table = _chosen(told["tables"])
    if table is None:
        return out | {"missing": list(_lacking(told))}
    out["table"] = table["name"]
    lacking, source = list(_unfit(table)), _source(told, table)
    if source is None:
        lacking.append(
            f"the files of {table['name']!r} lie among others: put them into a folder of their own"
        )
    if lacking:
        return out | {"missing": lacking}
    made = plan.Plan(table)
    if not made.columns:
        return out | {"missing": [f"no column of {table['name']!r} is left that may answer the question"]}
    out |= {"text": made.text(), "from": source, "decisions": made.decisions, "missing": made.missing}
    if table["epoch"] in ("s", "ms"):
        out["binding"] = repr(Binding("site", epoch=table["epoch"]))
    return out


def _chosen(tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    fit = [table for table in tables if table["truth"] and not table.get("arrays")]
    return max(fit, key=lambda table: int(table["rows"]), default=None)


def _lacking(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a folder lacks that has no table with a truth."""
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
        else:
            yield f"{table['name']}: {table['truth_why']}"


def _unfit(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield why no honest page can be made of a table."""
    name = table["name"]
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
        return str(place / table["file"])
    above = Path(table["file"]).parent
    others = [other["file"] for other in told["tables"] if other is not table and not other.get("arrays")]
    alone = not any(Path(other).is_relative_to(above) for other in others)
    return str(place / above) if alone else None
