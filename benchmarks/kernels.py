"""Every kernel beside the peer that a user would pick today: equal answers first, then times, in one process.

`python -m benchmarks.kernels NAME ...` prints the rows of some operators alone and writes nothing.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from benchmarks import sidebyside

OPERATORS = tuple(
    sorted(
        file.stem for file in (Path(__file__).parent / "operators").glob("*.py") if file.stem != "__init__"
    )
)


def run(names: tuple[str, ...] = OPERATORS) -> dict[str, Any]:
    """Measure the operators one after another on the widest path of this machine, headlines on the others too."""
    from flyball.kernels import backend

    libraries, table = {"numpy"}, []
    for name in names:
        operator = importlib.import_module(f"benchmarks.operators.{name}")
        libraries |= set(operator.LIBRARIES)
        table += [{**row, "part": name} for row in operator.rows()]
    told = sidebyside.result("kernels", tuple(sorted(libraries)), table)
    return {**told, "machine": {**told["machine"], "paths": list(backend.available())}}


def main(names: list[str]) -> None:
    """Print the rows of the named operators."""
    from flyball.cli import benches

    told = run(tuple(names) or OPERATORS)
    for line in benches.lines({**told, "written": "(nowhere)"}):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
