"""Control limits: how many channels lie further from their usual level than so many standard deviations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs, linear
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints


class ThreeSigma(Learner):
    """The number of `columns` outside mean +- `sigmas` standard deviations, as a probability (Shewhart 1931).

    Means and deviations are each machine's own, from training rows with no event ahead; a machine with fewer than
    `enough` of those, or never seen, is held to the whole fleet's.  What is missing lies inside.  `columns` are
    names or patterns of numbers.  Only the probability scale is learned: a logistic curve over the count whose
    slope never falls (Platt 1999).

    >>> ThreeSigma(("telemetry.*.mean",)).sigmas
    3.0
    """

    columns: tuple[str, ...]
    sigmas: float = 3.0
    enough: int = 20

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the limits with their probability scale."""
        import numpy as np

        names = tuple(sorted(inputs.Inputs.of(x, self.columns).names))
        dense = _dense(x, names)
        healthy = np.asarray(y.value) < 0.5
        rows = [healthy & (x.moments.codes == code) for code in range(len(x.moments.keys))]
        machines = [code for code, mine in enumerate(rows) if mine.sum() >= self.enough]
        told = [_level(dense[healthy])] + [_level(dense[rows[code]]) for code in machines]
        mean, deviation = (np.stack(side) for side in zip(*told, strict=True))
        # A machine that never had a channel, or never saw it move, is held to the fleet's level of it.
        own = (deviation > 0) & ~np.isnan(mean)
        mean, deviation = np.where(own, mean, mean[0]), np.where(own, deviation, deviation[0])
        keys = tuple(x.moments.keys[code] for code in machines)
        found = Limits(names, keys, mean, deviation, self.sigmas, 0.0, 0.0)
        count = found.outside(x)
        slope, start = linear.logistic(count[:, None], y.value, y.weight, l2=1e-3)
        return Limits(names, keys, mean, deviation, self.sigmas, max(float(slope[0]), 1e-6), start)


class Limits(Predictor):
    """The usual level and deviation of every column: row 0 for the fleet, then machine by machine."""

    def __init__(
        self, names: tuple[str, ...], machines: tuple[str, ...], mean: Floats, deviation: Floats, sigmas: float,
        slope: float, start: float,
    ) -> None:  # fmt: skip
        self.names, self.machines, self.mean, self.deviation = names, machines, mean, deviation
        self.sigmas, self.slope, self.start = sigmas, slope, start

    def predict(self, x: features.Matrix) -> Array:
        """Return the probability of every row."""
        return linear.sigmoid(self.slope * self.outside(x) + self.start)

    def outside(self, x: features.Matrix) -> Floats:
        """Return (n,) how many columns of each row lie outside their limits."""
        import numpy as np

        place = self._places(x.moments)
        away = np.abs(_dense(x, self.names) - self.mean[place])
        with np.errstate(invalid="ignore"):
            return np.asarray((away > self.sigmas * self.deviation[place]).sum(axis=1), dtype=np.float64)

    def _places(self, moments: features.Moments) -> Ints:
        import numpy as np

        number = {name: place + 1 for place, name in enumerate(self.machines)}
        return np.array([number.get(name, 0) for name in moments.keys], dtype=np.int64)[moments.codes]

    def influence(self) -> Mapping[str, float]:
        """Return its columns, all alike."""
        return dict.fromkeys(self.names, 1.0)

    def pack(self) -> Packed:
        """Return the limits."""
        settings = {
            "names": list(self.names), "machines": list(self.machines), "sigmas": self.sigmas, "slope": self.slope,
            "start": self.start,
        }  # fmt: skip
        held = {"mean.npy": self.mean, "deviation.npy": self.deviation}
        return Packed("sigma", settings, {name: arrays.dump(array) for name, array in held.items()})

    @staticmethod
    def unpack(packed: Packed) -> Limits:
        """Return the predictor that was packed."""
        told = packed.settings
        mean, deviation = (arrays.load(packed.files[name]) for name in ("mean.npy", "deviation.npy"))
        scale = (float(told[name]) for name in ("sigmas", "slope", "start"))
        return Limits(tuple(told["names"]), tuple(told["machines"]), mean, deviation, *scale)


def _dense(x: features.Matrix, names: tuple[str, ...]) -> Floats:
    import numpy as np

    dense = np.stack([np.asarray(inputs.pick(x, name), dtype=np.float64) for name in names], axis=1)
    return np.where(np.isfinite(dense), dense, np.nan)


def _level(dense: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of each column; NaN and 0 where it never was."""
    import numpy as np

    known = ~np.isnan(dense)
    count = known.sum(axis=0)
    mean = np.divide(
        np.where(known, dense, 0.0).sum(axis=0), count, out=np.full(dense.shape[1], np.nan), where=count > 0
    )
    squared = np.where(known, dense - np.nan_to_num(mean), 0.0) ** 2
    return mean, np.sqrt(squared.sum(axis=0) / np.maximum(count - 1, 1))
