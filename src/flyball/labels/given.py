"""Truth that stands in a column: a class, a number or a yes that somebody gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import values, view
from flyball.labels import stage

REASONS = ("missing", "no such class")


class Given(stage.Labeller):
    """The truth in a column, of the machine's last row at or before the moment, as known at the cut.

    `answer` is its kind.  A text that is no class of `Classes(names)`, and a missing value, is not known.

    >>> maps = data.Rows.of(["w1", "w2"], at=[0, 0], columns={"label": ["ring", None]})
    >>> asked = features.Moments.of(["w1", "w2"], [0, 0])
    >>> truth = Given("maps.label", answer=stage.Classes(("none", "ring"))).label({"maps": maps}, asked, None)
    >>> truth.value.tolist(), truth.known.tolist()
    ([1.0, nan], [True, False])
    """

    column: str
    answer: stage.Kind

    def kind(self) -> stage.Kind:
        return self.answer

    def reads(self) -> tuple[str, ...]:
        return (self.column,)

    def label(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> stage.Answers:
        import numpy as np

        table, name = features.split(self.column)
        rows = features.arrived(tables, table).known(as_of)
        place, known = view.machines(rows, moments)
        row = view.after(rows.at, rows, moments.at, place) - 1
        row = np.where(known & (row >= rows.starts[place]), row, -1) if len(rows) else row * 0 - 1
        value, strange = self._values(rows, name)
        value = np.append(value, np.nan)[row]
        why = np.where(np.isnan(value), np.where(np.append(strange, False)[row], 1, 0), -1).astype(np.int32)
        return stage.Answers(value, why < 0, data.Words(why, REASONS))

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        wanted = {stage.Classes: "category", stage.Probability: "bool"}.get(type(self.answer), "number")
        yield from stage.column_problems(page, self.column, wanted, "column")
        yield from stage.seen_problems(page, self.column, "column")
        if isinstance(self.answer, stage.Classes) and len(set(self.answer.names)) < 2:
            yield errors.Problem("answer", "fewer than two classes", "name the classes")

    def _values(self, rows: data.Rows, name: str) -> tuple[Any, Any]:
        """Return the truth of every row, NaN where there is none, and where a text is no class."""
        import numpy as np

        if not isinstance(self.answer, stage.Classes):
            return values.floats(rows, name), np.zeros(len(rows), dtype=bool)
        words = rows.words(name)
        codes = words.relabel(self.answer.names).codes
        return np.where(codes < 0, np.nan, codes), (words.codes >= 0) & (codes < 0)
