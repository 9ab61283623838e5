"""Survival metrics of a probability: what was censored counts for as long as it was followed.

The answer is the probability of an event between the opening and the close of the asked window.  Where a whole
survival curve is needed the hazard is taken as constant within the window, S(t) = (1 - p)^(t - opens)/(closes -
opens), since nothing more was said.  Weights are told once from all rows, resamples only count machines again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flyball import errors
from flyball.model import figures, survival

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags, Floats, Ints
    from flyball.model.catalogue import Judged

#: Steps of the window over which the Brier score is integrated.
STEPS = 8
BINS = 10


@dataclass(frozen=True, eq=False)
class Lives:
    """What was seen of each row: `time` (n,) from the moment, whether it `ended`, and the `window` asked about."""

    time: Floats
    ended: Flags
    window: tuple[float, float]

    @staticmethod
    def of(j: Judged) -> Lives:
        """Return the lives of the rows; raises GateError where the label follows nobody."""
        import numpy as np

        c = j.context
        if c.until is None or c.came is None or c.window is None:
            raise errors.GateError(
                "a survival metric needs a label that follows machines, as FailsWithin does"
            )
        opens, closes = c.window
        time = (c.until - j.at()).astype(np.float64)
        if (time <= opens).any():
            raise errors.GateError(
                "a survival metric was given rows that were not followed into their window"
            )
        return Lives(time, c.came, (float(opens), float(closes)))

    def said(self, probability: Floats, time: Floats) -> Floats:
        """Return (n,) the survival at those times, with a constant hazard within the window."""
        import numpy as np

        opens, closes = self.window
        share = np.clip((time - opens) / (closes - opens), 0.0, 1.0)
        return np.asarray((1.0 - np.clip(probability, 0.0, 1.0)) ** share)


@dataclass(frozen=True, eq=False)
class Pairs(figures.Figure):
    """The concordance of Uno et al. (2011) under resampling: pairs of lives are summed by pair of clusters."""

    lives: Lives
    risk: Floats

    def resampled(self, clusters: Ints, counts: Array) -> Floats:
        import numpy as np

        seen = self.lives
        won, pairs = survival.compared(
            seen.time, seen.ended, self.risk, seen.window[1], clusters, counts.shape[1]
        )
        drawn = [np.einsum("rc,rc->r", counts @ held, counts) for held in (won, pairs)]
        return figures.share(drawn[0], drawn[1])


def _concordance(j: Judged) -> figures.Figure:
    return Pairs(Lives.of(j), j.answers)


def _auc(j: Judged) -> figures.Figure:
    seen = Lives.of(j)
    ended, weight = survival.at_horizon(seen.time, seen.ended, seen.window[1])
    return figures.Ranked.of(ended, j.answers, weight * j.weight, figures.roc_auc)


def _weighted_brier(seen: Lives, probability: Floats, when: float) -> Floats:
    import numpy as np

    ended, weight = survival.at_horizon(seen.time, seen.ended, when)
    return np.asarray(weight * (probability - ended) ** 2)


def _brier(j: Judged) -> figures.Figure:
    import numpy as np

    seen = Lives.of(j)
    loss = _weighted_brier(seen, j.answers, seen.window[1])
    return figures.Additive(np.stack([j.weight * loss, j.weight], axis=1), _mean)


def _integrated(j: Judged) -> figures.Figure:
    import numpy as np

    seen = Lives.of(j)
    times = np.linspace(*seen.window, STEPS + 1)
    told = np.stack(
        [_weighted_brier(seen, 1.0 - seen.said(j.answers, np.full(len(j.answers), t)), t) for t in times]
    )
    loss = (told[1:] + told[:-1]).sum(axis=0) / (2 * STEPS)
    return figures.Additive(np.stack([j.weight * loss, j.weight], axis=1), _mean)


def _calibrated(j: Judged) -> figures.Figure:
    """Half the distance of the bins' shares from all alike, 0 to 1; a life beyond the window is censored there."""
    import numpy as np

    seen = Lives.of(j)
    ended = seen.ended & (seen.time <= seen.window[1])
    bins = survival.spread(ended, seen.said(j.answers, np.minimum(seen.time, seen.window[1])), BINS)
    sums = np.concatenate([bins, np.ones((len(bins), 1))], axis=1) * j.weight[:, None]

    def finish(totals: Floats) -> Floats:
        shares = totals[:, :-1] / np.maximum(totals[:, -1:], 1e-300)
        return np.where(totals[:, -1] > 0, np.abs(shares - 1.0 / BINS).sum(axis=1) / 2, np.nan)

    return figures.Additive(sums, finish)


def _mean(totals: Floats) -> Floats:
    return figures.share(totals[:, 0], totals[:, 1])


METRICS: dict[str, tuple[bool, Callable[[Judged], figures.Figure]]] = {
    "uno_concordance": (True, _concordance),
    "ipcw_auc": (True, _auc),
    "ipcw_brier": (False, _brier),
    "ipcw_integrated_brier": (False, _integrated),
    "d_calibration": (False, _calibrated),
}
