"""Has the world changed, or only what is asked?  How much of a rise in the loss the inputs explain.

A model of which rows are new (a domain classifier) gives every row of the reference the weight at which it stands for
the new ones.  The reference's losses under these weights are what the new rows would cost if truth still followed from
the inputs as it did: a rise up to there is one of the data, what is beyond it is one of the concept.  Each half of the
machines is weighed by a classifier that learned from the other half.

Source: Shimodaira, Journal of Statistical Planning and Inference 90 (2000); Bickel, Brückner and Scheffer,
Discriminative Learning Under Covariate Shift, JMLR 10 (2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import trees
from flyball.monitoring import estimate, means

if TYPE_CHECKING:
    from numpy.random import Generator

    from flyball.data.stage import Array, Floats, Ints

#: Rows are drawn down to so many on each side; nobody weighs more than so many times the others.
MOST_ROWS, HEAVIEST = 20_000, 30.0
#: Where the weighted reference is worth less than this share of its rows, it holds too little of what is new.
LEAST_SHARE = 0.02
#: A rise, and a rest of it, that chance makes more often than this has no cause.
SURE = 0.025


@dataclass(frozen=True)
class Explained:
    """A rise of the mean loss, the part of it that the inputs explain, and the rest.

    `share` is what the weighted reference is worth, as a share of its rows.  `cause` is "data", "concept", or "" when
    neither can be told.
    """

    rise: means.Mean
    explained: means.Mean
    rest: means.Mean
    share: float
    cause: str


def weights(old: features.Matrix, new: features.Matrix, seed: int) -> Floats:
    """Return (n,) how much each old row stands for the new ones; their mean is 1.

    Only plain numeric columns are looked at; without any, all rows weigh the same.
    """
    import numpy as np

    names = set(estimate.seen(old, None).columns) & set(estimate.seen(new, None).columns)
    if not names or not len(old) or not len(new):
        return np.ones(len(old))
    rng = np.random.default_rng(seed)
    some, others = _some(rng, len(old)), _some(rng, len(new))
    columns = {
        name: np.concatenate([np.asarray(old.columns[name])[some], np.asarray(new.columns[name])[others]])
        for name in sorted(names)
    }
    keys = np.array([*old.moments[some].names(), *new.moments[others].names()])
    order = np.argsort(keys, kind="stable")
    came = np.repeat([0.0, 1.0], [len(some), len(others)])[order]
    both = features.Matrix(
        features.Moments.of(keys[order].tolist(), np.arange(len(order))),
        {name: column[order] for name, column in columns.items()},
    )
    fold = both.moments.codes % 2
    learner = trees.BoostedTrees(
        trees=40, leaves=7, rate=0.1, min_rows=max(20, len(came) // 200), negatives=1.0
    )
    found = np.ones(len(old))
    every = features.Matrix(old.moments, {name: old.columns[name] for name in columns})
    codes = _fold_of(old.moments, both.moments)
    for half in (0, 1):
        rows = np.flatnonzero(fold != half)
        if not 0 < came[rows].sum() < len(rows):
            continue
        truth = labels.Answers.given(came[rows])
        model = learner.fit(both.take(rows), truth, labels.Probability(), seed)
        mine = np.flatnonzero(codes == half)
        if len(mine):
            chance = np.clip(np.asarray(model.predict(every.take(mine)), dtype=np.float64), 1e-6, 1 - 1e-6)
            odds = float(len(rows) - came[rows].sum()) / float(came[rows].sum())
            found[mine] = np.minimum(chance / (1 - chance) * odds, HEAVIEST)
    return np.asarray(found / found.mean())


def explain(old: means.Rows, weight: Floats, new: means.Rows, drifted: bool) -> Explained:
    """Return what of the difference between the losses of new rows and those of the reference the inputs explain.

    `weight` (n,) of the reference's rows as `weights` gives them; machines and spans of both are numbered alike.  A
    rise that may be chance has no cause; it is "concept" when the rest lies above zero beyond chance, "data" when the
    inputs have drifted or the weights explain half of the rise, and the rest may be nothing.
    """
    like = means.Rows(old.value, old.machine, old.span, weight)
    rise, explained, rest = means.apart(new, old), means.apart(like, old), means.apart(new, like)
    share = float(weight.sum() ** 2 / (weight**2).sum()) / len(weight) if len(weight) else 0.0
    cause = ""
    if means.above(rise) < SURE:
        if means.above(rest) < SURE and share >= LEAST_SHARE:
            cause = "concept"
        elif drifted or explained.value >= rise.value / 2:
            cause = "data"
    return Explained(rise, explained, rest, share, cause)


def _some(rng: Generator, n: int) -> Array:
    import numpy as np

    return np.arange(n) if n <= MOST_ROWS else np.sort(rng.choice(n, MOST_ROWS, replace=False))


def _fold_of(moments: features.Moments, both: features.Moments) -> Ints:
    import numpy as np

    place = {name: code for code, name in enumerate(both.keys)}
    folds = np.array([place.get(name, 0) % 2 for name in moments.keys], dtype=np.int64)
    return np.asarray(folds[moments.codes]) if len(moments) else np.empty(0, dtype=np.int64)
