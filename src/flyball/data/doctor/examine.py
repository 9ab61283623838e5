"""The whole examination: every table, the arrays and the pictures of a folder, and what is wrong, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.data.doctor import arrays, copies, findings, folder, layout, likeness, members, pieces, rows
from flyball.data.doctor import table as tables

if TYPE_CHECKING:
    import polars as pl

Progress = Callable[[str, int, int], None]
#: At most so many tables are looked at, the largest first.
TABLES = 60
#: Tables of one family are compared row by row up to so many cells.
FAMILY = 32_000_000


def folder_of(place: Path, progress: Progress = lambda name, done, total: None) -> dict[str, Any]:
    """Return what a folder holds and what is wrong with it, in plain values.

    `tables` are profiles, `images` what repeats among pictures and stacks, `passed` and `unread` (name, reason), and
    `findings` the sentences that a person should read, each with its table.  Raises DataError for no folder.
    """
    found = folder.look(place)
    told: dict[str, Any] = {
        "folder": str(place), "files": found.files, "bytes": found.bytes, "passed": list(found.passed), "unread": [],
        "tables": [], "images": [], "notes": [],
    }  # fmt: skip
    joined, told["notes"] = layout.together(found.tables)
    names = folder.table_names(joined)
    if len(names) > TABLES:
        told["notes"].append(f"{TABLES} of {len(names)} tables were looked at, the largest first")
    steps = len(names[:TABLES]) + 2
    families: dict[Any, list[tuple[str, pl.DataFrame, list[str]]]] = {}
    for done, name in enumerate(names[:TABLES]):
        progress("tables", done, steps)
        got = pieces.read(joined[name])
        told["unread"] += got.unread
        if got.frame.width and got.frame.height:
            table = tables.profile(name, got)
            told["tables"].append(table)
            _join(families, name, got.frame, table)
    groups, unread = arrays.read(found.arrays)
    told["unread"] += unread
    for group in groups:
        _arrays(told, group)
    progress("tables", steps - 1, steps)
    if found.pictures:
        looked = likeness.look(found.pictures)
        told["unread"] += looked.pop("unread")
        named = looked.pop("names")
        for one in (*looked["across"], *looked["near"]["across"], looked["near"]):
            one["example"] = [named[place] for place in one["example"]]
        told["images"].append({"name": "pictures", "of": "files"} | looked)
    told["families"] = [across for members in families.values() if (across := _across(members))]
    every = [file for files in found.tables.values() for file in files]
    told["copies"], uncompared = copies.identical([*every, *found.arrays, *found.pictures])
    told["notes"] += [uncompared] if uncompared else []
    members.forget()
    told["findings"] = list(findings.of(told))
    progress("tables", steps, steps)
    return told


def _arrays(told: dict[str, Any], group: arrays.Group) -> None:
    """Add the table of a group of arrays, and what its images show."""
    import numpy as np

    got = pieces.Pieces(group.frame, group.files or [group.name], np.zeros(group.rows, np.int32))
    splits = [""] * group.rows
    if group.frame.width:
        # The shapes of images are no content of their rows.
        table = tables.profile(
            group.name, got, tuple(n for n in group.frame.columns if n.startswith("shape"))
        )
        told["tables"].append(
            table | {"arrays": True, "files": len({name.partition(":")[0] for name in group.files})}
        )
        if table["split"]:
            splits = [str(value or "") for value in group.frame[table["split"]].to_list()]
    if group.imaged:
        shapes: dict[str, int] = {}
        for image in group.images:
            shape = "x".join(map(str, image.shape))
            shapes[shape] = shapes.get(shape, 0) + 1
        looked = likeness.twins(group.images, splits)
        told["images"].append(
            {"name": group.imaged, "of": "arrays", "images": len(group.images)}
            | {"shapes": dict(sorted(shapes.items(), key=lambda pair: -pair[1])[:5]), "kinds": len(shapes)} | looked
        )  # fmt: skip


def _join(families: dict[Any, Any], name: str, frame: pl.DataFrame, table: Mapping[str, Any]) -> None:
    """Keep a table to be compared with those of its family: the same columns, and a name but for the split's word."""
    if not folder.split(name) or frame.height * frame.width > FAMILY // 4:
        return
    members = families.setdefault((folder.family(name), tuple(sorted(frame.columns))), [])
    if sum(other.height * other.width for _, other, _ in members) + frame.height * frame.width <= FAMILY:
        members.append((name, frame, list(table["content"])))


def _across(members: list[tuple[str, pl.DataFrame, list[str]]]) -> dict[str, Any] | None:
    """Return how rows of tables of one family repeat across their splits."""
    import polars as pl

    if len({folder.split(name) for name, _, _ in members}) < 2:
        return None
    content = [column for column in members[0][2] if all(column in other for _, _, other in members)]
    frame = pl.concat([frame.select(content) for _, frame, _ in members], how="vertical_relaxed")
    splits = [folder.split(name) for name, frame, _ in members for _ in range(frame.height)]
    return {"tables": [name for name, _, _ in members]} | rows.twins(frame, content, splits)
