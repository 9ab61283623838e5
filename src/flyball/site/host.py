"""What answers on a real machine: one router for what serves, one for what shadows, and what both came to."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.features import stage as features
from flyball.serving import release
from flyball.site import slots, terms, wire
from flyball.site.process import Exit, Health, Process
from flyball.site.router import Limits, Router

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flyball.data.stage import Array
    from flyball.system import System

#: So many questions, and bytes of them, may wait to be asked of the shadow; what comes beyond is not mirrored.
MOST_WAITING, MOST_BYTES = 256, 2**24
#: Seconds that a shadow may take for an answer.
SHADOW_S = 1.0


class Both(NamedTuple):
    """What serves answered, and what shadows beside it: None where nothing does, or it gave no answer."""

    digest: str
    served: Array
    beside: str
    shadow: Array | None


class _Asked(NamedTuple):
    digest: str
    description: bytes
    body: list[bytes]
    frame: wire.Frame


class Answering:
    """Scorer processes behind an agent; whoever asks `router` (an endpoint) or `ask`, the shadow is asked too.

    Questions to `router` are answered first, and asked of the shadow from a thread of its own: no client waits for
    it.  A release is held to the limits of its own page at every switch; `p99_ms` and `resident_bytes` are those of
    this machine, where it has its own, and the stricter one holds.  An answer of the shadow is another answer where
    its release would decide otherwise, or, without thresholds, where it is more than `apart` away.
    """

    def __init__(
        self, p99_ms: float | None = None, resident_bytes: int | None = None, apart: float = 0.05
    ) -> None:
        self._limits = Limits(p99_ms=p99_ms, resident_bytes=resident_bytes)
        self._lock, self._why, self._apart = threading.Lock(), "", apart
        self.router = Router(self._limits, on_exits=self._gave_up, on_sent=self._sent)
        self._beside: Router | None = None
        self._measure: Router | None = None
        self._counts: dict[str, dict[str, float]] = {}
        self._terms: dict[str, terms.Terms] = {}
        self._waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._held = self._bytes = 0
        self._mirror: threading.Thread | None = None

    def digest(self) -> str:
        """Return the release that serves, "" before the first."""
        return self.router.digest or ""

    def page(self) -> System | None:
        """Return the page of what serves, or of what shadows while nothing does; None for what has none."""
        beside = self._beside
        return self.terms_of(self.digest() or (beside.digest if beside is not None else None) or "").page

    def switch(self, folder: Path, digest: str) -> Health:
        """Start a release, check it, and let it answer; raises and keeps the old one where it is not healthy."""
        held = terms.of(folder)
        old, self.router.limits = self.router.limits, self._stricter(held)
        try:
            health = self.router.switch(folder, digest)
        except errors.FlyballError:
            self.router.limits = old
            raise
        beside = self._beside
        keep = {digest, beside.digest if beside is not None else None}
        self._terms = {name: one for name, one in self._terms.items() if name in keep} | {digest: held}
        return health

    def shadow(self, folder: Path | None, digest: str) -> None:
        """Let a release answer beside the one that serves, or none."""
        gone, self._beside, self._measure = (self._beside, self._measure), None, None
        for old in gone:
            if old is not None:
                old.close()
        if folder is not None:
            held = terms.of(folder)
            beside = Router(self._stricter(held))
            try:
                beside.switch(folder, digest)
            except errors.FlyballError:
                beside.close()
                raise
            self._terms = {**self._terms, digest: held}
            self._beside = beside
            if self.router.digest is None:
                self._measure = self._baseline(folder)

    def failed(self) -> str:
        """Return why what serves was given up since the last call."""
        with self._lock:
            why, self._why = self._why, ""
        return why

    def terms_of(self, digest: str) -> terms.Terms:
        """Return the terms of a release that serves or shadows."""
        return self._terms.get(digest, terms.Terms())

    def ask(self, x: features.Matrix, timeout_s: float = 1.0) -> Both:
        """Return what serves answers and what shadows does; raises as `Router.answer` where the first is not there.

        Before the first release serves, the shadow is held against the baseline it brought: then `digest` is "", and
        nobody is to act on either answer.
        """
        description, body = wire.write_matrix(x)
        begun = time.perf_counter()
        measure = self._measure if self.router.digest is None else None
        asked = self.router if measure is None else measure
        digest, future = asked.send(description, body, mirrored=False)
        served = wire.read_answer(Process.waited(future, timeout_s))
        if measure is None:
            self._answered(digest, len(x), time.perf_counter() - begun)
        digest = digest if measure is None else ""
        return Both(digest, served, *self._compared(digest, x, served, description, body))

    def answer(self, x: features.Matrix, timeout_s: float = 1.0) -> Array:
        """Return the answers of the release that serves; the shadow's are compared and counted, never returned."""
        return self.ask(x, timeout_s).served

    def counts(self) -> Mapping[str, Mapping[str, float]]:
        """Return what each release came to since the last call, by digest; `unmirrored` is what no shadow was asked."""
        with self._lock:
            found, self._counts = self._counts, {}
        return found

    def settle(self, within_s: float = 5.0) -> bool:
        """Wait until the shadow was asked what waits for it; False where that takes longer."""
        until = time.monotonic() + within_s
        while self._held and time.monotonic() < until:
            time.sleep(0.005)
        return not self._held

    def close(self) -> None:
        """End both."""
        self._waiting.put(None)
        if self._mirror is not None:
            self._mirror.join()
        self.shadow(None, "")
        self.router.close()

    def _baseline(self, folder: Path) -> Router | None:
        """Start the baseline that a release brought, to hold it against; None where it brought none that answers."""
        place = folder / slots.BASELINE
        if not place.is_dir():
            return None
        found = Router(self._limits)
        try:
            found.switch(place, release.digest(place))
        except errors.FlyballError:
            found.close()
            return None
        return found

    def _stricter(self, held: terms.Terms) -> Limits:
        def least(one: Any, other: Any) -> Any:
            return min((value for value in (one, other) if value is not None), default=None)

        return dataclasses.replace(
            self._limits, p99_ms=least(self._limits.p99_ms, held.p99_ms),
            resident_bytes=least(self._limits.resident_bytes, held.resident_bytes),
        )  # fmt: skip

    def _sent(self, digest: str, description: bytes, body: list[bytes], future: Future[wire.Frame]) -> None:
        """Look at the answer to a question once whoever asked has it; called for every question to the router."""
        begun = time.perf_counter()

        def done(found: Future[wire.Frame]) -> None:
            if found.cancelled() or found.exception() is not None:
                return
            frame = found.result()
            rows = wire.heard(frame.description)["shape"][0]
            self._answered(digest, rows, time.perf_counter() - begun)
            if self._beside is not None or self.terms_of(digest).laws:
                self._later(_Asked(digest, description, body, frame), rows)

        future.add_done_callback(done)

    def _later(self, asked: _Asked, rows: int) -> None:
        size = sum(map(len, asked.body))
        with self._lock:
            fits = self._held < MOST_WAITING and self._bytes + size <= MOST_BYTES
            if fits:
                self._held, self._bytes = self._held + 1, self._bytes + size
                if self._mirror is None:
                    self._mirror = threading.Thread(target=self._go, name="shadow", daemon=True)
                    self._mirror.start()
        if fits:
            self._waiting.put(asked)
            return
        beside = self._beside
        self._count(asked.digest if beside is None else beside.digest or "", unmirrored=rows)

    def _go(self) -> None:
        while (asked := self._waiting.get()) is not None:
            try:
                x = wire.read_matrix(wire.Frame(wire.Kind.ASK, 0, asked.description, b"".join(asked.body)))
                served = wire.read_answer(asked.frame)
                self._compared(asked.digest, x, served, asked.description, asked.body)
            except errors.FlyballError:  # what could not be compared says nothing against a release
                self._count(asked.digest, unmirrored=1)
            finally:
                with self._lock:
                    self._held, self._bytes = self._held - 1, self._bytes - sum(map(len, asked.body))

    def _answered(self, digest: str, rows: int, took_s: float) -> None:
        most = self.router.limits.p99_ms
        slow = rows if most is not None and took_s * 1e3 > most * max(1, rows) else 0
        self._count(digest, answers=rows, slow=slow)

    def _compared(
        self, digest: str, x: features.Matrix, served: Array, description: bytes, body: list[bytes]
    ) -> tuple[str, Array | None]:
        """Ask the shadow what was answered, count what is wrong with either, and return the shadow's answers."""
        import numpy as np

        mine = self.terms_of(digest)
        if bad := mine.violated(x, served):
            self._count(digest, violations=bad)
        beside = self._beside
        if beside is None or (name := beside.digest) is None:
            return "", None
        try:
            _, future = beside.send(description, body)
            told = wire.read_answer(Process.waited(future, SHADOW_S))
        except errors.FlyballError:
            self._count(name, crashes=1)
            return name, None
        others = self.terms_of(name)
        ours, theirs = mine.said(served), others.said(told)
        if told.shape != served.shape:
            other = np.ones(len(x), dtype=bool)
        elif ours is not None and theirs is not None:
            other = ours != theirs
        else:
            other = (np.abs(told - served).reshape(len(x), -1) > self._apart).any(axis=1)
        self._count(name, answers=len(x), disagreed=int(other.sum()), violations=others.violated(x, told))
        return name, told

    def _count(self, digest: str, **more: float) -> None:
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
