"""The scorer process: an agent asks, a process of its own that holds one verified release answers.

Two processes, so that a model that crashes, leaks or hangs takes nothing else with it, and a release is changed by
starting another process, never by loading into one that lives.  The scorer imports NumPy, the kernels and one runner;
it is reached through an inherited socket (its standard input), and by nothing else:

    python -m flyball.site.process RELEASE_FOLDER DIGEST
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import errors
from flyball.features import stage as features
from flyball.site import wire

if TYPE_CHECKING:
    import subprocess
    from concurrent.futures import Future

    from flyball.data.stage import Array

#: A scorer is ready within this (seconds), or it is not started.
READY_S = 30.0
#: So many questions may wait for a scorer; one more is refused at once.
MOST_WAITING = 256


class RetryError(errors.RolloutError):
    """Not answered for now, and nothing is wrong with the question: ask again."""


class Exit(NamedTuple):
    """How a scorer ended: its code (negative: the signal that killed it), whether it was to, and its last words."""

    code: int
    expected: bool
    why: str


class Health(NamedTuple):
    """What a scorer answers to its own golden vectors, one row a question, in the process that really answers."""

    golden_error: float
    p50_ms: float
    p99_ms: float
    resident_bytes: int
    asked: int
    #: Whether every golden vector was asked before the time was up.
    complete: bool


class Process:
    """A scorer process as its agent sees it: start it, ask it, stop it; any thread may ask.

    `on_exit` is called once, from a thread of its own, when the process has ended, told to or not.
    """

    def __init__(
        self, folder: Path, digest: str, python: str = sys.executable, ready_s: float = READY_S,
        on_exit: Callable[[Process], None] | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.digest, self.python = Path(folder), digest, python
        self.ready_s, self.on_exit = ready_s, on_exit
        self.exited: Exit | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, tuple[float, Future[wire.Frame]]] = {}
        self._number, self._stopping, self._shut = 0, False, False
        self._lock, self._sending, self._gone = threading.Condition(), threading.Lock(), threading.Event()

    def start(self) -> Mapping[str, Any]:
        """Start the process and wait until it is ready; return what it said: pid, load_s, resident_bytes.

        Raises TrustError for a release that is not what it claims to be, RolloutError for one that cannot be loaded
        or is not ready in time; then no process is left.
        """
        import subprocess
        import tempfile

        ours, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        # Isolated: neither the folder it is started in nor the environment decides what is imported.
        command = [self.python, "-I", "-B", "-m", "flyball.site.process", str(self.folder), self.digest]
        with theirs:
            self._child = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=self._words
            )
        self._channel = wire.Channel(ours)
        try:
            said = self._first()
        except BaseException:
            self._stopping = True
            self._child.kill()
            self._ended()
            raise
        threading.Thread(target=self._read, name=f"scorer {self.digest[:12]}", daemon=True).start()
        return said

    def _first(self) -> dict[str, Any]:
        ours = self._channel.end
        ours.settimeout(self.ready_s)
        try:
            frame = self._channel.receive()
        except TimeoutError:
            raise errors.RolloutError(
                f"{self.folder}: not ready in {self.ready_s:g} s: keep what serves"
            ) from None
        except OSError:
            frame = None
        ours.settimeout(None)
        if frame is None:
            self._child.wait() if self._child else None
            raise errors.RolloutError(
                f"{self.folder}: the scorer ended before it was ready: {self._last_words()}"
            )
        said = wire.heard(frame.description)
        if frame.kind == wire.Kind.READY:
            return said
        kind = errors.TrustError if said.get("trust") else errors.RolloutError
        raise kind(str(said.get("why")))

    @property
    def pid(self) -> int:
        """The process's number; 0 before it is started."""
        return self._child.pid if self._child else 0

    @property
    def waiting(self) -> int:
        """How many questions are not answered yet."""
        return len(self._waiting)

    def silent_s(self) -> float:
        """Return for how long the oldest question waits (seconds); 0 when none does."""
        with self._lock:
            oldest = min((since for since, _ in self._waiting.values()), default=None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    def resident(self) -> int:
        """Return the resident memory of the process in bytes; 0 when it is gone."""
        try:
            with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
                return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            return 0

    def submit(self, x: features.Matrix) -> Future[wire.Frame]:
        """Ask without waiting; the future holds the frame of the answer, which `wire.read_answer` reads.

        It holds DataError for rows that the release cannot answer, RetryError when the scorer ended meanwhile.
        Raises RetryError when too much waits or the scorer is gone.
        """
        return self.send(*wire.write_matrix(x))

    def send(
        self, description: bytes, body: list[bytes], kind: wire.Kind = wire.Kind.ASK
    ) -> Future[wire.Frame]:
        """Send a question that was written before (see `submit`)."""
        number, future = self.admit()
        self.pass_on(number, description, body, kind)
        return future

    def admit(self) -> tuple[int, Future[wire.Frame]]:
        """Take a question's place among those that wait, so that the process does not stop before it is answered."""
        from concurrent.futures import Future

        future: Future[wire.Frame] = Future()
        with self._lock:
            if self._stopping or self._shut or self._child is None:
                raise RetryError(f"the scorer of {self.digest[:12]} is gone: ask again")
            if len(self._waiting) >= MOST_WAITING:
                raise RetryError(f"{MOST_WAITING} questions wait already: ask again later")
            self._number = (self._number + 1) % 2**32
            self._waiting[self._number] = (time.monotonic(), future)
            return self._number, future

    def pass_on(
        self, number: int, description: bytes, body: list[bytes], kind: wire.Kind = wire.Kind.ASK
    ) -> None:
        """Send the question whose place was taken."""
        try:
            whole = wire.packed(kind, number, description, body)
        except errors.DataError:
            self._forget(number, None)
            raise
        try:
            with self._sending:
                self._channel.send_all([whole])
        except OSError:
            self._forget(number, RetryError(f"the scorer of {self.digest[:12]} ended: ask again"))

    def answer(self, x: features.Matrix, timeout_s: float = 1.0) -> Array:
        """Return the answers of the rows, shaped as the kind says.

        Raises DataError for rows that the release cannot answer; RetryError when there is no answer within
        `timeout_s` or the scorer ended.
        """
        return wire.read_answer(self.waited(self.submit(x), timeout_s))

    def health(self, timeout_s: float = 10.0) -> Health:
        """Return how the golden vectors of the release are answered; raises as `answer` does."""
        frame = self.waited(self.send(b"", [], wire.Kind.CHECK), timeout_s)
        return Health(**wire.heard(frame.description))

    @staticmethod
    def waited(future: Future[wire.Frame], timeout_s: float) -> wire.Frame:
        """Wait for the answer to a question that was submitted; raises as `answer` does."""
        try:
            return future.result(timeout_s)
        except TimeoutError:
            raise RetryError(f"no answer within {timeout_s:g} s: ask again") from None

    def stop(self, wait_s: float = 5.0) -> Exit | None:
        """Ask nothing more, let what waits be answered, end the process (killed after `wait_s`), and say how it ended.

        Returns None when it never ran.
        """
        until = time.monotonic() + wait_s
        with self._lock:
            self._stopping = True
            # What took its place may not be sent yet: who hangs up before that leaves it without an answer.
            self._lock.wait_for(lambda: not self._waiting or self._shut, wait_s)
        if self._child is None:
            return None
        left = max(0.0, until - time.monotonic())
        if self._sending.acquire(timeout=left):  # a sender may be stuck with a scorer that hangs
            try:
                self._channel.end.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            finally:
                self._sending.release()
        if not self._gone.wait(max(0.0, until - time.monotonic())):
            self._child.kill()
            self._gone.wait()
        return self.exited

    def kill(self) -> None:
        """End the process at once, as something unexpected: it hangs, or takes too much memory."""
        if self._child is not None and not self._gone.is_set():
            self._child.kill()

    def _read(self) -> None:
        try:
            while (frame := self._channel.receive()) is not None:
                error = None
                if frame.kind == wire.Kind.FAILED:
                    error = errors.DataError(str(wire.heard(frame.description).get("why")))
                self._forget(frame.number, error, frame)
        except (OSError, errors.DataError):
            pass
        self._ended()
        if self.on_exit is not None:
            self.on_exit(self)

    def _forget(self, number: int, error: Exception | None, frame: wire.Frame | None = None) -> None:
        with self._lock:
            _, future = self._waiting.pop(number, (0.0, None))
            if self._stopping and not self._waiting:
                self._lock.notify_all()
        if future is None or not future.set_running_or_notify_cancel():
            return
        if error is not None:
            future.set_exception(error)
        elif frame is not None:
            future.set_result(frame)

    def _ended(self) -> None:
        import subprocess

        assert self._child is not None
        try:
            code = self._child.wait(0.5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            code = self._child.wait()
        with self._lock:
            self._shut, expected, left = True, self._stopping, list(self._waiting)
            self._lock.notify_all()
        with self._sending:  # nobody writes to a number that may soon be another file's
            self._channel.end.close()
        self.exited = Exit(code, expected, self._last_words())
        self._words.close()
        self._gone.set()
        for number in left:
            self._forget(number, RetryError(f"the scorer of {self.digest[:12]} ended: ask again"))

    def _last_words(self) -> str:
        size = os.fstat(self._words.fileno()).st_size
        said = os.pread(self._words.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip()
        return said.splitlines()[-1] if said else "it said nothing"


def main(arguments: list[str]) -> int:
    """Serve a release on the socket that standard input is; 0 done, 2 called wrongly, 3 cannot load, 5 not trusted."""
    if len(arguments) != 2:
        print(
            "usage: python -m flyball.site.process RELEASE_FOLDER DIGEST, with a socket as input",
            file=sys.stderr,
        )
        return 2
    from flyball.site import answering

    return answering.serve(Path(arguments[0]), arguments[1], wire.Channel(socket.socket(fileno=os.dup(0))))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
