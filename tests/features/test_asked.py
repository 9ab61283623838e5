import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, errors, features
from flyball.units import days, steps


def pairs(moments):
    return list(zip(moments.names(), moments.at.tolist(), strict=True))


@given(plain.rows(), st.integers(1, 5), st.none() | st.integers(1, 9), st.integers(0, 9), st.integers(5, 20))
def test_every_as_the_oracle(table, period, within, since, until):
    asked = features.Every(steps(period), within=None if within is None else steps(within))
    reach = within or period
    rows = list(zip([table.keys[code] for code in table.segments()], table.at.tolist(), strict=True))
    wanted = [
        (key, m)
        for key in sorted({key for key, _ in rows})
        for m in range(0, 40, period)
        if any(name == key and m - reach < at <= m for name, at in rows)
    ]
    assert pairs(asked.moments({"t": table})) == wanted
    inside = [(key, m) for key, m in wanted if since <= m < until]
    assert pairs(asked.moments({"t": table}, since, until)) == inside


def test_whether_it_is_asked_depends_on_nothing_later():
    whole = data.Rows.of(["a", "a"], at=[0, days(9)])
    before = whole.take(whole.at < days(9))
    asked = features.Every(days(1))
    assert pairs(asked.moments({"t": whole}, until=days(9))) == pairs(asked.moments({"t": before}))


def test_of_names_the_table():
    tables = {"t": data.Rows.of(["a"], at=[0]), "u": data.Rows.of(["b"], at=[0])}
    assert pairs(features.Every(days(1)).moments(tables)) == [("a", 0)]
    assert pairs(features.Every(days(1), of="u").moments(tables)) == [("b", 0)]
    with pytest.raises(errors.DataError, match="'v'"):
        features.Every(days(1), of="v").moments(tables)


def test_each_asks_when_the_row_could_be_known():
    table = data.Rows.of(["w2", "w1", "w1", "w1"], at=[0, 1, 2, 2], seen=[5, 1, 7, 7])
    asked = features.Each("maps")
    assert pairs(asked.moments({"maps": table})) == [("w1", 1), ("w1", 7), ("w2", 5)]
    assert pairs(asked.moments({"maps": table}, since=2, until=7)) == [("w2", 5)]


def test_problems(page):
    wall = page(data.WallClock())
    assert list(features.Every(days(1), of="t", within=days(2)).problems(wall)) == []
    assert "a bare 1" in str(*features.Every(1).problems(wall))
    assert "steps(1)" in str(*features.Every(steps(1)).problems(wall))
    assert "no table 'tt'" in str(*features.Every(days(1), of="tt").problems(wall))
    assert "no table 'maps'" in str(*features.Each("maps").problems(wall))
