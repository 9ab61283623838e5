"""What a predictor takes from a matrix: its columns by name, in its own order, codes under its own labels.

Why: column order must not matter, a new column must be ignored, and one that is missing must be told by name; a
category is the text, not the code that one file happened to give it.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features

if TYPE_CHECKING:
    from flyball.data.stage import Array, Column


@dataclass(frozen=True)
class Inputs:
    """The columns of a predictor, and the labels of those that are categories."""

    names: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(x: features.Matrix, columns: tuple[str, ...] | None = None) -> Inputs:
        """Take the columns named (or matched), or all of one number or category per row, in order of names.

        Raises DataError when a named one is missing or no such column is left.
        """
        if columns is None:
            chosen = sorted(name for name, column in x.columns.items() if is_flat(column))
        else:
            chosen = sorted(matching(x, columns))
            for name in chosen:
                if not is_flat(pick(x, name)):
                    raise errors.DataError(f"column {name!r} is no single number or category per row")
        if not chosen:
            raise errors.DataError(
                "no column that is one number or category per row: declare one under features"
            )
        labels = {}
        for name in chosen:
            column = pick(x, name)
            if isinstance(column, data.Words):
                labels[name] = tuple(sorted(set(column.labels)))
        return Inputs(tuple(chosen), labels)

    def dense(self, x: features.Matrix) -> Array:
        """Return (n, d) float32, C-contiguous.

        NaN stands where a value is missing, where a category was never seen in training, and in every row of a
        column whose feature was stopped.
        """
        import numpy as np

        with np.errstate(over="ignore"):  # once, not per column: a machine asks for one row at a time
            if len(x) == 1:
                told = [self._column(x, name) for name in self.names]
                return np.concatenate(told, dtype=np.float32, casting="unsafe")[None, :]
            out = np.empty((len(x), len(self.names)), dtype=np.float32)
            for place, name in enumerate(self.names):
                out[:, place] = self._column(x, name)
        return out

    def _column(self, x: features.Matrix, name: str) -> Array:
        """Return one column as numbers, a category as its code here."""
        import numpy as np

        column = pick(x, name)
        if name in x.stopped:
            return np.full(len(x), np.nan)
        if name in self.labels:
            if not isinstance(column, data.Words):
                raise errors.DataError(f"column {name!r} was a category in training and is none here")
            codes = column.relabel(self.labels[name]).codes
            return np.where(codes < 0, np.nan, codes)
        if isinstance(column, np.ndarray) and column.ndim == 1:
            return column
        raise errors.DataError(f"column {name!r} was one number per row in training and is not here")

    def settings(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "names": list(self.names),
            "labels": {name: list(texts) for name, texts in self.labels.items()},
        }

    @staticmethod
    def read(settings: Mapping[str, Any]) -> Inputs:
        """Return it from plain values."""
        return Inputs(
            tuple(settings["names"]), {name: tuple(texts) for name, texts in settings["labels"].items()}
        )


def pick(x: features.Matrix, name: str) -> Column:
    """Return a column of a matrix; of one whose feature was stopped, NaN in every row.

    Raises DataError that names a column nobody speaks of, and the nearest there is.
    """
    column = x.columns.get(name)
    if column is None and name in x.stopped:
        import numpy as np

        return np.full(len(x), np.nan)
    if column is None:
        raise errors.DataError(f"column {name!r} is missing, {errors.did_you_mean(name, x.columns)}")
    return column


def matching(x: features.Matrix, patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns named, a pattern such as "smart_5*" standing for all that it matches, each once.

    Raises DataError for a name that is not there (and whose feature was not stopped) and a pattern without match.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        hit = fnmatch.filter(x.columns, pattern) if "*" in pattern else [pattern]
        if not hit and not fnmatch.filter(x.stopped, pattern):
            raise errors.DataError(f"no column {pattern!r}, {errors.did_you_mean(pattern, x.columns)}")
        for name in sorted(hit):
            pick(x, name)
            found[name] = None
    return tuple(found)


def is_flat(column: Any) -> bool:
    """Say whether a column holds one number or one category per row."""
    import numpy as np

    return isinstance(column, data.Words) or (isinstance(column, np.ndarray) and column.ndim == 1)
