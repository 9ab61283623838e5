"""A page of one's own, begun from a ready-made one and bound to the files that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors, systems

if TYPE_CHECKING:
    from flyball.data.stage import Fleet, Table
    from flyball.system import System

#: What sites call the machine and the moment, when they do not call them as the page does.
KEYS = (
    "machine",
    "machine_id",
    "tool",
    "tool_id",
    "equipment",
    "asset",
    "serial",
    "serial_number",
    "unit",
    "device",
)
TIMES = ("time", "timestamp", "datetime", "date", "ts", "event_time", "occurred")
#: Names less alike than this are not proposed.
ALIKE = 0.7
#: As much of a file is read to find its columns.
HEAD = 1 << 16


def page(like: str, target: Path, source: Path | None) -> dict[str, Any]:
    """Write TARGET as a copy of a ready-made page under its own name, and TARGET.binding for the files of a folder.

    Nothing is overwritten.  Raises DeclarationError for an unknown page or a target that is there already, DataError
    for a folder without files that can be read.
    """
    if like not in systems.names():
        raise errors.DeclarationError(
            f"no ready-made page {like!r}: {errors.did_you_mean(like, systems.names())}"
        )
    target = target if target.suffix == ".py" else target.with_name(target.name + ".py")
    name = re.sub(r"[^a-z0-9]+", "-", target.stem.lower()).strip("-") or like
    binding = target.with_suffix(".binding")
    for file in (target, binding):
        if file.exists():
            raise errors.DeclarationError(f"{file} is there already: give another name, nothing was written")
    if not target.parent.is_dir():
        raise errors.DeclarationError(f"no folder {target.parent}: make it first")
    system = systems.load(like)
    found = _bind(system, name, source) if source is not None else None
    text = (Path(systems.__file__).parent / like / "page.py").read_text(encoding="utf-8")
    target.write_text(_renamed(text, system.name, name), encoding="utf-8")
    told: dict[str, Any] = {"page": str(target), "name": name, "like": like, "binding": None, "tables": {}}
    if found is not None:
        from flyball.data.binding import Binding

        made = Binding(name, names=found.pop("names"))
        binding.write_text(f"{made!r}\n", encoding="utf-8")
        told |= {"binding": str(binding), **found}
    return told


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was written, which columns were found, and what to do next."""
    yield f"{told['page']}: a page called {told['name']!r}, begun from {told['like']!r}"
    for name, table in told["tables"].items():
        if table["file"] is None:
            yield f"  {name}: no file found; name one {name}-*.csv, or put it into a folder {name}/"
            continue
        yield f"  {name}: read from {table['file']}"
        yield from (f"    {column} <- {taken}" for column, taken in table["taken"].items())
        yield from (f"    {column}: no column found" for column in table["none"])
        if table["left"]:
            yield f"    not on the page: {', '.join(table['left'])}"
    binding = f" --binding {told['binding']}" if told["binding"] else ""
    if binding:
        yield f"{told['binding']}: the names above; mend them, and add the site's units, time zone and codes there"
        yield "  on the page itself, drop the columns that were not found, and the features that read them"
    yield "next:"
    yield f"  flyball check {told['page']}"
    yield f"  flyball run {told['page']} --from {told.get('from') or 'FOLDER'}{binding}"


def _renamed(text: str, old: str, new: str) -> str:
    """Return a page's source under another name; only the name of the system changes."""
    return re.sub(rf'(\bname=)"{re.escape(old)}"', rf'\1"{new}"', text, count=1)


def _bind(system: System, name: str, source: Path) -> dict[str, Any]:
    """Propose names for every table of a page from the files of a folder."""
    if not source.is_dir():
        raise errors.DataError(f"no folder {source}: give --from the folder with the fleet's files")
    files = [file for file in sorted(source.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    heads = {file: head for file in files if (head := columns(file))}
    if not heads:
        raise errors.DataError(
            f"{source}: no file there that can be read: CSV, CSV.gz, Parquet, JSON lines or raw logs"
        )
    tables: dict[str, Any] = {}
    names: dict[str, str] = {}
    for table in system.data.tables:
        file = _file_of(system.data, table, heads)
        told: dict[str, Any] = {"file": None, "taken": {}, "none": [], "left": []}
        if file is not None:
            taken = matched(_wanted(system.data, table), heads[file])
            told["file"] = str(file.relative_to(source))
            told["taken"] = taken
            told["none"] = [column for column in _wanted(system.data, table) if column not in taken]
            told["left"] = [column for column in heads[file] if column not in taken.values()]
            names |= {_full(table, page_): site for page_, site in taken.items() if page_ != site}
        tables[table.name] = told
    return {"from": str(source), "tables": tables, "names": names}


def columns(file: Path) -> list[str]:
    """Return the names of a file's columns; none for a file that holds no table or cannot be read."""
    name = file.name.lower()
    try:
        if name.endswith(".parquet"):
            import polars as pl

            return list(pl.read_parquet_schema(file))
        if name.endswith((".csv", ".csv.gz")):
            return _header(_first(file))
        if name.endswith((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")):
            import json

            found = json.loads(_first(file))
            return list(found) if isinstance(found, dict) else []
        if name.endswith((".log", ".log.gz")):
            from flyball.data.formats import log

            return list(log.COLUMNS)
    except Exception:
        # A damaged file is told when it is taken in; here it only has nothing to propose.
        return []
    return []


def _first(file: Path) -> str:
    """Return the first line of a text file."""
    import gzip
    import io

    with file.open("rb") as raw:
        content = gzip.GzipFile(fileobj=raw) if file.name.lower().endswith(".gz") else raw
        text = (
            content.read(HEAD)
            if isinstance(content, gzip.GzipFile)
            else io.BytesIO(raw.read(HEAD)).getvalue()
        )
    return text.decode("utf-8-sig", errors="replace").splitlines()[0]


def _header(line: str) -> list[str]:
    import csv

    separator = max(",;\t|", key=line.count)
    return [name.strip() for name in next(csv.reader([line], delimiter=separator))]


def _file_of(fleet: Fleet, table: Table, heads: Mapping[Path, list[str]]) -> Path | None:
    """Return the file whose columns say most about a table: one named after it, else the best match."""
    own = list(table.columns)

    def score(file: Path) -> tuple[bool, int]:
        stem = file.name.lower()
        # A folder of the table's name, or of the machines within it.
        above = {file.parent.name, file.parent.parent.name}
        named = table.name in above or re.match(rf"{re.escape(table.name.lower())}([-_.]|$)", stem)
        return bool(named), len(matched(own, heads[file]))

    best = max(heads, key=score)
    named, alike = score(best)
    return best if named or alike > len(own) / 2 else None


def _wanted(fleet: Fleet, table: Table) -> list[str]:
    from flyball.data.stage import Counter

    counted = isinstance(fleet.clock, Counter) and table.time == "at"
    time = fleet.clock.column if counted else table.time  # type: ignore[union-attr]
    return [fleet.key, *([time] if time else []), *table.columns]


def _full(table: Table, column: str) -> str:
    return f"{table.name}.{column}" if column in table.columns else column


def matched(wanted: list[str], there: list[str]) -> dict[str, str]:
    """Return which column of a file stands for which of the page: the most alike first, none taken twice.

    >>> matched(["machine", "time", "vibration"], ["Tool ID", "timestamp", "Vibration_mm", "operator"])
    {'machine': 'Tool ID', 'time': 'timestamp', 'vibration': 'Vibration_mm'}
    """
    pairs = [(_alike(page_, site), page_, site) for page_ in wanted for site in there]
    found: dict[str, str] = {}
    for score, page_, site in sorted(pairs, key=lambda pair: -pair[0]):
        if score >= ALIKE and page_ not in found and site not in found.values():
            found[page_] = site
    return {page_: found[page_] for page_ in wanted if page_ in found}


def _alike(page_: str, site: str) -> float:
    """Return how alike two names are, 1.0 for the same, regardless of case and punctuation."""
    import difflib

    if page_ == site:
        return 1.0
    a, b = (re.sub(r"[^a-z0-9]", "", name.lower()) for name in (page_, site))
    if a == b:
        return 0.99
    for known in (KEYS, TIMES):
        plain = [name.replace("_", "") for name in known]
        if a in plain and b in plain:
            return 0.9 - 0.01 * plain.index(b)
    short, long = sorted((a, b), key=len)
    contained = (
        0.8 if (len(short) >= 3 and long.startswith(short)) or (len(short) >= 5 and short in long) else 0.0
    )
    return max(contained, 0.95 * difflib.SequenceMatcher(None, a, b).ratio())
