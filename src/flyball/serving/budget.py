"""Alert as often as people can act: so many machines per period, none twice within the lockout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    cap holds on every single one.  Later moments of a period get what earlier ones left; an answer that is no
    number is no alert; a period counts from 1970, as days do.

    >>> budget = Budget(alerts=1, per=units.days(1), lockout=units.days(7))
    >>> import numpy as np
    >>> moments = features.Moments.of(["a", "b", "a"], [0, 0, int(units.days(1))])
    >>> [(alert.key, alert.rank) for alert in budget.decide(np.array([0.9, 0.7, 0.8]), moments, 0.5)]
    [('a', 1)]
    """

    alerts: int
    per: units.Duration | units.Count
    lockout: units.Duration | units.Count = units.Duration(0)

    def accepts(self) -> tuple[type[labels.Kind], ...]:
        """Return the kinds of answer it can decide on."""
        return (labels.Probability,)

    def settle(self, answers: Array, moments: features.Moments) -> float:
        """Return the least threshold at which an average period does not overdraw the budget; 1.0 for no answers."""
        import numpy as np

        ordered = np.unique(answers[~np.isnan(answers)])
        if len(ordered) == 0:
            return 1.0
        # A lower threshold never lets fewer alerts through: the lockout takes the earliest, which is the most.
        room = self.alerts * len(np.unique(moments.at // int(self.per)))
        low, high = 0, len(ordered) - 1
        while low < high:
            middle = (low + high) // 2
            if len(self._alerts({}, answers, moments, float(ordered[middle]), cap=False)) > room:
                low = middle + 1
            else:
                high = middle
        return float(ordered[low])

    def start(self) -> Mapping[str, Any]:
        """Return the state before any answer: nobody silent, nothing spent."""
        return {"silent": {}, "spent": {}}

    def step(
        self, state: Mapping[str, Any], answers: Array, moments: features.Moments, threshold: float
    ) -> tuple[Mapping[str, Any], tuple[evidence.Alert, ...]]:
        """Return the new state and the alerts of some later answers; the state holds only what still counts."""
        silent: dict[str, int] = dict(state["silent"])
        spent = {int(period): int(count) for period, count in state["spent"].items()}
        found = self._alerts(silent, answers, moments, threshold, cap=True, spent=spent)
        if len(moments):
            last = int(moments.at.max())
            silent = {name: until for name, until in silent.items() if until > last}
            spent = {period: count for period, count in spent.items() if period >= last // int(self.per)}
        return {"silent": silent, "spent": {str(period): count for period, count in spent.items()}}, tuple(
            found
        )

    def _alerts(
        self, silent: dict[str, int], answers: Array, moments: features.Moments, threshold: float, cap: bool,
        spent: dict[int, int] | None = None,
    ) -> list[evidence.Alert]:  # fmt: skip
        """Return the alerts in order of time then score, and write down who is silent and what is spent."""
        import numpy as np

        spent = {} if spent is None else spent
        rows = np.flatnonzero(answers >= threshold)
        rows = rows[np.lexsort((moments.codes[rows], -answers[rows], moments.at[rows]))]
        out = []
        for row in rows.tolist():
            at, machine = int(moments.at[row]), moments.keys[moments.codes[row]]
            period = at // int(self.per)
            if at < silent.get(machine, at) or (cap and spent.get(period, 0) >= self.alerts):
                continue
            silent[machine] = at + int(self.lockout)
            spent[period] = spent.get(period, 0) + 1
            out.append(evidence.Alert(machine, at, float(answers[row]), spent[period]))
        return out

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a budget that is none, a period that is none, and spans that the page's clock has not."""
        if self.alerts < 1:
            yield errors.Problem("alerts", f"{self.alerts} alerts", "give 1 or more")
        yield from features.span_problems(page, self.per, "per", what="period")
        if self.lockout != 0:
            yield from features.span_problems(page, self.lockout, "lockout", what="lockout")
