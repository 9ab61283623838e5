"""Optional libraries are imported where the work is done, and missed with a clear word."""

from __future__ import annotations

import importlib
from types import ModuleType

from flyball.errors import MissingExtraError


def need(module: str, extra: str, why: str) -> ModuleType:
    """Import an optional module, or say which extra brings it.

    Only the absence of the module itself is reported so: an import that fails deeper inside is a real
    error and is let through as it is.

    >>> need("json", "lab", "to read").__name__
    'json'
    >>> need("no_such_module", "lab", "to read Parquet files")
    Traceback (most recent call last):
    flyball.errors.MissingExtraError: no_such_module is needed to read Parquet files: pip install 'flyball[lab]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingExtraError(f"{module} is needed {why}: pip install 'flyball[{extra}]'") from None
