"""What changes for good is told: mixes, the design, and the channels that software brings and takes."""

import numpy as np

from flyball import fab
from flyball.fab import channels, fleet, injected, regimes

FLEET = fab.Fab("tiny", seed=2, machines=6, days=100)


def test_mixes_and_design_are_told_as_the_plan_has_them():
    whole = injected.join(regimes.changes(FLEET))
    plan = fleet.plan(FLEET)
    assert whole["start"][whole["kind"] == "redesign"].tolist() == [plan.redesign]
    recipe = whole["kind"] == "recipe change"
    assert sorted(whole["start"][recipe]) == sorted(plan.recipe)
    made, site = fleet.production(FLEET).product, plan.site
    for where, start, moved in zip(
        whole["site"][recipe], whole["start"][recipe], whole["magnitude"][recipe], strict=True
    ):
        mine = made[site == ord(where) - ord("A")]
        before, after = mine[:, : int(start)], mine[:, int(start) + 1 :]
        shares = [np.bincount(part.ravel(), minlength=12) / part.size for part in (before, after)]
        assert abs(0.5 * np.abs(shares[1] - shares[0]).sum() - moved) < 0.2 and moved > 0.1


def test_a_channel_comes_with_the_first_upgrade_and_one_goes_with_the_second():
    first, second = regimes.upgraded(FLEET).T
    found = regimes.existing(FLEET)
    for site in (0, 1):
        mine = [(since, until) for where, _, since, until in found if where == site]
        assert mine == [(first[site], 2400.0), (0.0, second[site])]
    rows = {"machine": np.arange(1200) % 6, "seen": np.linspace(0.0, 2399.0, 1200)}
    rows |= {channel.name: np.ones(1200) for channel in channels.CHANNELS}
    told, truth = regimes.come_and_go(FLEET, rows)
    whole, sites = injected.join(truth), fleet.plan(FLEET).site[rows["machine"]]
    for channel in channels.CHANNELS:
        gone = np.zeros(1200, dtype=bool)
        for row in np.flatnonzero(whole["channel"] == channel.name):
            gone |= (
                (sites == ord(whole["site"][row]) - ord("A"))
                & (rows["seen"] >= whole["start"][row])
                & (rows["seen"] < whole["end"][row])
            )
        np.testing.assert_array_equal(np.isnan(told[channel.name]), gone)
    assert set(whole["kind"]) == {"added channel", "removed channel"}
