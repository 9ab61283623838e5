"""Metrics by name, with intervals that resample whole machines.

```
kind          higher is better                          lower is better
Probability   average_precision roc_auc accuracy        log_loss brier
              recall_at_K_per_day precision_at_K_per_day
              event_recall_at_X_per_machine_year
Classes       accuracy macro_f1 recall.CLASS            log_loss brier
              precision.CLASS
Quantity      coverage                                  rmse mae nasa_score interval_width
```

Rows of one machine are no independent evidence, so `interval` and `paired` draw machines with replacement (Efron
and Tibshirani 1993, ch. 8) and give the 2.5 and 97.5 percentiles.  A difference is always oriented so that above
zero means that the first is better.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import events, figures

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints


@dataclass(frozen=True, eq=False)
class Judged:
    """What a metric is told from: truth (n,), answers as the kind shapes them, weights (n,), and when asked."""

    kind: labels.Kind
    truth: Floats
    answers: Floats
    weight: Floats
    moments: features.Moments | None

    def at(self) -> Ints:
        """Return the moments; raises GateError where the metric needs them and none were given."""
        if self.moments is None:
            raise errors.GateError("this metric counts by day or machine: give it the moments of the answers")
        return self.moments.at


Prepare = Callable[[Judged], figures.Figure]


@dataclass(frozen=True)
class Metric:
    """A metric: its name, whether more is better, and how it is prepared."""

    name: str
    higher: bool
    prepare: Prepare


def find(name: str, kind: labels.Kind) -> Metric:
    """Return the metric of that name for answers of that kind.

    Raises DeclarationError for a name that this kind does not have, with the nearest one that it has.

    >>> find("brier", labels.Probability()).higher
    False
    >>> find("average_precison", labels.Probability())
    Traceback (most recent call last):
    flyball.errors.DeclarationError: no metric 'average_precison' of Probability, did you mean 'average_precision'?
    """
    known = _KINDS.get(type(kind), {})
    if name in known:
        higher, prepare = known[name]
        return Metric(name, higher, prepare)
    found = _by_pattern(name, kind)
    if found is not None:
        return found
    shown = [*known, *_patterns(kind)]
    hint = errors.did_you_mean(name, shown)
    raise errors.DeclarationError(f"no metric {name!r} of {type(kind).__name__}, {hint}")


def higher_is_better(name: str, kind: labels.Kind) -> bool:
    """Say whether more of it is better.

    >>> higher_is_better("rmse", labels.Quantity()), higher_is_better("roc_auc", labels.Probability())
    (False, True)
    """
    return find(name, kind).higher


def measure(
    name: str,
    kind: labels.Kind,
    truth: Any,
    answers: Any,
    moments: features.Moments | None = None,
    weight: Any = None,
) -> float:
    """Return the metric over the rows; NaN where it is not defined (no positive among them).

    `truth` (n,) with answers (n,), (n, k) or (n, 3) as the kind says; `moments` for metrics by day or machine.

    >>> measure("average_precision", labels.Probability(), [0, 1, 0, 1], [.1, .9, .8, .7])
    0.8333333333333333
    """
    metric, judged = find(name, kind), _judged(kind, truth, answers, moments, weight)
    return metric.prepare(judged).value(len(judged.truth)) if len(judged.truth) else float("nan")


def interval(
    name: str,
    kind: labels.Kind,
    truth: Any,
    answers: Any,
    moments: features.Moments | None = None,
    *,
    clusters: Any = None,
    weight: Any = None,
    folds: Any = None,
    resamples: int = 1000,
    seed: int = 0,
) -> evidence.Measurement:
    """Return the metric with its 95 % interval by resampling clusters (machines).

    `clusters` (n,) are integers or texts that say which rows go together: the machines of `moments` when None, and
    every row for itself when there are no moments either.  With `folds` (n,) the metric is told for every fold by
    itself and averaged, so that scores of two models are never ranked against each other.

    >>> one = interval("brier", labels.Probability(), [0, 1, 0, 1], [.1, .9, .8, .7], clusters=[0, 1, 2, 3])
    >>> one.low <= one.value <= one.high
    True
    """
    metric = find(name, kind)
    group, size = _clusters(clusters, moments, len(truth))
    parts = _prepared(metric, kind, truth, answers, moments, weight, folds)
    value = _mean([figure.value(len(rows)) for figure, rows in parts])
    drawn = _draw([parts], group, size, resamples, seed)[0]
    return _measurement(name, value, drawn, len(group))


def paired(
    name: str,
    kind: labels.Kind,
    truth: Any,
    a: Any,
    b: Any,
    moments: features.Moments | None = None,
    *,
    clusters: Any = None,
    weight: Any = None,
    folds: Any = None,
    resamples: int = 1000,
    seed: int = 0,
) -> evidence.Measurement:
    """Return how much better `a` is than `b` on the same rows, with its 95 % interval by cluster.

    Above zero means that `a` is better, also for metrics of which less is better: there it is b minus a.

    >>> kind, truth = labels.Probability(), [0, 1, 0, 1]
    >>> round(paired("brier", kind, truth, [0, 1, 0, 1], [.5, .5, .5, .5], clusters=[0, 1, 2, 3]).value, 3)
    0.25
    """
    metric = find(name, kind)
    sign = 1.0 if metric.higher else -1.0
    group, size = _clusters(clusters, moments, len(truth))
    both = [_prepared(metric, kind, truth, answers, moments, weight, folds) for answers in (a, b)]
    first, second = (_mean([figure.value(len(rows)) for figure, rows in parts]) for parts in both)
    drawn = _draw(both, group, size, resamples, seed)
    return _measurement(
        f"difference.{name}", sign * (first - second), sign * (drawn[0] - drawn[1]), len(group)
    )


def per_class(kind: labels.Classes, truth: Any, answers: Any) -> dict[str, dict[str, float]]:
    """Return {"recall": {class: figure}, "precision": {class: figure}}; NaN for a class never seen or answered.

    >>> per_class(labels.Classes(("a", "b")), [0, 1], [[.9, .1], [.6, .4]])
    {'recall': {'a': 1.0, 'b': 0.0}, 'precision': {'a': 0.5, 'b': nan}}
    """
    return {
        which: {label: measure(f"{which}.{label}", kind, truth, answers) for label in kind.names}
        for which in ("recall", "precision")
    }


def problems(names: tuple[str, ...], kind: labels.Kind) -> Iterator[errors.Problem]:
    """Yield a problem for every name that is no metric of that kind."""
    for index, name in enumerate(names):
        try:
            find(name, kind)
        except errors.DeclarationError as error:
            what, _, fix = str(error).partition(", ")
            yield errors.Problem(f"metrics[{index}]", what, fix)


# --- resampling ---------------------------------------------------------------------------------------------


def _judged(
    kind: labels.Kind, truth: Any, answers: Any, moments: features.Moments | None, weight: Any
) -> Judged:
    import numpy as np

    value = np.asarray(truth, dtype=np.float64)
    told = np.asarray(answers, dtype=np.float64)
    if len(told) != len(value):
        raise errors.GateError(f"{len(told)} answers for {len(value)} truths")
    if np.isnan(told).any():
        raise errors.GateError(
            f"{int(np.isnan(told).sum())} answers are NaN: a model that does not answer has no figure"
        )
    heavy = np.ones(len(value)) if weight is None else np.asarray(weight, dtype=np.float64)
    return Judged(kind, value, told, heavy, moments)


def _prepared(
    metric: Metric, kind: labels.Kind, truth: Any, answers: Any, moments: Any, weight: Any, folds: Any
) -> list[tuple[figures.Figure, Ints]]:
    import numpy as np

    whole = _judged(kind, truth, answers, moments, weight)
    if not len(whole.truth):
        raise errors.GateError(f"no rows to tell {metric.name} from")
    fold = np.zeros(len(whole.truth), dtype=np.int64) if folds is None else np.asarray(folds)
    parts = []
    for each in np.unique(fold):
        rows = np.flatnonzero(fold == each)
        asked = None if whole.moments is None else whole.moments[rows]
        judged = Judged(kind, whole.truth[rows], whole.answers[rows], whole.weight[rows], asked)
        parts.append((metric.prepare(judged), rows))
    return parts


def _clusters(clusters: Any, moments: features.Moments | None, n: int) -> tuple[Ints, int]:
    import numpy as np

    if clusters is None:
        clusters = np.arange(n) if moments is None else moments.codes
    if len(clusters) != n:
        raise errors.GateError(f"{len(clusters)} clusters for {n} truths")
    names, codes = np.unique(np.asarray(clusters), return_inverse=True)
    return codes.astype(np.int64).reshape(-1), len(names)


def _draw(
    sets: list[list[tuple[figures.Figure, Ints]]], group: Ints, size: int, resamples: int, seed: int
) -> Array:
    """Return (sets, resamples): the same draws of clusters for every set, in chunks that fit into memory."""
    import numpy as np

    rng = np.random.default_rng(seed)
    out = np.full((len(sets), resamples), np.nan)
    chunk = max(1, min(resamples, 4_000_000 // max(size, 1)))
    for start in range(0, resamples, chunk):
        stop = min(start + chunk, resamples)
        counts = np.stack(
            [
                np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
                for _ in range(start, stop)
            ]
        )
        for place, parts in enumerate(sets):
            told = np.stack([figure.resampled(group[rows], counts) for figure, rows in parts])
            out[place, start:stop] = _column_means(told)
    return out


def _column_means(told: Array) -> Array:
    """Return the mean over the folds that have a figure; NaN where none has."""
    import numpy as np

    known = ~np.isnan(told)
    total = np.where(known, told, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(told.shape[1], np.nan), where=count > 0))


def _mean(values: list[float]) -> float:
    import numpy as np

    return float(_column_means(np.array(values, dtype=np.float64)[:, None])[0])


def _measurement(name: str, value: float, drawn: Array, n: int) -> evidence.Measurement:
    import numpy as np

    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return evidence.Measurement(name, value, value, value, n=n)
    low, high = (float(edge) for edge in np.quantile(known, (0.025, 0.975)))
    return evidence.Measurement(name, value, low, high, n=n)


# --- how each metric is prepared ------------------------------------------------------------------------------


def _per_row(loss: Callable[[Judged], Array]) -> Prepare:
    """A mean over rows."""

    def prepare(j: Judged) -> figures.Figure:
        import numpy as np

        return figures.Additive(np.stack([j.weight * loss(j), j.weight], axis=1), _ratio)

    return prepare


def _ratio(totals: Floats) -> Floats:
    import numpy as np

    mean = np.divide(totals[:, 0], totals[:, 1], out=np.full(len(totals), np.nan), where=totals[:, 1] > 0)
    return np.asarray(mean)


def _rmse(j: Judged) -> figures.Figure:
    import numpy as np

    squared = j.weight * (j.answers[:, 0] - j.truth) ** 2
    return figures.Additive(np.stack([squared, j.weight], axis=1), lambda totals: np.sqrt(_ratio(totals)))


def _nasa(j: Judged) -> figures.Figure:
    """The sum over rows of exp(-d/13) - 1 early and exp(d/10) - 1 late (Saxena et al., PHM 2008)."""
    import numpy as np

    late = j.answers[:, 0] - j.truth
    score = np.expm1(np.minimum(np.where(late < 0, -late / 13, late / 10), 700.0))
    return figures.Additive((j.weight * score)[:, None], lambda totals: totals[:, 0])


def _log_loss(j: Judged) -> Array:
    import numpy as np

    tiny = np.finfo(np.float64).eps
    if j.answers.ndim == 1:
        p = np.clip(j.answers, tiny, 1 - tiny)
        return -np.where(j.truth > 0.5, np.log(p), np.log1p(-p))
    p = np.clip(j.answers / j.answers.sum(axis=1, keepdims=True), tiny, 1.0)
    return np.asarray(-np.log(p[np.arange(len(p)), j.truth.astype(np.int64)]))


def _brier(j: Judged) -> Array:
    import numpy as np

    if j.answers.ndim == 1:
        return (j.answers - (j.truth > 0.5)) ** 2
    hot = np.zeros_like(j.answers)
    hot[np.arange(len(hot)), j.truth.astype(np.int64)] = 1.0
    return np.asarray(((j.answers - hot) ** 2).sum(axis=1))


def _right(j: Judged) -> Array:
    import numpy as np

    said = (j.answers > 0.5) if j.answers.ndim == 1 else np.argmax(j.answers, axis=1)
    return np.asarray(said == j.truth, dtype=np.float64)


def _confusion(finish: Callable[[Floats], Floats]) -> Prepare:
    def prepare(j: Judged) -> figures.Figure:
        import numpy as np

        k = j.answers.shape[1]
        cells = j.truth.astype(np.int64) * k + np.argmax(j.answers, axis=1)
        return figures.Confusion(cells, k, j.weight, finish)

    return prepare


def _macro_f1(matrix: Floats) -> Floats:
    """The mean F1 over the classes that are there or were answered."""
    import numpy as np

    right = np.diagonal(matrix, axis1=1, axis2=2)
    either = matrix.sum(axis=1) + matrix.sum(axis=2)
    f1 = np.divide(2 * right, either, out=np.full(either.shape, np.nan), where=either > 0)
    return _column_means(f1.T)


def _of_class(index: int, axis: int) -> Callable[[Floats], Floats]:
    def finish(matrix: Floats) -> Floats:
        import numpy as np

        total = matrix.sum(axis=axis)[:, index]
        share = np.divide(matrix[:, index, index], total, out=np.full(len(total), np.nan), where=total > 0)
        return np.asarray(share)

    return finish


def _ranked(finish: Callable[[Floats, Floats], Floats]) -> Prepare:
    return lambda j: figures.Ranked.of(j.truth, j.answers, j.weight, finish)


def _per_day(k: float, precision: bool) -> Prepare:
    """Recall or precision of the k rows looked at each day; who is looked at is settled once, not per resample."""

    def prepare(j: Judged) -> figures.Figure:
        import numpy as np

        looked = j.weight * figures.looked_at(j.answers, j.at() // int(units.DAY), k)
        positive = j.truth > 0.5
        return figures.Additive(
            np.stack([looked * positive, looked if precision else j.weight * positive], axis=1), _ratio
        )

    return prepare


def _event_recall(limit: float) -> Prepare:
    def prepare(j: Judged) -> figures.Figure:
        j.at()
        assert j.moments is not None
        return events.EventRecall.of(j.moments, j.truth, j.answers, limit)

    return prepare


_PROBABILITY: dict[str, tuple[bool, Prepare]] = {
    "average_precision": (True, _ranked(figures.average_precision)),
    "roc_auc": (True, _ranked(figures.roc_auc)),
    "log_loss": (False, _per_row(_log_loss)),
    "brier": (False, _per_row(_brier)),
    "accuracy": (True, _per_row(_right)),
}
_CLASSES: dict[str, tuple[bool, Prepare]] = {
    "macro_f1": (True, _confusion(_macro_f1)),
    "accuracy": (True, _per_row(_right)),
    "log_loss": (False, _per_row(_log_loss)),
    "brier": (False, _per_row(_brier)),
}
_QUANTITY: dict[str, tuple[bool, Prepare]] = {
    "rmse": (False, _rmse),
    "mae": (False, _per_row(lambda j: abs(j.answers[:, 0] - j.truth))),
    "nasa_score": (False, _nasa),
    "coverage": (True, _per_row(lambda j: (j.answers[:, 1] <= j.truth) & (j.truth <= j.answers[:, 2]))),
    "interval_width": (False, _per_row(lambda j: j.answers[:, 2] - j.answers[:, 1])),
}
_KINDS: dict[type[labels.Kind], dict[str, tuple[bool, Prepare]]] = {
    labels.Probability: _PROBABILITY,
    labels.Classes: _CLASSES,
    labels.Quantity: _QUANTITY,
}


def _by_pattern(name: str, kind: labels.Kind) -> Metric | None:
    """Return a metric whose name carries a number or a class."""
    if isinstance(kind, labels.Probability):
        per_day = re.fullmatch(r"(recall|precision)_at_(\d+(?:\.\d+)?)_per_day", name)
        if per_day and float(per_day[2]) > 0:
            return Metric(name, True, _per_day(float(per_day[2]), per_day[1] == "precision"))
        by_event = re.fullmatch(r"event_recall_at_(\d+(?:\.\d+)?)_per_machine_year", name)
        if by_event:
            return Metric(name, True, _event_recall(float(by_event[1])))
    if isinstance(kind, labels.Classes):
        which, _, label = name.partition(".")
        if which in ("recall", "precision") and label in kind.names:
            axis = 2 if which == "recall" else 1
            return Metric(name, True, _confusion(_of_class(kind.names.index(label), axis)))
    return None


def _patterns(kind: labels.Kind) -> list[str]:
    if isinstance(kind, labels.Probability):
        return ["recall_at_5_per_day", "precision_at_5_per_day", "event_recall_at_1_per_machine_year"]
    if isinstance(kind, labels.Classes):
        return [f"{which}.{label}" for which in ("recall", "precision") for label in kind.names]
    return []
