"""A limit as a column: 1 beyond it, 0 within."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import log
from flyball.model.stage import Packed, Step, Transform


class Flag(Step):
    """Adds a column that is 1 where another lies above (or below) a limit, and 0 where not or missing.

    Nothing is learned; a linear model needs it where the first count says more than the tenth.

    >>> Flag("reallocated", above=0).name(), Flag("hours", below=500).name()
    ('reallocated>0', 'hours<500')
    """

    column: str
    above: float | None = None
    below: float | None = None

    def name(self) -> str:
        """Return the name of the column it adds."""
        low = "" if self.above is None else f">{self.above:g}"
        return f"{self.column}{low}" + ("" if self.below is None else f"<{self.below:g}")

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the step as it is."""
        return Flagged(self.column, self.above, self.below)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.above is None and self.below is None:
            yield errors.Problem("above", "no limit, every row would be flagged", "give above or below")


class Flagged(Transform):
    """The column and its limits."""

    def __init__(self, column: str, above: float | None, below: float | None) -> None:
        self.column, self.above, self.below = column, above, below

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with the flag added."""
        import numpy as np

        column = log.number(x, self.column)
        beyond = ~np.isnan(column)
        if self.above is not None:
            beyond &= column > self.above
        if self.below is not None:
            beyond &= column < self.below
        name = Flag(self.column, self.above, self.below).name()
        return dataclasses.replace(x, columns={**x.columns, name: beyond.astype(np.float64)})

    def pack(self) -> Packed:
        """Return the column and its limits."""
        return Packed("flag", {"column": self.column, "above": self.above, "below": self.below})

    @staticmethod
    def unpack(packed: Packed) -> Flagged:
        """Return the step that was packed."""
        return Flagged(packed.settings["column"], packed.settings["above"], packed.settings["below"])
