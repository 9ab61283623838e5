import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features
from flyball.features import smooth
from flyball.units import days, steps


@given(plain.rows(), plain.moments(), st.integers(1, 4))
def test_as_the_oracle(table, asked, half):
    x = table.columns["x"]

    def one(key, m):
        rows = [row for row in plain.window(table, key, m, smooth.HALF_LIVES * half) if x[row] == x[row]]
        weights = [0.5 ** ((m - table.at[row]) / half) for row in rows]
        if not rows:
            return math.nan
        return math.fsum(w * x[row] for w, row in zip(weights, rows, strict=True)) / math.fsum(weights)

    found = features.Smooth("t.x", half_life=steps(half)).compute({"t": table}, asked)
    wanted = np.array(plain.ask(table, asked, one), dtype=float)
    np.testing.assert_allclose(found[f"t.x.smooth.{half}n"], wanted, rtol=1e-9, atol=1e-12)


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Smooth("t.x", half_life=days(1)).problems(wall)) == []
    assert "a bare 3" in str(*features.Smooth("t.x", half_life=3).problems(wall))
    assert "a number is needed" in str(*features.Smooth("t.code", half_life=days(1)).problems(wall))
