"""Ready-made systems, one folder each: `page.py`, a card, and what only that system needs.

A folder holds `page.py` with the value `system`, and may hold `inputs.py` with

- `prepare(folder)`: write the files that a fleet would send into a folder, from public data or a simulation;
- `ceiling()`: (key, function) for the best possible answer, where a simulation knows the truth;
- `machines()`: the machines of its simulated sites by kind, where a run takes its release out to them;
- `severity()`: a function for what the true severity alone would tell, reported by its order beside the ceiling.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from flyball import errors

if TYPE_CHECKING:
    from flyball.system import System


def names() -> tuple[str, ...]:
    """Return the ready-made systems.

    >>> "scanner" in names()
    True
    """
    home = Path(__file__).parent
    return tuple(sorted(folder.name for folder in home.iterdir() if (folder / "page.py").is_file()))


def load(page: str) -> System:
    """Return a page: a ready-made one by its name, or the `system` of a Python file that you trust.

    Raises DeclarationError when there is no such page, or the file has no value called `system`.

    >>> load("scanner").name
    'scanner'
    """
    if page in names():
        return _system(importlib.import_module(f"flyball.systems.{page}.page"), page)
    file = Path(page)
    if not file.is_file():
        raise errors.DeclarationError(
            f"no page {page!r}: {errors.did_you_mean(page, names())} or give a Python file"
        )
    return _system(_imported(file), page)


def inputs(name: str) -> ModuleType | None:
    """Return the module that prepares a ready-made system's input, or None when it has none."""
    if name not in names() or importlib.util.find_spec(f"flyball.systems.{name}.inputs") is None:
        return None
    return importlib.import_module(f"flyball.systems.{name}.inputs")


def _imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise errors.DeclarationError(f"{file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Known by its name, so that the functions of a page can be told and their module read.
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except errors.FlyballError:
        raise
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}"
        raise errors.DeclarationError(
            f"{file}{_line(file, error)}: cannot be read as a page: {what}"
        ) from error
    return module


def _line(file: Path, error: BaseException) -> str:
    """Return where in the page an error arose, ", line 3", or "" when it did not arise there."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f", line {lines[-1]}" if lines else ""


def _system(module: ModuleType, page: str) -> System:
    from flyball.system import System

    found = getattr(module, "system", None)
    if not isinstance(found, System):
        raise errors.DeclarationError(f"{page}: no value `system = System(...)` in it")
    return found
