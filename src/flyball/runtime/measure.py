"""Measures a release as it will run: a fresh process, one thread, pinned to one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.evidence import Measurement

#: One thread everywhere: the machine at the edge has other work to do.
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
LONGEST_S = 300
UNITS = {
    "p50_ms": "ms", "p99_ms": "ms", "p999_ms": "ms", "cpu_s": "s", "load_s": "s", "cold_start_s": "s",
    "resident_bytes": "B",
}  # fmt: skip


#: What decides how numbers of few bits, and sums, come out: two machines that differ here may differ in answers.
FLAGS = (
    "avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16",
    "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


def instructions() -> dict[str, Any]:
    """Return on which instructions a release is judged here: the architecture, what it has of FLAGS, our kernels' path.

    >>> sorted(instructions())
    ['architecture', 'flags', 'kernels']
    """
    import platform

    from flyball.kernels import backend

    try:
        told = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        told = ""
    lines = [line.partition(":")[2] for line in told.splitlines() if line.startswith(("flags", "Features"))]
    has = set(lines[0].split()) if lines else set()
    kernels = backend.path
    return {"architecture": platform.machine(), "flags": [f for f in FLAGS if f in has], "kernels": kernels}


def scorer(folder: Path, digest: str) -> dict[str, Measurement]:
    """Return p50, p99 and p99.9 latency, CPU seconds, cold start, resident memory, size and agreement of a release.

    The cold start is the time from the start of the process to its first answer.

    Raises GateError when the scorer cannot run the release at all.
    """
    begun = time.monotonic()
    told = _spawn(folder, digest)
    told["cold_start_s"] = told.pop("first_at_s") - begun  # one clock for all processes of a machine
    size = sum(file.stat().st_size for file in (folder / "model").rglob("*") if file.is_file())
    n = int(told.pop("n"))
    out = {name: _plain(name, value, n, UNITS.get(name, "1")) for name, value in told.items()}
    out["size_bytes"] = _plain("size_bytes", size, 1, "B")
    return out


def _plain(name: str, value: float, n: int, unit: str) -> Measurement:
    return Measurement(name, float(value), float(value), float(value), n, unit)


def _spawn(folder: Path, digest: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "flyball.site.scorer", str(folder), digest]
    core = min(os.sched_getaffinity(0))
    try:
        done = subprocess.run(
            command, env={**os.environ, **ALONE}, capture_output=True, text=True, timeout=LONGEST_S, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise errors.GateError(f"the scorer did not finish {folder.name[:12]} within {LONGEST_S} s") from None
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise errors.GateError(f"the scorer cannot run {folder.name[:12]}: {last}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
