"""Answers joined with what the page's own labels say happened then."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, part
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.feedback import stage
from flyball.labels import stage as labels

if TYPE_CHECKING:
    from flyball.data.stage import Flags


class Outcomes(stage.Feedback):
    """One outcome per answer: "known", "pending" until it can be, or "censored" when it never will be.

    The truth is what the page's labels say at the cut, so an answer is judged as the model was taught.
    `event` names another column in which the same event is seen (None: the labels' own).  `wait` is how long
    after its horizon a "no" stays pending, for what is entered late; a "yes" waits no longer.

    >>> from flyball.labels import FailsWithin
    >>> from flyball.units import days
    >>> times = [days(day) for day in (0, 1, 2, 3)]
    >>> logs = data.Rows.of(["a"] * 4, times, columns={"failed": [0.0, 0.0, 1.0, 0.0]})
    >>> answers = data.Rows.of(["a", "a"], at=[0, days(3)], columns={"answer": [0.7, 0.1]})
    >>> label = FailsWithin(days(2), event="logs.failed")
    >>> joined = Outcomes().collect(answers, {"logs": logs}, label, as_of=days(3))
    >>> [(outcome.truth, outcome.state) for outcome in joined]
    [(1.0, 'known'), (nan, 'pending')]
    """

    event: str | None = None
    wait: features.Span | int = 0

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        import numpy as np

        if self.event is not None and getattr(labeller, "event", None) is not None:
            declared: Any = labeller
            labeller = part.replace(declared, event=self.event)
        moments = features.Moments(answers.keys, answers.segments(), answers.at)
        truth = labeller.label(tables, moments, as_of)
        until = answers.at + labeller.horizon()
        known = truth.known & ~self._waits(truth, labeller, until, as_of)
        pending = (truth.known & ~known) | _reason(truth.why, "future")
        state = np.where(known, "known", np.where(pending, "pending", "censored"))
        value = np.where(known, truth.value, np.nan)
        rows = zip(
            moments.names(), answers.at.tolist(), answers.floats("answer").tolist(), value.tolist(),
            state.tolist(), until.tolist(), strict=True,
        )  # fmt: skip
        return tuple(evidence.Outcome(*row) for row in rows)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.event is not None:
            yield from labels.column_problems(page, self.event, "bool", "event")
            if getattr(page.labels, "event", None) is None:
                what = f"{type(page.labels).__name__} knows no event, and {self.event!r} is named here"
                yield errors.Problem("event", what, "leave it out")
        if not (isinstance(self.wait, int) and self.wait == 0):
            yield from features.span_problems(page, self.wait, "wait", "wait")

    def _waits(self, truth: labels.Answers, labeller: labels.Labeller, until: Any, as_of: int) -> Flags:
        """Return (n,) where a "no" may still become a "yes" by a row that is entered late."""
        import numpy as np

        if not isinstance(labeller.kind(), labels.Probability) or labeller.horizon() == 0:
            return np.zeros(len(truth), dtype=bool)
        return np.asarray((truth.value == 0) & (until + int(self.wait) > as_of))


def _reason(why: data.Words, reason: str) -> Flags:
    import numpy as np

    code = why.labels.index(reason) if reason in why.labels else -2
    return np.asarray(why.codes == code)
