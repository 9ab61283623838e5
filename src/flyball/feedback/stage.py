"""Stage 6, feedback: what happened after the answers that were given."""

from __future__ import annotations

from flyball import evidence, part
from flyball.data import stage as data
from flyball.labels import stage as labels


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
