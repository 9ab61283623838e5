"""The scorer: loads a verified release and answers; imports NumPy, the kernels and one runner, nothing else.

Run as a process it scores the release's golden vectors one by one and prints what that took, so that latency and
memory are those of the process that will really answer:

    python -m flyball.site.scorer RELEASE_FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import arrays
from flyball.features import stage as features
from flyball.model import unpack
from flyball.serving import release

if TYPE_CHECKING:
    from flyball.data.stage import Array

#: Single questions asked before anything is timed, and at least how many are timed.
WARM_UP, ASKED = 20, 2000
#: So long it goes on asking when other work takes the core in between, and so many alone are needed at least.
LONGEST_S, LEAST = 20.0, 200
#: Questions over which CPU seconds are counted, and after how many of those seconds it is enough.
COUNTED, COUNTED_S = 500, 0.5


class Scorer:
    """Answers questions with the model of one release, which is verified before it is loaded."""

    def __init__(self, folder: Path, digest: str | None = None) -> None:
        release.verify(folder, digest)
        self.folder = folder
        self.predictor = unpack.unpack(release.read_packed(folder / "model"))

    def answer(self, x: features.Matrix) -> Array:
        """Return the answers of the rows, shaped as the kind says."""
        return self.predictor.predict(x)

    def golden(self) -> tuple[features.Matrix, Array, Array]:
        """Return the golden vectors: the rows, the answers of the release, those of the model it was made from."""
        import numpy as np

        with np.load(self.folder / "golden_answers.npz", allow_pickle=False) as found:
            return arrays.read_matrix(self.folder / "golden.npz"), found["answers"], found["source"]


def timed(folder: Path, digest: str | None = None) -> dict[str, Any]:
    """Return latency (ms, one row a question), CPU seconds, resident memory, and agreement, taken in this process.

    Raises TrustError for a release that is not what it claims to be, DataError for one without golden vectors.
    """
    import numpy as np

    begun = time.perf_counter()
    scorer = Scorer(folder, digest)
    x, answers, source = scorer.golden()
    if not len(x):
        raise errors.DataError(f"{folder}: no golden vectors: nothing to be measured on")
    rows = [x.take(np.array([row])) for row in range(len(x))]
    loaded = time.perf_counter() - begun
    scorer.answer(rows[0])
    first = time.monotonic()
    for number in range(WARM_UP):
        scorer.answer(rows[number % len(rows)])
    taken, preempted = _asked_alone(scorer, rows)
    single = np.concatenate([scorer.answer(row) for row in rows])
    return {
        "p50_ms": float(np.quantile(taken, 0.50)) * 1e3,
        "p99_ms": float(np.quantile(taken, 0.99)) * 1e3,
        "p999_ms": float(np.quantile(taken, 0.999)) * 1e3,
        "cpu_s": _cpu_seconds(scorer, rows),
        "load_s": loaded,
        "first_at_s": first,
        "resident_bytes": _resident(),
        "golden_error": _apart(single, answers),
        "agreement": _apart(single, source),
        "preempted": preempted,
        "n": len(taken),
    }


def _asked_alone(scorer: Scorer, rows: list[features.Matrix]) -> tuple[list[float], float]:
    """Return the seconds of every question during which no other work took the core, and the share of the others.

    A machine at the edge answers on a core of its own.  Where the gate runs, builds and trainings take the core now
    and then: such a question tells how busy this machine is, not how fast the model.
    """
    import resource

    taken: list[float] = []
    asked, wanted = 0, max(ASKED, len(rows))
    until = time.perf_counter() + LONGEST_S
    while len(taken) < wanted and (asked < wanted or time.perf_counter() < until):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        begun = time.perf_counter()
        scorer.answer(rows[asked % len(rows)])
        spent = time.perf_counter() - begun
        asked += 1
        if resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == before:
            taken.append(spent)
    if len(taken) < LEAST:
        raise errors.DataError(
            f"other work took the core during all but {len(taken)} of {asked} questions: measure on a quieter machine"
        )
    return taken, 1 - len(taken) / asked


def _cpu_seconds(scorer: Scorer, rows: list[features.Matrix]) -> float:
    """Return the CPU seconds of one answer, of all threads: what it costs, whoever else is on the machine."""
    begun = time.process_time()
    for asked in range(1, COUNTED + 1):
        scorer.answer(rows[asked % len(rows)])
        if time.process_time() - begun > COUNTED_S:
            break
    return (time.process_time() - begun) / asked


def _apart(a: Array, b: Array) -> float:
    """Return the largest difference; an answer that is no number agrees with its like and with nothing else."""
    import numpy as np

    if a.shape != b.shape or bool((np.isnan(a) != np.isnan(b)).any()):
        return float("inf")
    return float(np.max(np.abs(np.nan_to_num(a) - np.nan_to_num(b)), initial=0.0))


def _resident() -> int:
    """Return the resident memory of this process in bytes."""
    import resource

    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def main(arguments: list[str]) -> int:
    """Measure a release folder and print it as JSON; 0 done, 2 called wrongly, 3 bad content, 5 not to be trusted."""
    if len(arguments) not in (1, 2):
        print("usage: python -m flyball.site.scorer RELEASE_FOLDER [DIGEST]", file=sys.stderr)
        return 2
    try:
        told = timed(Path(arguments[0]), arguments[1] if len(arguments) == 2 else None)
    except errors.FlyballError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 5 if isinstance(error, errors.TrustError) else 3
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
