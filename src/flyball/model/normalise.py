"""Normalisation: how far a number is from what is usual, for this machine or in this condition."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs
from flyball.model.stage import Packed, Step, Transform

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints


class Normalise(Step):
    """Takes the usual level away and divides by the usual spread, both found on training rows only.

    `by` None: of all rows; "machine": of the machine's own rows; else the name of a category column: of the rows
    of that category.  A group is known as far as its rows go: its level and spread are drawn toward those of all
    rows as if `prior` rows of them had been there too, so a machine never seen before stands on the fleet's.
    `robust` takes median and interquartile range / 1.349, which a few wild values do not move.  `columns` (None:
    every number) may also name sequences (n, steps, channels), normalised channel by channel.  With a `suffix` the
    result stands beside what it was made from.  NaN stays NaN.

    >>> Normalise(by="machine", robust=True)
    model.Normalise(by='machine', robust=True)
    """

    by: str | None = None
    columns: tuple[str, ...] | None = None
    robust: bool = False
    prior: float = 10.0
    suffix: str = ""

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the levels and spreads of the training rows."""
        import numpy as np

        names = _numbers(x) if self.columns is None else inputs.matching(x, self.columns)
        groups, codes = _groups(x, self.by)
        levels, spreads = {}, {}
        for name in names:
            column = _numeric(x, name)
            whole = _usual(column, self.robust)
            level = np.tile(whole[0], (len(groups) + 1, 1))
            spread = np.tile(whole[1], (len(groups) + 1, 1))
            for code, rows in _members(codes, len(groups)):
                mine = column[rows]
                count = (~np.isnan(mine)).sum(axis=tuple(range(mine.ndim - 1)))
                own = _usual(mine, self.robust, whole)
                share = count / (count + self.prior)
                level[code] = share * own[0] + (1 - share) * whole[0]
                # Spreads are drawn together as variances; a group that never moved keeps some of the fleet's.
                spread[code] = np.sqrt(share * own[1] ** 2 + (1 - share) * whole[1] ** 2)
            levels[name], spreads[name] = level, _safe(spread, level)
        return Normalised(self.by, groups, levels, spreads, self.suffix)


class Normalised(Transform):
    """Levels and spreads: per column (groups + 1, channels), the last row for a group never seen."""

    def __init__(
        self, by: str | None, groups: tuple[str, ...], levels: dict[str, Floats], spreads: dict[str, Floats],
        suffix: str = "",
    ) -> None:  # fmt: skip
        self.by, self.groups, self.levels, self.spreads, self.suffix = by, groups, levels, spreads, suffix

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with its numbers normalised; other columns are left as they are."""
        import numpy as np

        known, codes = _groups(x, self.by)
        place = {name: code for code, name in enumerate(self.groups)}
        table = np.array(
            [place.get(name, len(self.groups)) for name in known] + [len(self.groups)], dtype=np.int64
        )
        rows = table[codes]
        columns = dict(x.columns)
        for name, level in self.levels.items():
            if name in x.stopped:
                if self.suffix:
                    columns[f"{name}{self.suffix}"] = np.full(len(x), np.nan)
                continue
            column = _numeric(x, name)
            shape = (len(x),) + (1,) * (column.ndim - 2) + (-1,)
            moved = (column - level[rows].reshape(shape)) / self.spreads[name][rows].reshape(shape)
            columns[f"{name}{self.suffix}"] = (
                moved[:, 0] if getattr(x.columns[name], "ndim", 1) == 1 else moved
            )
        return dataclasses.replace(x, columns=columns)

    def pack(self) -> Packed:
        """Return the levels and spreads."""
        names = sorted(self.levels)
        files = {}
        for index, name in enumerate(names):
            files[f"level_{index}.npy"] = arrays.dump(self.levels[name])
            files[f"spread_{index}.npy"] = arrays.dump(self.spreads[name])
        told = {"by": self.by, "groups": list(self.groups), "names": names, "suffix": self.suffix}
        return Packed("normalise", told, files)

    @staticmethod
    def unpack(packed: Packed) -> Normalised:
        """Return the step that was packed."""
        told = packed.settings
        levels = {name: arrays.load(packed.files[f"level_{i}.npy"]) for i, name in enumerate(told["names"])}
        spreads = {name: arrays.load(packed.files[f"spread_{i}.npy"]) for i, name in enumerate(told["names"])}
        return Normalised(told["by"], tuple(told["groups"]), levels, spreads, told["suffix"])


def _numbers(x: features.Matrix) -> tuple[str, ...]:
    """Return the names of the plain numeric columns, in order."""
    import numpy as np

    return tuple(sorted(name for name, c in x.columns.items() if isinstance(c, np.ndarray) and c.ndim == 1))


def _numeric(x: features.Matrix, name: str) -> Floats:
    """Return a column as (n, ..., channels) float64."""
    import numpy as np

    column = inputs.pick(x, name)
    if not isinstance(column, np.ndarray):
        raise errors.DataError(f"column {name!r} is not numeric: it cannot be normalised")
    wide = np.asarray(column, dtype=np.float64)
    return wide[:, None] if wide.ndim == 1 else wide


def _groups(x: features.Matrix, by: str | None) -> tuple[tuple[str, ...], Ints]:
    """Return the names of the groups and (n,) which one each row is in, -1 where it is in none."""
    import numpy as np

    if by is None:
        return (), np.full(len(x), -1, dtype=np.int64)
    if by == "machine":
        return x.moments.keys, x.moments.codes.astype(np.int64)
    column = inputs.pick(x, by)
    if not isinstance(column, data.Words):
        raise errors.DataError(
            f"column {by!r} is no category: normalise by machine, by a category, or by None"
        )
    return column.labels, column.codes.astype(np.int64)


def _members(codes: Ints, groups: int) -> Any:
    """Yield (group, its rows) for every group that has rows."""
    import numpy as np

    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(groups + 1))
    for code in range(groups):
        if bounds[code] < bounds[code + 1]:
            yield code, order[bounds[code] : bounds[code + 1]]


def _usual(column: Floats, robust: bool, else_: tuple[Floats, Floats] | None = None) -> tuple[Floats, Floats]:
    """Return (level, spread) per channel over all other axes; of nothing known, what stands in for it."""
    import numpy as np

    flat = column.reshape(-1, column.shape[-1])
    level, spread = np.zeros(flat.shape[1]), np.zeros(flat.shape[1])
    for channel in range(flat.shape[1]):
        known = flat[:, channel][np.isfinite(flat[:, channel])]
        if not len(known):
            level[channel], spread[channel] = (
                (0.0, 1.0) if else_ is None else (else_[0][channel], else_[1][channel])
            )
        elif robust:
            low, level[channel], high = np.quantile(known, (0.25, 0.5, 0.75))
            spread[channel] = (high - low) / 1.349
        else:
            level[channel], spread[channel] = known.mean(), known.std()
    return level, spread


def _safe(spread: Floats, level: Floats) -> Floats:
    """Return the spread, one where a column does not move at all."""
    import numpy as np

    return np.where(spread > 1e-12 * np.maximum(np.abs(level), 1e-300), spread, 1.0)
