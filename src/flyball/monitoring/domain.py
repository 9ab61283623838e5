"""A domain classifier: can a model tell the rows of a window from those of the reference?

It learns from one half of the window and answers the other, and the other way round: halves in time, because
neighbours of an autocorrelated series know each other.  The area under its ROC curve is a half where nothing differs
that a model could use; what it finds in windows in which nothing happened is learned from the reference's own.

Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball import errors, labels, part
from flyball.features import stage as features
from flyball.model import metrics, trees
from flyball.model import stage as model
from flyball.monitoring import discrepancy, stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats
    from flyball.monitoring.standard import Standard

#: What the one figure is called.
NAME = "classifier"
KIND = labels.Probability()


class DomainClassifier(stage.Multivariate):
    """Tell by the area under the ROC curve how well a `learner` tells a window's rows from a `sample` of the reference.

    Level and spread are taken out of the rows, so it learns from shape, and from how columns go together.  It fits two
    models a window and machine, in the reference too: a minute for a fleet of 40 in a year of weeks is soon spent.

    >>> DomainClassifier(sample=100).sample
    100
    """

    sample: int = 256
    learner: model.Learner = part.field(
        default_factory=lambda: trees.BoostedTrees(trees=20, leaves=4, rate=0.2, min_rows=10)
    )

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a sample that is too small to learn from, and a learner that answers with no probability."""
        if self.sample < 32:
            yield errors.Problem("sample", f"{self.sample} rows are too few to learn from", "give 32 or more")
        if labels.Probability not in self.learner.accepts():
            what = f"{type(self.learner).__name__} does not answer with a probability"
            yield errors.Problem("learner", what, "give a learner of probabilities, such as model.Logistic()")

    def learn(self, rows: Standard, seed: int) -> Mapping[str, Any]:
        """Return the names of the columns and the sample; {} where there is none."""
        found = discrepancy.sampled(rows, self.sample, seed)
        if found is None or len(found) < 32:
            return {}
        return {"names": list(rows.names), "rows": discrepancy.packed(found)}

    def told(self, kept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return the one figure, of all columns."""
        return {NAME: tuple(kept["names"])}

    def figures(self, kept: Mapping[str, Any], rows: Standard) -> Floats:
        """Return (cells, 1) areas under the curve, NaN where a cell cannot be judged."""
        import numpy as np

        out = np.full((len(rows.cells.unit), 1), np.nan)
        sample, order = discrepancy.unpacked(kept), [rows.names.index(name) for name in kept["names"]]
        for cells, begin, block in rows.blocks():
            plain = block[:, order]
            for cell, first, stop in zip(cells, begin, (*begin[1:], len(block)), strict=True):
                came, said, _ = self._told_apart(kept["names"], plain[first:stop], sample)
                out[cell, 0] = metrics.measure("roc_auc", KIND, came, said)
        return out

    def behind(self, kept: Mapping[str, Any], rows: Standard, cell: int) -> tuple[str, ...]:
        """Return the columns that, shuffled, make the window harder to tell, the one that costs most first."""
        import numpy as np

        sample, order = discrepancy.unpacked(kept), [rows.names.index(name) for name in kept["names"]]
        ((_, _, block),) = rows.blocks(np.array([cell]))
        came, said, halves = self._told_apart(kept["names"], block[:, order], sample)
        whole = metrics.measure("roc_auc", KIND, came, said)
        rng = np.random.default_rng(0)
        cost = []
        for name in kept["names"]:
            found = np.empty(len(came))
            for answered, x, fitted in halves:
                other = rng.permutation(np.asarray(x.columns[name]))
                found[answered] = fitted.predict(features.Matrix(x.moments, {**x.columns, name: other}))
            cost.append(whole - metrics.measure("roc_auc", KIND, came, found))
        return tuple(
            kept["names"][place] for place in np.argsort(-np.array(cost), kind="stable") if cost[place] > 0
        )

    def _told_apart(
        self, names: Sequence[str], window: Array, sample: Array
    ) -> tuple[Floats, Floats, list[tuple[Array, features.Matrix, model.Predictor]]]:
        """Return which rows are the window's, how likely each was said to be by the model of the other half, and these.

        A half's rows, its matrix and the model that answers it.
        """
        import numpy as np

        both = np.concatenate([window, sample])
        came = np.repeat([1.0, 0.0], [len(window), len(sample)])
        half = np.concatenate([np.arange(len(window)) * 2 // len(window), np.arange(len(sample)) % 2])
        moments = features.Moments(("all",), np.zeros(len(both), dtype=np.int32), np.arange(len(both)))
        x = features.Matrix(
            moments, {name: np.ascontiguousarray(both[:, place]) for place, name in enumerate(names)}
        )
        said, halves = np.empty(len(both)), []
        for one in (0, 1):
            answered, learned = np.flatnonzero(half == one), np.flatnonzero(half != one)
            fitted = self.learner.fit(x.take(learned), labels.Answers.given(came[learned]), KIND, 0)
            said[answered] = fitted.predict(x.take(answered))
            halves.append((answered, x.take(answered), fitted))
        return came, said, halves
