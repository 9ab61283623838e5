"""What answers on a real machine: one router for what serves, one for what shadows, and what both came to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.site.process import Exit, Health
from flyball.site.router import Limits, Router

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Answering:
    """Scorer processes behind an agent: `answer` asks the one that serves, and the one that shadows beside it.

    `p99_ms` and `resident_bytes` are the limits that a release must keep on this machine; `apart` is the difference
    from which an answer of the shadow counts as another answer.
    """

    def __init__(
        self, p99_ms: float | None = None, resident_bytes: int | None = None, apart: float = 0.05
    ) -> None:
        self._limits = Limits(p99_ms=p99_ms, resident_bytes=resident_bytes)
        self._lock, self._why, self._apart, self._slow_ms = threading.Lock(), "", apart, p99_ms
        self.router = Router(self._limits, on_exits=self._gave_up)
        self._beside: Router | None = None
        self._counts: dict[str, dict[str, int]] = {}

    def switch(self, folder: Path, digest: str) -> Health:
        """Start a release, check it, and let it answer; raises and keeps the old one where it is not healthy."""
        return self.router.switch(folder, digest)

    def shadow(self, folder: Path | None, digest: str) -> None:
        """Let a release answer beside the one that serves, or none."""
        old, self._beside = self._beside, None
        if old is not None:
            old.close()
        if folder is not None:
            beside = Router(self._limits)
            try:
                beside.switch(folder, digest)
            except errors.FlyballError:
                beside.close()
                raise
            self._beside = beside

    def failed(self) -> str:
        """Return why what serves was given up since the last call."""
        with self._lock:
            why, self._why = self._why, ""
        return why

    def answer(self, x: features.Matrix, timeout_s: float = 1.0) -> Array:
        """Return the answers of the release that serves; the shadow's are compared and counted, never returned."""
        import time

        import numpy as np

        begun = time.perf_counter()
        served = self.router.answer(x, timeout_s)
        took_ms = (time.perf_counter() - begun) * 1e3
        slow = len(x) if self._slow_ms is not None and took_ms > self._slow_ms * max(1, len(x)) else 0
        self._count(self.router.digest or "", answers=len(x), slow=slow)
        beside = self._beside
        if beside is not None:
            try:
                told = beside.answer(x, timeout_s)
            except errors.FlyballError:
                self._count(beside.digest or "", crashes=1)
            else:
                other = np.abs(told - served) > self._apart
                disagreed = other if other.ndim == 1 else other.any(axis=1)
                violations = int((~np.isfinite(told.reshape(len(told), -1))).any(axis=1).sum())
                self._count(
                    beside.digest or "", answers=len(x), disagreed=int(disagreed.sum()), violations=violations
                )
        return served

    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """Return what each release came to since the last call, by digest."""
        with self._lock:
            found, self._counts = self._counts, {}
        return found

    def close(self) -> None:
        """End both."""
        self.shadow(None, "")
        self.router.close()

    def _count(self, digest: str, **more: int) -> None:
        with self._lock:
            held = self._counts.setdefault(digest, {})
            for name, value in more.items():
                held[name] = held.get(name, 0) + value

    def _gave_up(self, digest: str, exits: list[Exit]) -> None:
        self._count(digest, crashes=len(exits))
        with self._lock:
            self._why = f"{len(exits)} unexpected exits: {_said(exits)}"


def _said(exits: list[Any]) -> str:
    return str(getattr(exits[-1], "why", "") or exits[-1]) if exits else "it said nothing"
