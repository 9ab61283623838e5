"""Small notes in JSON that carry their own digest: a bit that flips in one is told, and not read as another note."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

#: Under this name the digest stands beside what is noted.
SEAL = "#sha256"


def sealed(told: Mapping[str, Any], **how: Any) -> bytes:
    """Return a note with the SHA-256 of its content; `how` is for the JSON.

    >>> unsealed(sealed({"lot": 7}))
    {'lot': 7}
    """
    plain = json.loads(json.dumps(told, default=str))
    return json.dumps({**plain, SEAL: _digest(plain)}, default=str, **how).encode()


def unsealed(content: bytes) -> dict[str, Any]:
    """Return what was noted.  Raises ValueError for what was not noted so; one from before there were seals is read."""
    told = json.loads(content)
    if not isinstance(told, dict):
        raise ValueError("no note")
    seal = told.pop(SEAL, None)
    if seal is not None and seal != _digest(told):
        raise ValueError("not the note that was written")
    if seal is None and any(name.startswith("#") or name.endswith("sha256") for name in told):
        raise ValueError("a note whose seal is damaged")
    return told


def _digest(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
