import importlib.util
import json
import pathlib

import numpy as np
import pytest

from flyball import monitoring, units
from flyball.monitoring import discrepancy

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

PART = monitoring.MeanDiscrepancy(sample=200)
DAYS = 168


def drift(part):
    return monitoring.Drift(
        over=units.days(DAYS), false_alarms=1.0, per=units.days(DAYS * 50), multivariate=(part,)
    )


def broken(seed, part, windows=30):
    """Alarms on the machine of which the second column no longer follows the first, though it looks as ever."""
    values = fleets.bent(10, windows * DAYS, seed)
    at = (windows - 4) * DAYS
    values[2, at:, 1] = np.random.default_rng(seed).permutation(values[2, at:, 1])
    old, new = fleets.matrix(values[:, :at]), fleets.matrix(values[:, at:], first=at)
    kept = drift(part).reference(old, None, 0)
    json.dumps(kept.settings, allow_nan=False)
    return [one for one in drift(part).watch(kept, new, None) if one.alarm]


def slow(x, y, scale):
    """The unbiased squared discrepancy, pair by pair (Gretton et al. 2012, equation 3)."""

    def kernel(a, b):
        return np.exp(-np.sum((a - b) ** 2) / scale)

    m, n = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(kernel(one, other) for one in x for other in y) / (m * n)


def test_the_figure_is_that_of_the_definition():
    rows = fleets.standard(fleets.matrix(fleets.bent(4, 84, seed=1)))
    part = monitoring.MeanDiscrepancy(sample=30)
    kept = part.learn(rows, 0)
    figures = part.figures(kept, rows)
    sample = discrepancy.unpacked(kept).astype(float)
    assert sample.shape == (30, 2)
    pairs = [np.sum((sample[i] - sample[j]) ** 2) for i in range(30) for j in range(i)]
    for cells, begin, block in rows.blocks():
        for cell, first, stop in list(zip(cells, begin, (*begin[1:], len(block)), strict=True))[:5]:
            expected = slow(block[first:stop].astype(float), sample, np.median(pairs))
            assert figures[cell, 0] == pytest.approx(expected, abs=2e-5)


def test_the_sample_is_of_the_rows_and_travels_as_it_is():
    rows = fleets.standard(fleets.matrix(fleets.bent(4, 84, seed=1)))
    every = np.concatenate([block for _, _, block in rows.blocks()])
    sample = discrepancy.sampled(rows, 50, 3)
    near = np.abs(every[:, None, :] - sample[None, :, :]).max(axis=2).min(axis=0)
    assert near.max() <= 0.5 / discrepancy.STEPS + 1e-6
    back = discrepancy.unpacked({"names": "ab", "rows": discrepancy.packed(sample)})
    np.testing.assert_array_equal(back, sample)
    assert len(discrepancy.sampled(rows, 10**6, 3)) == len(every)
    np.testing.assert_array_equal(discrepancy.sampled(rows, 50, 3), sample)


def test_a_bent_relation_that_broke_is_found_where_straight_ones_show_nothing():
    found = [one for one in broken(3, PART) if one.machine]
    assert {one.machine for one in found} == {"m002"}
    (first, *_) = found
    assert first.column == discrepancy.NAME and first.kind == "relation" and first.cause == "sensor"
    assert set(first.columns[:2]) == {"c0", "c1"}
    assert not [one for one in broken(3, monitoring.Reconstruction()) if one.machine == "m002"]


def test_the_columns_behind_an_alarm_are_those_of_the_alarm():
    from flyball.monitoring import episodes

    (alarm,) = episodes.alarms([one for one in broken(3, PART) if one.machine], 10)
    assert set(alarm.columns[:2]) == {"c0", "c1"} and alarm.machines == ("m002",)


def test_a_fleet_of_few_rows_is_not_judged():
    rows = fleets.standard(fleets.matrix(fleets.bent(1, 6, seed=1)))
    assert PART.learn(rows, 0) == {}


def test_a_sample_that_shows_nothing_is_refused():
    (problem,) = monitoring.MeanDiscrepancy(sample=3).problems(None)
    assert problem.place == "sample"
