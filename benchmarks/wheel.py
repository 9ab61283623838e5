"""The wheel: built by `python -m build`, installed where there is no compiler, and put through the kernels' tests.

The new environment sees no checkout, no compiler and no header: its PATH holds its own Python alone, and only built
packages are installed. Needs a package index.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import sidebyside

HOME = Path(__file__).parent.parent
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def run() -> dict[str, Any]:
    """Build, install, test; rows tell the size, what was passed, and what failed (0 is right)."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        subprocess.run([sys.executable, "-m", "build", "--outdir", folder / "dist", HOME], check=True)
        (wheel,) = (folder / "dist").glob("*.whl")
        python = _environment(folder, wheel)
        shutil.copytree(HOME / "tests/kernels", folder / "tests/kernels")
        shutil.copy(HOME / "tests/conftest.py", folder / "tests")
        shutil.copy(HOME / "pyproject.toml", folder)
        bare = {"PATH": str(python.parent), "HOME": place, "OMP_NUM_THREADS": "2", "DO_NOT_TRACK": "1"}
        if shutil.which("g++", path=bare["PATH"]) or shutil.which("cc", path=bare["PATH"]):
            raise AssertionError("the new environment sees a compiler: this would prove nothing")
        tests = subprocess.run(
            [python, "-m", "pytest", "-q", "tests/kernels"],
            cwd=folder,
            env=bare,
            capture_output=True,
            text=True,
        )
        print(tests.stdout[-2000:])
        size_mb = wheel.stat().st_size / 1e6
    counted = {word: int(many) for many, word in re.findall(r"(\d+) (passed|failed|errors?)", tests.stdout)}
    failed = sum(many for word, many in counted.items() if word != "passed")
    rows = [
        sidebyside.row("size of the wheel, three instruction sets in it", size_mb, None, "", "MB", None),
        sidebyside.row(
            "kernel tests passed from the wheel", counted.get("passed", 0), None, "", "tests", 1, lower=False
        ),
        sidebyside.row(
            "kernel tests failed from the wheel", failed + abs(tests.returncode), None, "", "tests", 0
        ),
    ]
    return sidebyside.result("wheel", (), rows)


def _environment(folder: Path, wheel: Path) -> Path:
    """Return the Python of a new environment: the wheel, what it is tested with, nothing compiled here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    wanted = [f"{wheel}[lab,peers]", "pytest", "hypothesis"]
    command = [*PIP, "--python", python, "install", "--quiet", "--only-binary", ":all:"]
    subprocess.run([*command, "-c", HOME / "constraints.txt", *wanted], check=True)
    return python
