"""The best answer anybody could give: the chance of the event given everything that is true at the moment.

The ceiling is the probability of the asked event given the whole latent state, the ages and the plan.  Each
asked state is lived on many times by the very law that wrote the history (`dynamics.advance`).  Degradations
not yet begun are drawn anew: the chance that none begins is known exactly, and only the rest is left to
chance, so few draws do.  No page can know more than this state, so no honest answer beats the ceiling in
expectation: one that does has seen the future.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.fab import dynamics, fleet, lives, service, truth, wear

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

#: Trajectories lived at a time: small enough for the processor's cache.
_TOGETHER = 16384


def ceiling(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    gap_us: int,
    horizon_us: int,
    *,
    parts: Collection[str] | None = None,
    logged: bool = True,
    as_of_us: int | None = None,
    draws: int = 64,
) -> NDArray[np.float64]:
    """Return for each row the probability of a failure within (moment + gap, moment + gap + horizon].

    `keys` are machine names and `moments_us` microseconds since the epoch, both [n]; so is the answer.  `parts`
    names the components whose failures are asked about, all hard ones by default.  With `logged` it is the
    probability that the work orders show such a failure, which is what a label made from them asks: one in ten is
    never entered, one in twenty names another part; with `as_of_us` that they show it by then.  Raises DataError
    for an unknown machine, a moment outside the history, or a window beyond `fleet.AHEAD`, DeclarationError for
    an unknown part.

    >>> from flyball import fab
    >>> small, day = fab.Fab("tiny"), 86_400_000_000
    >>> p = ceiling(small, ["A-001"], [fleet.START_US + 30 * day], gap_us=day, horizon_us=7 * day, draws=64)
    >>> bool(0.0 <= p[0] <= 1.0)
    True
    """
    import numpy as np

    state = truth.latent(fab, keys, moments_us)
    plan, rng = fleet.plan(fab), fleet.stream(fab, "ceiling")
    late = (gap_us + horizon_us) / fleet.HOUR_US
    if gap_us < 0 or horizon_us <= 0 or late > fleet.AHEAD:
        raise errors.DataError(
            f"fab.ceiling: gap plus horizon is {late:g} h: ask for more than 0, at most {fleet.AHEAD:g}"
        )
    cut = None if not logged else np.inf if as_of_us is None else (as_of_us - fleet.START_US) / fleet.HOUR_US
    asked = _Asked(service.told(parts) if logged else wear.chosen(parts).astype(np.float64), cut)
    opens, answer = state.now + gap_us / fleet.HOUR_US, np.zeros(len(state.now))
    closes = opens + horizon_us / fleet.HOUR_US
    worn = np.asarray((state.stage[:, asked.may()] > wear.HEALTHY).any(axis=1))
    size = max(1, _TOGETHER // draws)
    for first in range(0, len(answer), size):
        rows = np.arange(first, min(first + size, len(answer)))
        spent = lives.spent(state.take(rows), plan, late, asked.may())
        none = np.exp(-spent.sum(axis=1))
        drawn = lives.with_onset(state.take(rows), plan, spent, rng, draws)
        answer[rows] = (1.0 - none) * _known(drawn, plan, opens[rows], closes[rows], rng, asked)
        # Without a degradation now and without an onset there is nothing that could fail.
        bad = worn[rows]
        rows, spent, none = rows[bad], spent[bad], none[bad]
        drawn = lives.without_onset(state.take(rows), plan, spent, rng, draws)
        answer[rows] += none * _known(drawn, plan, opens[rows], closes[rows], rng, asked)
    return answer


def remaining(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    *,
    parts: Collection[str] | None = None,
    cap_us: int = 28 * 24 * fleet.HOUR_US,
    draws: int = 256,
) -> NDArray[np.float64]:
    """Return the best answer to how long it is until the next such failure: hours, at most the cap, [n, 3].

    The columns are the mean (which no honest answer beats in RMSE) and the 5 and 95 percentiles, given the whole
    latent state and the plan; `cap_us` is at most `fleet.AHEAD`.  Raises what `ceiling` raises.

    >>> from flyball import fab
    >>> mean, low, high = remaining(fab.Fab("tiny"), ["A-001"], [fleet.START_US + 10**12])[0]
    >>> bool(0.0 <= low <= mean <= high <= 28 * 24.0)
    True
    """
    import numpy as np

    state = truth.latent(fab, keys, moments_us)
    plan, rng, cap = fleet.plan(fab), fleet.stream(fab, "remaining"), cap_us / fleet.HOUR_US
    if not 0.0 < cap <= fleet.AHEAD:
        raise errors.DataError(f"fab.remaining: a cap of {cap:g} h: ask for at most {fleet.AHEAD:g}")
    counts, answer = wear.chosen(parts), np.empty((len(state.now), 3))
    size = max(1, _TOGETHER // draws)
    for first in range(0, len(answer), size):
        rows = np.arange(first, min(first + size, len(answer)))
        begun = state.take(rows)
        drawn = lives.again(begun, plan, rng.exponential(size=(len(rows), draws, len(counts))))
        started, journal = drawn.now.copy(), service.Journal(keep=("failure",))
        dynamics.advance(drawn, plan, started + cap, rng, journal)
        failure, hours = journal.read("failure"), np.full(len(started), cap)
        asked = counts[failure["comp"]]
        np.minimum.at(hours, failure["row"][asked], failure["at"][asked] - started[failure["row"][asked]])
        left = hours.reshape(len(rows), draws)
        answer[rows, 0] = left.mean(axis=1)
        answer[rows, 1:] = np.quantile(left, (0.05, 0.95), axis=1).T
    return answer


def severity_oracle(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    *,
    parts: Collection[str] | None = None,
) -> NDArray[np.float64]:
    """Return each row's highest true severity of the asked parts (hard ones), what perfect sensing tells, [n]."""
    import numpy as np

    return np.asarray(truth.latent(fab, keys, moments_us).severity()[:, wear.chosen(parts)].max(axis=1))


def scores(
    fab: fleet.Fab, *, every_h: float = 24.0, horizon_h: float = 168.0, draws: int = 64
) -> dict[str, NDArray[Any]]:
    """Return the best answers on a grid: machine, at, ceiling, severity, remaining_h, and what then happened.

    The question is a hard failure within the horizon, as it was and not as it was logged; moments of machines that
    are down are not asked about.  `remaining_h` is the mean time to that failure, at most four weeks.

    >>> from flyball import fab
    >>> sorted(scores(fab.Fab("tiny", machines=2, days=20)))
    ['at', 'ceiling', 'happened', 'machine', 'remaining_h', 'severity']
    """
    import numpy as np

    names, hours = np.array(fleet.plan(fab).names), np.arange(0.0, 24.0 * fab.size().days, every_h)
    keys, moments = np.repeat(names, len(hours)), np.tile(fleet.to_us(hours), len(names))
    up = truth.latent(fab, keys, moments).down <= 0.0
    keys, moments, ahead = keys[up], moments[up], round(horizon_h * fleet.HOUR_US)
    return {
        "machine": keys,
        "at": moments,
        "ceiling": ceiling(fab, keys, moments, 0, ahead, logged=False, draws=draws),
        "severity": severity_oracle(fab, keys, moments),
        "remaining_h": remaining(fab, keys, moments, draws=draws)[:, 0],
        "happened": truth.occurs(fab, keys, moments, 0, ahead),
    }


@dataclasses.dataclass(frozen=True)
class _Asked:
    """What counts: the chance [K] that a component's failure is told as one of those asked, and the cut in hours.

    Without a cut every failure is known as it was.
    """

    told: NDArray[np.float64]
    cut: float | None

    def may(self) -> NDArray[np.bool_]:
        """Return which components' failures can count at all, [K]."""
        import numpy as np

        return np.asarray(self.told > 0.0)


def _known(
    drawn: wear.State,
    plan: fleet.Plan,
    opens: NDArray[np.float64],
    closes: NDArray[np.float64],
    rng: np.random.Generator,
    asked: _Asked,
) -> NDArray[np.float64]:
    """Live on; return per asked row the chance that a failure in its window is known by the cut."""
    import numpy as np

    if not len(opens):
        return np.zeros(0)
    draws = len(drawn.now) // len(opens)
    journal, until = service.Journal(keep=("failure",)), np.repeat(closes, draws)
    dynamics.advance(drawn, plan, until, rng, journal)
    failure = journal.read("failure")
    row, at = failure["row"], failure["at"]
    counts = asked.may()[failure["comp"]] & (at > np.repeat(opens, draws)[row]) & (at <= until[row])
    missed = 1.0 - asked.told[failure["comp"]]
    if asked.cut is not None:
        entered = at + failure["value"] + service.entry_delay(rng, len(row))
        missed = np.where(entered < asked.cut, missed, 1.0)
    unknown = np.ones(len(until))
    np.multiply.at(unknown, row[counts], missed[counts])
    return np.asarray(1.0 - unknown.reshape(len(opens), draws).mean(axis=1))
