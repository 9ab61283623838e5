"""One scale for six operating conditions: standardise by condition, then take out what is only a sensor's noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays
from flyball.model.stage import Packed, Step, Transform
from flyball.systems.turbofan import conditions

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: Training rows with at most so many cycles of history show a new engine.
HEALTHY = 30
#: A row's neighbours lie at most so many cycles away.
NEAR = 15


class Harmonise(Step):
    """Turns the sums of `Windows` into one number per sensor and window, on one scale for all conditions.

    Each sensor is standardised by condition (level and spread of new engines): "z.SENSOR.WINDOW" for the windows in
    `plain`.  With `ridge`, a linear map per condition from one cycle's standardised sensors to the mean of the cycles
    within 15 around it (the cycle itself left out) is fitted on training rows, which takes out the sensors' own noise
    and the rest of the conditions: "h.SENSOR.WINDOW" for every window in `windows`, and "rise" (mean.10 less mean.new)
    and "turn" (mean.10 less mean.40) where those are among them.  Both maps are linear, so they are applied to a
    window's sums as to each of its rows.  The neighbours are a target for fitting only: what comes out looks back.

    `sequence` names the column of the last rows (n, steps, sensors + 3 settings), which is standardised as well.
    Beside it stand "life.cycles", "life.log" and "life.short": how long the history is.
    """

    windows: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()
    ridge: float | None = 10.0
    sequence: str = "last"
    name: str = "cycles"

    def fit(self, x: features.Matrix, y: labels.Answers, seed: int) -> Transform:
        """Return the levels, spreads and maps of the training rows."""
        import numpy as np

        now, condition = _now(x, self.sequence)
        new = np.asarray(x.columns[f"{self.name}.history"]) <= HEALTHY
        kinds, d = len(conditions.CENTRES), now.shape[1]
        level, spread = np.zeros((kinds, d)), np.ones((kinds, d))
        for kind in range(kinds):
            rows = new & (condition == kind)
            rows = rows if rows.sum() > 2 else (condition == kind if (condition == kind).sum() > 2 else new)
            level[kind] = np.nanmean(now[rows], axis=0)
            spread[kind] = np.maximum(np.nanstd(now[rows], axis=0), 1e-6)
        plain = _maps(level, spread, np.tile(np.eye(d + 1)[:, :d], (kinds, 1, 1)))
        told = Harmonised(self.windows, self.plain, self.sequence, self.name, plain, plain)
        if self.ridge is None:
            return told
        z = (now - level[condition]) / spread[condition]
        return dataclasses.replace(told, maps=_maps(level, spread, self._fitted(x, told, z, condition)))

    def _fitted(self, x: features.Matrix, told: Harmonised, z: Floats, condition: Ints) -> Floats:
        """Return (conditions, d + 1, d) the maps from a row to the mean of its neighbours."""
        import numpy as np

        d = z.shape[1]
        whole = np.asarray(x.columns[f"{self.name}.mean.all"], dtype=np.float64)
        count = np.asarray(x.columns[f"{self.name}.history"], dtype=np.float64)
        near, has = _around(x.moments, count, count[:, None] * _applied(whole, told.plain_maps), z)
        out = np.tile(np.eye(d + 1)[:, :d], (len(conditions.CENTRES), 1, 1))
        pull = np.diag([float(self.ridge or 0.0)] * d + [1e-6])
        for kind in range(len(out)):
            rows = has & (condition == kind) & np.isfinite(z).all(axis=1)
            if rows.sum() > d:
                given = np.append(z[rows], np.ones((int(rows.sum()), 1)), axis=1)
                out[kind] = np.linalg.solve(given.T @ given + pull, given.T @ near[rows])
        return out


@dataclasses.dataclass(frozen=True, eq=False)
class Harmonised(Transform):
    """Affine maps per condition, (conditions, sensors + 1, sensors), the last row the constant: fitted, and plain."""

    windows: tuple[str, ...]
    plain: tuple[str, ...]
    sequence: str
    name: str
    maps: Floats
    plain_maps: Floats

    def apply(self, x: features.Matrix) -> features.Matrix:
        """Return the matrix with one column per sensor and window in place of the sums."""
        import numpy as np

        columns = {name: column for name, column in x.columns.items() if getattr(column, "ndim", 1) == 1}
        told = {w: _applied(self._sums(x, w), self.maps) for w in self.windows}
        for name, a, b in (("rise", "mean.10", "mean.new"), ("turn", "mean.10", "mean.40")):
            if a in told and b in told:
                told[name] = told[a] - told[b]
        plain = {w: _applied(self._sums(x, w), self.plain_maps) for w in self.plain}
        for letter, found in (("h", told), ("z", plain)):
            for window, values in found.items():
                columns |= {
                    f"{letter}.{sensor}.{window}": values[:, sensor] for sensor in range(values.shape[1])
                }
        history = np.maximum(np.asarray(x.columns[f"{self.name}.history"], dtype=np.float64), 1.0)
        columns |= {"life.cycles": history / 100, "life.log": np.log(history)}
        columns["life.short"] = np.minimum(history, 40) / 40
        if self.sequence in x.columns:
            columns[self.sequence] = self._steps(x)
        return dataclasses.replace(x, columns=columns)

    def _sums(self, x: features.Matrix, window: str) -> Array:
        column = x.columns.get(f"{self.name}.{window}")
        if column is None:
            raise errors.DataError(
                f"no column {self.name}.{window!s}: {errors.did_you_mean(window, x.columns)}"
            )
        return column  # type: ignore[return-value]

    def _steps(self, x: features.Matrix) -> Array:
        """Return the last rows standardised by the condition of each."""
        import numpy as np

        steps = np.asarray(x.columns[self.sequence])
        d = steps.shape[2] - len(conditions.SCALE)
        kind = conditions.of(np.nan_to_num(steps[:, :, d:]))
        diagonal, constant = np.diagonal(self.plain_maps, axis1=1, axis2=2), self.plain_maps[:, -1]
        return np.asarray(steps[:, :, :d] * diagonal[kind] + constant[kind], dtype=np.float32)

    def pack(self) -> Packed:
        """Return the maps."""
        settings: dict[str, Any] = {"windows": list(self.windows), "plain": list(self.plain)}
        settings |= {"sequence": self.sequence, "name": self.name}
        files = {"maps.npy": arrays.dump(self.maps), "plain.npy": arrays.dump(self.plain_maps)}
        return Packed("turbofan.Harmonised", settings, files)

    @staticmethod
    def unpack(packed: Packed) -> Harmonised:
        """Return the step that was packed."""
        told = packed.settings
        maps, plain = (arrays.load(packed.files[name]) for name in ("maps.npy", "plain.npy"))
        return Harmonised(
            tuple(told["windows"]), tuple(told["plain"]), told["sequence"], told["name"], maps, plain
        )


def _maps(level: Floats, spread: Floats, inner: Floats) -> Floats:
    """Return the maps from raw values to what `inner` makes of standardised ones."""
    import numpy as np

    slope = inner[:, :-1] / spread[:, :, None]
    constant = inner[:, -1:] - np.einsum("kd,kde->ke", level, slope)[:, None]
    return np.concatenate([slope, constant], axis=1)


def _applied(sums: Array, maps: Floats) -> Floats:
    """Return (n, sensors) the sums (n, conditions, sensors + 1) carried through the maps."""
    import numpy as np

    flat = np.asarray(sums, dtype=np.float64).reshape(len(sums), -1)
    return np.asarray(flat @ maps.reshape(flat.shape[1], -1))


def _now(x: features.Matrix, sequence: str) -> tuple[Floats, Ints]:
    """Return (n, sensors) the newest row of the sequence, and (n,) its condition."""
    import numpy as np

    if sequence not in x.columns:
        raise errors.DataError(
            f"no column {sequence!r} with the last rows: {errors.did_you_mean(sequence, x.columns)}"
        )
    last = np.asarray(x.columns[sequence])[:, -1].astype(np.float64)
    d = last.shape[1] - len(conditions.SCALE)
    return last[:, :d], conditions.of(np.nan_to_num(last[:, d:]))


def _around(moments: features.Moments, count: Floats, total: Floats, z: Floats) -> tuple[Floats, Any]:
    """Return (n, d) the mean of the cycles within NEAR of each row but the row itself, and (n,) where there is one.

    `total` holds the sums of everything up to each row, so the rows of one machine give the sums in between; where
    not every cycle is asked about, the neighbourhood ends at the nearest rows that are.
    """
    import numpy as np

    n = len(count)
    # One axis for all machines; rows of one history lie together, a history that began anew stands apart.
    began = moments.at - count
    key = np.lexsort((moments.at, began, moments.codes))
    group = np.append(0, np.cumsum((np.diff(moments.codes[key]) != 0) | (np.diff(began[key]) != 0)))
    axis = group * 1e6 + moments.at[key]
    first = np.searchsorted(axis, axis - NEAR - 0.5)
    last = np.searchsorted(axis, axis + NEAR + 0.5) - 1
    start = np.searchsorted(group, group)
    total, count = np.append(total[key], np.zeros((1, total.shape[1])), axis=0), np.append(count[key], 0.0)
    # The sum behind the neighbourhood: up to the row before its first one, nothing where the history begins there.
    young = count[:-1] <= NEAR
    behind = np.where((first > start) & ~young, first, n)
    size = count[last] - count[behind] - 1
    near = (total[last] - total[behind] - z[key]) / np.maximum(size, 1)[:, None]
    out, has = np.empty_like(near), np.zeros(n, dtype=bool)
    out[key], has[key] = near, size > 0
    return out, has
