"""One runtime in a process of its own: asks it one row at a time and prints what that took.

    python -m benchmarks.edges.process RUNTIME FOLDER

FOLDER holds `x.npy` (rows, ready as tensors), and what the runtime needs: `net.npz`, `fp32.onnx`, `int8.onnx`,
`model.txt`, or a release in `ours/NAME`.  Answers of all rows, asked singly, go to RUNTIME.npy there.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Answers that are timed, at least so many, and for how many seconds.
ASKED, LEAST, LONGEST_S = 600, 50, 3.0


def asks(runtime: str, folder: Path) -> Callable[[Any], Any]:
    """Return what answers one row (1, ...) as an array, loaded in this process as a user of that runtime would."""
    kind, _, detail = runtime.partition(":")
    return {
        "torch": _torch, "onnxruntime": _onnxruntime, "openvino": _openvino, "lightgbm": _lightgbm,
        "lleaves": _lleaves, "ours": _ours,
    }[kind](folder, detail)  # fmt: skip


def _torch(folder: Path, detail: str) -> Callable[[Any], Any]:
    import numpy as np
    import torch

    from benchmarks.edges import nets

    torch.set_num_threads(1)
    module = nets.build((folder / "name").read_text())
    with np.load(folder / "net.npz") as held:
        module.load_state_dict({name: torch.from_numpy(held[name]) for name in held.files})
    module.eval()
    ask = torch.compile(module) if detail == "compiled" else module

    def answer(x: Any) -> Any:
        with torch.inference_mode():
            return ask(torch.from_numpy(x)).numpy()

    return answer


def _onnxruntime(folder: Path, detail: str) -> Callable[[Any], Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        str(folder / f"{detail}.onnx"), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def _openvino(folder: Path, detail: str) -> Callable[[Any], Any]:
    import openvino

    core = openvino.Core()
    model = core.read_model(folder / ("int8.onnx" if detail == "int8" else "fp32.onnx"))
    model.reshape([1, *list(model.inputs[0].partial_shape)[1:]])
    wanted = {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": "bf16" if detail == "bf16" else "f32",
    }  # fmt: skip
    request = core.compile_model(model, "CPU", wanted).create_infer_request()
    return lambda x: request.infer([x], share_inputs=True, share_outputs=True)[0]


def _lightgbm(folder: Path, detail: str) -> Callable[[Any], Any]:
    import lightgbm

    booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    return lambda x: booster.predict(x, num_threads=1)


def _lleaves(folder: Path, detail: str) -> Callable[[Any], Any]:
    import lleaves

    model = lleaves.Model(model_file=str(folder / "model.txt"))
    model.compile(cache=str(folder / "lleaves.bin"))
    return lambda x: model.predict(x, n_jobs=1)


def _ours(folder: Path, detail: str) -> Callable[[Any], Any]:
    from flyball.site import scorer

    place = folder / "ours" / detail
    release = scorer.Scorer(place, (folder / "ours" / f"{detail}.digest").read_text())
    return lambda x: release.predictor.score([x])  # type: ignore[attr-defined]


def main(runtime: str, folder: Path) -> None:
    """Ask, and print latency (microseconds), resident memory, CPU seconds and when the first answer was there."""
    import numpy as np

    # Few rows while memory is measured: what is asked is no part of what answers.
    some = np.load(folder / "x.npy", mmap_mode="r")[:16].copy()
    rows = [some[n : n + 1] for n in range(len(some))]
    answer = asks(runtime, folder)
    answer(rows[0])
    first = time.monotonic()
    for number in range(20):
        answer(rows[number % len(rows)])
    taken, busy, until, asked = [], time.process_time(), time.perf_counter() + LONGEST_S, 0
    # A question during which other work took the core tells of this machine, not of the runtime: it counts by the
    # CPU seconds that it took.
    while len(taken) < ASKED and (time.perf_counter() < until or asked < LEAST):
        before, used = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw, time.process_time()
        begun = time.perf_counter()
        answer(rows[asked % len(rows)])
        spent = time.perf_counter() - begun
        used = time.process_time() - used
        asked += 1
        alone = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == before
        taken.append(spent if alone else min(spent, used))
    cpu = (time.process_time() - busy) / asked
    with open("/proc/self/statm", encoding="ascii") as statm:
        resident = int(statm.read().split()[1]) * resource.getpagesize()
    x = np.load(folder / "x.npy", mmap_mode="r")
    if not (folder / f"{runtime}.npy").exists():
        np.save(folder / f"{runtime}.npy", np.concatenate([np.array(answer(row[None].copy())) for row in x]))
    p50, p99 = (float(np.quantile(taken, share)) * 1e6 for share in (0.5, 0.99))
    told = {
        "p50_us": p50,
        "p99_us": p99,
        "resident_bytes": resident,
        "cpu_us": cpu * 1e6,
        "first_at_s": first,
        "core": sorted(os.sched_getaffinity(0)),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
