"""Lots as they truly were, and the controller that corrects them as late as the site's metrology is."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import dynamics, fleet, lots, overlay, windows

FLEET = fab.Fab("tiny", seed=2, machines=6, days=300)


@pytest.fixture(scope="module")
def every():
    return [lots.measured(FLEET, machine) for machine in range(6)]


def test_the_ten_parameters_are_found_within_three_errors(every):
    """The error of the marks, and what two wafers tell of a lot whose wafers differ."""
    for one in every:
        error = np.hypot(one.error, np.array(lots.WAFER) / np.sqrt(len(lots.WAFERS)))
        off = np.abs(one.value - (one.theta + one.applied)) / error
        assert (off < 3.0).mean() > 0.99
        # What differs between wafers is in the marks' own error too: a little more than 0.68.
        assert 0.66 < (off < 1.0).mean() < 0.76


def test_the_controller_takes_most_of_it_out_and_the_best_one_more(every):
    for one in every:
        settled = slice(100, None)
        rms = {
            name: np.sqrt((left[settled] ** 2).mean(axis=0))
            for name, left in (
                ("open", one.theta),
                ("built-in", one.theta + one.applied),
                ("best", lots.ceiling(FLEET, one.machine)),
            )
        }
        assert (rms["best"] < rms["built-in"]).all()
        assert (rms["built-in"][:2] < 0.75 * rms["open"][:2]).all()


def test_no_controller_here_beats_the_best(every):
    """Whatever weight an EWMA has, fed the best way that a page could, it leaves more."""
    for one in every[:3]:
        late = int(fleet.plan(FLEET).delay[fleet.plan(FLEET).site[one.machine]])
        best = (lots.ceiling(FLEET, one.machine)[100:, 0] ** 2).mean()
        for weight in (0.1, 0.3, 0.5, 0.8):
            told = one.value - one.applied
            left, state = [], told[0, 0] - one.static[0, 0]
            for lot in range(len(told)):
                if lot >= late:
                    state += weight * (told[lot - late, 0] - one.static[lot - late, 0] - state)
                left.append(one.theta[lot, 0] - one.static[lot, 0] - state)
            assert (np.array(left[100:]) ** 2).mean() > best


def test_a_lot_is_corrected_by_what_was_measured_before_it(every):
    for one in every:
        late = int(fleet.plan(FLEET).delay[fleet.plan(FLEET).site[one.machine]])
        assert (one.seen > one.at).all()
        assert (one.started < one.at).all() and (one.at[:-1] <= one.started[1:]).all()
        assert (one.seen[:-late] < one.started[late:]).all()
        changed = fab.Fab("tiny", seed=2, machines=6, days=300)
        assert lots.measured(changed, one.machine) is one
    told = every[0].value - every[0].applied
    late = int(fleet.plan(FLEET).delay[fleet.plan(FLEET).site[0]])
    later = told.copy()
    later[200:] += 50.0
    same = lots._controlled(told, every[0].product, late)
    other = lots._controlled(later, every[0].product, late)
    np.testing.assert_array_equal(same[: 200 + late], other[: 200 + late])
    assert np.abs(same[200 + late :] - other[200 + late :]).max() > 10.0


def test_the_tool_jumps_when_somebody_worked_on_it(every):
    for one in every:
        journal = dynamics.history(FLEET).journal.read("maintenance")
        worked = journal["at"][(journal["row"] == one.machine) & (journal["at"] > one.at[0])]
        assert one.jumped.sum() == (worked <= one.at[-1]).sum()
        step = np.diff((one.theta - one.static)[:, 0])
        assert step[one.jumped[1:] > 0].std() > 4.0 * step[one.jumped[1:] == 0].std()


def test_lots_are_exposed_in_order_by_a_machine_that_is_up(every):
    for one in every:
        assert (np.diff(one.at) > 0.0).all() and (np.diff(one.lot) == lots.MEASURED).all()
        assert len(one.at) == pytest.approx(
            windows.made(FLEET, one.machine)[-1] / 25 / lots.MEASURED, abs=1.0
        )


def test_faults_come_at_their_rates():
    many = lots._faults(200_000, np.random.default_rng(0))
    share = np.bincount(many, minlength=4) / len(many)
    np.testing.assert_allclose(share[1:], [0.005, 0.005, 0.03], rtol=0.1)
    assert len(lots.FAULTS) == 4 and len(overlay.PARAMETERS) == len(lots.WALK)


def test_later_wafers_of_a_lot_are_larger(every):
    for one in every:
        left = one.noise.reshape(len(one.noise), len(lots.WAFERS), -1, 2)
        found = [
            overlay.fit(overlay.marks(), left[:, wafer]).value[:, 2:4] for wafer in range(len(lots.WAFERS))
        ]
        grown = (found[-1] - found[0]).mean(axis=1)
        told = np.ptp(lots.warmth(FLEET, one.machine))
        assert grown.mean() == pytest.approx(told, abs=4.0 * grown.std() / np.sqrt(len(grown)))
        assert told > 0.001
