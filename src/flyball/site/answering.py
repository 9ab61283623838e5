"""What runs inside the scorer process: load a verified release, then answer frame by frame until the agent hangs up."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.site import scorer, wire

#: A health check asks so many questions, and stops after so many seconds.
CHECKED, CHECK_S = 256, 2.0
#: A scorer may write so much to one file: its last words.  It has no other file to write.
LAST_WORDS = 2**16
#: At least so many questions that nothing interrupted make a latency; with fewer all are counted.
ALONE = 20


def serve(folder: Path, digest: str, channel: wire.Channel) -> int:
    """Load the release, say so, and answer until the other end closes; return the exit code."""
    begun = time.perf_counter()
    _bounded()
    try:
        held = scorer.Scorer(folder, digest)
        golden = held.golden()
        if len(golden[0]):  # the first question of a runner loads it
            held.answer(golden[0].take(slice(0, 1)))
    except Exception as error:
        said = wire.told({"why": _why(error), "trust": isinstance(error, errors.TrustError)})
        channel.send(wire.Kind.REFUSED, 0, said)
        return 5 if isinstance(error, errors.TrustError) else 3
    took = time.perf_counter() - begun
    ready = {"pid": os.getpid(), "digest": digest, "load_s": took, "resident_bytes": scorer._resident()}
    channel.send(wire.Kind.READY, 0, wire.told(ready))
    answers: list[bytes] = []
    while (frame := channel.receive()) is not None:
        answers.append(_answered(held, golden, frame))
        # Questions that came together are answered together: the agent is woken once.
        if not channel.more():
            channel.send_all(answers)
            answers.clear()
    return 0


def _answered(held: scorer.Scorer, golden: Any, frame: wire.Frame) -> bytes:
    try:
        if frame.kind == wire.Kind.CHECK:
            return wire.packed(wire.Kind.CHECKED, frame.number, wire.told(checked(held, golden)))
        if frame.kind != wire.Kind.ASK:
            raise errors.DataError(f"a frame of kind {frame.kind.name} is no question")
        answer = held.answer(wire.read_matrix(frame))
        return wire.packed(wire.Kind.ANSWER, frame.number, *wire.write_answer(answer))
    except Exception as error:  # a question that cannot be answered ends nothing
        return wire.packed(wire.Kind.FAILED, frame.number, wire.told({"why": _why(error)}))


def checked(held: scorer.Scorer, golden: Any) -> dict[str, Any]:
    """Return the largest difference on the golden vectors and the latency of single questions (ms).

    Questions during which other work took the core are left out of the latency where enough others are left.
    """
    import resource

    import numpy as np

    x, answers, _ = golden
    until = time.perf_counter() + CHECK_S
    alone: list[float] = []
    taken: list[float] = []
    found: list[Any] = []
    rows = [x.take(slice(row, row + 1)) for row in range(len(x))]
    while rows and len(taken) < max(CHECKED, len(rows)) and time.perf_counter() < until:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        begun = time.perf_counter()
        answer = held.answer(rows[len(taken) % len(rows)])
        spent = time.perf_counter() - begun
        if len(found) < len(rows):
            found.append(answer)
        taken.append(spent)
        if resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == before:
            alone.append(spent)
    counted = np.array(alone if len(alone) >= ALONE else taken or [0.0]) * 1e3
    return {
        "golden_error": scorer._apart(np.concatenate(found), answers[: len(found)]) if found else 0.0,
        "p50_ms": float(np.quantile(counted, 0.5)),
        "p99_ms": float(np.quantile(counted, 0.99)),
        "resident_bytes": scorer._resident(),
        "asked": len(taken),
        "complete": len(found) == len(rows) > 0,
    }


def _bounded() -> None:
    """Take from this process what a scorer never needs: core files, more than a few descriptors, files it writes.

    Not the address space: onnxruntime reserves far more than it touches, so that a limit on it says nothing about
    memory.  The agent watches what is resident.
    """
    import resource
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the agent, which then hangs up
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LAST_WORDS, LAST_WORDS))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 256 if hard == resource.RLIM_INFINITY else min(256, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))


def _why(error: Exception) -> str:
    words = " ".join(str(error).split())[:500]
    return words if isinstance(error, errors.FlyballError) else f"{type(error).__name__}: {words}"
