"""What every benchmark shares: the machine it ran on, the versions, and how a comparison is written down."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any


def machine() -> dict[str, Any]:
    """Return the machine: processor, cores, memory, system."""
    cpu = ""
    with open("/proc/cpuinfo") as told:
        cpu = next((line.split(":", 1)[1].strip() for line in told if line.startswith("model name")), "")
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0))
    return {"cpu": cpu, "cores": cores, "memory_GiB": round(pages / 2**30, 1), "system": platform.platform()}


def versions(*names: str) -> dict[str, str]:
    """Return the versions of Python, flyball and some libraries."""
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("flyball", *names)},
    }


def seconds(work: Callable[[], Any], runs: int = 5) -> float:
    """Return the median time of some runs, after one that is not counted."""
    work()
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def versus(ours: Callable[[], Any], peer: Callable[[], Any], runs: int = 5) -> tuple[float, float]:
    """Return the median seconds of both, taken in turns so that a busy moment hits both; a first pair not counted."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for work, times in zip((ours, peer), taken, strict=True):
            begun = time.perf_counter()
            work()
            if number:
                times.append(time.perf_counter() - begun)
    return statistics.median(taken[0]), statistics.median(taken[1])


def cpu_seconds(work: Callable[[], Any], runs: int = 5, warm: bool = True) -> float:
    """Return the median CPU time of some runs in this process, after one that is not counted where it is to be `warm`.

    What one thread takes on a core of its own, whoever else is on the machine.
    """
    if warm:
        work()
    taken = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def each_path(
    case: str, work: Callable[[int], Any], samples: int, twin_samples: int, unit: str = "ns/sample"
) -> list[dict[str, Any]]:
    """Return a row for each path other than this machine's widest: plainer C++, and the Python twin.

    `work(n)` runs the case on n samples; the twin is given fewer, as it is slow.
    """
    from flyball.kernels import backend

    rows = []
    for path in backend.available()[1:]:
        many = twin_samples if path == "reference" else samples
        with backend.using(path):
            took = seconds(lambda many=many: work(many), runs=1 if path == "reference" else 5)
        rows.append(row(f"{case} [{path}]", took / many * 1e9, None, "", unit, None))
    return rows


def process_ms(command: list[str], runs: int = 9) -> float:
    """Return the median wall time of a whole process in milliseconds, after one that is not counted.

    Bytecode is kept between the runs, as on any machine on which a library is installed and used.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        env = {**os.environ, **kept}
        return seconds(lambda: subprocess.run(command, check=True, capture_output=True, env=env), runs) * 1e3


def row(
    case: str,
    ours: float,
    peer: float | None,
    peer_name: str,
    unit: str,
    goal: float | None,
    lower: bool = True,
) -> dict[str, Any]:
    """Return one comparison; `ratio` is ours over the peer's, `met` whether it keeps the goal (None: none set)."""
    ratio = None if peer in (None, 0) else ours / peer
    judged = ratio if ratio is not None else ours
    met = None if goal is None else bool(judged <= goal if lower else judged >= goal)
    return {
        "case": case, "ours": ours, "peer": peer, "peer_name": peer_name, "unit": unit, "ratio": ratio, "goal": goal,
        "met": met,
    }  # fmt: skip


def result(name: str, libraries: tuple[str, ...], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a benchmark's result as it is written to results/NAME.json."""
    return {"name": name, "machine": machine(), "versions": versions(*libraries), "rows": rows}
