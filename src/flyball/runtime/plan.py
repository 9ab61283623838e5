"""A run's steps, each with a key; a step whose key is already kept is not computed again.

Why: a key holds everything that decides a step's result: the part's value, the text of the code that carries it
out, the versions of the libraries, and the keys of what it is made from.  Equal key, equal result: so a new daily
file recomputes what it touches and nothing else, and a killed run goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from flyball import part

LIBRARIES = ("numpy", "polars", "lightgbm", "torch", "onnxruntime", "onnx", "scikit-learn")


@dataclass(frozen=True)
class Step:
    """What one step of a run was: its name, its key, how long it took, and whether it was reused."""

    name: str
    key: str
    seconds: float
    reused: bool


class Keeper(Protocol):
    """Where results are kept by key; the store is one."""

    def step(self, key: str) -> Path | None:
        """Return the folder that holds the result of that key, or None."""

    def keep(self, key: str, write: Callable[[Path], None]) -> Path:
        """Let `write` fill a new folder and make it, whole or not at all, the result of that key."""


@dataclass
class Plan:
    """Carries steps out in order, once per key, and remembers what happened."""

    keeper: Keeper
    progress: Callable[[str, int, int], None] = lambda name, done, total: None
    steps: list[Step] = field(default_factory=list)

    def carry(self, name: str, key: str, make: Callable[[Path], None], already: float = 0.0) -> Path:
        """Return the folder with the step's result, computed by `make` unless the key is kept already.

        `already` are seconds that went into the result before (several results computed from one read).
        """
        begun = time.perf_counter()
        kept = self.keeper.step(key)
        reused = kept is not None
        folder = kept if kept is not None else self.keeper.keep(key, make)
        self.steps.append(Step(name, key, already + time.perf_counter() - begun, reused))
        return folder

    def note(self, name: str, key: str, seconds: float, reused: bool) -> None:
        """Record a step that keeps its result elsewhere (ingestion, packaging)."""
        self.steps.append(Step(name, key, seconds, reused))


def key(*values: Any) -> str:
    """Return the SHA-256 of the canonical text of some values.

    >>> key("a", 1) == key("a", 1), len(key())
    (True, 64)
    """
    import hashlib

    texts = [part.canonical(value) if isinstance(value, part.Part) else repr(value) for value in values]
    texts += [part.fingerprint(value) for value in values if isinstance(value, part.Part)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@lru_cache
def code(*rooms: str) -> str:
    """Return the SHA-256 of the source text of some rooms (or single modules) of the house."""
    import hashlib

    digest = hashlib.sha256()
    home = Path(__file__).parent.parent
    for room in rooms:
        place = home / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(str(file.relative_to(home)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@lru_cache
def versions(names: Iterable[str] = LIBRARIES) -> tuple[tuple[str, str], ...]:
    """Return the version of every library that decides a result, "" where it is not installed."""
    from importlib import metadata

    found = []
    for name in names:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append((name, ""))
    return tuple(found)
