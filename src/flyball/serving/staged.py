"""How a release goes out: shadow on all machines, then a canary, then the rest, each held for a while."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import data, errors, units
from flyball.serving import stage


class Staged(stage.Rollout):
    """Shadow for `shadow`, then a share `canary` of the machines, then everybody after `hold`.

    Why: shadow answers nobody acts on are judged by outcomes, so shadow must last longer than the horizon of the
    label; the canary is judged by latency, crashes, physics, drift and disagreement, which show at once.

    >>> Staged(shadow=units.days(7), canary=0.05, hold=units.days(3)).canary
    0.05
    """

    shadow: units.Duration
    canary: float
    hold: units.Duration

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a shadow that ends before it can be judged, and a canary that is no share."""
        for name in ("shadow", "hold"):
            span = getattr(self, name)
            if not isinstance(span, units.Duration) or span < 0:
                yield errors.Problem(
                    name, f"{span!r} is no time to hold a release", "give a duration such as WEEK"
                )
        horizon = page.labels.horizon()
        # A horizon in steps of a counter cannot be told in days beforehand: the rollout itself waits for outcomes.
        if isinstance(page.data.clock, data.WallClock) and self.shadow < horizon:
            what = f"{self.shadow!r} ends before the first outcome is known"
            yield errors.Problem(
                "shadow", what, f"give at least the label's horizon, {units.Duration(horizon)!r}"
            )
        if not 0 < self.canary <= 1:
            yield errors.Problem(
                "canary", f"{self.canary} is no share of the machines", "give a number in (0, 1]"
            )
