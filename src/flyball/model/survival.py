"""Lives that are not all seen to their end: survival curves, and scores that make up for censoring.

A life has a time, and either ends then (`event`) or was last seen then (censored).  Scores weigh what was seen by
the inverse probability that it could be seen (IPCW): an event at T by 1 / G(T-), a life that outlasts the horizon by
1 / G(horizon), where G is the survival curve of the censoring itself.  That makes up for censoring only where it
does not depend on what would have happened: planned swaps of parts that look worn are no such censoring, and then
these scores are wrong by an amount that the data cannot tell (Tsiatis 1975).

At equal times events come before censorings.  A risk is any score, higher is sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats


@dataclass(frozen=True, eq=False)
class Curve:
    """A survival curve that falls at `time` (k,), rising, to `survival` (k,).

    `at_risk` and `events` (k,) are what it is told from, `error` (k,) its standard error (Greenwood 1926).
    """

    time: Floats
    survival: Floats
    at_risk: Floats
    events: Floats
    error: Floats

    def at(self, when: Any) -> Floats:
        """Return the survival at those times: 1 before the first event."""
        return self._look(when, "right")

    def before(self, when: Any) -> Floats:
        """Return the survival just before those times, so that a fall at the time itself does not count."""
        return self._look(when, "left")

    def _look(self, when: Any, side: Any) -> Floats:
        import numpy as np

        place = np.searchsorted(self.time, np.asarray(when, dtype=np.float64), side=side)
        return np.append(1.0, self.survival)[place]

    def band(self, z: float = 1.959964) -> tuple[Floats, Floats]:
        """Return (low, high), each (k,), at `z` standard errors of log(-log S), so that it stays within 0 and 1.

        Kalbfleisch and Prentice 1980, sec. 1.4.  Where the curve is 1 or 0 there is nothing to widen.
        """
        import numpy as np

        inside = (self.survival > 0) & (self.survival < 1)
        safe = np.where(inside, self.survival, 0.5)
        log = np.log(safe)
        width = np.exp(z * np.where(inside, self.error, 0.0) / (safe * -log))
        low, high = np.exp(log * width), np.exp(log / width)
        return np.where(inside, low, self.survival), np.where(inside, high, self.survival)


def kaplan_meier(time: Any, event: Any) -> Curve:
    """Return the product-limit estimate of survival (Kaplan and Meier 1958) with Greenwood's standard error.

    `time` (n,) and `event` (n,): whether the life ended then.  Raises DataError where a time is no number.

    >>> curve = kaplan_meier([6, 6, 6, 7, 10], [1, 1, 0, 1, 0])
    >>> curve.time.tolist(), curve.survival.round(3).tolist()
    ([6.0, 7.0], [0.6, 0.3])
    """
    time, event = _checked(time, event)
    return _product(time, event, _at_risk(time, time[event]))


def censoring(time: Any, event: Any) -> Curve:
    """Return the survival curve of the censoring: what is an event for it are the lives that were lost from sight.

    An event at the same time came first, so it is no longer at risk of being lost.

    >>> censoring([6, 6, 6, 7, 10], [1, 1, 0, 1, 0]).survival.round(3).tolist()
    [0.667, 0.0]
    """
    import numpy as np

    time, event = _checked(time, event)
    lost = time[~event]
    times = np.unique(lost)
    risk = _at_risk(time, lost) - np.array([np.sum(event & (time == when)) for when in times])
    return _product(time, ~event, risk)


def concordance(time: Any, event: Any, risk: Any, horizon: float) -> float:
    """Return how often of two lives the one with the higher risk ends first, among ends before the horizon.

    Uno, Cai, Pencina, D'Agostino and Wei 2011: a pair counts 1 / G(T-)^2 where T is the earlier end; equal risks
    count half.  NaN where no pair can be compared.

    >>> concordance([1, 2, 3, 4], [1, 1, 0, 1], risk=[4, 3, 2, 1], horizon=5)
    1.0
    """
    import numpy as np

    won, pairs = compared(time, event, risk, horizon, np.zeros(len(time), dtype=np.int64), 1)
    return float(won[0, 0] / pairs[0, 0]) if pairs[0, 0] > 0 else float("nan")


def compared(
    time: Any, event: Any, risk: Any, horizon: float, cluster: Any, size: int
) -> tuple[Floats, Floats]:
    """Return (size, size) the weight of pairs won and of all pairs, by cluster of the earlier and the later life.

    What `concordance` is told from; by cluster, so that resampling whole machines only adds the pairs up again.
    """
    import numpy as np

    time, event = _checked(time, event)
    risk, cluster = np.asarray(risk, dtype=np.float64), np.asarray(cluster, dtype=np.int64)
    weight = at_events(time, event, censoring(time, event), horizon) ** 2
    won, pairs = np.zeros((size, size)), np.zeros((size, size))
    for row in np.flatnonzero(weight > 0):
        later = (time > time[row]) | ((time == time[row]) & ~event)
        share = np.where(risk[row] > risk, 1.0, np.where(risk[row] == risk, 0.5, 0.0))
        won[cluster[row]] += weight[row] * np.bincount(cluster[later], weights=share[later], minlength=size)
        pairs[cluster[row]] += weight[row] * np.bincount(cluster[later], minlength=size)
    return won, pairs


def at_horizon(time: Any, event: Any, horizon: float) -> tuple[Flags, Floats]:
    """Return (n,) whether the life ended by the horizon, and its weight: 0 where it was lost from sight before.

    The weights of all scores at one horizon: 1 / G(T-) for an end, 1 / G(horizon) for a life beyond it (Graf et
    al. 1999).
    """
    import numpy as np

    time, event = _checked(time, event)
    lost = censoring(time, event)
    beyond = (time > horizon) | ((time == horizon) & ~event)
    kept = float(lost.before(horizon))
    weight = np.where(beyond, 1.0 / kept if kept > 0 else 0.0, at_events(time, event, lost, horizon))
    return event & (time <= horizon), weight


def at_events(time: Floats, event: Flags, lost: Curve, horizon: float) -> Floats:
    """Return (n,) 1 / G(T-) where a life ended by the horizon, else 0."""
    import numpy as np

    seen = lost.before(time)
    counts = event & (time <= horizon) & (seen > 0)
    return np.where(counts, 1.0 / np.where(counts, seen, 1.0), 0.0)


def auc(time: Any, event: Any, risk: Any, horizon: float) -> float:
    """Return the cumulative/dynamic area under the ROC curve at the horizon, weighted by IPCW.

    The chance that a life ended by the horizon had a higher risk than one beyond it (Uno et al. 2007; Blanche,
    Dartigues and Jacqmin-Gadda 2013); ties count half, NaN where either is missing.

    >>> round(auc([1, 2, 3, 9], [1, 0, 1, 0], risk=[0.9, 0.5, 0.2, 0.4], horizon=5), 9)
    0.4
    """
    import numpy as np

    from flyball.model import figures

    ended, weight = at_horizon(time, event, horizon)
    if not weight[ended].sum() or not weight[~ended].sum():
        return float("nan")
    return figures.Ranked.of(ended, np.asarray(risk), weight, figures.roc_auc).value(len(weight))


def brier(time: Any, event: Any, probability: Any, horizon: float) -> float:
    """Return the mean squared error of the probability of an end by the horizon, weighted by IPCW (Graf et al. 1999).

    >>> round(brier([1, 9], [1, 0], probability=[0.8, 0.1], horizon=5), 9)
    0.025
    """
    import numpy as np

    ended, weight = at_horizon(time, event, horizon)
    loss = weight * (np.asarray(probability, dtype=np.float64) - ended) ** 2
    return float(loss.sum() / len(weight))


def integrated_brier(time: Any, event: Any, survival: Any, times: Any) -> float:
    """Return the Brier score averaged over `times` (t,), rising, by the trapezoid rule (Graf et al. 1999).

    `survival` (n, t) is what was said of each life at those times.

    >>> round(integrated_brier([1, 9], [1, 0], survival=[[0.2, 0.2], [0.9, 0.9]], times=[2, 5]), 9)
    0.025
    """
    import numpy as np

    grid, said = np.asarray(times, dtype=np.float64), np.asarray(survival, dtype=np.float64)
    if len(grid) < 2 or (np.diff(grid) <= 0).any():
        raise errors.DataError("integrated_brier: the times must rise, and be two or more")
    told = np.array([brier(time, event, 1.0 - said[:, k], float(when)) for k, when in enumerate(grid)])
    return float(np.sum(np.diff(grid) * (told[1:] + told[:-1]) / 2) / (grid[-1] - grid[0]))


def d_calibration(event: Any, survival: Any, bins: int = 10) -> Floats:
    """Return (bins,) the share of lives whose survival, as said for their own time, lies in each bin.

    All bins alike where the curves are right, as S(T) is then uniform.  A censored life is spread over the bins at
    or below what was said for its time (Haider, Hoehn, Davis and Greiner 2020, sec. 3.5).  The first bin is that
    of lives that lasted longest by the curve.

    >>> d_calibration([1, 0], [0.75, 0.5], bins=2).tolist()
    [0.5, 0.5]
    """
    import numpy as np

    return np.asarray(spread(event, survival, bins).mean(axis=0), dtype=np.float64)


def spread(event: Any, survival: Any, bins: int = 10) -> Floats:
    """Return (n, bins) how much of every life falls into each bin of `d_calibration`."""
    import numpy as np

    event, said = np.asarray(event, dtype=bool), np.asarray(survival, dtype=np.float64)
    if ((said < 0) | (said > 1) | np.isnan(said)).any():
        raise errors.DataError("d_calibration: a survival lies outside 0 and 1")
    place = np.minimum((said * bins).astype(np.int64), bins - 1)
    if not len(said):
        raise errors.DataError("d_calibration: no life to tell it from")
    out = np.zeros((len(said), bins))
    out[np.arange(len(said)), place] = 1.0
    lost = np.flatnonzero(~event)
    # P(S(T) in bin | T > c) is the part of [0, S(c)] that lies in the bin.
    low = np.arange(bins) / bins
    part = np.clip(said[lost, None] - low, 0.0, 1.0 / bins)
    whole = said[lost, None]
    first = np.arange(bins) == 0
    out[lost] = np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), first)
    return out


def _checked(time: Any, event: Any) -> tuple[Floats, Flags]:
    import numpy as np

    when, ended = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    if when.shape != ended.shape or np.isnan(when).any():
        raise errors.DataError(
            f"survival: {when.shape} times, {int(np.isnan(when).sum())} of them missing, for {ended.shape} ends"
        )
    return when, ended


def _at_risk(time: Floats, among: Floats) -> Floats:
    """Return for each distinct time of `among` how many lives last at least that long."""
    import numpy as np

    ordered = np.sort(time)
    return (len(ordered) - np.searchsorted(ordered, np.unique(among), side="left")).astype(np.float64)


def _product(time: Floats, event: Flags, at_risk: Floats) -> Curve:
    import numpy as np

    when, ends = np.unique(time[event], return_counts=True)
    survival = np.asarray(np.cumprod(1.0 - ends / at_risk), dtype=np.float64)
    left = at_risk - ends
    terms = np.divide(ends, at_risk * left, out=np.zeros(len(when)), where=left > 0)
    error = np.asarray(survival * np.sqrt(np.cumsum(terms)), dtype=np.float64)
    return Curve(when, survival, at_risk, ends.astype(np.float64), error)
