"""Chatter: a level per machine, Zipf shares, bursts that beget themselves, and codes seen a few times."""

import numpy as np
import pytest

from flyball import fab
from flyball.fab import chatter, codes, fleet

FLEET = fab.Fab("tiny", seed=2, machines=60, days=365)


@pytest.fixture(scope="module")
def said():
    return chatter.chatter(FLEET, fleet.stream(FLEET, "test"))


def test_background_is_twenty_to_two_hundred_a_day_with_zipf_shares(said):
    machine, at, code = said[0]
    daily = np.bincount(machine, minlength=60) / 365.0
    assert 19.0 < daily.min() < 40.0 and 130.0 < daily.max() < 205.0
    euv = fleet.plan(FLEET).euv[machine]
    counts = np.array([(code[euv] == number).sum() for number in codes.numbers("background")])
    share = 1.0 / np.arange(1, 13) ** 1.2
    np.testing.assert_allclose(counts / counts.sum(), share / share.sum(), atol=0.005)
    assert 0.48 < np.mean(at) / (24.0 * 365) < 0.52


def test_a_machine_without_a_source_has_its_level_from_the_other_modules(said):
    machine, _, code = said[0]
    without = ~fleet.plan(FLEET).euv[machine]
    modules = {codes.CODES[number].module for number in np.unique(code[without])}
    assert len(modules) == 10 and not modules & {"DG", "CO"}


def test_nuisance_comes_in_bursts_of_eight(said):
    machine, at, code = said[1]
    order = np.lexsort((at, code, machine))
    other = (np.diff(machine[order]) != 0) | (np.diff(code[order]) != 0)
    gaps = np.diff(at[order])
    bursts = 1 + (other | (gaps > 0.2)).sum()
    assert 7.5 < len(at) / bursts < 8.5
    assert abs(bursts / (0.5 * 60 * 365) - 1.0) < 0.03
    # Bursts make counts by hour far wider than those of a Poisson process, whose variance is its mean.
    hourly = np.bincount((machine * 8760 + np.minimum(at, 8759)).astype(int), minlength=60 * 8760)
    assert hourly.var() > 8.0 * hourly.mean()


def test_events_of_a_burst_beget_six_in_ten():
    """Begun by 3.2 on average, and each begets 0.6: 8 in all."""
    rng = np.random.default_rng(0)
    machine, _, code = chatter.chatter(fab.Fab("tiny", machines=1, days=200_000), rng)[1]
    assert abs(len(machine) / 100_000 - 8.0) < 0.15
    assert len(np.unique(code)) == 6


def test_rare_codes_are_seen_less_than_five_times(said):
    _, _, code = said[2]
    counts = [(code == number).sum() for number in codes.numbers("rare")]
    assert all(1 <= count <= 4 for count in counts)
