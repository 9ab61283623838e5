"""The best answer among questions that keep their answer: where a planned swap comes first, there is none.

A label that is censored by planned swaps is known only of the machines that were left alone or failed first, and
which these are depends on what was to come.  So what the ceiling must be held to is the chance of a failure given the
hidden state and given that the answer will be known; the unconditional chance may honestly be beaten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball import errors
from flyball.fab import dynamics, fleet, lives, service, truth, wear

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

#: Trajectories lived at a time, and the least that so many of them can tell.
_TOGETHER, LEAST = 16384, 1e-3


def ceiling_where_known(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    gap_us: int,
    horizon_us: int,
    *,
    draws: int = 96,
) -> NDArray[np.float64]:
    """Return for each row the chance that a hard failure is logged in (m + gap, m + gap + horizon], where that is told.

    Told means: no failure is logged within the gap, and no swap of a hard part is logged after m and before the
    window's end unless a failure in the window came first.  `keys` [n] are machine names, `moments_us` [n]
    microseconds since the epoch.  Monte Carlo over the hidden state, so no closer to 0 or 1 than a thousandth.
    Raises DataError for an unknown machine, a moment outside the history, or a window beyond `fleet.AHEAD`.

    >>> small, day = fleet.Fab("tiny"), 86_400_000_000
    >>> p = ceiling_where_known(small, ["A-001"], [fleet.START_US + 30 * day], day, 7 * day)
    >>> bool(0.0 < p[0] < 1.0)
    True
    """
    import numpy as np

    state = truth.latent(fab, keys, moments_us)
    plan, rng = fleet.plan(fab), fleet.stream(fab, "ceiling where known")
    late = (gap_us + horizon_us) / fleet.HOUR_US
    if gap_us < 0 or horizon_us <= 0 or late > fleet.AHEAD:
        raise errors.DataError(
            f"fab.ceiling_where_known: gap plus horizon is {late:g} h: ask for more than 0, at most {fleet.AHEAD:g}"
        )
    opens = state.now + gap_us / fleet.HOUR_US
    closes = opens + horizon_us / fleet.HOUR_US
    told = np.zeros((2, len(opens)))
    size = max(1, _TOGETHER // draws)
    for first in range(0, len(opens), size):
        rows = np.arange(first, min(first + size, len(opens)))
        spent = lives.spent(state.take(rows), plan, late, wear.hard())
        none = np.exp(-spent.sum(axis=1))
        begins = lives.with_onset(state.take(rows), plan, spent, rng, draws)
        stays = lives.without_onset(state.take(rows), plan, spent, rng, draws)
        told[:, rows] = (1.0 - none) * _told(begins, plan, opens[rows], closes[rows], rng)
        told[:, rows] += none * _told(stays, plan, opens[rows], closes[rows], rng)
    return np.asarray(np.clip(told[0] / np.maximum(told[1], 1e-9), LEAST, 1.0 - LEAST))


def _told(
    drawn: wear.State,
    plan: fleet.Plan,
    opens: NDArray[np.float64],
    closes: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Live on; return [2, n] the shares of lives that are told to fail, and of those that are told at all."""
    import numpy as np

    draws = len(drawn.now) // len(opens)
    journal, until = service.Journal(keep=("failure", "swap")), np.repeat(closes, draws)
    begins = np.repeat(opens, draws)
    dynamics.advance(drawn, plan, until, rng, journal)
    first = {}
    for kind, chance in (("failure", service.told(None)), ("swap", (1.0 - service.UNLOGGED) * wear.hard())):
        seen = journal.read(kind)
        logged = (rng.random(len(seen["row"])) < chance[seen["comp"]]) & (seen["at"] <= until[seen["row"]])
        first[kind] = np.full(len(until), np.inf)
        np.minimum.at(first[kind], seen["row"][logged], seen["at"][logged])
    fails = (first["failure"] > begins) & np.isfinite(first["failure"])
    known = ~(first["failure"] <= begins) & (
        (first["swap"] == np.inf) | (fails & (first["failure"] <= first["swap"]))
    )
    shares = np.stack([fails & known, known]).reshape(2, len(opens), draws)
    return np.asarray(shares.mean(axis=2))
