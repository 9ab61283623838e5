"""Ranks: where a number stands in the training distribution, whatever its unit or tail."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs
from flyball.model.stage import Packed, Step, Transform

if TYPE_CHECKING:
    from flyball.data.stage import Floats


class Quantiles(Step):
    """Replaces numbers by their rank among the training rows, 0 to 1, linear between `points` quantiles.

    A heavy tail becomes harmless to a net or a linear model; beyond the training range it stays at 0 or 1.  NaN
    stays NaN.

    >>> Quantiles(columns=("errors",))
    model.Quantiles(columns=('errors',))
    """

    columns: tuple[str, ...] | None = None
    points: int = 101

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the quantiles of the training rows."""
        import numpy as np

        names = (
            inputs.matching(x, self.columns)
            if self.columns
            else [n for n, c in x.columns.items() if isinstance(c, np.ndarray) and c.ndim == 1]
        )
        knots = {}
        for name in sorted(names):
            column = _number(x, name)
            known = column[np.isfinite(column)]
            knots[name] = np.quantile(known, np.linspace(0, 1, self.points)) if len(known) else np.zeros(1)
        return Ranks(knots)


class Ranks(Transform):
    """The training quantiles of every column."""

    def __init__(self, knots: dict[str, Floats]) -> None:
        self.knots = knots

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with ranks in place of numbers."""
        import numpy as np

        columns = dict(x.columns)
        for name, knots in self.knots.items():
            if name in x.stopped:
                continue
            column = _number(x, name)
            # A value that many rows share stands in the middle of its ranks.
            ranks = np.linspace(0, 1, len(knots)) if len(knots) > 1 else np.array([0.5])
            distinct, first = np.unique(knots, return_index=True)
            last = np.append(first[1:], len(knots)) - 1
            middle = (ranks[first] + ranks[last]) / 2
            columns[name] = np.where(np.isnan(column), np.nan, np.interp(column, distinct, middle))
        return dataclasses.replace(x, columns=columns)

    def pack(self) -> Packed:
        """Return the quantiles."""
        names = sorted(self.knots)
        files = {f"{index}.npy": arrays.dump(self.knots[name]) for index, name in enumerate(names)}
        return Packed("quantiles", {"names": names}, files)

    @staticmethod
    def unpack(packed: Packed) -> Ranks:
        """Return the step that was packed."""
        return Ranks(
            {name: arrays.load(packed.files[f"{i}.npy"]) for i, name in enumerate(packed.settings["names"])}
        )


def _number(x: features.Matrix, name: str) -> Floats:
    import numpy as np

    column = inputs.pick(x, name)
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise errors.DataError(f"column {name!r} is no single number per row: it has no rank")
    return np.asarray(column, dtype=np.float64)
