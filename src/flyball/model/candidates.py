"""Several learners of which the training rows choose one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import machines, metrics
from flyball.model.stage import Learner, Predictor, Split


class Candidates(Learner):
    """Whichever of some learners does best on inner folds of the training rows, then fitted on all of them.

    The choice is part of the learning: a contest that is held with it pays for it on every fold, and its test
    rows have no say.  `split` deals the training rows; it sees their moments and no table.

    >>> from flyball.model.constant import Prior
    >>> Candidates((Prior(),), metric="log_loss").split
    model.ByMachine(folds=3)
    """

    learners: tuple[Learner, ...]
    metric: str
    split: Split = machines.ByMachine(folds=3)

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds that all of them can learn."""
        first, *others = self.learners
        return tuple(kind for kind in first.accepts() if all(kind in other.accepts() for other in others))

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the best one's predictor, fitted on all rows; the earlier one where two do alike."""
        return self.learners[self.best(x, y, kind, seed)].fit(x, y, kind, seed)

    def best(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> int:
        """Return the place of the learner with the best mean metric over the folds."""
        import numpy as np

        if len(self.learners) == 1:
            return 0
        sign = 1.0 if metrics.higher_is_better(self.metric, kind) else -1.0
        told = np.full((len(self.learners), 0), np.nan)
        for fold in self.split.split(x.moments, {}):
            learned, judged = (x.take(fold.train), y.take(fold.train)), x.take(fold.test)
            truth = y.value[fold.test]
            column = []
            for learner in self.learners:
                answers = learner.fit(*learned, kind, seed).predict(judged)
                column.append(sign * metrics.measure(self.metric, kind, truth, answers, judged.moments))
            told = np.column_stack([told, column])
        told = told[:, ~np.isnan(told).any(axis=0)]
        if not told.shape[1]:
            raise errors.DataError(
                f"{self.metric} is not defined on any inner fold: more events or fewer folds are needed"
            )
        return int(np.argmax(told.mean(axis=1)))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for problem in metrics.problems((self.metric,), page.labels.kind()):
            yield problem._replace(place="metric")
