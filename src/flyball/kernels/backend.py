"""Which path answers: the C++ for the widest registers of this processor, a plainer one, or the twins."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any

from flyball import errors

__all__ = ["PATHS", "VARIABLE", "available", "choose", "compiled", "native", "path", "using"]

VARIABLE = "FLYBALL_KERNELS"
PATHS = {"avx512": "_native_avx512", "avx2": "_native_avx2", "plain": "_native"}
"""The C++ paths, widest first, and the module that holds each; `reference` is the plain Python twins."""


def choose(asked: str) -> tuple[str, Any]:
    """Return a path and its module, None for the reference twins, as the environment variable asks.

    Empty takes the widest path that this processor runs, or the twins where no C++ module is there;
    `native` insists on C++; `avx512`, `avx2`, `plain` and `reference` are taken at their word.

    DeclarationError says why a path cannot be had.

    >>> choose("reference")
    ('reference', None)
    """
    if asked not in ("", "native", "reference", *PATHS):
        raise errors.DeclarationError(
            f"{VARIABLE} is {asked!r}: say 'native', {', '.join(map(repr, PATHS))} or 'reference', or leave it unset"
        )
    if asked == "reference":
        return "reference", None
    try:
        runs = _runs()
    except ImportError as error:
        if not asked:
            return "reference", None
        message = (
            f"{VARIABLE} asks for {asked}: the native kernels do not load ({error}): install flyball again"
        )
        raise errors.DeclarationError(message) from error
    chosen = asked if asked in PATHS else runs[0]
    if chosen not in runs:
        raise errors.DeclarationError(f"{VARIABLE} asks for {asked}: this processor runs {', '.join(runs)}")
    return chosen, _module(chosen)


def available() -> tuple[str, ...]:
    """Return the paths that can answer here, widest first, `reference` last.

    >>> available()[-1]
    'reference'
    """
    try:
        return (*_runs(), "reference")
    except ImportError:
        return ("reference",)


@contextlib.contextmanager
def using(asked: str) -> Iterator[None]:
    """Answer by another path within the block: for tests and measurements, not for threads side by side.

    >>> from flyball.kernels import backend
    >>> with backend.using("reference"):
    ...     backend.path
    'reference'
    """
    global path, compiled
    before = path, compiled
    path, compiled = choose(asked)
    try:
        yield
    finally:
        path, compiled = before


def _runs() -> tuple[str, ...]:
    """Return the C++ paths that this processor runs, widest first; ImportError where none was built."""
    names = tuple(PATHS)
    return names[names.index(_module("plain").widest()) :]


def _module(name: str) -> Any:
    return importlib.import_module(f"flyball.kernels.{PATHS[name]}")


path: str
compiled: Any
path, compiled = choose(os.environ.get(VARIABLE, ""))
native: bool = compiled is not None
