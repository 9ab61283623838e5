"""How long Flyball takes to start: importing it, and checking a page from the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from benchmarks import sidebyside


def run() -> dict[str, Any]:
    """Time whole processes: bare Python, `import flyball`, the libraries it does not import, `flyball check`."""
    python = sys.executable
    bare = sidebyside.process_ms([python, "-c", "pass"])
    ours = sidebyside.process_ms([python, "-c", "import flyball"]) - bare
    rows = [sidebyside.row("import, over bare Python (ms)", ours, None, "", "ms", goal=100.0)]
    for library in ("numpy", "polars", "sklearn", "lightgbm"):
        peer = sidebyside.process_ms([python, "-c", f"import {library}"], runs=3) - bare
        rows.append(
            sidebyside.row(f"import flyball against import {library}", ours, peer, library, "ms", goal=None)
        )
    command = str(Path(python).with_name("flyball"))
    checked = sidebyside.process_ms([command, "check", "scanner"])
    hello = sidebyside.process_ms([python, "-c", "import typer, rich.console"])
    rows.append(
        sidebyside.row(
            "flyball check scanner", checked, hello, "python importing typer and rich", "ms", goal=None
        )
    )
    return sidebyside.result("startup", ("typer", "rich", "numpy", "polars"), rows)
