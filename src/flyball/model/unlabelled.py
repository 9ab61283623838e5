"""Learning where only some of the events were ever written down: the others lie among what looks healthy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model.stage import Learner, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints

#: No share of labelled events below this is believed: every row would weigh as an event.
LEAST = 0.05


class PositiveUnlabelled(Learner):
    """A learner of a probability where a 1 is sure and a 0 may be an event that nobody labelled.

    Why: one repair in ten is never entered, and of images only some are ever reviewed.  Taken as they look, rows say
    that such machines were well, and every probability comes out too low.  The share c of the events that is labelled
    is the mean out-of-fold answer on the labelled ones; then every other row is learned from twice, as an event with
    the chance that it was one, and as none (Elkan & Noto 2008, their third estimator).

    Assumed: which events are labelled is up to chance, whatever their rows look like.  Where repairs of one kind are
    the ones that are forgotten, that is wrong, and so is c.  `share` sets c where it is known otherwise.  The inner
    learner must honour weights of rows, as trees and linear models do.

    >>> from flyball.model import Logistic
    >>> PositiveUnlabelled(Logistic()).accepts()[0].__name__
    'Probability'
    """

    learner: Learner
    folds: int = 5
    share: float | None = None

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the inner predictor, fitted on rows that weigh what they may be."""
        import numpy as np

        c, said = self._estimated(x, y, kind, seed)
        event = y.value > 0.5
        may = np.clip((1 - c) / c * said / np.maximum(1 - said, 1e-9), 0.0, 1.0)
        rows = np.concatenate([np.arange(len(y)), np.flatnonzero(~event & (may > 0))])
        own = np.ones(len(y)) if y.weight is None else y.weight
        weight = np.concatenate([np.where(event, 1.0, 1.0 - may), may[~event & (may > 0)]]) * own[rows]
        value = np.concatenate([y.value, np.ones(len(rows) - len(y))])
        told = replace(y.take(rows), value=value, weight=weight)
        return self.learner.fit(x.take(rows), told, kind, seed)

    def assumes(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> str:
        """Return what was assumed, and the share of events that it takes to be labelled."""
        c, _ = self._estimated(x, y, kind, seed)
        how = f"{self.folds}-fold estimate" if self.share is None else "as declared"
        return f"events are labelled by chance, whatever their rows look like; {c:.0%} of them are ({how})"

    def _estimated(
        self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int
    ) -> tuple[float, Floats]:
        """Return the share of events that is labelled, and (n,) the out-of-fold chance of being labelled."""
        import numpy as np

        if not (y.value > 0.5).any():
            raise errors.DataError(
                "model.PositiveUnlabelled: no event among the rows: nothing shows what one is like"
            )
        said = out_of_fold(self.learner, x, y, kind, seed, self.folds)
        c = self.share if self.share is not None else float(np.mean(said[y.value > 0.5]))
        return float(np.clip(c, LEAST, 1.0)), np.minimum(said, c)

    def problems(self, page: object) -> list[errors.Problem]:
        """Return folds that are none, and a share that is none."""
        found = []
        if self.folds < 2:
            found.append(errors.Problem("folds", f"{self.folds} folds hold nothing out", "give 2 or more"))
        if self.share is not None and not LEAST <= self.share <= 1:
            what = f"a share of {self.share} of the events"
            found.append(errors.Problem("share", what, f"give a number from {LEAST} to 1, or leave it out"))
        return found


def out_of_fold(
    learner: Learner, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int, folds: int
) -> Floats:
    """Return what a learner answers to each row when it was fitted on other machines' rows; (n,) or (n, k).

    Folds are by machine, so that no row is answered by what was learned from its neighbours in time; where there are
    fewer machines than folds, by row.
    """
    import numpy as np

    group = _groups(x, seed, folds)
    out = None
    for fold in range(folds):
        train, test = np.flatnonzero(group != fold), np.flatnonzero(group == fold)
        if not len(test):
            continue
        said = np.asarray(learner.fit(x.take(train), y.take(train), kind, seed).predict(x.take(test)))
        if out is None:
            out = np.full((len(x), *said.shape[1:]), np.nan)
        out[test] = said
    return np.asarray(out)


def _groups(x: features.Matrix, seed: int, folds: int) -> Ints:
    import numpy as np

    rng = np.random.default_rng(seed)
    machines = len(x.moments.keys)
    if machines < 2 * folds:
        return np.asarray(rng.permutation(np.arange(len(x)) % folds))
    return np.asarray(rng.permutation(np.arange(machines) % folds)[x.moments.codes])
