"""Keeps one scorer answering: another release without a dropped question, another process for one that died.

Why: what asks should not know that releases change or processes die.  A new release is started and healthy before
the first question goes to it; questions that are under way are answered by the old one, which then ends.  A scorer
that ends by itself, hangs or grows beyond its memory is started again at once; one that does so again and again is
told to `on_exits`, which is where an agent goes back to the release before.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball import errors
from flyball.features import stage as features
from flyball.site import wire
from flyball.site.process import Exit, Health, Process, RetryError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flyball.data.stage import Array

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a scorer must keep to before and while it answers.

    `golden_error` is the largest difference on the golden vectors; `p99_ms` and `resident_bytes` are not held where
    they are None; it is ready within `ready_s` and has answered its golden vectors within `health_s`, or it is not
    healthy; a question unanswered for `silent_s` means that it hangs.  After `exits` unexpected exits within
    `within_s` seconds it is started no more, and told.
    """

    golden_error: float = 1e-6
    p99_ms: float | None = None
    resident_bytes: int | None = None
    silent_s: float = 10.0
    exits: int = 3
    within_s: float = 60.0
    ready_s: float = 30.0
    health_s: float = 30.0


class Count(NamedTuple):
    """What a router did since it was made: answers, questions refused for now, starts, unexpected exits."""

    answers: int
    retries: int
    starts: int
    exits: int


class Router:
    """Asks the scorer that serves, switches to another release, and starts one again that died.

    `on_exits(digest, exits)` is called from the router's own thread after `Limits.exits` unexpected exits within
    `Limits.within_s`; it may call `switch`, and until somebody does that scorer is started no more.
    `on_sent(digest, description, body, future)` is called for every question that went out, from the thread that
    asked: it must not wait.
    """

    def __init__(
        self, limits: Limits | None = None, on_exits: Callable[[str, list[Exit]], None] | None = None,
        start: Callable[..., Process] = Process, wait_s: float = 2.0, every_s: float = 0.25,
        on_sent: Callable[[str, bytes, list[bytes], Future[wire.Frame]], None] | None = None,
    ) -> None:  # fmt: skip
        self.limits, self.on_exits, self.make = limits or Limits(), on_exits, start
        self.on_sent = on_sent
        self.wait_s, self.every_s = wait_s, every_s
        self.exits: deque[tuple[float, Exit]] = deque(maxlen=64)
        self._current: Process | None = None
        self._changed = threading.Condition()
        self._switching = threading.Lock()
        self._closed, self._given_up = False, False
        self._answers = self._retries = self._starts = self._ended = 0
        self._watching: threading.Thread | None = None
        self._wake = threading.Event()

    @property
    def digest(self) -> str | None:
        """The release that serves, or that is being started again; None before the first."""
        current = self._current
        return None if current is None else current.digest

    @property
    def current(self) -> Process | None:
        """The process that serves; what it holds may have ended a moment ago."""
        return self._current

    def ready(self) -> bool:
        """Say whether a scorer is there that answers."""
        current = self._current
        return current is not None and current.exited is None and not self._closed

    def count(self) -> Count:
        """Return what was done so far."""
        return Count(self._answers, self._retries, self._starts, self._ended)

    def switch(self, folder: Path, digest: str) -> Health:
        """Start the scorer of a release, check its health, and let it answer from now on; return the health.

        Questions under way are answered by the old scorer, which then ends.  Raises TrustError or RolloutError when
        the new one cannot be loaded or is not healthy: then the old one goes on, as if nothing had been tried.
        """
        with self._switching:
            new = self._made(folder, digest)
            try:
                new.start()
                health = new.health(self.limits.health_s)
                _judge(digest, health, self.limits)
            except errors.FlyballError as error:
                new.stop(0.0)
                if isinstance(error, (errors.TrustError, errors.RolloutError)) and not isinstance(
                    error, RetryError
                ):
                    raise
                raise errors.RolloutError(f"release {digest[:12]} was not healthy: {error}") from error
            with self._changed:
                if self._closed:
                    new.stop(0.0)
                    raise errors.RolloutError("the router is closed: nothing is switched any more")
                old, self._current, self._given_up = self._current, new, False
                self._starts += 1
                self._changed.notify_all()
            if old is not None:
                old.stop()
            self._watch()
            return health

    def submit(self, x: features.Matrix) -> Future[wire.Frame]:
        """Ask without waiting for the answer (see `Process.submit`); waits a short while for a scorer to be back."""
        return self.send(*wire.write_matrix(x))[1]

    def send(
        self, description: bytes, body: list[bytes], wait_s: float | None = None, mirrored: bool = True
    ) -> tuple[str, Future[wire.Frame]]:
        """Send a question that was written before; return the digest of the release that is asked, and the answer.

        `on_sent` is told where it is `mirrored`.

        Raises RetryError when no scorer is there within `wait_s` (by default that of the router).
        """
        until = time.monotonic() + (self.wait_s if wait_s is None else wait_s)
        with self._changed:
            while True:
                current = self._current
                if current is not None and current.exited is None:
                    try:
                        number, future = current.admit()
                        break
                    except RetryError:
                        self._retries += 1
                        if current.exited is None and current.waiting:
                            raise
                left = until - time.monotonic()
                if left <= 0 or self._closed or current is None:
                    self._retries += 1
                    raise RetryError("no scorer answers at the moment: ask again")
                self._changed.wait(min(left, 0.05))
            self._answers += 1
        # Its place is taken: the process does not stop before this is answered, whoever switches meanwhile.
        current.pass_on(number, description, body)
        if mirrored and self.on_sent is not None:
            self.on_sent(current.digest, description, body, future)
        return current.digest, future

    def answer(self, x: features.Matrix, timeout_s: float = 1.0) -> Array:
        """Return the answers of the rows; raises as `Process.answer` does."""
        begun = time.monotonic()
        future = self.submit(x)
        return wire.read_answer(Process.waited(future, max(0.0, begun + timeout_s - time.monotonic())))

    def close(self) -> None:
        """Stop answering: what waits is answered, the scorer ends."""
        with self._changed:
            self._closed = True
            current = self._current
            self._changed.notify_all()
        self._wake.set()
        if current is not None:
            current.stop()
        if self._watching is not None and self._watching is not threading.current_thread():
            self._watching.join()

    def __enter__(self) -> Router:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _made(self, folder: Path, digest: str) -> Process:
        return self.make(folder, digest, ready_s=self.limits.ready_s, on_exit=self._exited)

    def _watch(self) -> None:
        if self._watching is None:
            self._watching = threading.Thread(target=self._go, name="scorer watch", daemon=True)
            self._watching.start()

    def _exited(self, process: Process) -> None:
        assert process.exited is not None
        if not process.exited.expected:
            self._count(process.exited)

    def _count(self, one: Exit) -> None:
        self._ended += 1
        self.exits.append((time.monotonic(), one))
        self._wake.set()

    def _go(self) -> None:
        """Look after the scorer that serves: memory and silence now and then, its end at once."""
        while not self._closed:
            self._wake.wait(self.every_s)
            self._wake.clear()
            current = self._current
            if current is None or self._closed:
                continue
            if current.exited is None:
                most = self.limits.resident_bytes
                if (
                    most is not None and current.resident() > most
                ) or current.silent_s() > self.limits.silent_s:
                    current.kill()
            elif not current.exited.expected and not self._given_up:
                self._again(current)

    def _again(self, dead: Process) -> None:
        """Start the release of a process that died once more, or give it up and tell."""
        since = time.monotonic() - self.limits.within_s
        lately = [one for at, one in self.exits if at >= since]
        if len(lately) >= self.limits.exits:
            self._given_up = True
            self.exits.clear()
            if self.on_exits is not None:
                try:
                    self.on_exits(dead.digest, lately)
                except Exception:  # whoever is told may fail; what is answered is still looked after
                    _log.exception(
                        "release %s ended again and again, and that could not be told", dead.digest
                    )
            return
        if not self._switching.acquire(blocking=False):
            self._wake.set()  # somebody is switching: what comes of it is looked at then
            time.sleep(0.01)
            return
        try:
            new = self._made(dead.folder, dead.digest)
            try:
                new.start()
            except errors.FlyballError as error:
                self._count(Exit(-1, False, str(error)))
                return
            with self._changed:
                taken = self._current is dead and not self._closed
                if taken:
                    self._current = new
                    self._starts += 1
                self._changed.notify_all()
            if not taken:
                new.stop(0.0)
        finally:
            self._switching.release()


def _judge(digest: str, health: Health, limits: Limits) -> None:
    if not health.asked:
        raise errors.RolloutError(
            f"release {digest[:12]} has no golden vectors: nothing tells whether it is healthy"
        )
    for figure, most, unit in (
        (health.golden_error, limits.golden_error, "off its golden vectors"),
        (health.p99_ms, limits.p99_ms, "ms at p99"),
        (health.resident_bytes, limits.resident_bytes, "bytes resident"),
    ):
        if most is not None and not figure <= most:
            raise errors.RolloutError(
                f"release {digest[:12]} is {figure:.4g} {unit}, at most {most:.4g}: keep what serves"
            )
    if not health.complete:
        raise errors.RolloutError(
            f"release {digest[:12]} answered {health.asked} golden vectors in the time of all: keep what serves"
        )
