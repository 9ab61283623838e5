"""A domain classifier: can a model tell the rows of a window from those of the reference?

It learns from one half of the window and answers the other, and the other way round: halves in time, because
neighbours of an autocorrelated series know each other.  The area under its ROC curve is a half where nothing differs
that a model could use; what it finds in windows in which nothing happened is learned from the reference's own.

Source: Lopez-Paz and Oquab, Revisiting Classifier Two-Sample Tests, ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
            for cell, first, stop in zip(cells, begin, (*begin[1:], len(block)), strict=True):
                if stop - first >= 2 * discrepancy_least(sample):
                    said, came = self._apart(kept["names"], block[first:stop][:, order], sample)
                    out[cell, 0] = metrics.measure("roc_auc", KIND, came, said)
        return out
