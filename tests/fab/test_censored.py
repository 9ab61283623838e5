"""The chance of a failure where the answer will be known is what happens there, and the plain chance is not."""

import numpy as np
import pytest

from flyball import errors, fab
from flyball.fab import censored, dynamics, fleet, service, wear

DAY = 86_400_000_000
MANY = fab.Fab("tiny", seed=5, machines=1500, days=150)


def logged(kind):
    """When hard failures or swaps of hard parts were logged, machine by machine: the law's own lottery, once."""
    rng, past = np.random.default_rng(1), dynamics.history(MANY)
    seen = past.journal.read(kind)
    keep = wear.hard()[seen["comp"]] & (rng.random(len(seen["row"])) >= service.UNLOGGED)
    return seen["row"][keep], seen["at"][keep]


def first(kind, machine, after):
    row, at = logged(kind)
    return np.array(
        [min(at[(row == m) & (at > h)], default=np.inf) for m, h in zip(machine, after, strict=True)]
    )


@pytest.fixture(scope="module")
def asked():
    plan, past = fleet.plan(MANY), dynamics.history(MANY)
    machine = np.repeat(np.arange(1500), 15)
    hour = np.tile(24.0 * np.arange(5, 140, 9), 1500)
    severity = past.at(machine, hour).severity()[:, wear.hard()].max(axis=1)
    some = np.flatnonzero(severity > 0.2)  # worn, so that swaps matter
    machine, hour = machine[some], hour[some]
    failure, swap = first("failure", machine, hour), first("swap", machine, hour)
    opens, closes = hour + 24.0, hour + 24.0 * 8
    fails = (failure > opens) & (failure <= closes)
    known = ~(failure <= opens) & ((swap > closes) | (fails & (failure <= swap)))
    return np.array(plan.names)[machine], fleet.to_us(hour), fails & known, known


def off(p, y):
    return (y.mean() - p.mean()) / np.sqrt((p * (1.0 - p)).mean() / len(p))


def test_it_is_calibrated_where_the_answer_is_known_and_the_plain_chance_is_not(asked):
    keys, moments, fails, known = asked
    p = fab.ceiling_where_known(MANY, keys, moments, DAY, 7 * DAY)
    assert 300 < known.sum() < 0.9 * len(known)
    high = p > np.median(p)
    for rows in (known, known & high, known & ~high):
        assert abs(off(p[rows], fails[rows])) < 3.5
    plain = fab.ceiling(MANY, keys, moments, DAY, 7 * DAY)
    assert off(plain[known], fails[known]) > 3


def test_it_is_never_sure_and_refuses_what_it_cannot_answer():
    p = fab.ceiling_where_known(
        MANY, ["A-001"] * 3, fab.START_US + DAY * np.arange(5, 8), DAY, 7 * DAY, draws=4
    )
    assert ((p >= censored.LEAST) & (p <= 1 - censored.LEAST)).all()
    with pytest.raises(errors.DataError, match="gap plus horizon"):
        fab.ceiling_where_known(MANY, ["A-001"], [fab.START_US], DAY, 90 * DAY)
    with pytest.raises(errors.DataError, match="no machine"):
        fab.ceiling_where_known(MANY, ["Z-9"], [fab.START_US], DAY, DAY)
