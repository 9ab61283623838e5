"""A small release, made in a second: what trials of serving are held with."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import data, feedback, labels, model, monitoring, part, serving, units
from flyball import features as features_room
from flyball.features import arrays
from flyball.features import stage as features
from flyball.serving import release

if TYPE_CHECKING:
    from flyball.model import stage as models
    from flyball.system import System

LEARNERS: dict[str, Callable[[], models.Learner]] = {
    "trees": lambda: model.BoostedTrees(trees=20),
    "logistic": lambda: model.Logistic(),
}


def matrix(n: int = 300, seed: int = 0) -> features.Matrix:
    """Return n questions of as many machines: three numbers, c0 to c2, and a category, `kind`, some of it missing.

    >>> list(matrix(2).columns)
    ['c0', 'c1', 'c2', 'kind']
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    moments = features.Moments.of([f"m{i:04d}" for i in range(n)], [0] * n)
    x = rng.normal(size=(n, 3))
    kind = data.stage.Words.of([("a", "b", None)[i] for i in rng.integers(3, size=n)])
    return features.Matrix(moments, {**{f"c{i}": x[:, i].copy() for i in range(3)}, "kind": kind})


def page(period: units.Duration) -> System:
    """Return a page over one table, `pump`, that is asked at every period: a mean, a maximum, a last value.

    >>> list(page(units.hours(1)).problems())
    []
    """
    from flyball.systems.scanner.page import system

    span = units.Duration(4 * period)
    rolling = features_room.Rolling("pump.flow", over=span, by=("mean", "max"))
    return part.replace(
        system, name="pump", question="Will this pump stall?",
        data=data.Fleet(
            "machine", data.WallClock(), (data.Table("pump", columns={"flow": "number", "stalled": "bool"}),)
        ),
        features=features_room.AsOf(
            features_room.Every(period), (rolling, features_room.Last("pump.flow"))
        ),
        labels=labels.FailsWithin(period, event="pump.stalled"),
        model=part.replace(
            system.model, baseline=model.Prior(), peers={}, gates=(),
            challenger=model.Logistic(),
            choose=model.Rolling(folds=2, guard=period), test=model.Latest(share=0.2, guard=period),
            metrics=("average_precision", "log_loss"), costs=None, compress=(),
        ),
        serving=serving.Edge(serving.Budget(alerts=5, per=units.days(1)), None),
        feedback=feedback.Outcomes(),
        monitoring=part.replace(system.monitoring, drift=monitoring.Drift(over=units.WEEK)),
    )  # fmt: skip


def asked(of: System, n: int = 300, seed: int = 0) -> features.Matrix:
    """Return n questions of a page whose features are numbers.

    >>> list(asked(page(units.hours(1)), 2).columns)
    ['pump.flow.mean.4h', 'pump.flow.max.4h', 'pump.flow.last']
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    moments = features.Moments.of([f"m{i:04d}" for i in range(n)], [0] * n)
    return features.Matrix(moments, {name: rng.normal(size=n) for name in of.features.names()})


def fitted(learner: str = "trees", seed: int = 0, x: features.Matrix | None = None) -> models.Predictor:
    """Return a predictor that learned something from the small matrix, or from another."""
    import numpy as np

    x = matrix(seed=seed) if x is None else x
    first = next(iter(x.columns.values()))
    value = (first + 0.5 * np.random.default_rng(1).normal(size=len(x)) > 0.5).astype(np.float64)  # type: ignore[operator]
    known = np.ones(len(x), dtype=bool)
    y = labels.stage.Answers(value, known, data.stage.Words.of([None] * len(x)), np.ones(len(x)))
    return LEARNERS[learner]().fit(x, y, labels.Probability(), seed)


def made(
    folder: Path,
    learner: str = "trees",
    seed: int = 0,
    golden: int = 32,
    wrong: float = 0.0,
    broken: bool = False,
    page: System | None = None,
    x: features.Matrix | None = None,
    baseline: Path | None = None,
) -> Path:
    """Make a release in a folder and return its folder there, named by its digest.

    `wrong` is by how much the answers differ from its golden vectors; a `broken` one is sealed and cannot be loaded.
    `page` is the page it says it is of, `x` what it learns from, `baseline` a release
    that it brings along as its baseline.
    """
    import numpy as np

    predictor = fitted(learner, seed, x)
    draft = folder / f"draft-{random.Random(seed).getrandbits(32):08x}"
    release.write_packed(draft / "model", predictor.pack())
    if broken:
        file = draft / "model" / release.PACKED
        file.write_text(json.dumps({**json.loads(file.read_text()), "runner": "none of this version"}))
    some = (matrix(seed=seed) if x is None else x).take(np.arange(golden))
    arrays.write_matrix(draft / "golden.npz", some, decode=True)
    answers = predictor.predict(some)
    with (draft / "golden_answers.npz").open("wb") as sink:
        np.savez(sink, answers=answers + wrong, source=answers)
    if page is not None:
        (draft / "page.txt").write_text(repr(page) + "\n")
        (draft / "serving.json").write_text(json.dumps({"threshold": 0.5, "fallback": "baseline"}))
    if baseline is not None:
        shutil.copytree(baseline, draft / "baseline")
    (draft / "data.json").write_text(json.dumps({"seed": seed}))
    return draft.rename(folder / release.sealed(draft))


def request(x: features.Matrix, **more: Any) -> dict[str, Any]:
    """Return the small matrix as a request of the Open Inference Protocol.

    >>> [one["name"] for one in request(matrix(2))["inputs"]]
    ['c0', 'c1', 'c2', 'kind']
    """
    inputs = []
    for name, column in x.columns.items():
        words = isinstance(column, data.stage.Words)
        values = column.texts() if words else column.tolist()  # type: ignore[union-attr]
        inputs.append(
            {"name": name, "datatype": "BYTES" if words else "FP64", "shape": [len(x)], "data": values}
        )
    return {"inputs": inputs, **more}


def interpreter(folder: Path, code: str) -> str:
    """Return an interpreter for scorers that runs some code first: a model that is slow, leaks or dies."""
    import sys

    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"python-{len(list(folder.iterdir()))}"
    body = f"import sys\nfrom flyball.site import answering, process, scorer\n{code}\n"
    place.with_suffix(".py").write_text(body + "raise SystemExit(process.main(sys.argv[-2:]))\n")
    place.write_text(f'#!/bin/sh\nexec {sys.executable} {place}.py "$@"\n')
    place.chmod(0o755)
    return str(place)
