"""How each metric is prepared: from truth and answers to a figure that can be resampled."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import calibration, costs, figures, followed, operating

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Floats, Ints


@dataclass(frozen=True, eq=False)
class Context:
    """What else a metric may be told from: prices, and how machines were followed (see `labels.Answers`).

    `until` (n,) and `came` (n,) as the label gave them, `window` after how long the asked window opens and closes.
    """

    costs: costs.Costs | None = None
    until: Ints | None = None
    came: Flags | None = None
    window: tuple[int, int] | None = None

    def take(self, index: Any) -> Context:
        """Return it for some of the rows."""
        until, came = (None if column is None else column[index] for column in (self.until, self.came))
        return Context(self.costs, until, came, self.window)


#: Nothing else is known.
ALONE = Context()


@dataclass(frozen=True, eq=False)
class Judged:
    """What a metric is told from: truth (n,), answers as the kind shapes them, weights (n,), and when asked."""

    kind: labels.Kind
    truth: Floats
    answers: Floats
    weight: Floats
    moments: features.Moments | None
    context: Context = ALONE

    def at(self) -> Ints:
        """Return the moments; raises GateError where the metric needs them and none were given."""
        if self.moments is None:
            raise errors.GateError("this metric counts by day or machine: give it the moments of the answers")
        return self.moments.at


Prepare = Callable[[Judged], figures.Figure]


@dataclass(frozen=True)
class Metric:
    """A metric: its name, whether more is better, and how it is prepared.

    `bounded`: no honest answer is expected to beat the true probability in it.  `ranks`: only the order of the
    answers counts.  `follows`: it is told from censored rows too.  `priced`: it needs costs.
    """

    name: str
    higher: bool
    prepare: Prepare
    bounded: bool = False
    ranks: bool = False
    follows: bool = False
    priced: bool = False


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


def _cut(j: Judged, most: float) -> Judged:
    """Return truth and answers, each cut at the most that counts: where more is as good as that."""
    import dataclasses

    import numpy as np

    return dataclasses.replace(j, truth=np.minimum(j.truth, most), answers=np.minimum(j.answers, most))


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
    return figures.means_of_known(f1.T)


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


_PROBABILITY: dict[str, tuple[bool, Prepare]] = {
    "average_precision": (True, _ranked(figures.average_precision)),
    "roc_auc": (True, _ranked(figures.roc_auc)),
    "log_loss": (False, _per_row(_log_loss)),
    "brier": (False, _per_row(_brier)),
    "accuracy": (True, _per_row(_right)),
    **calibration.METRICS,
    **followed.METRICS,
}
#: In these the probability of the event is the best answer there is, in expectation; in some by its order alone.
_BOUNDED = ("average_precision", "roc_auc", "log_loss", "brier")
_RANKS = ("average_precision", "roc_auc", "uno_concordance", "ipcw_auc")
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
KINDS: dict[type[labels.Kind], dict[str, tuple[bool, Prepare]]] = {
    labels.Probability: _PROBABILITY,
    labels.Classes: _CLASSES,
    labels.Quantity: _QUANTITY,
}


def known(name: str, kind: labels.Kind) -> Metric | None:
    """Return the metric of exactly that name."""
    if name not in KINDS.get(type(kind), {}):
        return None
    higher, prepare = KINDS[type(kind)][name]
    if not isinstance(kind, labels.Probability):
        return Metric(name, higher, prepare)
    return Metric(
        name,
        higher,
        prepare,
        bounded=name in _BOUNDED,
        ranks=name in _RANKS,
        follows=name in followed.METRICS,
    )


def by_pattern(name: str, kind: labels.Kind) -> Metric | None:
    """Return a metric whose name carries a number or a class."""
    if isinstance(kind, labels.Probability):
        per_day = re.fullmatch(r"(recall|precision)_at_(\d+(?:\.\d+)?)_per_day", name)
        if per_day and float(per_day[2]) > 0:
            prepare = _per_day(float(per_day[2]), per_day[1] == "precision")
            return Metric(name, True, prepare, bounded=per_day[1] == "recall", ranks=True)
        point = operating.parsed(name)
        if point:
            priced = point[0] == "net_saving"
            return Metric(name, True, operating.prepared(*point), ranks=True, priced=priced)
    cut = re.fullmatch(r"(\w+)_cut_at_(\d+(?:\.\d+)?)", name)
    if isinstance(kind, labels.Quantity) and cut and cut[1] in _QUANTITY:
        higher, prepare = _QUANTITY[cut[1]]
        return Metric(name, higher, lambda j: prepare(_cut(j, float(cut[2]))))
    if isinstance(kind, labels.Classes):
        which, _, label = name.partition(".")
        if which in ("recall", "precision") and label in kind.names:
            axis = 2 if which == "recall" else 1
            return Metric(name, True, _confusion(_of_class(kind.names.index(label), axis)))
    return None


def patterns(kind: labels.Kind) -> list[str]:
    """Return one name of each family of metrics of that kind, to suggest."""
    if isinstance(kind, labels.Probability):
        per_year = [f"{what}_at_1_per_machine_year" for what in operating.NAMES]
        return ["recall_at_5_per_day", "precision_at_5_per_day", *per_year]
    if isinstance(kind, labels.Classes):
        return [f"{which}.{label}" for which in ("recall", "precision") for label in kind.names]
    if isinstance(kind, labels.Quantity):
        return [f"{name}_cut_at_125" for name in _QUANTITY]
    return []
