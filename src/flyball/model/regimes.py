"""Operating conditions found in the data: a category of which cluster the settings are in."""

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
    from flyball.data.stage import Array, Floats, Ints


class Regimes(Step):
    """Adds a category column `name` of `k` operating conditions: k-means over the scaled columns (Lloyd 1982).

    Starts are spread out (k-means++, Arthur and Vassilvitskii 2007) and the best of ten is kept; conditions are
    numbered by their centres, so the same rows and seed give the same names.  A row with a missing setting is in none.
    Follow it by `Normalise(by=name)`, so that a sensor is compared with its usual level in that condition.

    >>> Regimes(columns=("altitude", "mach"), k=6)
    model.Regimes(('altitude', 'mach'), 6)
    """

    columns: tuple[str, ...]
    k: int
    name: str = "regime"

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the centres of the training rows."""
        import numpy as np

        points = _points(x, self.columns)
        points = points[np.isfinite(points).all(axis=1)]
        if len(points) < self.k:
            raise errors.DataError(
                f"{len(points)} rows with all of {', '.join(self.columns)} for {self.k} regimes"
            )
        rng = np.random.default_rng(seed)
        if len(points) > 20_000:
            points = points[np.sort(rng.choice(len(points), 20_000, replace=False))]
        scale = points.std(axis=0)
        scale[scale == 0] = 1.0
        found = [_lloyd(points / scale, _spread_out(points / scale, self.k, rng)) for _ in range(10)]
        centres = min(found, key=lambda one: one[1])[0]
        return Assigned(self.columns, self.name, centres[np.lexsort(centres.T[::-1])], scale)


class Assigned(Transform):
    """Centres (k, d) of the scaled columns."""

    def __init__(self, columns: tuple[str, ...], name: str, centres: Floats, scale: Floats) -> None:
        self.columns, self.name, self.centres, self.scale = columns, name, centres, scale

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with the column of conditions added."""
        import numpy as np

        points = _points(x, self.columns) / self.scale
        known = np.isfinite(points).all(axis=1)
        codes = np.full(len(x), -1, dtype=np.int32)
        codes[known] = _nearest(points[known], self.centres)[0]
        words = data.Words(codes, tuple(f"{self.name}_{i}" for i in range(len(self.centres))))
        return dataclasses.replace(x, columns={**x.columns, self.name: words})

    def pack(self) -> Packed:
        """Return the centres."""
        files = {"centres.npy": arrays.dump(self.centres), "scale.npy": arrays.dump(self.scale)}
        return Packed("regimes", {"columns": list(self.columns), "name": self.name}, files)

    @staticmethod
    def unpack(packed: Packed) -> Assigned:
        """Return the step that was packed."""
        centres, scale = (arrays.load(packed.files[name]) for name in ("centres.npy", "scale.npy"))
        return Assigned(tuple(packed.settings["columns"]), packed.settings["name"], centres, scale)


def _points(x: features.Matrix, columns: tuple[str, ...]) -> Floats:
    import numpy as np

    return np.stack([np.asarray(inputs.pick(x, name), dtype=np.float64) for name in columns], axis=1)


def _nearest(points: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """Return (n,) the nearest centre of every point and (n,) its squared distance."""
    import numpy as np

    apart = np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)
    which = np.argmin(apart, axis=1)
    return which.astype(np.int64), apart[np.arange(len(points)), which]


def _spread_out(points: Floats, k: int, rng: Any) -> Array:
    """Return k starts, each drawn in proportion to its squared distance to the ones before."""
    import numpy as np

    centres = points[[rng.integers(len(points))]]
    while len(centres) < k:
        apart = _nearest(points, centres)[1]
        chance = apart / apart.sum() if apart.sum() > 0 else np.full(len(points), 1 / len(points))
        centres = np.vstack([centres, points[rng.choice(len(points), p=chance)]])
    return centres


def _lloyd(points: Floats, centres: Floats, rounds: int = 100) -> tuple[Floats, float]:
    """Move every centre to the mean of its points until none moves; return them and the summed squared distance."""
    import numpy as np

    for _ in range(rounds):
        which, _apart = _nearest(points, centres)
        count = np.bincount(which, minlength=len(centres))[:, None]
        total = np.stack(
            [np.bincount(which, weights=axis, minlength=len(centres)) for axis in points.T], axis=1
        )
        moved = np.where(count > 0, total / np.maximum(count, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres, float(_nearest(points, centres)[1].sum())
