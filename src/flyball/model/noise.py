"""Labels that are wrong: how many, which way, and which ones look it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import unlabelled
from flyball.model.stage import Learner, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats


@dataclass(frozen=True, eq=False)
class Noise:
    """What the labels of n rows look like beside answers that were given without them.

    `matrix` (k, k): of the rows that are truly of class i (a row), the share that is labelled j (a column), as
    estimated; `suspect` (n,) which labels look wrong, `doubt` (n,) how much each does: the least certainty by which
    another class is more likely, 0 for none.
    """

    matrix: Floats
    suspect: Flags
    doubt: Floats


def noise(truth: Any, answers: Any) -> Noise:
    """Return what looks wrong with labels, from out-of-fold answers: confident learning (Northcutt et al. 2021).

    `truth` (n,) with answers (n,) of a probability or (n, k) of classes.  A row counts as class j when its answer for
    j is at least what rows labelled j get on average, so that a class of which a model is never sure keeps its own
    threshold.  What it cannot see is a slip that its features explain just as well.

    >>> import numpy as np
    >>> said = np.array([0.9, 0.8, 0.95, 0.1, 0.2, 0.9])
    >>> noise([1, 1, 1, 0, 0, 0], said).suspect.tolist()
    [False, False, False, False, False, True]
    """
    import numpy as np

    said = np.asarray(answers, dtype=np.float64)
    said = np.column_stack([1.0 - said, said]) if said.ndim == 1 else said
    label, k = np.asarray(truth, dtype=np.int64), said.shape[1]
    usual = np.array([said[label == j, j].mean() if (label == j).any() else np.inf for j in range(k)])
    sure = np.where(said >= usual, said, -1.0)
    likely = np.where(sure.max(axis=1) >= 0, sure.argmax(axis=1), -1)
    joint = np.zeros((k, k))
    np.add.at(joint, (likely[likely >= 0], label[likely >= 0]), 1.0)
    # Each label's column is scaled to as many rows as have it, so that those of which nothing is sure count too.
    given = np.bincount(label, minlength=k).astype(np.float64)
    seen = joint.sum(axis=0)
    joint = np.where(seen > 0, joint * given / np.maximum(seen, 1.0), np.diag(given))
    matrix = joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-12)
    suspect = (likely >= 0) & (likely != label)
    own = said[np.arange(len(label)), label]
    doubt = np.where(suspect, np.maximum(said.max(axis=1) - own, 1e-9), 0.0)
    return Noise(matrix, suspect, doubt)


class WithoutSuspects(Learner):
    """A learner that leaves out rows whose label looks wrong (`noise`: confident learning), then learns the rest.

    Answers to judge labels by are out of fold, by machine.  At most the share `at_most` is left out, the most doubtful
    first, so that a hard class is not learned away.

    >>> from flyball.model import Logistic
    >>> WithoutSuspects(Logistic()).at_most
    0.1
    """

    learner: Learner
    folds: int = 5
    at_most: float = 0.1

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        both = (labels.Probability, labels.Classes)
        return tuple(kind for kind in both if issubclass(kind, self.learner.accepts()))

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the inner predictor, fitted on the rows whose label is believed."""
        import numpy as np

        kept = np.flatnonzero(~self._left_out(x, y, kind, seed))
        return self.learner.fit(x.take(kept), y.take(kept), kind, seed)

    def assumes(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> str:
        """Return what was assumed, and how many labels it left out."""
        out = int(self._left_out(x, y, kind, seed).sum())
        return f"a label goes wrong by its class, not by its row; {out} of {len(y)} looked wrong and were left out"

    def _left_out(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Flags:
        import numpy as np

        said = unlabelled.out_of_fold(self.learner, x, y, kind, seed, self.folds)
        found = noise(y.value, said)
        most = int(self.at_most * len(y))
        worst = np.argsort(-found.doubt, kind="stable")[:most]
        out = np.zeros(len(y), dtype=bool)
        out[worst] = found.suspect[worst]
        # A class keeps at least one row in two: what is left must still say what it looks like.
        for one in np.unique(y.value):
            mine = y.value == one
            if out[mine].mean() > 0.5:
                out[mine] = False
        return out

    def problems(self, page: object) -> list[errors.Problem]:
        """Return folds that are none, and a share that is none."""
        found = []
        if self.folds < 2:
            found.append(errors.Problem("folds", f"{self.folds} folds hold nothing out", "give 2 or more"))
        if not 0 < self.at_most < 1:
            found.append(
                errors.Problem("at_most", f"{self.at_most} is no share", "give a number between 0 and 1")
            )
        return found
