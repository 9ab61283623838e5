"""Alert as often as people can act: so many machines per period, none twice within the lockout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.serving import stage

if TYPE_CHECKING:
    from flyball.data.stage import Array


class Budget(stage.Decision):
    """At most `alerts` machines per period `per`, the most certain first, each silent for `lockout` afterwards.

    Why: a planner has so many hands a day; a threshold alone floods them on a bad day and starves them on a good
    one.  The threshold is settled on out-of-fold answers so that an average period just fills the budget, and the
    cap holds on every single one.

    >>> budget = Budget(alerts=1, per=units.days(1), lockout=units.days(7))
    >>> import numpy as np
    >>> moments = features.Moments.of(["a", "b", "a"], [0, 0, int(units.days(1))])
    >>> [(alert.key, alert.rank) for alert in budget.decide(np.array([0.9, 0.8, 0.7]), moments, 0.5)]
    [('a', 1)]
    """

    alerts: int
    per: units.Duration
    lockout: units.Duration = units.Duration(0)

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        return (labels.Probability,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        import numpy as np

        if len(answers) == 0:
            return 1.0
        # Bisect the score at which the lockout and the cap let through as many alerts as the budget has room for.
        room = self.alerts * len(np.unique(moments.at // int(self.per)))
        ordered = np.unique(answers)
        low, high = 0, len(ordered) - 1
        while low < high:
            middle = (low + high) // 2
            if len(self._let_through(answers, moments, float(ordered[middle]), cap=False)) > room:
                low = middle + 1
            else:
                high = middle
        return float(ordered[low])

    def decide(self, answers: Array, moments: features.Moments, threshold: float) -> tuple[evidence.Alert, ...]:
        return tuple(
            evidence.Alert(moments.keys[moments.codes[row]], int(moments.at[row]), float(answers[row]), rank)
            for row, rank in self._let_through(answers, moments, threshold, cap=True)
        )

    def _let_through(
        self, answers: Array, moments: features.Moments, threshold: float, cap: bool
    ) -> list[tuple[int, int]]:
        """Return (row, rank within its period) of every alert, in order of time then rank."""
        import numpy as np

        rows = np.flatnonzero(answers >= threshold)
        rows = rows[np.lexsort((moments.codes[rows], -answers[rows], moments.at[rows]))]
        silent: dict[int, int] = {}
        spent: dict[int, int] = {}
        out = []
        for row in rows.tolist():
            at, machine = int(moments.at[row]), int(moments.codes[row])
            period = at // int(self.per)
            if at < silent.get(machine, at) or (cap and spent.get(period, 0) >= self.alerts):
                continue
            silent[machine] = at + int(self.lockout)
            spent[period] = spent.get(period, 0) + 1
            out.append((row, spent[period]))
        return out

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.alerts < 1:
            yield errors.Problem("alerts", f"{self.alerts} alerts", "give 1 or more")
        if not isinstance(self.per, units.Duration) or self.per <= 0:
            yield errors.Problem("per", f"{self.per!r} is no period", "give a duration such as DAY")
