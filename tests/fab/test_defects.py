"""Each kind of defect changes the picture within its box, and nowhere else."""

import numpy as np
import pytest

from flyball.fab import defects, sem


@pytest.mark.parametrize("kind", [kind for kind in defects.KINDS if kind != "missing contact"])
def test_a_defect_of_lines_is_in_its_box(kind):
    rng = np.random.default_rng(5)
    signal, edges = sem.lines(sem.Lines(), rng)
    changed, box = defects.on_lines(signal, edges, kind, rng)
    inside(signal, changed, box, 0.1)


@pytest.mark.parametrize("kind", ["particle", "residue", "missing contact"])
def test_a_defect_of_holes_is_in_its_box(kind):
    rng = np.random.default_rng(6)
    signal, holes = sem.contacts(sem.Contacts(), rng)
    changed, box = defects.on_holes(signal, holes, kind, rng)
    inside(signal, changed, box, 0.1)


def inside(signal, changed, box, least):
    left, top, right, bottom = box
    assert 0 <= left < right <= sem.SIDE and 0 <= top < bottom <= sem.SIDE
    off = np.abs(changed - signal)
    around = np.zeros(signal.shape, dtype=bool)
    around[max(top - 12, 0) : bottom + 12, max(left - 12, 0) : right + 12] = True
    assert off[around].max() > least
    assert off[~around].max() < 0.05


def test_no_defect_changes_nothing():
    rng = np.random.default_rng(0)
    signal, edges = sem.lines(sem.Lines(), rng)
    assert defects.on_lines(signal, edges, "", rng) == (signal, (0, 0, 0, 0))


def test_a_pattern_shows_its_own_kinds():
    assert {defects.fitting(kind, holes=True) for kind in defects.KINDS} == {
        "missing contact",
        "particle",
        "residue",
    }
    assert "missing contact" not in {defects.fitting(kind, holes=False) for kind in defects.KINDS}
