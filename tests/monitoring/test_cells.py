import importlib.util
import itertools
import math
import pathlib

import numpy as np
import pytest

from flyball import monitoring, units
from flyball.monitoring import bins, cells

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)

WEEKLY = monitoring.Drift(over=units.WEEK)


def made(values, resets=None):
    x = fleets.matrix(values)
    found = bins.watched(x, None)
    told = {name: bins.describe(column) for name, column in found.items()}
    usual = cells.scales(found)
    return cells.of(found, told, usual, x.moments, WEEKLY._windows(x.moments), resets or {}), usual


def test_every_figure_equals_the_slow_one():
    values = fleets.walk(3, 21, 2, seed=0)
    values[1, 3:6, 1] = np.nan
    values[2, 8:12, 0] = 4.0
    found, usual = made(values)
    for cell in range(9):
        machine, week = divmod(cell, 3)
        for column in range(2):
            rows = values[machine, week * 7 : week * 7 + 7, column]
            there = rows[np.isfinite(rows)]
            run = longest = 0
            for before, after in itertools.pairwise(rows):
                run = run + 1 if before == after else 0
                longest = max(longest, run)
            level, spread, ties, missing = found.stats[cell, column]
            assert level == pytest.approx(there.mean())
            assert spread == pytest.approx(math.log(there.std(ddof=1) + 0.05 * usual[column]))
            assert ties == math.log2(1 + longest)
            assert cells.share(missing) == pytest.approx(np.isnan(rows).mean())


def test_a_reset_begins_a_new_part_and_its_own_window_has_no_level():
    found, _ = made(fleets.walk(2, 28, 1, seed=1), {"m001": (10 * fleets.DAY,)})
    assert found.part.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert found.mixed.tolist() == [False] * 5 + [True] + [False] * 2
    assert np.isnan(found.stats[5, 0, :2]).all() and np.isfinite(found.stats[5, 0, 2:]).all()
    ((_, one), (_, two)) = cells.machines(found)
    assert [run.tolist() for run in cells.runs(found, one)] == [[0, 1, 2, 3]]
    assert [run.tolist() for run in cells.runs(found, two)] == [[4], [6, 7]]


def test_figures_stand_behind_the_columns_as_levels():
    rows = fleets.standard(fleets.matrix(fleets.walk(3, 56, 2, seed=0)))
    k = len(rows.cells.unit)
    more = cells.joined(rows.cells, [np.arange(2.0 * k).reshape(k, 2), np.ones((k, 1))])
    assert more.stats.shape == (k, 5, 4) and cells.joined(rows.cells, []) is rows.cells
    assert more.stats[1, 2:, cells.LEVEL].tolist() == [2.0, 3.0, 1.0]
    assert np.isnan(more.stats[:, 2:, cells.SPREAD :]).all()
