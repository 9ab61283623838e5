"""Outcomes from measurements that come later: of the few that are measured, the truth of what was answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import view
from flyball.feedback import stage
from flyball.labels import stage as labels


class Metrology(stage.Feedback):
    """The truth of an answer is the measurement nearest to moment + `after`, at most `within` away.

    Why: virtual metrology answers for every wafer and metrology measures one in many, hours later.  Of two that are
    equally near the later one counts.  A measurement that is corrected changes the outcome from when that was seen.
    Until `after`, `within` and `wait` are over an answer without one is "pending", then "censored": not measured.

    >>> from flyball.units import hours
    >>> measured = data.Rows.of(["a", "a"], [hours(1), hours(5)], [hours(9), hours(9)], {"width": [21.5, 30.0]})
    >>> answers = data.Rows.of(["a", "a"], [0, hours(20)], columns={"answer": [21.0, 22.0]})
    >>> part = Metrology("cd.width", within=hours(2))
    >>> [(o.truth, o.state) for o in part.collect(answers, {"cd": measured}, None, as_of=hours(30))]
    [(21.5, 'known'), (nan, 'censored')]
    """

    measured: str
    within: features.Span
    after: features.Span | int = 0
    wait: features.Span | int = 0

    def collect(
        self, answers: data.Rows, tables: data.Tables, labeller: labels.Labeller, as_of: int
    ) -> tuple[evidence.Outcome, ...]:
        import numpy as np

        table, name = features.split(self.measured)
        rows = features.arrived(tables, table).known(as_of)
        rows = rows.take(~np.isnan(rows.floats(name)))
        moments = features.Moments(answers.keys, answers.segments(), answers.at)
        wanted, truth = answers.at + int(self.after), np.full(len(moments), np.nan)
        until = wanted + int(self.within)
        if len(rows):
            machine, known = view.machines(rows, moments)
            place = view.after(rows.at, rows, wanted, machine)
            near = np.full(len(moments), int(self.within) + 1)
            for one in (place, place - 1):  # the later first, so that it wins where both are as near
                there = known & (one >= rows.starts[machine]) & (one < rows.starts[machine + 1])
                one = np.clip(one, 0, len(rows) - 1)
                away = np.where(there, np.abs(rows.at[one] - wanted), int(self.within) + 1)
                truth = np.where(away < near, rows.floats(name)[one], truth)
                near = np.minimum(near, away)
        return stage.told(answers, truth, until, until + int(self.wait) > as_of)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from labels.column_problems(page, self.measured, "number", "measured")
        yield from features.span_problems(page, self.within, "within", "tolerance")
        for name in ("after", "wait"):
            span = getattr(self, name)
            if not (isinstance(span, int) and span == 0):
                yield from features.span_problems(page, span, name, name)
        if isinstance(page.labels.kind(), labels.Classes):
            yield errors.Problem("measured", "a measurement is no class", "use Reviewed")
