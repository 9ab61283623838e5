"""A process that has everything imported and forks for each trial: a trial then takes its own time and no more.

Run as `python -m flyball.torture.warm`, by `Warm`; it answers a line of JSON for each line it gets.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.torture import layer, work

#: A child that has not ended by then hangs, which is a failure.
LIMIT_S = 60.0


class Warm:
    """Runs `go` and `content` of `torture.work` in children of a warm process, under the fault layer."""

    def __init__(self, folder: Path, sabotage: str = "") -> None:
        self.control = layer.Control(folder / "control")
        environment = self.control.environment() | {"FLYBALL_SABOTAGE": sabotage, "POLARS_MAX_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
            text=True,
        )  # fmt: skip

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(LIMIT_S)
        self._process.stdout.close()
        self.control.close()

    def go(self, store: Path, inbox: Path, trace: Path | None = None) -> dict[str, Any]:
        """Take an inbox in, under the layer as it is armed, and return what came of it.

        `acknowledged` are the names of lots, `traced` the bytes of the trace at each; `error` is a told error, `fault`
        an untold one or a hang; `ended` is the exit code, below 0 for a signal.
        """
        return self._ask({
            "do": "go", "store": str(store), "inbox": str(inbox), "trace": str(trace) if trace is not None else "",
        })  # fmt: skip

    def content(self, store: Path, hurt: bool = False) -> dict[str, Any]:
        """Return what a store holds, with the layer off, or as it is armed."""
        if not hurt:
            self.control.off()
        return self._ask({"do": "content", "store": str(store)})

    def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        self.control.off()
        if not answer:
            raise errors.StoreError(f"the process of the trial ended with {self._process.wait(LIMIT_S)}")
        found: dict[str, Any] = json.loads(answer)
        return found


@functools.cache
def shared(sabotage: str = "") -> Warm:
    """Return the warm process of this one, started once: it takes longer to start than a trial takes."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-warm-"))
    found = Warm(folder, sabotage)

    def end() -> None:
        found.close()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return found


def _serve() -> None:
    # All that a child needs, and no thread yet: a fork takes only the one that asks for it.
    import deltalake  # noqa: F401
    import numpy  # noqa: F401
    import polars  # noqa: F401

    from flyball.runtime import store  # noqa: F401

    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), flush=True)


def _forked(what: dict[str, Any]) -> dict[str, Any]:
    """Do it in a child; return what it said, and how it ended."""
    receiver, sender = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        _child(what, sender)
    os.close(sender)
    told, hangs = _heard(receiver, begun + LIMIT_S)
    os.close(receiver)
    if hangs:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    fault = f"hung for {LIMIT_S:.0f} s" if hangs else ""
    out: dict[str, Any] = {"acknowledged": [], "traced": [], "error": "", "fault": fault}
    for one in told.splitlines():
        with contextlib.suppress(ValueError):  # a line that the end cut off
            said = json.loads(one)
            for name in ("acknowledged", "traced"):
                out[name] += said.pop(name, [])
            out |= said
    return {**out, "ended": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - begun}


def _heard(receiver: int, end: float) -> tuple[str, bool]:
    pieces: list[bytes] = []
    while True:
        ready, _, _ = select.select([receiver], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return b"".join(pieces).decode(), True
        piece = os.read(receiver, 2**16)
        if not piece:
            return b"".join(pieces).decode(), False
        pieces.append(piece)


def _child(what: dict[str, Any], sender: int) -> None:
    def say(told: dict[str, Any]) -> None:
        os.write(sender, json.dumps(told).encode() + b"\n")

    code = 0
    try:
        if what["do"] == "go":
            trace = Path(what["trace"]) if what.get("trace") else None
            work.go(
                Path(what["store"]), Path(what["inbox"]),
                lambda name: say({"acknowledged": [name], "traced": [trace.stat().st_size] if trace else []}),
            )  # fmt: skip
        else:
            say(work.content(Path(what["store"])))
    except errors.FlyballError as error:
        say({"error": f"{type(error).__name__}: {error}"})
        code = 3
    except BaseException:
        say({"fault": traceback.format_exc()[-2000:]})
        code = 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    os.environ.setdefault("TMPDIR", tempfile.gettempdir())
    _serve()
