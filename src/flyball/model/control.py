"""Run-to-run controllers: what to correct in the next run from what was measured in earlier ones.

A process gives y = u + d: the correction u set for a run and a disturbance d that wanders.  A controller estimates
the disturbance of the next run and takes it out.  All three here work on arrays of any shape, a loop per element.

Sources: Ingolfsson and Sachs, J. Quality Technology 25 (1993), for EWMA; Butler and Stefani, IEEE Trans. Semicond.
Manuf. 7 (1994), for the double one; Kalman, J. Basic Eng. 82 (1960).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from flyball import errors, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]


class Controller(Protocol):
    """What steers a loop: a state, the disturbance it expects, and what it learns of a measured run."""

    def start(self, shape: tuple[int, ...]) -> tuple[Floats, ...]:
        """Return the state before anything was measured."""

    def expects(self, state: tuple[Floats, ...], ahead: int) -> Floats:
        """Return the disturbance expected `ahead` runs after the last one learned from (1: the next)."""

    def learn(self, state: tuple[Floats, ...], seen: Floats, jumped: Floats | float) -> tuple[Floats, ...]:
        """Return the state after a run was measured as `seen`; `jumped` is the variance of a known jump before it."""


class EWMA(part.Part):
    """An exponentially weighted mean of the measured disturbances, 0 < weight <= 1.

    >>> import numpy as np
    >>> steer(EWMA(0.5), np.array([1.0, 1.0, 1.0, 1.0])).tolist()
    [1.0, 0.5, 0.25, 0.125]
    """

    weight: float

    def start(self, shape: tuple[int, ...]) -> tuple[Floats, ...]:
        import numpy as np

        _share("EWMA", "weight", self.weight)
        return (np.zeros(shape),)

    def expects(self, state: tuple[Floats, ...], ahead: int) -> Floats:
        return state[0]

    def learn(self, state: tuple[Floats, ...], seen: Floats, jumped: Floats | float) -> tuple[Floats, ...]:
        return (state[0] + self.weight * (seen - state[0]),)


class DoubleEWMA(part.Part):
    """A level and a drift, each an exponentially weighted mean: for what wears at a steady pace.

    >>> import numpy as np
    >>> drifting = np.arange(400.0)
    >>> bool(abs(steer(DoubleEWMA(0.3, 0.1), drifting)[-1]) < 1e-6 < abs(steer(EWMA(0.3), drifting)[-1]))
    True
    """

    weight: float
    drift: float

    def start(self, shape: tuple[int, ...]) -> tuple[Floats, ...]:
        import numpy as np

        _share("DoubleEWMA", "weight", self.weight)
        _share("DoubleEWMA", "drift", self.drift)
        return np.zeros(shape), np.zeros(shape)

    def expects(self, state: tuple[Floats, ...], ahead: int) -> Floats:
        import numpy as np

        level, drift = state
        return np.asarray(level + ahead * drift)

    def learn(self, state: tuple[Floats, ...], seen: Floats, jumped: Floats | float) -> tuple[Floats, ...]:
        level, drift = state
        moved = seen - level
        return level + drift + self.weight * (moved - drift), drift + self.drift * (moved - drift)


class Kalman(part.Part):
    """The best linear estimate of a random walk (variance `walk` a run) that is measured with variance `noise`.

    A known jump widens what the level may be, so the next measurement counts for more.

    >>> gain = Kalman(walk=0.09, noise=1.0).gain()
    >>> round(gain, 3)
    0.258
    """

    walk: float
    noise: float

    def gain(self) -> float:
        """Return the weight of a measurement once the filter has settled."""
        before = (self.walk + math.sqrt(self.walk**2 + 4.0 * self.walk * self.noise)) / 2.0
        return before / (before + self.noise)

    def start(self, shape: tuple[int, ...]) -> tuple[Floats, ...]:
        import numpy as np

        if self.walk <= 0.0 or self.noise <= 0.0:
            raise errors.DeclarationError(f"{self!r}: give variances above 0")
        return np.zeros(shape), np.full(shape, 100.0 * (self.walk + self.noise))

    def expects(self, state: tuple[Floats, ...], ahead: int) -> Floats:
        return state[0]

    def learn(self, state: tuple[Floats, ...], seen: Floats, jumped: Floats | float) -> tuple[Floats, ...]:
        level, spread = state
        before = spread + self.walk + jumped
        gain = before / (before + self.noise)
        return level + gain * (seen - level), (1.0 - gain) * before


def _share(who: str, what: str, value: float) -> None:
    if not 0.0 < value <= 1.0:
        raise errors.DeclarationError(f"{who}: {what} is {value:g}: give a share above 0, at most 1")


def steer(controller: Controller, disturbance: Floats, delay: int = 0, noise: Floats | None = None) -> Floats:
    """Return what is left of a disturbance [..., runs] when a controller takes out what it expects, same shape.

    `delay` runs pass before a run's measurement is there; `noise` is what the measurement adds to what happened.

    >>> import numpy as np
    >>> steer(EWMA(1.0), np.array([1.0, 1.0, 1.0, 1.0]), delay=2).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    import numpy as np

    if delay < 0:
        raise errors.DeclarationError(f"control.steer: a delay of {delay} runs: give 0 or more")
    state, left = controller.start(disturbance.shape[:-1]), np.empty(disturbance.shape)
    seen = disturbance if noise is None else disturbance + noise
    for run in range(disturbance.shape[-1]):
        known = run - 1 - delay
        if known >= 0:
            state = controller.learn(state, seen[..., known], 0.0)
        expected = controller.expects(state, delay + 1) if known >= 0 else 0.0
        left[..., run] = disturbance[..., run] - expected
    return left


class Mixed(part.Part):
    """A Kalman filter over sums of parts: the disturbance of a run is its tool's plus its product's (and so on).

    One loop per tool and product starves those that run seldom; here every run tells something about its tool and
    about its product.  `walks` are the variances by which each kind of part wanders per run of its own, `noise` that
    of a measurement, `first` the spread of a part that nothing is known of.

    >>> import numpy as np
    >>> mixed = Mixed(walks=(0.01, 0.0), noise=0.01, first=25.0)
    >>> tool, product = np.array([0, 0, 1, 1] * 30), np.array([0, 1, 0, 1] * 30)
    >>> left = mixed.steer((tool, product), np.array([1.0, 2.0])[tool] + np.array([3.0, -1.0])[product])
    >>> bool(abs(left[-4:]).max() < 0.05)
    True
    """

    walks: tuple[float, ...]
    noise: float
    first: float

    def steer(
        self, parts: tuple[NDArray[Any], ...], disturbance: Floats, delay: int = 0, *,
        noise: Floats | None = None, jumped: Floats | None = None,
    ) -> Floats:  # fmt: skip
        """Return what is left of each run [runs]; `parts` index each kind's part of each run, from 0.

        `jumped` [runs] is the variance by which the first kind's part (the tool) is known to have jumped before a run.
        """
        import numpy as np

        sizes = [int(which.max()) + 1 for which in parts]
        starts = np.cumsum([0, *sizes[:-1]])
        place = np.stack([start + which for start, which in zip(starts, parts, strict=True)], axis=1)
        level, spread = np.zeros(sum(sizes)), self.first * np.eye(sum(sizes))
        walks, left = np.asarray(self.walks), np.empty(len(disturbance))
        seen = disturbance if noise is None else disturbance + noise
        for run in range(len(disturbance)):
            known = run - 1 - delay
            if known >= 0:
                # A part has moved by as much as until the run that is learned from: what came later is not in it.
                mine = place[known]
                spread[mine, mine] += walks
                if jumped is not None:
                    spread[mine[0], mine[0]] += jumped[known]
                shared = spread[:, mine].sum(axis=1)
                gain = shared / (shared[mine].sum() + self.noise)
                level += gain * (seen[known] - level[mine].sum())
                spread -= np.outer(gain, shared)
            left[run] = disturbance[run] - level[place[run]].sum()
        return left
