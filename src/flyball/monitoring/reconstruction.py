"""Principal components of how columns go together: a column that leaves its relation to the others is told as one.

The components are those of the correlations inside the reference's windows.  Rows of a window are projected on them and
back; what does not come back is the column's residual (Q statistic, by column), and the logarithm of its mean square
is watched like a level: against the machine's own windows, inside the same budget.

Source: Jackson and Mudholkar, Technometrics 21 (1979), for the residual; Kaiser, Educational and Psychological
Measurement 20 (1960), for the number of components.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.monitoring import bins, stage
from flyball.monitoring.standard import Standard

if TYPE_CHECKING:
    from flyball.data.stage import Floats

#: Added to a mean square before the logarithm: a residual below is as good as none.
LEAST = 1e-3
#: A column with a mean square below this, where its own spread makes 1, stands still or is missing.
MOVES = 0.5


class Reconstruction(stage.Multivariate):
    """Tell of each numeric column how much of it the others no longer explain (principal component analysis).

    Finds a channel that shows what another one should, a time stamp of one module that is off, a coupling that
    changed, while level and spread of every column stay as they were.  `components` is how many are kept; None keeps
    those that explain more than one column alone does.  Costs two products of the rows with (columns, components).

    >>> Reconstruction().components is None
    True
    """

    components: int | None = None

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a number of components that is none."""
        if self.components is not None and self.components < 1:
            yield errors.Problem("components", f"{self.components} are none", "give 1 or more, or None")

    def learn(self, rows: Standard, seed: int) -> Mapping[str, Any]:
        """Return the components (components, columns) of the mean correlation within cells; {} with one column."""
        import numpy as np

        total, count = np.zeros((len(rows.names), len(rows.names))), 0
        for cells, _, block in rows.blocks():
            total += (block.T @ block).astype(np.float64) / len(block) * len(cells)
            count += len(cells)
        if not count or len(rows.names) < 2:
            return {}
        value, vector = np.linalg.eigh(total / count)
        many = int((value > 1 + 1e-9).sum()) if self.components is None else self.components
        many = min(many, len(rows.names) - 1)
        if not many:
            return {}
        kept = vector[:, ::-1][:, :many].T
        # The sign of a component is free: one that is fixed makes the same bytes everywhere.
        kept *= np.sign(kept[np.arange(many), np.abs(kept).argmax(axis=1)])[:, None]
        return {"names": list(rows.names), "components": np.round(kept, 6).tolist()}

    def told(self, kept: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        """Return {name of a figure: the columns it is of}: one per column."""
        return {name + bins.RELATION: (name,) for name in kept.get("names", ())}

    def figures(self, kept: Mapping[str, Any], rows: Standard) -> Floats:
        """Return (cells, figures): the logarithm of each column's mean squared residual, NaN where nothing is told."""
        import numpy as np

        out = np.full((len(rows.cells.unit), len(kept["names"])), np.nan)
        components = np.array(kept["components"], dtype=np.float32)
        order = [rows.names.index(name) for name in kept["names"]]
        for cells, begin, block in rows.blocks():
            plain = block[:, order]
            rest = plain - (plain @ components.T) @ components
            size = np.diff(np.append(begin, len(block)))[:, None]
            left, all_ = (
                np.add.reduceat(part.astype(np.float64) ** 2, begin, axis=0) / size for part in (rest, plain)
            )
            # A column that stands still or is missing has no relation; what it has has been told already.
            out[cells] = np.where(all_ > MOVES, np.log(left + LEAST), np.nan)
        return out
