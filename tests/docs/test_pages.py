"""README and docs are executed: Python blocks run, console blocks print what they say, generated regions are fresh."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parent.parent.parent
PAGES = sorted(
    [HOME / "README.md", *(HOME / "docs").glob("*.md"), *(HOME / "src/flyball/systems").glob("*/README.md")]
)
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: Path, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page.read_text()) if found == kind]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_python_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "page"}
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(HOME)))
def test_console_blocks_run(page: Path, tmp_path: Path) -> None:
    """Every `$ command` ends well and prints the lines that stand below it (`...` stands for anything)."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for text in blocks(page, "console"):
        for command, expected in commands(text):
            if command.startswith("make "):
                assert_target(command.split()[1])
                continue
            done = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=600,
            )
            assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stderr[-2000:]}"
            for line in expected:
                pattern = ".*".join(re.escape(piece) for piece in line.strip().split("..."))
                assert re.search(pattern, done.stdout), (
                    f"{command} does not print {line!r} but:\n{done.stdout[-2000:]}"
                )


def commands(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip() and found:
            found[-1][1].append(line)
    return found


def assert_target(name: str) -> None:
    assert re.search(rf"^{name}:", (HOME / "Makefile").read_text(), re.MULTILINE), (
        f"no target {name!r} in the Makefile"
    )


def test_generated_regions_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/tables.py", "--check"], cwd=HOME, capture_output=True, text=True
    )
    assert done.returncode == 0, f"run `python docs/tables.py`:\n{done.stdout}{done.stderr}"
