"""Outcomes from several sources: the first that knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.feedback import stage
from flyball.feedback.review import Review
from flyball.labels import stage as labels


class Several(stage.Feedback):
    """Each answer has the outcome of the first part that knows it.

    Where none does it is "pending" while any of them may still come to know, else "censored".

    >>> from flyball.feedback import Outcomes, Reviewed
    >>> Several((Reviewed(least=2), Outcomes())).parts[0].least
    2
    """

    parts: tuple[stage.Feedback, ...]

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        each = [part.collect(answers, tables, labeller, as_of) for part in self.parts]
        return tuple(_first(outcomes) for outcomes in zip(*each, strict=True))

    def orders(self, tables: data.Tables, as_of: int) -> tuple[stage.Order, ...]:
        """Return those of all parts."""
        return tuple(order for part in self.parts for order in part.orders(tables, as_of))

    def asks(self) -> Review | None:
        """Return what chooses the questions that are shown to reviewers, of the first part that has it."""
        return next((asked for part in self.parts if (asked := part.asks()) is not None), None)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not self.parts:
            yield errors.Problem("parts", "no source of outcomes", "give feedback.Outcomes() or another")


def _first(outcomes: tuple[evidence.Outcome, ...]) -> evidence.Outcome:
    for state in ("known", "pending"):
        for outcome in outcomes:
            if outcome.state == state:
                return outcome
    return outcomes[0]
