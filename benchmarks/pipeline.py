"""The whole pipeline against bare LightGBM on the same rows, and how time and memory grow.

876,100 rows x 50 columns (100 machines, a year of hours) come in as files, are checked, stored durably, asked about
once an hour as of what was seen, learned from and answered.  The peer reads the same Parquet file and trains
LightGBM with the same parameters on the same matrix, with nothing around it.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import sidebyside

MACHINES, HOURS, COLUMNS = 100, 8761, 50
TREES = 400
GROWTH_COLUMNS = 10
#: 2005-01-01: the longest history of the growth rows, eleven years of hours, must lie in the past.
START_US = 1_104_537_600_000_000


def run() -> dict[str, Any]:
    """Compare the pipeline with bare LightGBM, tell what the contest adds, then how everything grows."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = _side_by_side(place)
    for axis, sizes in (
        ("rows", (10**5, 10**6, 10**7)),
        ("machines", (10, 100, 1000)),
        ("files", (10, 500, 5000)),
    ):
        rows += _growth(axis, sizes)
    return sidebyside.result("pipeline", ("lightgbm", "polars", "deltalake", "numpy"), rows)


def page(columns: int, trees: int) -> Any:
    """Return the page that is carried through: the last value of every column, asked every hour."""
    from flyball import System, data, features, feedback, labels, model, monitoring, serving
    from flyball.units import DAY, hours

    names = tuple(f"x{number:02d}" for number in range(columns))
    return System(
        name="pipeline",
        question="Does the event follow within the hour?",
        data=data.Fleet(
            key="machine",
            clock=data.WallClock(),
            tables=(
                data.Table("logs", columns={**dict.fromkeys(names, "number"), "y": "bool"}, unique=("at",)),
            ),
        ),
        features=features.AsOf(
            asked=features.Each("logs"), columns=tuple(features.Last(f"logs.{n}") for n in names)
        ),
        labels=labels.Given("logs.y", answer=labels.Probability()),
        model=model.Contest(
            baseline=model.Prior(),
            challenger=model.BoostedTrees(trees=trees, leaves=31, rate=0.05),
            choose=model.Rolling(folds=1, guard=hours(1)),
            test=model.Latest(share=0.2, guard=hours(1)),
            metrics=("average_precision", "roc_auc", "log_loss"),
            gates=(model.Beats("average_precision", by=0.0),),
        ),
        serving=serving.Edge(decide=serving.Budget(alerts=5, per=DAY)),
        feedback=feedback.Outcomes(wait=DAY),
        monitoring=monitoring.Watch(),
    )


def fleet(machines: int, hours: int, columns: int, seed: int = 0) -> Any:
    """Return a synthetic fleet's rows as a polars frame, sorted by time; only the size of it matters."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    n = machines * hours
    frame = {"machine": np.tile(np.arange(machines), hours), "at": np.repeat(np.arange(hours), machines)}
    values = rng.normal(size=(columns, n)).astype(np.float32).astype(np.float64)
    signal = values[: min(5, columns)].sum(axis=0)
    chance = 1 / (1 + np.exp(4 - signal))
    out = pl.DataFrame(frame).select(
        pl.format("m{}", pl.col("machine").cast(pl.String).str.zfill(4)).alias("machine"),
        (pl.lit(START_US) + pl.col("at") * 3_600_000_000).cast(pl.Datetime("us", "UTC")).alias("at"),
    )
    named = {f"x{number:02d}": values[number] for number in range(columns)}
    return out.with_columns(
        **{name: pl.Series(column) for name, column in named.items()}, y=pl.Series(rng.random(n) < chance)
    )


def _side_by_side(place: Path) -> list[dict[str, Any]]:
    import numpy as np

    frame = fleet(MACHINES, HOURS, COLUMNS)
    (place / "parquet").mkdir()
    (place / "csv").mkdir()
    frame.write_parquet(place / "parquet" / "logs.parquet")
    frame.write_csv(place / "csv" / "logs.csv")
    del frame
    gc.collect()
    peer, peer_answers = _bare(place / "parquet" / "logs.parquet")
    ours, answers, parts, contest = _through(place / "parquet", place / "store", contest=True)
    if not np.allclose(np.sort(answers), np.sort(peer_answers), atol=1e-5):
        raise AssertionError("the pipeline does not answer as bare LightGBM does: no time is taken")
    csv, _, _, _ = _through(place / "csv", place / "store-csv", contest=False)
    case = "876,100 rows x 50 columns, {}: ingest, features, train, predict"
    name = "lightgbm alone on the same rows"
    rows = [
        sidebyside.row(case.format("Parquet"), ours, peer, name, "s", goal=1.3),
        sidebyside.row(case.format("CSV"), csv, peer, name + " (from Parquet)", "s", goal=None),
    ]
    rows += [
        sidebyside.row(f"  of which {step}", taken, None, "", "s", goal=None) for step, taken in parts.items()
    ]
    found = sidebyside.row("contest statistics and gates", contest, None, "", "s", goal=None)
    return [*rows, {**found, "goal": 60.0, "met": contest <= 60.0}]


def _bare(file: Path) -> tuple[float, Any]:
    """Return the time of LightGBM with nothing around it, and its answers."""
    import lightgbm as lgb
    import polars as pl

    from flyball.features import stage as features
    from flyball.labels import stage as labels

    learner = page(COLUMNS, TREES).model.challenger
    begun = time.perf_counter()
    frame = pl.read_parquet(file).sort("machine", "at")
    x = frame.select(f"x{number:02d}" for number in range(COLUMNS)).cast(pl.Float32).to_numpy()
    y = frame["y"].cast(pl.Float64).to_numpy()
    options = bare_options(learner, labels.Probability(), features)
    booster = lgb.train(options, lgb.Dataset(x, y, params=options), num_boost_round=TREES)
    answers = booster.predict(x)
    return time.perf_counter() - begun, answers


def bare_options(learner: Any, kind: Any, _: Any) -> dict[str, Any]:
    """Return the parameters of the page's learner as LightGBM takes them."""
    return {
        "objective": "binary", "num_leaves": learner.leaves, "learning_rate": learner.rate, "num_threads": 2,
        "min_data_in_leaf": learner.min_rows, "max_bin": learner.bins, "verbosity": -1, "seed": 0,
        "deterministic": True, "force_col_wise": True,
    }  # fmt: skip


def _through(source: Path, folder: Path, contest: bool) -> tuple[float, Any, dict[str, float], float]:
    """Return the pipeline's time, its answers, the time of each stage, and what contest and gates take."""
    from flyball.model import metrics
    from flyball.runtime import build, plan
    from flyball.runtime.store import Store

    told, marks = page(COLUMNS, TREES).check(), [time.perf_counter()]
    kept = Store.open(folder, told.data)
    kept.ingest([source])
    marks.append(time.perf_counter())
    x, _ = build.matrix(told, kept, plan.Plan(kept))
    y = told.labels.label(build.tables(told, kept, None, None, None), x.moments, None)
    marks.append(time.perf_counter())
    predictor = told.model.challenger.fit(x, y, told.labels.kind(), 0)
    marks.append(time.perf_counter())
    answers = predictor.predict(x)
    marks.append(time.perf_counter())
    names = ("ingest", "features", "train", "predict")
    parts = {name: after - before for name, before, after in zip(names, marks, marks[1:], strict=False)}
    begun = time.perf_counter()
    if contest:
        fold = told.model.test.split(x.moments, {})[0].test
        for metric in told.model.metrics:
            for said in (answers[fold], 0 * answers[fold] + 0.5):
                metrics.interval(metric, told.labels.kind(), y.value[fold], said, x.moments[fold])
            metrics.paired(metric, told.labels.kind(), y.value[fold], answers[fold], said, x.moments[fold])
    return marks[-1] - marks[0], answers, parts, time.perf_counter() - begun


def _growth(axis: str, sizes: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return how time and memory of ingest and features grow along one axis: no worse than linear.

    The exponent is that of the last step, where fixed costs no longer hide it; 1 is linear.
    """
    import math

    found = [_spawn(axis, size) for size in sizes]
    rows = []
    for what, unit in (("seconds", "s"), ("peak_MiB", "MiB")):
        for size, told in zip(sizes, found, strict=True):
            rows.append(
                sidebyside.row(f"{axis} {size:,}: ingest and features", told[what], None, "", unit, goal=None)
            )
        exponent = math.log(found[-1][what] / found[-2][what]) / math.log(sizes[-1] / sizes[-2])
        told = sidebyside.row(
            f"{what} by {axis}, exponent of the last step", exponent, None, "", "", goal=None
        )
        rows.append({**told, "goal": 1.1, "met": exponent <= 1.1})
    return rows


def _spawn(axis: str, size: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.pipeline", axis, str(size)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def grown(axis: str, size: int) -> dict[str, float]:
    """Ingest and build features of a fleet of a size in this process; return seconds and peak memory."""
    from flyball.runtime import build, plan
    from flyball.runtime.store import Store

    machines, hours, files = {
        "rows": (100, size // 100, 10), "machines": (size, 100_000 // size, 10), "files": (20, 5000, size)
    }[axis]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _apart(_files, place / "in", machines, hours, files)
        told = page(GROWTH_COLUMNS, 10)
        begun = time.perf_counter()
        kept = Store.open(place / "store", told.data)
        receipt = kept.ingest([place / "in"])
        x, _ = build.matrix(told, kept, plan.Plan(kept))
        taken = time.perf_counter() - begun
        if receipt.good != {"logs": machines * hours} or len(x) != machines * hours:
            raise AssertionError(f"{receipt.good} rows taken in and {len(x)} asked of {machines * hours}")
    return {"seconds": taken, "peak_MiB": _peak_mib()}


def _apart(work: Callable[..., None], *arguments: Any) -> None:
    """Do some work in a process of its own, so that its memory is not counted here."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    process.join()
    if process.exitcode != 0:
        raise AssertionError(f"{work.__name__} ended with {process.exitcode}")


def _peak_mib() -> float:
    """Return the peak of this process's resident memory (a process inherits its parent's in ru_maxrss)."""
    with open("/proc/self/status") as told:
        return next(int(line.split()[1]) for line in told if line.startswith("VmHWM")) / 1024


def _files(place: Path, machines: int, hours: int, files: int) -> None:
    """Write a fleet's files a batch of hours at a time, so that writing them needs little memory."""
    place.mkdir()
    frame = fleet(machines, hours, GROWTH_COLUMNS)
    size = -(-frame.height // files)
    for number in range(files):
        frame.slice(number * size, size).write_parquet(place / f"logs-{number:05d}.parquet")


if __name__ == "__main__":
    print(json.dumps(grown(sys.argv[1], int(sys.argv[2]))))
