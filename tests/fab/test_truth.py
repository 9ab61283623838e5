"""Truth tables agree with the history they are read from."""

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import fleet, truth

SMALL = fab.Fab("tiny", seed=2, machines=12, days=200)
DAY = 86_400_000_000


def test_events_in_a_window_are_counted_at_its_very_edges():
    failed = truth.failures(SMALL)
    at, machine = failed["at"][failed["hard"]][0], failed["machine"][failed["hard"]][0]
    asked = np.array([at - DAY, at - DAY - 1, at - 8 * DAY, at - 8 * DAY - 1])
    others = failed["at"][(failed["machine"] == machine) & failed["hard"]]
    slow = [((others > m + DAY) & (others <= m + 8 * DAY)).any() for m in asked]
    assert fab.occurs(SMALL, [machine] * 4, asked, DAY, 7 * DAY).tolist() == slow
    alone = fab.occurs(SMALL, [machine] * 2, np.array([at - 1, at]), 0, 1)
    assert alone.tolist() == [True, False]


def test_onsets_come_before_their_failures():
    began, failed = truth.onsets(SMALL), truth.failures(SMALL)
    found = 0
    for machine, at, part in zip(failed["machine"], failed["at"], failed["part"], strict=True):
        before = began["at"][(began["machine"] == machine) & (began["part"] == part) & (began["at"] <= at)]
        found += len(before) > 0
    assert found > 0.85 * len(failed["at"])  # others: an imperfect repair


def test_states_are_a_grid_of_severities():
    states = truth.states(SMALL)
    assert len(states["at"]) == 12 * 200
    assert ((states["DGEN"] == 0) | (states["DGEN"] >= 0.03 - 1e-9)).all()
    assert 0.5 < states["reflectance"].min() < states["reflectance"].max() < 1.06


def test_questions_about_what_is_not_there_are_refused():
    with pytest.raises(errors.DataError, match="no machine 'Z-999'"):
        truth.latent(SMALL, ["Z-999"], np.array([fab.START_US]))
    with pytest.raises(errors.DataError, match="outside"):
        truth.latent(SMALL, [fleet.plan(SMALL).names[0]], np.array([fab.START_US - DAY]))
