import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features


@given(plain.rows(), plain.moments(), st.integers(1, 5))
def test_as_the_oracle(table, asked, last):
    found = features.Sequence(("t.x", "t.order"), last=last).compute({"t": table}, asked)["sequence"]
    assert found.dtype == np.float32 and found.shape == (len(asked), last, 2)
    for place, (key, m) in enumerate(zip(asked.names(), asked.at.tolist(), strict=True)):
        rows = plain.visible(table, key, m)[-last:]
        wanted = np.full((last, 2), np.nan, dtype=np.float32)
        for step, row in enumerate(rows, start=last - len(rows)):
            wanted[step] = table.columns["x"][row], table.columns["order"][row]
        np.testing.assert_array_equal(found[place], wanted)


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Sequence(("t.x",), last=3).problems(wall)) == []
    assert "a number is needed" in str(*features.Sequence(("t.code",), last=3).problems(wall))
    assert "0 rows" in str(*features.Sequence(("t.x",), last=0).problems(wall))
    assert "in one table" in str(*features.Sequence(("t.x", "u.y"), last=2).problems(wall))
