"""A release asked over the network beside an ordinary service: FastAPI and uvicorn around onnxruntime, one model.

Each server has one core, the client another.  Requests are made beforehand, and answers are equal before anything is
timed.  Requests a second are those of a core that does nothing else: counted by the processor time that a server's
processes take, since what else runs on a machine takes the core away now and then.  The p99 is by the clock.
The peer holds the model in its own process: it has one hop less, and no one to answer when it dies.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import sidebyside

COLUMNS, TREES, LEAVES = 30, 200, 31
#: Rows of a request, connections that ask at once, and seconds of each measurement.
CASES = ((1, 1), (1, 8), (64, 1), (64, 8))
SECONDS, TURNS = 2.0, 3
PEER = "fastapi + uvicorn + onnxruntime"


def run() -> dict[str, Any]:
    """Measure requests a second and the p99 of both, in turns, by rows a request and connections."""
    with tempfile.TemporaryDirectory() as place:
        folder, x, expected = _release(Path(place))
        with (
            _pinned(0),
            _server(_OURS, str(folder)) as ours,
            _server(_PEER, str(folder / "model" / "model.onnx")) as peer,
        ):
            rows = [row for many, at_once in CASES for row in _case(ours, peer, x, expected, many, at_once)]
    libraries = ("onnxruntime", "uvicorn", "grpcio", "fastapi", "pydantic", "uvloop", "httptools")
    return sidebyside.result("endpoint", libraries, rows)


def _case(
    ours: Server, peer: Server, x: Any, expected: Any, many: int, at_once: int
) -> Iterator[dict[str, Any]]:
    values = x[:many].ravel().tolist()
    tensor = {"name": "x", "datatype": "FP64", "shape": [many, COLUMNS], "data": values}
    http, grpc = ours.ports
    asks: dict[str, tuple[Server, Callable[[], list[float]]]] = {
        "http": (
            ours,
            _http(http, "/v2/models/pump/infer", {"inputs": [tensor]}, expected[:many], at_once),
        ),
        "peer": (peer, _http(peer.ports[0], "/infer", {"rows": x[:many].tolist()}, expected[:many], at_once)),
        "grpc": (ours, _grpc(grpc, x[:many], expected[:many], at_once)),
    }
    taken: dict[str, list[list[float]]] = {name: [] for name in asks}
    rates: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(TURNS + 1):
        for name, (server, ask) in asks.items():
            before = server.busy_s()
            found = ask()
            if turn:
                taken[name].append(found)
                rates[name].append(len(found) / (server.busy_s() - before))
    rate = {name: sorted(one)[TURNS // 2] for name, one in rates.items()}
    p99 = {name: sorted(_p99(one) for one in turns)[TURNS // 2] for name, turns in taken.items()}
    what = f"{many} row{'s' if many > 1 else ''}, {at_once} connection{'s' if at_once > 1 else ''}"
    for name in ("http", "grpc"):
        yield sidebyside.row(
            f"{name}, {what}", rate[name], rate["peer"], PEER, "requests/s", goal=1.0, lower=False
        )
        yield sidebyside.row(f"{name}, {what}, p99", p99[name], p99["peer"], PEER, "ms", goal=1.0)


def _p99(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.99)] * 1e3


def _release(place: Path) -> tuple[Path, Any, Any]:
    """Make a release of trees that onnxruntime carries; return its folder, questions, and what it answers."""
    import numpy as np

    from flyball import data, labels, model
    from flyball.features import arrays
    from flyball.features import stage as features
    from flyball.serving import release
    from flyball.site import scorer

    rng = np.random.default_rng(0)
    n = 4000
    x = rng.normal(size=(n, COLUMNS))
    moments = features.Moments.of([f"m{i:04d}" for i in range(n)], [0] * n)
    matrix = features.Matrix(moments, {f"c{i:02d}": x[:, i].copy() for i in range(COLUMNS)})
    value = (x[:, 0] * x[:, 1] + x[:, 2] + rng.normal(size=n) > 0).astype(np.float64)
    known = np.ones(n, dtype=bool)
    y = labels.stage.Answers(value, known, data.stage.Words.of([None] * n), np.ones(n))
    predictor = model.BoostedTrees(trees=TREES, leaves=LEAVES).fit(matrix, y, labels.Probability(), 0)
    draft = place / "draft"
    release.write_packed(draft / "model", predictor.pack())
    golden = matrix.take(np.arange(64))
    arrays.write_matrix(draft / "golden.npz", golden, decode=True)
    with (draft / "golden_answers.npz").open("wb") as sink:
        answers = predictor.predict(golden)
        np.savez(sink, answers=answers, source=answers)
    folder = draft.rename(place / release.sealed(draft))
    return folder, x[:64], scorer.Scorer(folder).answer(golden)


@contextmanager
def _pinned(place: int) -> Iterator[None]:
    """Let this process have one core alone; servers are given another, where there is one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_core(place)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _core(place: int) -> int:
    return min(place, (os.cpu_count() or 1) - 1)


class Server(NamedTuple):
    """A server that runs: its process, and the ports it listens on."""

    pid: int
    ports: list[int]

    def busy_s(self) -> float:
        """Return the processor time that it and its scorer took so far, seconds."""
        children = Path(f"/proc/{self.pid}/task").glob("*/children")
        pids = {self.pid, *(int(pid) for file in children for pid in file.read_text().split())}
        ticks = 0
        for pid in pids:
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _server(code: str, argument: str) -> Iterator[Server]:
    """Run a server on a core of its own."""
    command = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {{{_core(1)}}})\n{code}", argument]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            yield Server(child.pid, [int(port) for port in child.stdout.readline().split()])
        finally:
            child.stdin.close()
            child.wait()


_OURS = """
import pathlib, sys
from flyball.site import endpoint, endpoint_access, router
folder = pathlib.Path(sys.argv[1])
with router.Router() as one:
    one.switch(folder, folder.name)
    with endpoint.Endpoint(one, "pump", endpoint_access.Bind(port=0, grpc_port=0)) as served:
        print(served.url.rpartition(":")[2], served.grpc.rpartition(":")[2], flush=True)
        sys.stdin.read()
"""

# As its own manual has it: a model of the request, an asynchronous function, uvicorn with its fast parser and loop.
_PEER = """
import os, socket, sys, threading
import fastapi, numpy, onnxruntime, pydantic, uvicorn

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
app = fastapi.FastAPI()


class Request(pydantic.BaseModel):
    rows: list[list[float]]


@app.post("/infer")
async def infer(request: Request):
    x = numpy.asarray(request.rows, dtype=numpy.float32)
    return {"answer": session.run(None, {"x": x})[0][:, 1].tolist()}


listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
config = uvicorn.Config(app, http="httptools", loop="uvloop", log_level="critical", access_log=False)
uvicorn.Server(config).run([listening])
"""


def _http(port: int, path: str, request: Any, expected: Any, at_once: int) -> Callable[[], list[float]]:
    """Return what asks over HTTP for some seconds, each connection again as soon as it is answered."""
    body = json.dumps(request).encode()
    whole = (
        f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body
    with socket.create_connection(("127.0.0.1", port), timeout=10) as end:
        end.sendall(whole)
        told = json.loads(_response(end))
    _equal(told["answer"] if "answer" in told else told["outputs"][0]["data"], expected)

    def ask() -> list[float]:
        taken: list[float] = []
        with selectors.DefaultSelector() as watched:
            begun: dict[socket.socket, float] = {}
            for _ in range(at_once):
                end = socket.create_connection(("127.0.0.1", port), timeout=10)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watched.register(end, selectors.EVENT_READ)
                begun[end] = time.perf_counter()
                end.sendall(whole)
            until = time.perf_counter() + SECONDS
            while (now := time.perf_counter()) < until:
                for key, _ in watched.select(1.0):
                    end = key.fileobj  # type: ignore[assignment]
                    _response(end)
                    now = time.perf_counter()
                    taken.append(now - begun[end])
                    begun[end] = now
                    end.sendall(whole)
            for end in begun:
                _response(end)
                end.close()
        return taken

    return ask


def _response(end: socket.socket) -> bytes:
    """Return the body of one response."""
    found = end.recv(2**16)
    head, _, body = found.partition(b"\r\n\r\n")
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < size:
        body += end.recv(2**16)
    return body


def _grpc(port: int, x: Any, expected: Any, at_once: int) -> Callable[[], list[float]]:
    """Return what asks over gRPC for some seconds, from a thread for each call under way."""
    import threading

    import grpc

    from flyball.site.endpoint_messages import messages

    kinds = messages()
    request = kinds["ModelInferRequest"](model_name="pump")
    request.inputs.add(name="x", datatype="FP64", shape=x.shape).contents.fp64_contents.extend(
        x.ravel().tolist()
    )
    content = request.SerializeToString()
    place, method = f"127.0.0.1:{port}", "/inference.GRPCInferenceService/ModelInfer"
    with grpc.insecure_channel(place) as channel:
        told = kinds["ModelInferResponse"].FromString(channel.unary_unary(method)(content))
    _equal(told.outputs[0].contents.fp64_contents, expected)

    def ask() -> list[float]:
        taken: list[float] = []
        with grpc.insecure_channel(place) as channel:
            call = channel.unary_unary(method)
            call(content)
            until = time.perf_counter() + SECONDS

            def go() -> None:
                while (begun := time.perf_counter()) < until:
                    call(content)
                    taken.append(time.perf_counter() - begun)

            threads = [threading.Thread(target=go) for _ in range(at_once)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return taken

    return ask


def _equal(found: Any, expected: Any) -> None:
    import numpy as np

    if not np.allclose(list(found), expected, rtol=0, atol=1e-6):
        raise RuntimeError("the servers do not answer the same")
