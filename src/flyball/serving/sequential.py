"""Tests that may be looked at after every answer: e-values for rates and for paired losses.

Why: a canary is watched all the time and must be stopped as soon as the evidence suffices.  A p-value that is looked
at again and again crosses its threshold by chance sooner or later; an e-value does not: started at 1, its chance of
ever reaching 1/a while nothing is wrong is at most a (Ville 1939), however often and whenever one looks.

State is a small tuple of floats, in and out; the order of machines and how counts are chunked into spans change
nothing for rates, and next to nothing for losses, whose bets only look back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

#: Bets of the mixture on how much worse a rate may be than its limit, in multiples of the limit.
WORSE = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
#: Shares of the wealth that the mixture stakes on a loss difference above the margin.
STAKES = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5)


class Rate(NamedTuple):
    """How often something happened: `bad` of `n`."""

    n: int = 0
    bad: int = 0

    def seen(self, n: int, bad: int) -> Rate:
        """Return the count with some more seen.

        >>> Rate().seen(100, 3).seen(100, 2)
        Rate(n=200, bad=5)
        """
        return Rate(self.n + n, self.bad + bad)

    def e(self, limit: float) -> float:
        """Return the e-value against "the rate is at most `limit`": a mixture of likelihood ratios.

        For rates q above the limit p the ratio (q/p)^bad ((1-q)/(1-p))^(n-bad) has an expectation of at most 1 at
        every rate up to p, and so has the mean over several q.

        >>> round(Rate(1000, 10).e(0.01), 2) < 1 < Rate(1000, 40).e(0.01)
        True
        """
        if not self.n:
            return 1.0
        bad = min(self.bad, self.n)
        logs = []
        for times in WORSE:
            q = min(limit * times, 1 - 1e-9)
            if q > limit:
                logs.append(bad * math.log(q / limit) + (self.n - bad) * math.log((1 - q) / (1 - limit)))
        return _mean(logs)

    @property
    def share(self) -> float:
        """The share that was bad."""
        return self.bad / self.n if self.n else 0.0


class Losses(NamedTuple):
    """Paired losses, candidate less serving, each within -1 and 1: how many, their sum, and the bets on them.

    `wealth` holds the logarithm of what each bet has come to.
    """

    n: int = 0
    total: float = 0.0
    wealth: tuple[float, ...] = ()

    def seen(self, n: int, difference: float, squares: float, margin: float) -> Losses:
        """Return the bets after `n` more differences with that sum and sum of squares.

        A bet of share s on "worse by more than the margin m" multiplies its wealth by 1 + x, x = s (d - m) / (1 + m),
        for every difference d.  Only sums have come: log(1 + x) >= x - x^2 (1/2 + s / (3 (1 - s))) for |x| <= s
        bounds it from below, so that the e-value is at most what single differences would give, and still valid
        (betting after Waudby-Smith and Ramdas 2024).

        >>> Losses().seen(100, 30.0, 40.0, 0.02).e() > 20
        True
        """
        if n <= 0:
            return self
        held = self.wealth or (0.0,) * len(STAKES)
        mean, spread = difference - n * margin, squares - 2 * margin * difference + n * margin * margin
        scale = 1 + margin
        grown = []
        for stake, log in zip(STAKES, held, strict=True):
            s = stake / scale
            # |x| <= stake, so that log(1 + x) >= x - x^2 (1/2 + stake / (3 (1 - stake))).
            grown.append(log + s * mean - s * s * max(spread, 0.0) * (0.5 + stake / (3 * (1 - stake))))
        return Losses(self.n + n, self.total + difference, tuple(grown))

    def e(self) -> float:
        """Return the e-value against "no worse than the margin": the mean over the bets."""
        return _mean(list(self.wealth)) if self.wealth else 1.0

    @property
    def mean(self) -> float:
        """The mean difference; above zero the candidate is worse."""
        return self.total / self.n if self.n else 0.0


def _mean(logs: list[float]) -> float:
    """Return the mean of exponentials, which never overflows."""
    if not logs:
        return 1.0
    top = max(logs)
    return math.exp(min(top, 700.0)) * sum(math.exp(log - top) for log in logs) / len(logs)


def detectable(n: int, limit: float, alpha: float) -> float:
    """Return the least rate above `limit` that `n` answers would show at the level `alpha` four times in five.

    >>> 0.01 < detectable(1000, 0.01, 0.005) < 0.05
    True
    """
    for step in range(1, 400):
        rate = min(0.999, limit * 1.03**step)
        # Four times in five no fewer are seen than this (normal approximation, continuity left out).
        bad = int(n * rate - 0.84 * math.sqrt(n * rate * (1 - rate)))
        if bad > 0 and Rate(n, bad).e(limit) >= 1 / alpha:
            return rate
    return 1.0
