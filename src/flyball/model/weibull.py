"""Replacement by age: every part has a Weibull life, and a machine is as risky as its parts are old."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.model import arrays, inputs
from flyball.model.stage import Learner, Packed, Predictor

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Floats

#: Shapes beyond these are no life of a part, and a rate below this is none.
SHAPES, LEAST = (0.2, 8.0), 1e-12
#: An age beyond this counts as this.
OLDEST = 1e5


class WeibullAge(Learner):
    """The probability that a part fails within the window given the parts' ages: what replacement by age goes by.

    Each of `columns` holds the time since a part was last renewed, and its life is Weibull (1951); the window opens
    `gap` after the moment and lasts `within`, all in the unit of the columns.  The parts' hazards add up (competing
    risks), so a machine fails with probability 1 - exp(-sum of H(age + gap + within) - H(age + gap)).  Scales and
    shapes maximise the likelihood of the training rows: a row says that its machine outlived the window, or that a
    failure fell into it, given the ages at its opening (left-truncated, interval-censored).  Which part failed is
    not told and is an unseen count in expectation maximisation (Dempster, Laird and Rubin 1977).  A part whose age
    is not known (never renewed yet) has a constant rate of its own.

    >>> WeibullAge(("repairs.part.pump.since",), within=7.0, gap=1.0).accepts()
    (<class 'flyball.labels.stage.Probability'>,)
    """

    columns: tuple[str, ...]
    within: float
    gap: float = 0.0
    rounds: int = 60

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can learn."""
        return (labels.Probability,)

    def fit(self, x: features.Matrix, y: labels.Answers, kind: labels.Kind, seed: int) -> Predictor:
        """Return the fitted lives."""
        import numpy as np

        ages = _ages(x, self.columns)
        failed = np.asarray(y.value) > 0.5
        heavy = np.ones(len(y)) if y.weight is None else np.asarray(y.weight, dtype=np.float64)
        start = max(float(np.average(failed, weights=heavy)), 1e-6) / (len(self.columns) * self.within)
        lives = Lives(
            self.columns, self.within, self.gap,
            np.full(len(self.columns), start), np.ones(len(self.columns)), np.full(len(self.columns), start),
        )  # fmt: skip
        for _ in range(self.rounds):
            lives = _better(lives, ages, failed, heavy)
        return lives

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if not self.columns:
            yield errors.Problem("columns", "no part's age", "name the columns that hold them")
        if not self.within > 0:
            yield errors.Problem("within", f"a window of {self.within:g}", "give more than zero")
        if not self.gap >= 0:
            yield errors.Problem("gap", f"a gap of {self.gap:g}", "give zero or more")


@dataclass(frozen=True, eq=False)
class Lives(Predictor):
    """A cumulative hazard rate * age^shape per part, and a constant rate where its age is not known."""

    columns: tuple[str, ...]
    within: float
    gap: float
    rate: Floats
    shape: Floats
    unknown: Floats

    def predict(self, x: features.Matrix) -> Array:
        """Return the probability of a failure within the window."""
        import numpy as np

        return np.asarray(-np.expm1(-self.hazards(_ages(x, self.columns)).sum(axis=1)))

    def hazards(self, ages: Floats) -> Floats:
        """Return (n, k) the hazard that every part meets within the window."""
        import numpy as np

        known = ~np.isnan(ages)
        met = self.rate * _met(np.where(known, ages, 0.0), self.shape, self.gap, self.within)
        return np.where(known, met, self.unknown * self.within)

    def scales(self) -> Floats:
        """Return (k,) the age by which 63 % of each part have failed: the Weibull scale."""
        import numpy as np

        return np.asarray(self.rate ** (-1.0 / self.shape))

    def influence(self) -> Mapping[str, float]:
        """Return how far each part's hazard rises or falls with age: a shape of one says nothing."""
        import numpy as np

        far = np.abs(np.log(self.shape))
        return dict(zip(self.columns, far.tolist(), strict=True))

    def pack(self) -> Packed:
        """Return the lives."""
        settings = {"columns": list(self.columns), "within": self.within, "gap": self.gap}
        held = {"rate.npy": self.rate, "shape.npy": self.shape, "unknown.npy": self.unknown}
        return Packed("weibull", settings, {name: arrays.dump(array) for name, array in held.items()})

    @staticmethod
    def unpack(packed: Packed) -> Lives:
        """Return the predictor that was packed."""
        told = packed.settings
        held = (arrays.load(packed.files[name]) for name in ("rate.npy", "shape.npy", "unknown.npy"))
        return Lives(tuple(told["columns"]), float(told["within"]), float(told["gap"]), *held)


def _ages(x: features.Matrix, columns: tuple[str, ...]) -> Floats:
    import numpy as np

    dense = np.stack([np.asarray(inputs.pick(x, name), dtype=np.float64) for name in columns], axis=1)
    return np.clip(dense, 0.0, OLDEST)  # NaN stays NaN


def _met(age: Floats, shape: Floats | float, gap: float, within: float) -> Floats:
    """Return the hazard met within the window by a part with rate 1."""
    import numpy as np

    return np.asarray((age + gap + within) ** shape - (age + gap) ** shape)


def _better(lives: Lives, ages: Floats, failed: Flags, heavy: Floats) -> Lives:
    """Return lives under which the rows are at least as likely: one round of expectation maximisation."""
    import numpy as np

    hazards = np.maximum(lives.hazards(ages), 1e-300)
    total = hazards.sum(axis=1, keepdims=True)
    # Of a row in which something failed the counts by part are those of a Poisson that is not zero.
    counts = np.where(failed[:, None], hazards / -np.expm1(-total), 0.0) * heavy[:, None]
    rate, shape, unknown = lives.rate.copy(), lives.shape.copy(), lives.unknown.copy()
    for part in range(len(rate)):
        known = ~np.isnan(ages[:, part])
        if (~known).any():
            unknown[part] = max(counts[~known, part].sum() / (heavy[~known].sum() * lives.within), LEAST)
        if not known.any():
            rate[part] = unknown[part]
            continue
        rate[part], shape[part] = _life(
            ages[known, part], counts[known, part], heavy[known], lives.gap, lives.within, shape[part]
        )
        if known.all():
            unknown[part] = max(counts[:, part].sum() / (heavy.sum() * lives.within), LEAST)
    return Lives(lives.columns, lives.within, lives.gap, rate, shape, unknown)


def _life(
    age: Floats, counts: Floats, heavy: Floats, gap: float, within: float, shape: float
) -> tuple[float, float]:
    """Return one part's rate and shape that make its expected counts likeliest: golden section near the shape."""
    import numpy as np

    happened = counts > 0
    told, when = counts[happened], age[happened]

    def rate(b: float) -> float:
        met = float(np.dot(heavy, _met(age, b, gap, within)))
        return max(float(told.sum()) / max(met, 1e-300), 1e-300)

    def likely(b: float) -> float:  # the exposure term is the sum of the counts whatever the shape
        met = np.maximum(_met(when, b, gap, within), 1e-300)
        return float(np.dot(told, np.log(met))) + float(told.sum()) * float(np.log(rate(b)))

    if told.sum() <= 0:
        return LEAST, 1.0
    low, high = max(shape / 1.6, SHAPES[0]), min(shape * 1.6, SHAPES[1])
    golden = (5**0.5 - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = likely(left), likely(right)
    while high - low > 1e-3:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = likely(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = likely(right)
    best = (low + high) / 2
    return rate(best), best
