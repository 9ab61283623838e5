"""A folder that nobody documented: what it holds and what is wrong with it, as a person reads it, and a page for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.cli.shown import Progress

#: So many of a kind are shown to a person; --json has all.
SHOWN = 8


def examined(place: Path, target: Path | None, progress: Progress) -> dict[str, Any]:
    """Return what a folder holds, and with `target` write the page that is proposed for it (and its binding).

    Nothing is overwritten.  Raises DataError for no folder, DeclarationError for a target that cannot be.
    """
    from flyball import extras

    extras.need("polars", "lab", "to look into files")
    from flyball.data.doctor import examine
    from flyball.data.doctor import page as proposal

    if target is not None:
        target = target if target.suffix == ".py" else target.with_name(target.name + ".py")
        for file in (target, target.with_suffix(".binding")):
            if file.exists():
                raise errors.DeclarationError(
                    f"{file} is there already: give another name, nothing was written"
                )
        if not target.parent.is_dir():
            raise errors.DeclarationError(f"no folder {target.parent}: make it first")
    told = examine.folder_of(place, progress)
    told["page"] = proposal.propose(told)
    told["page"] |= {"written": None, "written_binding": None}
    if target is not None and told["page"]["text"] is not None:
        target.write_text(told["page"]["text"], encoding="utf-8")
        told["page"]["written"] = str(target)
        if told["page"]["binding"]:
            binding = target.with_suffix(".binding")
            binding.write_text(told["page"]["binding"] + "\n", encoding="utf-8")
            told["page"]["written_binding"] = str(binding)
    return told


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the examination in plain words; what a file's names say to a terminal is not passed on."""
    for line in _lines(told):
        yield re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]", "?", line)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{told['folder']}: {told['files']} files, {_size(told['bytes'])}"
    yield from _passed(told["passed"], "passed over")
    yield from _passed(told["unread"], "cannot be read")
    yield from (f"  note: {note}" for note in told["notes"])
    for table in told["tables"]:
        yield from _table(table)
    for images in told["images"]:
        shapes = ", ".join(f"{count} of {shape}" for shape, count in list(images["shapes"].items())[:3])
        yield f"images {images['name']}: {images['images']} ({shapes})"
        if images.get("sampled"):
            yield f"  sampled: {images['sampled']}"
    read = bool(told["tables"] or told["images"])
    yield (
        "found:"
        if told["findings"]
        else "found: nothing wrong"
        if read
        else "found: nothing, as nothing was read"
    )
    for finding in told["findings"]:
        yield f"  {finding['kind']:<7} {finding['table']}: {finding['what']}"
    yield from _page(told["page"])


def _passed(pairs: Sequence[Sequence[str]], what: str) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for name, why in pairs:
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"  {what}: {len(names)} x {why}: {', '.join(names[:SHOWN])}{more}"


def _table(table: Mapping[str, Any]) -> Iterator[str]:
    yield f"table {table['name']}: {table['rows']} rows, {len(table['columns'])} columns, {table['files']} file(s)"
    for sampled in table["sampled"]:
        yield f"  sampled: {sampled}"
    yield f"  machine: {table['key'] or 'none'}, {table['key_why']}"
    for clock in table["clocks"]:
        name = "time" if clock["column"] == table["moment"] else "clock"
        yield f"  {name}: {clock['column']}, {clock['format']}, zone {clock['zone']}" + _run(clock)
    if table["counter"]:
        yield f"  counter: {table['counter']}"
    if table["splits"]:
        parts = ", ".join(f"{name} {count}" for name, count in table["splits"].items())
        yield f"  split: {table['split'] or 'by the names of files'}, {parts}"
    yield f"  truth: {table['truth'] or 'none'}, {table['truth_why']}"
    kinds: dict[str, int] = {}
    for column in table["columns"]:
        kinds[column["kind"]] = kinds.get(column["kind"], 0) + 1
    yield "  kinds: " + ", ".join(
        f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda pair: -pair[1])
    )
    guessed = [column for column in table["columns"] if column["unit"]]
    for column in guessed[:SHOWN]:
        yield f"    {column['name']}: {column['sure']} {column['unit']}, {column['why']}"
    if len(guessed) > SHOWN:
        yield f"    and {len(guessed) - SHOWN} more units: --json tells all"


def _run(clock: Mapping[str, Any]) -> str:
    """Return from when to when a clock runs, and how evenly."""
    if not clock["first"]:
        return ", no time in it"
    out = f", {clock['first']} to {clock['last']}"
    if clock.get("interval"):
        out += f", every {clock['interval']}" + ("" if clock["regular"] else " by the median, not evenly")
    if clock.get("gaps") is None:
        out += ", gaps not judged on a sample"
    return out


def _page(page: Mapping[str, Any]) -> Iterator[str]:
    if page["text"] is None:
        yield "no page is proposed:"
        yield from (f"  missing: {what}" for what in page["missing"][:SHOWN])
        if len(page["missing"]) > SHOWN:
            yield f"  and {len(page['missing']) - SHOWN} more"
        return
    yield f"proposed page, for {page['table']}:"
    yield from (f"  {decision}" for decision in page["decisions"])
    yield from (f"  still to be said: {what}" for what in page["missing"])
    if page["written"] is None:
        yield "next: give --out PAGE.py to write it"
        return
    binding = f" --binding {page['written_binding']}" if page["written_binding"] else ""
    yield f"{page['written']}: written; nothing in it was run"
    yield "next:"
    yield f"  flyball check {page['written']}" + (" names what is TODO" if page["todo"] else "")
    if page["todo"]:
        return
    yield f"  flyball run {page['written']} --from {page['from']}{binding}"


def _size(size: int) -> str:
    """Return a size as a person reads it.

    >>> _size(512), _size(3 * 2**20)
    ('512 bytes', '3.0 MiB')
    """
    return f"{size} bytes" if size < 2**20 else f"{size / 2**20:.1f} MiB"
