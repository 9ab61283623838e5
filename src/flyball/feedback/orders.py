"""Outcomes from work orders: what people found when they went there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import view
from flyball.feedback import stage
from flyball.labels import stage as labels


class WorkOrders(stage.Feedback):
    """The truth of an answer is what the first work order after it says was found, a bool column `found`.

    Why: an alert sends somebody to the machine, and what they see there is a truth that the machine's own rows may
    never show.  An order counts whose `at` lies in (moment, moment + within]; one that is entered late, or corrected,
    changes the outcome from when it was seen.  Until `within` and `wait` are over an answer without an order is
    "pending"; then it is "censored": nobody looked.

    With `number`, the column that holds an order's number, the order that was written down for an alert
    (`flyball alerts order`) ends it: found, or not, as soon as its row is seen.

    >>> from flyball.units import days
    >>> orders = data.Rows.of(["a"], [days(1)], [days(3)], {"found": [1.0]})
    >>> answers = data.Rows.of(["a", "b"], [0, 0], columns={"answer": [0.7, 0.6]})
    >>> part = WorkOrders("orders.found", within=days(7))
    >>> [[o.state for o in part.collect(answers, {"orders": orders}, None, as_of=days(day))] for day in (2, 3, 8)]
    [['pending', 'pending'], ['known', 'pending'], ['known', 'censored']]
    """

    found: str
    within: features.Span
    wait: features.Span | int = 0
    number: str | None = None

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        import numpy as np

        table, name = features.split(self.found)
        rows = features.arrived(tables, table).known(as_of)
        rows = rows.take(~np.isnan(rows.floats(name)))
        moments = features.Moments(answers.keys, answers.segments(), answers.at)
        until = answers.at + int(self.within)
        truth = np.full(len(moments), np.nan)
        if len(rows):
            machine, known = view.machines(rows, moments)
            place = view.after(rows.at, rows, moments.at, machine)
            there = known & (place < rows.starts[machine + 1])
            place = np.minimum(place, len(rows) - 1)
            there &= rows.at[place] <= until
            truth = np.where(there, rows.floats(name)[place], np.nan)
        return stage.told(answers, truth, until, until + int(self.wait) > as_of)

    def orders(self, tables: data.Tables, as_of: int) -> tuple[stage.Order, ...]:
        """Return the orders that have a number and say what was found, as known at the cut, oldest first."""
        if self.number is None:
            return ()
        table, name = features.split(self.found)
        rows = features.arrived(tables, table).known(as_of)
        texts = rows.words(features.split(self.number)[1]).texts()
        told = zip(texts, rows.at.tolist(), rows.seen.tolist(), rows.floats(name).tolist(), strict=True)
        done = (
            stage.Order(text, at, seen, bool(found))
            for text, at, seen, found in told
            if text and found == found
        )
        return tuple(sorted(done, key=lambda order: (order.seen, order.number)))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from labels.column_problems(page, self.found, "bool", "found")
        if self.number is not None:
            yield from labels.column_problems(page, self.number, "category", "number")
            if features.split(self.number)[0] != features.split(self.found)[0]:
                what = f"{self.number!r} is of another table than {self.found!r}"
                yield errors.Problem(
                    "number", what, "name the number's column in the table of what was found"
                )
        yield from features.span_problems(page, self.within, "within")
        if not (isinstance(self.wait, int) and self.wait == 0):
            yield from features.span_problems(page, self.wait, "wait", "wait")
        if not isinstance(page.labels.kind(), labels.Probability):
            kind = type(page.labels.kind()).__name__
            yield errors.Problem("found", f"found or not is no {kind}", "use Metrology or Reviewed")
