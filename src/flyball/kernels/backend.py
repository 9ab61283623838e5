"""Which of the two answers: the C++ module, or the plain Python twins."""

from __future__ import annotations

import importlib
import os
from typing import Any

from flyball import errors

__all__ = ["VARIABLE", "choose", "compiled", "native"]

VARIABLE = "FLYBALL_KERNELS"


def choose(asked: str) -> Any:
    """Return the C++ module, or None for the reference twins, as the environment variable asks.

    Empty takes the C++ module if it is there, `native` insists on it, `reference` does without it.

    >>> choose("reference") is None
    True
    """
    if asked not in ("", "native", "reference"):
        raise errors.DeclarationError(
            f"{VARIABLE} is {asked!r}: say 'native' or 'reference', or leave it unset"
        )
    if asked == "reference":
        return None
    try:
        return importlib.import_module("flyball.kernels._native")
    except ImportError as error:
        if asked == "native":
            message = (
                f"{VARIABLE} asks for the native kernels, which do not load ({error}): install flyball again"
            )
            raise errors.DeclarationError(message) from error
        return None


compiled: Any = choose(os.environ.get(VARIABLE, ""))
native: bool = compiled is not None
