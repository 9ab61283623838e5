"""Stage 6, feedback: what happened after the answers that were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flyball import evidence, part
from flyball.data import stage as data
from flyball.labels import stage as labels

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats, Ints
    from flyball.feedback.review import Review


class Order(NamedTuple):
    """A work order that is done: its number, when it was, when that was seen, and whether a fault was found."""

    number: str
    at: int
    seen: int
    found: bool


class Feedback(part.Part):
    """Abstract: joins the answers that were given with what happened then."""

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        """Return one outcome per answer, known, pending or censored at the cut.

        `answers` holds the store's table of that name: one row per answer given, `at` the moment asked, with
        the columns "answer" (float64) and "release" (Words).
        """
        raise NotImplementedError

    def orders(self, tables: data.Tables, as_of: int) -> tuple[Order, ...]:
        """Return the work orders that tell by their number which alert they are about, as known at the cut."""
        return ()

    def asks(self) -> Review | None:
        """Return what chooses the questions that are shown to reviewers; None where nobody is asked."""
        return None


def told(answers: data.Rows, truth: Floats, until: Ints, waits: Flags) -> tuple[evidence.Outcome, ...]:
    """Return outcomes: known where the truth is a number, else pending where one waits, else censored."""
    import numpy as np

    state = np.where(~np.isnan(truth), "known", np.where(waits, "pending", "censored"))
    names = [answers.keys[code] for code in answers.segments().tolist()]
    rows = zip(
        names, answers.at.tolist(), answers.floats("answer").tolist(), truth.tolist(), state.tolist(), until.tolist(),
        strict=True,
    )  # fmt: skip
    return tuple(evidence.Outcome(*row) for row in rows)
