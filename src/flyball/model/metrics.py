"""Metrics by name, with intervals that resample whole machines.

```
kind          higher is better                          lower is better
Probability   average_precision roc_auc accuracy        log_loss brier
              recall_at_K_per_day precision_at_K_per_day
              event_recall_at_X_per_machine_year        calibration_error reliability
              order_precision_at_X_per_machine_year     ipcw_brier ipcw_integrated_brier
              median_lead_hours_at_X_...                d_calibration
              low_lead_hours_at_X_...
              share_a_day_ahead_at_X_...
              net_saving_at_X_...
              resolution uno_concordance ipcw_auc
Classes       accuracy macro_f1 recall.CLASS            log_loss brier
              precision.CLASS
Quantity      coverage                                  rmse mae nasa_score interval_width
              NAME_cut_at_X                             NAME_cut_at_X
```

"rmse_cut_at_125" is the figure with truth and answers cut at 125: where a longer life is as good as that.

Figures at X false alarms per machine-year are those of `model.operating`, of calibration of `model.calibration`; from
"uno_concordance" to "d_calibration" they are told from censored rows as well (`model.followed`) and need the context
in which a label follows machines; net saving needs the context's costs.

Rows of one machine are no independent evidence, so `interval` and `paired` draw machines with replacement (Efron
and Tibshirani 1993, ch. 8) and give the 2.5 and 97.5 percentiles.  A difference is always oriented so that above
zero means that the first is better.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import catalogue, figures

if TYPE_CHECKING:
    from flyball.data.stage import Array, Ints


def find(name: str, kind: labels.Kind) -> catalogue.Metric:
    """Return the metric of that name for answers of that kind.

    Raises DeclarationError for a name that this kind does not have, with the nearest one that it has.

    >>> find("brier", labels.Probability()).higher
    False
    >>> find("average_precison", labels.Probability())
    Traceback (most recent call last):
    flyball.errors.DeclarationError: no metric 'average_precison' of Probability, did you mean 'average_precision'?
    """
    found = catalogue.known(name, kind) or catalogue.by_pattern(name, kind)
    if found is not None:
        return found
    shown = [*catalogue.KINDS.get(type(kind), {}), *catalogue.patterns(kind)]
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
    context: catalogue.Context = catalogue.ALONE,
) -> float:
    """Return the metric over the rows; NaN where it is not defined (no positive among them).

    `truth` (n,) with answers (n,), (n, k) or (n, 3) as the kind says; `moments` for metrics by day or machine.

    >>> measure("average_precision", labels.Probability(), [0, 1, 0, 1], [.1, .9, .8, .7])
    0.8333333333333333
    """
    metric, judged = find(name, kind), _judged(kind, truth, answers, moments, weight, context)
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
    context: catalogue.Context = catalogue.ALONE,
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
    parts = _prepared(metric, kind, truth, answers, moments, weight, folds, context)
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
    context: catalogue.Context = catalogue.ALONE,
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
    both = [_prepared(metric, kind, truth, answers, moments, weight, folds, context) for answers in (a, b)]
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


def problems(
    names: tuple[str, ...], kind: labels.Kind, priced: bool = True, followed: bool = True
) -> Iterator[errors.Problem]:
    """Yield a problem for every name that is no metric of that kind, or needs prices or a label that are not there."""
    for index, name in enumerate(names):
        place = f"metrics[{index}]"
        try:
            metric = find(name, kind)
        except errors.DeclarationError as error:
            what, _, fix = str(error).partition(", ")
            yield errors.Problem(place, what, fix)
            continue
        if metric.priced and not priced:
            yield errors.Problem(place, f"{name!r} needs prices", "give the contest costs=model.Costs(...)")
        if metric.follows and not followed:
            yield errors.Problem(
                place, f"{name!r} needs a label that follows machines", "such as labels.FailsWithin"
            )


# --- resampling ---------------------------------------------------------------------------------------------


def _judged(
    kind: labels.Kind, truth: Any, answers: Any, moments: features.Moments | None, weight: Any,
    context: catalogue.Context,
) -> catalogue.Judged:  # fmt: skip
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
    return catalogue.Judged(kind, value, told, heavy, moments, context)


def _prepared(
    metric: catalogue.Metric,
    kind: labels.Kind,
    truth: Any,
    answers: Any,
    moments: Any,
    weight: Any,
    folds: Any,
    context: catalogue.Context,
) -> list[tuple[figures.Figure, Ints]]:
    import numpy as np

    whole = _judged(kind, truth, answers, moments, weight, context)
    if not len(whole.truth):
        raise errors.GateError(f"no rows to tell {metric.name} from")
    fold = np.zeros(len(whole.truth), dtype=np.int64) if folds is None else np.asarray(folds)
    parts = []
    for each in np.unique(fold):
        rows = np.flatnonzero(fold == each)
        asked = None if whole.moments is None else whole.moments[rows]
        judged = catalogue.Judged(
            kind, whole.truth[rows], whole.answers[rows], whole.weight[rows], asked, context.take(rows)
        )
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
            out[place, start:stop] = figures.means_of_known(told)
    return out


def _mean(values: list[float]) -> float:
    import numpy as np

    return float(figures.means_of_known(np.array(values, dtype=np.float64)[:, None])[0])


def _measurement(name: str, value: float, drawn: Array, n: int) -> evidence.Measurement:
    import numpy as np

    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return evidence.Measurement(name, value, value, value, n=n)
    low, high = (float(edge) for edge in np.quantile(known, (0.025, 0.975)))
    return evidence.Measurement(name, value, low, high, n=n)
