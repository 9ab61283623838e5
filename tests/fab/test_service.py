"""Maintenance censors, and repairs are not perfect."""

import numpy as np

from flyball import fab
from flyball.fab import dynamics, fleet, service, truth, wear

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)
#: Wide enough that visits tell the sites' habits apart.
WIDE = fab.Fab("laptop", seed=2, machines=400, days=365)
HOUR = 3_600_000_000


def test_maintenance_takes_only_what_it_can_see_and_more_where_discipline_is_high():
    past = dynamics.history(WIDE)
    swap, upkeep = past.journal.read("swap"), past.journal.read("maintenance")
    just_before = past.at(swap["row"], swap["at"] - 1e-6).severity()[
        np.arange(len(swap["row"])), swap["comp"]
    ]
    assert (just_before > service.VISIBLE).all()
    per_visit = [
        (past.plan.discipline[swap["row"]] == q).sum() / (past.plan.discipline[upkeep["row"]] == q).sum()
        for q in sorted(set(past.plan.discipline))
    ]
    assert per_visit == sorted(per_visit) and per_visit[-1] > 1.5 * per_visit[0]


def test_a_swapped_part_would_have_failed_later():
    swaps = truth.swaps(FLEET)
    assert len(swaps["at"]) > 20
    assert (swaps["would_fail"] > swaps["at"]).all()


def test_some_repairs_leave_a_fault_behind():
    plan, rng = fleet.plan(FLEET), np.random.default_rng(0)
    state = wear.begin(plan, rng, 0.0).take(np.repeat(np.arange(60), 50))
    rows, comp = np.arange(3000), np.full(3000, wear.DGEN)
    service.renew(state, plan, rows, comp, rng)
    left = state.severity()[:, wear.DGEN]
    assert 0.06 < (left > 0).mean() < 0.10
    np.testing.assert_allclose(left[left > 0], 0.2)
