"""Where public data lies: in the folder that FLYBALL_DATA names, outside the project."""

from __future__ import annotations

import os
from pathlib import Path

from flyball import errors


def file(name: str) -> Path:
    """Return a file of the public data.

    Raises DataError when it is not there.

    >>> file("no/such/file")
    Traceback (most recent call last):
    flyball.errors.DataError: no public data 'no/such/file': set FLYBALL_DATA to the folder that holds it
    """
    home = os.environ.get("FLYBALL_DATA", "")
    found = Path(home) / name
    if not home or not found.is_file():
        raise errors.DataError(f"no public data {name!r}: set FLYBALL_DATA to the folder that holds it")
    return found
