"""Outcomes from reviewers: several look at an answer, and where enough agree that is its truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.feedback import stage
from flyball.feedback.review import Review
from flyball.labels import reviewed
from flyball.labels import stage as labels


class Reviewed(stage.Feedback):
    """The truth of an answer is what at least `least` reviewers say, the share `agree` of them the same.

    Labels come by `flyball review`, with when they were said; who says two things is taken at the last word.  An
    answer of which too few spoke, or on which they disagree, is "pending": another label may settle it.  `ask` chooses
    what they are asked.

    >>> said = data.Rows.of(["a"] * 2, [1, 1], [5, 6], {"label": [1.0, 1.0], "who": ["x", "y"]})
    >>> answers = data.Rows.of(["a"], [1], columns={"answer": [0.4]})
    >>> [Reviewed(least=2).collect(answers, {"reviews": said}, None, as_of=cut)[0].state for cut in (5, 6)]
    ['pending', 'known']
    """

    least: int = 1
    agree: float = 0.6
    ask: Review | None = None

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        import numpy as np

        moments = features.Moments(answers.keys, answers.segments(), answers.at)
        said = reviewed.majority(tables, moments, as_of)
        truth = np.where(said.agreed(self.least, self.agree), said.value, np.nan)
        return stage.told(answers, truth, answers.at, np.ones(len(moments), dtype=bool))

    def asks(self) -> Review | None:
        """Return what chooses the questions that are shown to reviewers."""
        return self.ask

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from reviewed.agreement_problems(self.least, self.agree)
        if isinstance(page.labels.kind(), labels.Quantity):
            yield errors.Problem("", "reviewers choose among answers, a quantity has none", "use Metrology")
