"""Trials of requests that mean harm: each is refused at once, in few words, and whoever else asks notices nothing."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flyball import errors
from flyball.torture import small
from flyball.torture.trial import Told, Trial

#: A refusal is there within this, the agent grows by no more, others wait no longer than before and this at their p99.
REFUSED_S, MORE_BYTES, OTHERS_S = 0.01, 4 * 2**20, 0.02
ROUNDS = 5
PATH = "/v2/models/pump/infer"


def framed(body: bytes, *headers: str, path: str = PATH) -> bytes:
    """Return a request as it stands on the wire.

    >>> framed(b"{}").splitlines()[0]
    b'POST /v2/models/pump/infer HTTP/1.1'
    """
    more = "".join(f"{line}\r\n" for line in (*headers, f"content-length: {len(body)}"))
    return f"POST {path} HTTP/1.1\r\nhost: a\r\n{more}\r\n".encode() + body


def corpus(rng: random.Random) -> dict[str, bytes]:
    """Return requests that mean harm, by what they try; a tenth of a megabyte to one each, and drawn from the seed."""
    good = small.request(small.matrix(2))

    def changed(**first: object) -> bytes:
        return framed(
            json.dumps({**good, "inputs": [{**good["inputs"][0], **first}, *good["inputs"][1:]]}).encode()
        )

    huge = rng.choice((2**31, 2**40, 2**63 - 1))
    some = rng.randrange(50_000, 130_000)
    ids = b",".join(b'{"name":"%d"}' % number for number in range(40_000))
    text = json.dumps(good).encode()
    place = rng.randrange(len(text))
    found = {
        "a huge shape": changed(shape=[huge]),
        "a huge product": changed(shape=[2, huge, huge]),
        "a negative shape": changed(shape=[-2]),
        "NaN": framed(text.replace(b"[0.", b"[NaN, 0.", 1) if b"[0." in text else b'{"inputs": NaN}'),
        "an infinite number": changed(data=[1e308 * 10, 1.0]),
        "a number of many digits": framed(b'{"inputs": [%s]}' % (b"9" * 900_000)),
        "a wrong datatype": changed(datatype=rng.choice(("FP128", "OBJECT", "BYTES", ""))),
        "words for numbers": changed(data=["1", "2"]),
        "objects for numbers": changed(data=[{"__reduce__": "os.system"}, None]),
        "chunks of a byte": framed(b"", "transfer-encoding: chunked") + b"1\r\nx\r\n" * some,
        "deep lists": framed(b'{"inputs": ' + b"[" * some),
        "deep objects": framed(b'{"a":' * some),
        "many empty tensors": framed(b'{"inputs": [' + b"{}," * some + b"{}]}"),
        "many ids": framed(b'{"id": [' + b'"a",' * some + b'"a"]}'),
        "many named tensors": framed(b'{"inputs": [' + ids + b"]}"),
        "a long id": framed(json.dumps({**good, "id": "a" * 1_000_000}).encode()),
        "a long name": changed(name="c" * 500_000),
        "many numbers": changed(data=[0] * some),
        "many headers": framed(b"{}", *("a: b" for _ in range(some // 8))),
        "a long header": framed(b"{}", "a: " + "b" * some),
        "a long path": framed(b"{}", path="/" + "a" * some),
        "a large body": framed(b" " * (2**20 + 1)),
        "two lengths": framed(b"{}", "content-length: 5"),
        "another model": framed(text, path="/v2/models/..%2f..%2fetc/infer"),
        "no text": framed(rng.randbytes(some)),
        "a text cut short": framed(text[:place]),
    }
    return found


class Others:
    """Somebody who asks one row again and again, and notes how long each answer takes."""

    def __init__(self, port: int) -> None:
        self.request = framed(json.dumps(small.request(small.matrix(1))).encode())
        self.end = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.taken: list[float] = []
        self.failed: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def _go(self) -> None:
        with self.end:
            while not self._stop.wait(0.002):
                begun = time.perf_counter()
                self.end.sendall(self.request)
                found = _whole(self.end)
                self.taken.append(time.perf_counter() - begun)
                if not found.startswith(b"HTTP/1.1 200 "):
                    self.failed.append(found[:200])
                    return

    def p99(self) -> float:
        """Return the p99 since the last look, seconds."""
        taken, self.taken = sorted(self.taken), []
        return taken[int(len(taken) * 0.99)] if taken else float("inf")

    def close(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()


def _whole(end: socket.socket) -> bytes:
    """Return one whole response."""
    found = end.recv(2**16)
    while b"\r\n\r\n" not in found or not found.endswith(b"}"):
        more = end.recv(2**16)
        if not more:
            break
        found += more
    return found


def sent(port: int, request: bytes) -> tuple[float, int]:
    """Send a request; return the seconds until its answer begins, and the status; 0 where the connection was cut."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
        begun = time.perf_counter()
        try:
            end.sendall(request)
            found = end.recv(2**12)
        except (BrokenPipeError, ConnectionResetError):
            found = b""
        took = time.perf_counter() - begun
    return took, int(found[9:12]) if found.startswith(b"HTTP/1.1 ") else 0


def hostile(seed: int, folder: Path, sabotage: str = "") -> Told:
    """R27: send what means harm, while others ask: refused within 10 ms, memory flat, the others answered as before.

    Of ROUNDS tries the best counts for the time of a refusal: what else runs on this machine is no matter of it.  A cut
    connection is a refusal as well.  `sabotage` lifts the caps.
    """
    rng = random.Random(seed)
    every = corpus(rng)
    with endpoint(folder, sabotage) as (port, pid):
        others = Others(port)
        try:
            for request in every.values():
                sent(port, request)
            others.p99()
            time.sleep(1.0)
            quiet, before = others.p99(), _resident(pid)
            took: dict[str, list[float]] = {name: [] for name in every}
            for _ in range(ROUNDS):
                for name in rng.sample(list(every), len(every)):
                    seconds, status = sent(port, every[name])
                    took[name].append(seconds)
                    if not (400 <= status < 500 or status == 0):
                        return Told(False, 0.0, 0, f"{name}: answered with {status}")
                    time.sleep(0.01)
            during, more = others.p99(), _resident(pid) - before
        finally:
            others.close()
    name, worst = max(((name, min(times)) for name, times in took.items()), key=lambda one: one[1])
    checks = (
        (worst > REFUSED_S, f"{name}: refused after {worst * 1e3:.1f} ms"),
        (more > MORE_BYTES, f"the agent grew by {more / 2**20:.1f} MiB"),
        (bool(others.failed), f"somebody else got {others.failed[:1]}"),
        (
            during > quiet + OTHERS_S,
            f"the p99 of others went from {quiet * 1e3:.1f} to {during * 1e3:.1f} ms",
        ),
    )
    why = next((why for wrong, why in checks if wrong), "")
    return Told(not why, worst, 0, why)


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def endpoint(folder: Path, sabotage: str = "") -> Iterator[tuple[int, int]]:
    """Run an agent with a small release and an endpoint in a process of its own; yield its port and process number."""
    place = small.made(folder / "good", "trees")
    child = subprocess.Popen(
        [sys.executable, "-c", _ENDPOINT, str(place), sabotage],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    with child:
        try:
            said = child.stdout.readline()
            if not said:
                raise errors.DataError("the endpoint did not start")
            yield int(said), child.pid
        finally:
            child.stdin.close()
            child.wait()


_ENDPOINT = """
import pathlib, sys
from flyball.site import endpoint, endpoint_access, endpoint_guard, endpoint_tensors, router
place, caps = pathlib.Path(sys.argv[1]), endpoint_tensors.Caps()
if sys.argv[2]:
    caps = endpoint_tensors.Caps(body=2**30, rows=2**40, tensors=2**30, values=2**40, text=2**30)
    endpoint_guard.MOST_HEADERS = 2**30
with router.Router() as one:
    one.switch(place, place.name)
    with endpoint.Endpoint(one, "pump", endpoint_access.Bind(port=0), caps) as served:
        print(served.url.rpartition(":")[2], flush=True)
        sys.stdin.read()
"""


TRIALS = (Trial("R27", "requests that mean harm, among others that do not", hostile, 8),)
