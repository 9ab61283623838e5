import importlib.util
import pathlib

import numpy as np

from flyball.monitoring import cells, standard

spec = importlib.util.spec_from_file_location("fleets", pathlib.Path(__file__).with_name("fleets.py"))
fleets = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fleets)


def slow(values, usual):
    """One column in one cell, by hand."""
    there = np.isfinite(values)
    if not there.any():
        return np.zeros(len(values))
    level = values[there].mean()
    spread = max(np.sqrt(np.mean((values[there] - level) ** 2)), cells.LEAST_SPREAD * usual)
    return np.clip(np.where(there, (values - level) / spread, 0.0), -standard.MOST, standard.MOST)


def test_rows_are_held_against_their_own_window():
    values = fleets.walk(5, 70, 4, seed=3)
    values[1, 20:40, 2] = np.nan
    values[2, :, 1] = 7.0
    values[3, 30, 0] = 1e6
    x = fleets.matrix(values)
    rows = fleets.standard(x)
    seen = []
    for chosen, begin, block in rows.blocks():
        assert block.shape[1] == len(rows.names) == 4
        for cell, one, many in zip(chosen, begin, np.diff(np.append(begin, len(block))), strict=True):
            part = slice(rows.cells.first[cell], rows.cells.stop[cell])
            assert many == part.stop - part.start
            for place, name in enumerate(rows.names):
                expected = slow(x.columns[name][part].astype(float), rows.usual[place])
                np.testing.assert_allclose(block[one : one + many, place], expected, atol=2e-5)
            seen.append(cell)
    assert seen == rows.plain().tolist() and len(seen) == 25


def test_the_blocks_are_the_same_whatever_their_size(monkeypatch):
    rows = fleets.standard(fleets.matrix(fleets.walk(5, 70, 4, seed=3)))
    whole = np.concatenate([block for _, _, block in rows.blocks()])
    monkeypatch.setattr(standard, "ROWS", 30)
    pieces = list(rows.blocks())
    assert len(pieces) > 10
    np.testing.assert_array_equal(np.concatenate([block for _, _, block in pieces]), whole)


def test_windows_with_a_reset_inside_or_few_rows_show_nothing():
    x = fleets.matrix(fleets.walk(3, 70, 2, seed=1))
    one = x.moments.keys[0]
    at = int(x.moments.at[20])
    assert len(fleets.standard(x).plain()) - len(fleets.standard(x, {one: (at,)}).plain()) == 1
    assert not len(fleets.standard(fleets.matrix(fleets.walk(3, 7, 2, seed=1))).plain())


def test_a_column_that_is_no_longer_computed_is_its_level():
    x = fleets.matrix(fleets.walk(3, 70, 2, seed=1))
    rows = fleets.standard(x, left=("c0",))
    assert all((block[:, 1] == 0).all() and (block[:, 0] != 0).any() for _, _, block in rows.blocks())
