"""Counts on a logarithmic scale, where one more matters less the more there are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import inputs
from flyball.model.stage import Packed, Step, Transform

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Log(Step):
    """Replaces numbers by log(1 + x), negatives by 0; with a `suffix` the result stands beside them.

    Nothing is learned; it stands here, in front of a linear model or a net, since trees do not need it.  NaN stays.

    >>> Log(("errors.count.7d",), suffix=".log")
    model.Log(('errors.count.7d',), suffix='.log')
    """

    columns: tuple[str, ...]
    suffix: str = ""

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the step for the columns that there are."""
        return Logged(inputs.matching(x, self.columns), self.suffix)


class Logged(Transform):
    """The columns to take the logarithm of."""

    def __init__(self, names: tuple[str, ...], suffix: str) -> None:
        self.names, self.suffix = names, suffix

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with the logarithms."""
        import numpy as np

        made = {}
        for name in self.names:
            column = number(x, name)
            made[f"{name}{self.suffix}"] = np.log1p(np.where(column < 0, 0.0, column))
        return dataclasses.replace(x, columns={**x.columns, **made})

    def pack(self) -> Packed:
        """Return the names."""
        return Packed("log", {"names": list(self.names), "suffix": self.suffix})

    @staticmethod
    def unpack(packed: Packed) -> Logged:
        """Return the step that was packed."""
        return Logged(tuple(packed.settings["names"]), packed.settings["suffix"])


def number(x: features.Matrix, name: str) -> Array:
    """Return a column of one number per row as float64; raises DataError for any other."""
    import numpy as np

    column = inputs.pick(x, name)
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise errors.DataError(f"column {name!r} is no single number per row")
    return np.asarray(column, dtype=np.float64)
