"""Lives that may follow from a state: onsets not yet begun are drawn anew, with one ahead and without.

The chance that no degradation begins in a window is known exactly; drawing only what is left to chance, on condition
of one or of none, is what lets few draws do (Rao-Blackwell).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.fab import fleet, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def spent(state: wear.State, plan: fleet.Plan, hours: float, may: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the onset hazard that each healthy component that may count meets in so many hours without a stop."""
    import numpy as np

    weeks = state.week[:, None] + np.arange(int(hours / fleet.WEEK) + 2)
    busiest = plan.duty[state.machine[:, None], np.minimum(weeks, plan.duty.shape[1] - 1)].max(axis=1)
    life, shape = plan.life[state.machine], np.array([c.shape for c in wear.COMPONENTS])
    oldest = state.age + wear.rates(plan, state.machine, busiest) * hours
    spent = (oldest / life) ** shape - (state.age / life) ** shape
    return np.asarray(np.where((state.stage == wear.HEALTHY) & may, spent, 0.0))


def with_onset(
    state: wear.State, plan: fleet.Plan, spent: NDArray[np.float64], rng: np.random.Generator, draws: int
) -> wear.State:
    """Repeat each state with onsets drawn on condition that the spent hazard holds at least one.

    The components' hazards are laid end to end; the first point of a unit Poisson process on that line, drawn
    stratified, falls into one component, those before it stay healthy, those behind it are free.
    """
    import numpy as np

    n, k = spent.shape
    free = rng.exponential(size=(n, draws, k))
    total = spent.sum(axis=1)[:, None]
    uniform = (np.arange(draws) + rng.random((n, draws))) / draws
    point = -np.log1p(uniform * np.expm1(-total))[:, :, None]
    ends = np.cumsum(spent, axis=1)[:, None, :]
    starts = ends - spent[:, None, :]
    budget = np.where(point < starts, free, np.where(point < ends, point - starts, spent[:, None, :] + free))
    return again(state, plan, budget)


def without_onset(
    state: wear.State, plan: fleet.Plan, spent: NDArray[np.float64], rng: np.random.Generator, draws: int
) -> wear.State:
    """Repeat each state with onsets drawn on condition that the spent hazard holds none."""
    return again(state, plan, spent[:, None, :] + rng.exponential(size=(len(spent), draws, spent.shape[1])))


def again(state: wear.State, plan: fleet.Plan, budget: NDArray[np.float64]) -> wear.State:
    """Repeat N states for their draws' hazard budgets [N, draws, K]."""
    import numpy as np

    n, draws, k = budget.shape
    many = state.take(np.repeat(np.arange(n), draws))
    many.onset = wear.onset(plan.life[many.machine], many.age, budget.reshape(n * draws, k))
    return many
