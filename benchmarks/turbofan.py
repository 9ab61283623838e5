"""The turbofan page on NASA's test engines: five seeds, the life cut at 125 and whole, beside two peers.

Every contestant learns from the same rows of the same engines (those with a twin among the test engines are left out)
and is judged at the last flight of every test engine.  Peers are trained for what they are judged on: on the life cut
at 125 for the one set of figures, on the whole life for the other.  Seeds run side by side, one thread each.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import sidebyside
from flyball.model import metrics
from flyball.runtime import build, contest, plan, store
from flyball.systems import turbofan
from flyball.systems.turbofan import inputs

PAGE = turbofan.page.system
SEEDS = (0, 1, 2, 3, 4)
#: What is judged how: ours, then the peers by name.
CUT, WHOLE = "_cut_at_125", ""
PEERS = {
    CUT: {"challenger": "", "baseline": "LightGBM on windows", "lstm": "one-layer LSTM"},
    WHOLE: {"life": "", "life_windows": "LightGBM on windows", "life_lstm": "one-layer LSTM"},
}
#: RMSE that is aimed at; the whole life's are those of a small net tried before.
GOALS = {CUT: (10.5, 10.7, 10.5, 10.7), WHOLE: (12.0, 22.5, 12.2, 23.2)}
COVERED = (0.85, 0.95)

#: What the processes of the seeds share: the rows, their truth, and how they are parted.
_HELD: dict[str, Any] = {}


def run() -> dict[str, Any]:
    """Fit everybody with every seed; mean and spread per subset, coverage, and how many engines were dropped."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        found = _prepare(Path(folder))
    cores = len(os.sched_getaffinity(0))
    with concurrent.futures.ProcessPoolExecutor(cores, multiprocessing.get_context("fork")) as pool:
        told = list(pool.map(_judged, SEEDS))
    rows = [row for reading in (CUT, WHOLE) for row in _figures(told, reading)]
    rows += [row for reading in (CUT, WHOLE) for row in _coverage(told, reading)]
    rows += found
    result = sidebyside.result("turbofan", ("numpy", "polars", "lightgbm", "torch", "onnxruntime"), rows)
    return {
        **result,
        "page": PAGE.fingerprint(),
        "seeds": [{"seed": s, **m} for s, m in zip(SEEDS, told, strict=True)],
    }


def _prepare(folder: Path) -> list[dict[str, Any]]:
    """Carry the page to the contest's door; return the counts of what was dropped."""
    files = folder / "files"
    inputs.prepare(files)
    kept = store.Store.open(folder / "store", PAGE.data)
    kept.ingest([files])
    steps = plan.Plan(kept, lambda *_: None)
    x, parts = build.matrix(PAGE, kept, steps)
    x, y, _ = build.learned(PAGE, kept, steps, x, build.key_until(parts, None), None)
    train, test, _ = contest.parted(PAGE, x, y, build.tables(PAGE, kept, None, None, None))
    _HELD.update(x=x, y=y, train=train, test=test)
    rows = []
    for finding in build.counted(PAGE, kept):
        count, _, rest = finding.why.partition(" of ")
        whole, _, rest = rest.partition(" engines of ")
        case = f"{rest.split()[0]}: training engines left out, twins of a test engine"
        rows.append(sidebyside.row(case, float(count), None, "", f"of {whole}", None))
    learned = len(set(x.take(train).moments.names()))
    return [*rows, sidebyside.row("training engines learned from", learned, None, "", "engines", None)]


def _judged(seed: int) -> dict[str, float]:
    """Return every figure of every contestant on the test engines: "challenger.FD001.rmse_cut_at_125"."""
    import numpy as np

    x, y, train, test = (_HELD[name] for name in ("x", "y", "train", "test"))
    kind, truth = PAGE.labels.kind(), y.value[test]
    judged = x.take(test)
    subset = judged.columns[PAGE.model.slices]
    names = np.array(subset.texts())
    out = {}
    for who, learner in contest.contestants(PAGE.model).items():
        answers = learner.fit(x.take(train), y.take(train), kind, seed).predict(judged)
        for metric in PAGE.model.metrics:
            out[f"{who}.{metric}"] = metrics.measure(metric, kind, truth, answers)
            for part in inputs.SUBSETS:
                rows = np.flatnonzero(names == part)
                out[f"{who}.{part}.{metric}"] = metrics.measure(metric, kind, truth[rows], answers[rows])
    return out


def _figures(told: list[dict[str, float]], reading: str) -> list[dict[str, Any]]:
    """Return RMSE and NASA score of each subset: the mean over the seeds with its goal, the peers, the spread."""
    (ours, _), *peers = PEERS[reading].items()
    rows = []
    for subset, goal in zip(inputs.SUBSETS, GOALS[reading], strict=True):
        for metric, unit in (("rmse", "cycles"), ("nasa_score", "")):
            name = f"{subset}.{metric}{reading}"
            mine = [seed[f"{ours}.{name}"] for seed in told]
            aim = goal if metric == "rmse" else None
            rows.append(
                sidebyside.row(
                    f"{name}, mean of {len(told)} seeds", statistics.mean(mine), None, "", unit, aim
                )
            )
            spread = f"{name}, standard deviation over seeds"
            rows.append(sidebyside.row(spread, statistics.stdev(mine), None, "", unit, None))
            for who, label in peers:
                theirs = statistics.mean(seed[f"{who}.{name}"] for seed in told)
                rows.append(sidebyside.row(name, statistics.mean(mine), theirs, label, unit, None))
    return rows


def _coverage(told: list[dict[str, float]], reading: str) -> list[dict[str, Any]]:
    """Return how often the interval of ours holds, in all and by subset; .90 is wanted, .05 either way allowed."""
    (ours, _), *_ = PEERS[reading].items()
    rows = []
    for place in ("", *(f"{subset}." for subset in inputs.SUBSETS)):
        share = statistics.mean(seed[f"{ours}.{place}coverage{reading}"] for seed in told)
        row = sidebyside.row(f"{place}coverage{reading} of the 90 % interval", share, None, "", "", None)
        rows.append({**row, "goal": 0.9, "met": COVERED[0] <= share <= COVERED[1]} if not place else row)
    width = statistics.mean(seed[f"{ours}.interval_width{reading}"] for seed in told)
    return [*rows, sidebyside.row(f"interval_width{reading}, mean", width, None, "", "cycles", None)]
