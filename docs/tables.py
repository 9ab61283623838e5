"""Fills the generated regions of README.md and docs/*.md: benchmark tables, part menus, the tree.

A region begins with `<!-- results: NAME -->`, `<!-- faults: NAME -->`, `<!-- parts: ROOM -->` or `<!-- tree -->` and
ends with `<!-- end -->`.  `results: NAME.PART` is the rows of one part of a subject, such as one operator of the
kernels.
`python docs/tables.py` rewrites them, `python docs/tables.py --check` says which are out of date and exits 1.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path

HOME = Path(__file__).parent.parent
REGION = re.compile(r"<!-- (results|faults|parts|tree)(?:: ([\w.-]+))? -->\n.*?<!-- end -->", re.DOTALL)


def results(name: str) -> str:
    """Return the table of one benchmark's result file, or of one part of it."""
    name, _, part = name.partition(".")
    file = HOME / "benchmarks" / "results" / f"{name}.json"
    if not file.is_file():
        return f"Not measured yet: `flyball bench {name}`."
    told = json.loads(file.read_text())
    lines = ["| case | ours | peer | ratio | goal | met |", "|---|---|---|---|---|---|"]
    for row in (row for row in told["rows"] if row.get("part", "") == part):
        peer = "" if row["peer"] is None else f"{figure(row['peer'])} ({row['peer_name']})"
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        cells = (
            row["case"],
            f"{figure(row['ours'])} {row['unit']}".strip(),
            peer,
            figure(row["ratio"]),
            figure(row["goal"]),
            met,
        )
        lines.append("| " + " | ".join(cell.strip() for cell in cells) + " |")
    if len(lines) == 2:
        return f"Not measured yet: `flyball bench {name}`."
    where = f"{told['machine']['cpu']}, {told['machine']['cores']} cores"
    versions = ", ".join(f"{library} {version}" for library, version in told["versions"].items())
    return "\n".join([*lines, "", f"`flyball bench {name}` on {where}; {versions}."])


def faults(what: str) -> str:
    """Return the table of `flyball torture WHAT`: every fault, how often it was tried and the promise kept."""
    name = "torture" if what == "ingest" else f"torture-{what}"
    command = f"flyball torture {what} --tier {{}} --out benchmarks/results/{name}.json"
    file = HOME / "benchmarks" / "results" / f"{name}.json"
    if not file.is_file():
        return f"Not tried yet: `{command.format('minutes')}`."
    told = json.loads(file.read_text())
    lines = [
        "| row | fault | trials | kept | back in, s | acknowledged bytes lost |",
        "|---|---|---|---|---|---|",
    ]
    for row in told["rows"]:
        kept = row["passed"] if row["passed"] == row["run"] else f"**{row['passed']}**"
        back, lost = f"{row['worst_recovery_s']:.2f}", row["acknowledged_bytes_lost"]
        lines.append(f"| {row['row']} | {row['fault']} | {row['run']} | {kept} | {back} | {lost} |")
    lines += [f"| {one['row']} | {one['fault']} | open | {one['why']} | | |" for one in told["open"]]
    return "\n".join([*lines, "", f'`{command.format(told["tier"])}`; "back in" is the worst of all trials.'])


def figure(value: float | None) -> str:
    """Return a number as a table shows it."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def parts(room: str) -> str:
    """Return the menu of a room: every part that a page can name, with its first sentence."""
    from flyball import part

    module = importlib.import_module(f"flyball.{room}")
    lines = ["| part | what it is |", "|---|---|"]
    for name in sorted(module.__all__):
        found = getattr(module, name)
        if isinstance(found, type) and issubclass(found, part.Part):
            first = re.split(r"(?<=[.:])\s", " ".join((found.__doc__ or "").split()), maxsplit=1)[0]
            lines.append(f"| `{part.spelled(found)}` | {first.rstrip(':').replace('|', '/')} |")
    return "\n".join(lines)


def tree(_: str = "") -> str:
    """Return the tree of the house with the first sentence of every room."""
    lines = ["```text", "src/flyball/"]
    for entry in sorted((HOME / "src" / "flyball").iterdir(), key=lambda path: (path.is_dir(), path.name)):
        source = entry / "__init__.py" if entry.is_dir() else entry
        if entry.name.startswith(("_", ".")) or source.suffix != ".py" or not source.is_file():
            continue
        doc = re.match(r'(?:#.*\n)*"""(.*?)(?:\n|""")', source.read_text())
        sentence = doc.group(1).rstrip(".") if doc else ""
        sentence = re.sub(r"^Stage (\d), \w+: ", r"\1 ", sentence)
        lines.append(f"  {entry.name + ('/' if entry.is_dir() else ''):<14} {sentence}")
    return "\n".join([*lines, "```"])


def filled(text: str) -> str:
    """Return a page with every generated region filled."""

    def fill(match: re.Match[str]) -> str:
        kind, name = match.group(1), match.group(2) or ""
        body = {"results": results, "faults": faults, "parts": parts, "tree": tree}[kind](name)
        return f"<!-- {kind}{': ' + name if name else ''} -->\n{body}\n<!-- end -->"

    return REGION.sub(fill, text)


def main(arguments: list[str]) -> int:
    """Rewrite or check every page; return the exit code."""
    stale = []
    for page in (
        HOME / "README.md",
        *sorted((HOME / "docs").rglob("*.md")),
        *sorted((HOME / "src").rglob("*.md")),
    ):
        before = page.read_text()
        after = filled(before)
        if after != before:
            stale.append(str(page.relative_to(HOME)))
            if "--check" not in arguments:
                page.write_text(after)
    for name in stale:
        print(f"{name}: {'out of date' if '--check' in arguments else 'rewritten'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
