"""Codes: warnings grow with wear and do not know of an end before it comes."""

import numpy as np

from flyball import fab
from flyball.fab import dynamics, events, truth, wear

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)


def test_warnings_come_with_wear():
    rows = events.events(FLEET)
    warns = np.isin(rows["code"], events.WARNINGS[wear.DGEN])
    state = dynamics.history(FLEET).at(rows["machine"][warns], rows["at"][warns])
    known = truth.states(FLEET, every_h=6.0)
    worn = (known["DGEN"] > 0.3).mean()
    at_worn = (state.severity()[:, wear.DGEN] > 0.3).mean()
    assert at_worn > 10 * worn


def test_every_failure_says_so_and_a_machine_that_is_down_is_silent():
    rows, failed = events.events(FLEET), dynamics.history(FLEET).journal.read("failure")
    told = np.isin(rows["code"], events.FAILURES).sum()
    assert told == (failed["at"] >= 0).sum()
    chatter = np.isin(rows["code"], [*events.BACKGROUND, *np.ravel(events.WARNINGS)])
    assert (dynamics.history(FLEET).at(rows["machine"][chatter], rows["at"][chatter]).down == 0).all()


def test_software_gives_no_warning():
    assert not np.isin(events.events(FLEET)["code"], events.WARNINGS[wear.SOFT]).any()


def test_no_code_stands_for_two_things():
    every = [
        *np.ravel(events.WARNINGS),
        *events.FAILURES,
        *events.RECOVERIES,
        *events.BACKGROUND,
        events.VISIT,
    ]
    assert len(every) == len(set(every))
