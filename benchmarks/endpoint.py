"""A release asked over the network beside an ordinary service: FastAPI and uvicorn around onnxruntime, one model.

Each server has one core of its own, the client another.  Requests are made beforehand, and answers are equal before
anything is timed.  The peer holds the model in its own process: it has one hop less, and no one to answer when it dies.
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
from typing import Any

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
        with _server(_OURS, str(folder)) as ours, _server(_PEER, str(folder / "model" / "model.onnx")) as peer:
            (http, grpc), (port,) = ours, peer
            rows = [row for many, at_once in CASES for row in _case(http, grpc, port, x, expected, many, at_once)]
    libraries = ("onnxruntime", "uvicorn", "grpcio", "fastapi", "pydantic", "uvloop", "httptools")
    return sidebyside.result("endpoint", libraries, rows)


def _case(http: int, grpc: int, peer: int, x: Any, expected: Any, many: int, at_once: int) -> Iterator[dict[str, Any]]:
    values = x[:many].ravel().tolist()
    tensor = {"name": "x", "datatype": "FP64", "shape": [many, COLUMNS], "data": values}
    asks: dict[str, Callable[[], list[float]]] = {
        "http": _http(http, "/v2/models/pump/infer", {"inputs": [tensor]}, expected[:many], at_once),
        "peer": _http(peer, "/infer", {"rows": x[:many].tolist()}, expected[:many], at_once),
        "grpc": _grpc(grpc, x[:many], expected[:many], at_once),
    }
    taken: dict[str, list[list[float]]] = {name: [] for name in asks}
    for turn in range(TURNS + 1):
        for name, ask in asks.items():
            found = ask()
            if turn:
                taken[name].append(found)
    rate = {name: sorted(len(one) / SECONDS for one in turns)[TURNS // 2] for name, turns in taken.items()}
    p99 = {name: sorted(_p99(one) for one in turns)[TURNS // 2] for name, turns in taken.items()}
    what = f"{many} row{'s' if many > 1 else ''}, {at_once} connection{'s' if at_once > 1 else ''}"
    for name in ("http", "grpc"):
        yield sidebyside.row(f"{name}, {what}", rate[name], rate["peer"], PEER, "requests/s", goal=1.0, lower=False)
        yield sidebyside.row(f"{name}, {what}, p99", p99[name], p99["peer"], PEER, "ms", goal=1.0)


def _p99(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.99)] * 1e3


def _release(place: Path) -> tuple[Path, Any, Any]:
    """Make a release of trees that onnxruntime carries; return its folder, questions, and what it answers."""
    import numpy as np

    from flyball import data, labels, model
    from flyball.features import arrays
    from flyball.features import stage as features
    from flyball.model import onnx_trees
    from flyball.serving import release
    from flyball.site import scorer

    rng = np.random.default_rng(0)
    n = 4000
    x = rng.normal(size=(n, COLUMNS))
    moments = features.Moments.of([f"m{i:04d}" for i in range(n)], [0] * n)
    matrix = features.Matrix(moments, {f"c{i}": x[:, i].copy() for i in range(COLUMNS)})
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
    del onnx_trees
    return folder, x[:64], scorer.Scorer(folder).answer(golden)
