"""Holds the contest that a page declares: folds first, then the test split, read once.

Where a simulation knows the truth, oracles answer beside the contestants: the ceiling, which nobody may beat, and
others that show how much of it a single thing tells.

Everything that is tuned (learner, threshold, variant) is tuned on the `choose` folds; `test` is predicted by
predictors that were fitted before it was looked at, and every difference is paired, by machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flyball import data, errors
from flyball.evidence import Measurement
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import metrics, noise
from flyball.model import stage as model
from flyball.runtime import followed, leaks

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints
    from flyball.system import System

#: The probability (or best possible answer) given the full hidden truth, where a simulation knows it.
Ceiling = Callable[[features.Moments], "Array"]
#: What answers from the hidden truth: the ceiling, and the highest true severity, which only ranks.
ORACLES = ("ceiling", "severity")

RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Judged:
    """Answers of every contestant on some rows, with the truth of those rows; `rows` index into the matrix.

    `folds` tells which fold a row was judged in: scores of models of different folds are not ranked together.
    """

    rows: Ints
    truth: Array
    answers: Mapping[str, Array]
    folds: Ints | None = None


@dataclass(eq=False)
class Held:
    """A contest that was held: what everybody answered, what was measured, and the fitted predictors."""

    rolling: Judged
    test: Judged
    measured: dict[str, Measurement]
    predictors: dict[str, model.Predictor]
    threshold: float
    trained: Ints
    seconds: dict[str, float] = field(default_factory=dict)
    influence: dict[str, dict[str, float]] = field(default_factory=dict)
    followed: followed.Followed | None = None
    assumed: dict[str, str] = field(default_factory=dict)


def hold(
    page: System, x: features.Matrix, y: labels.Answers, tables: data.Tables, seed: int = 0,
    ceiling: Ceiling | None = None, progress: Callable[[str, int, int], None] = lambda name, done, total: None,
    severity: Ceiling | None = None,
) -> Held:  # fmt: skip
    """Hold the contest on the questions whose answer is known.

    `ceiling` and `severity` answer from the hidden truth; the second is reported by its order and judges nobody.

    Raises DataError when there is nothing to learn from or nothing to be judged on, LeakError when a contestant
    is better than the ceiling beyond doubt.
    """
    import time

    contest, kind = page.model, page.labels.kind()
    begun = time.perf_counter()
    train, test, inner = parted(page, x, y, tables)
    leaks.alone(page, x.take(train), y.take(train))
    total = (len(inner) + 1) * len(contestants(contest))
    rolling = _rolling(page, x, y, train, inner, seed, lambda done: progress("contest", done, total))
    threshold = page.serving.decide.settle(rolling.answers["challenger"], x.moments[rolling.rows])
    predictors, answers, assumed = {}, {}, {}
    for number, (name, learner) in enumerate(contestants(contest).items()):
        progress("contest", len(inner) * len(contestants(contest)) + number, total)
        predictors[name] = learner.fit(x.take(train), y.take(train), kind, seed)
        answers[name] = predictors[name].predict(x.take(test))
        if said := learner.assumes(x.take(train), y.take(train), kind, seed):
            assumed[name] = said
    fitted = time.perf_counter()
    if ceiling is not None:
        answers["ceiling"] = ceiling(x.moments[test])
    if severity is not None:
        answers["severity"] = severity(x.moments[test])
    judged = Judged(test, y.value[test], answers)
    seen = followed.judge(page, x, y, test, _everybody(predictors, ceiling))
    measured = measure(page, x, judged, "", y) | measure(page, x, rolling, "rolling.", y)
    measured |= followed.measure(page, x, y, seen, RESAMPLES)
    _refuse_leaks(page, x, judged)
    seconds = {"fit": fitted - begun, "statistics": time.perf_counter() - fitted}
    return Held(
        rolling, judged, measured, predictors, threshold, train, seconds, followed=seen, assumed=assumed
    )


def _everybody(
    predictors: Mapping[str, model.Predictor], ceiling: Ceiling | None
) -> dict[str, Callable[[features.Matrix], Array]]:
    every: dict[str, Callable[[features.Matrix], Array]] = {
        name: predictor.predict for name, predictor in predictors.items()
    }
    if ceiling is not None:
        every["ceiling"] = lambda matrix: ceiling(matrix.moments)
    return every


def parted(
    page: System, x: features.Matrix, y: labels.Answers, tables: data.Tables
) -> tuple[Ints, Ints, tuple[model.Fold, ...]]:
    """Return the rows to learn from, the rows to be judged on, and the folds within those to learn from.

    Raises DataError when the fleet's history is too short for one of them.
    """
    known = _known(page, y)
    fold = _only(page.model.test.split(x.moments[known], tables))
    train, test = known[fold.train], known[fold.test]
    _enough(page, y, train, test)
    return train, test, page.model.choose.split(x.moments[train], tables)


def contestants(contest: model.Contest) -> dict[str, model.Learner]:
    """Return everybody who takes part, by name: baseline, challenger, then the peers."""
    return {"baseline": contest.baseline, "challenger": contest.challenger, **contest.peers}


def suspected(page: System, held: Held) -> noise.Noise | None:
    """Return which labels of the rolling rows look wrong beside the challenger's out-of-fold answers to them.

    None for a quantity, and where the folds hold one class only.
    """
    import numpy as np

    if isinstance(page.labels.kind(), labels.Quantity) or len(np.unique(held.rolling.truth)) < 2:
        return None
    return noise.noise(held.rolling.truth, held.rolling.answers["challenger"])


def measure(
    page: System, x: features.Matrix, judged: Judged, prefix: str, y: labels.Answers | None = None
) -> dict[str, Measurement]:
    """Return every metric of every contestant with its interval, and the paired differences to the challenger.

    With the answers `y` of all rows an event is known by when it came.  Where the page slices, also of each slice
    alone: "challenger.FD001.rmse", "FD001.difference.rmse" ("site=A.difference.rmse" of several columns).
    """
    import numpy as np

    out = _measured(page, x, y, judged, prefix, "")
    for name in (name for name in page.model.sliced() if name not in x.stopped):
        column = x.columns[name]
        if not isinstance(column, data.Words):
            raise errors.DeclarationError(f"model.slices: {name!r} is no category")
        for code, label in enumerate(column.labels):
            rows = np.flatnonzero(column.codes[judged.rows] == code)
            if len(rows):
                folds = None if judged.folds is None else judged.folds[rows]
                answers = {who: answered[rows] for who, answered in judged.answers.items()}
                some = Judged(judged.rows[rows], judged.truth[rows], answers, folds)
                slice_ = f"{label}." if isinstance(page.model.slices, str) else f"{name}={label}."
                out |= _measured(page, x, y, some, prefix, slice_)
    return out


def _measured(
    page: System, x: features.Matrix, y: labels.Answers | None, judged: Judged, prefix: str, slice_: str
) -> dict[str, Measurement]:  # fmt: skip
    kind = page.labels.kind()
    moments, beside = x.moments[judged.rows], followed.context(page, y, judged.rows)
    out: dict[str, Measurement] = {}
    for metric in page.model.metrics:
        found = metrics.find(metric, kind)
        if found.follows:  # told from the followed rows
            continue
        for name, answers in judged.answers.items():
            if name != "severity" or found.ranks:
                out[f"{prefix}{name}.{slice_}{metric}"] = metrics.interval(
                    metric, kind, judged.truth, answers, moments, folds=judged.folds, resamples=RESAMPLES,
                    context=beside,
                )  # fmt: skip
        for name, answers in judged.answers.items():
            if name not in ("challenger", *ORACLES):
                against = "" if name == "baseline" else f"{name}."
                out[f"{prefix}{slice_}difference.{against}{metric}"] = metrics.paired(
                    metric, kind, judged.truth, judged.answers["challenger"], answers, moments,
                    folds=judged.folds, resamples=RESAMPLES, context=beside,
                )  # fmt: skip
    return out


def _known(page: System, y: labels.Answers) -> Ints:
    import numpy as np

    known = np.flatnonzero(y.known)
    if len(known) == 0:
        raise errors.DataError(
            f"{page.name}: no question has a known answer yet: wait for outcomes or move the cut"
        )
    return known


def _only(folds: tuple[model.Fold, ...]) -> model.Fold:
    if len(folds) != 1:
        raise errors.DeclarationError(f"model.test: a test split is one fold, this one gave {len(folds)}")
    return folds[0]


def _enough(page: System, y: labels.Answers, train: Ints, test: Ints) -> None:
    import numpy as np

    for name, rows in (("learn from", train), ("be judged on", test)):
        if len(rows) == 0:
            raise errors.DataError(
                f"{page.name}: no rows to {name}: the fleet's history is too short for this page"
            )
        if not isinstance(page.labels.kind(), labels.Quantity) and len(np.unique(y.value[rows])) < 2:
            what = "no event" if not y.value[rows].any() else "one class only"
            raise errors.DataError(
                f"{page.name}: {what} among the {len(rows)} rows to {name}: more history is needed"
            )


def _rolling(
    page: System, x: features.Matrix, y: labels.Answers, train: Ints, inner: tuple[model.Fold, ...], seed: int,
    progress: Callable[[int], None],
) -> Judged:  # fmt: skip
    import numpy as np

    if not inner:
        raise errors.DataError(
            f"{page.name}: model.choose gave no fold: the fleet's history is too short for it"
        )
    kind, every = page.labels.kind(), contestants(page.model)
    rows = np.concatenate([train[fold.test] for fold in inner])
    found: dict[str, list[Array]] = {name: [] for name in every}
    done = 0
    for fold in inner:
        learned, judged = train[fold.train], x.take(train[fold.test])
        for name, learner in every.items():
            found[name].append(learner.fit(x.take(learned), y.take(learned), kind, seed).predict(judged))
            done += 1
            progress(done)
    number = np.repeat(np.arange(len(inner)), [len(fold.test) for fold in inner])
    return Judged(
        rows, y.value[rows], {name: np.concatenate(pieces) for name, pieces in found.items()}, number
    )


def _refuse_leaks(page: System, x: features.Matrix, judged: Judged) -> None:
    """Refuse a contestant that beats what can be known, in any metric where that is the best: it saw the future."""
    if "ceiling" not in judged.answers:
        return
    kind = page.labels.kind()
    asked = [name for name in page.model.metrics if metrics.find(name, kind).bounded]
    for metric in asked or page.model.metrics[:1]:
        for name in judged.answers:
            if name not in ORACLES:
                _refuse(page, x, judged, metric, name)


def _refuse(page: System, x: features.Matrix, judged: Judged, metric: str, name: str) -> None:
    gap = metrics.paired(
        metric, page.labels.kind(), judged.truth, judged.answers[name], judged.answers["ceiling"],
        x.moments[judged.rows], resamples=RESAMPLES,
    )  # fmt: skip
    if gap.low > 0:
        raise errors.LeakError(
            f"{page.name}: {name} is better than the ceiling by {gap.value:.3f} [{gap.low:.3f}, {gap.high:.3f}] "
            f"in {metric}: one of its columns knows the future"
        )
