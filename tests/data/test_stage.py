import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from flyball import data, errors, units
from flyball.data import stage

row = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.integers(0, 3), st.integers(0, 3), st.sampled_from([1.0, 2.0, None])
)


def rows_of(table, unique=()):
    keys, at, seen, x = ([one[i] for one in table] for i in range(4))
    return stage.Rows.of(keys, at, seen, {"x": x}, unique)


@hypothesis.given(st.lists(row, max_size=12))
def test_rows_are_machine_by_machine_in_order(table):
    rows = rows_of(table)
    assert rows.keys == tuple(sorted({one[0] for one in table}))
    found = [
        (rows.keys[s], int(a), int(k)) for s, a, k in zip(rows.segments(), rows.at, rows.seen, strict=True)
    ]
    assert found == sorted(one[:3] for one in table)
    for key in (*rows.keys, "nobody"):
        assert len(rows.machine(key)) == sum(one[0] == key for one in table)


@hypothesis.given(st.lists(row, max_size=12), st.integers(0, 4))
def test_known_is_the_version_seen_last_by_the_cut(table, cut):
    rows = rows_of(table, unique=("at",))
    known = rows.known(cut)
    facts = {}
    for index in range(len(rows)):
        if rows.seen[index] <= cut:
            facts[rows.segments()[index], rows.at[index]] = rows.floats("x")[index]
    found = {(s, a): x for s, a, x in zip(known.segments(), known.at, known.floats("x"), strict=True)}
    assert len(known) == len(facts) and found.keys() == facts.keys()
    assert all(np.array_equal(found[fact], facts[fact], equal_nan=True) for fact in facts)


@hypothesis.given(st.lists(row, max_size=12), st.data())
def test_taking_some_rows_keeps_every_machine(table, draw):
    rows = rows_of(table)
    mask = np.array(draw.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))), dtype=bool)
    some = rows.take(mask)
    assert some.keys == rows.keys and np.array_equal(some.at, rows.at[mask])
    assert np.array_equal(some.segments(), rows.segments()[mask])


def test_words_relabel():
    words = stage.Words.of(["b", None, "a"]).relabel(("a", "c"))
    assert words.texts() == [None, None, "a"] and len(words[[2]]) == 1


def test_columns_of_the_wrong_kind_are_refused():
    rows = stage.Rows.of(["a"], [0], columns={"x": [1.0], "s": ["u"]})
    with pytest.raises(errors.DataError, match="not numeric"):
        rows.floats("s")
    with pytest.raises(errors.DataError, match="no category"):
        rows.words("x")


@pytest.mark.parametrize(
    ("table", "place"),
    [
        (data.Table("t", columns={"at": "kW"}), "columns"),
        (data.Table("t", columns={"x": "horses"}), "columns['x']"),
        (data.Table("t", columns={"x": "kW"}, unique=("y",)), "unique"),
        (data.Table("t", columns={"x": "kW"}, arrives=units.us(-1)), "arrives"),
    ],
)
def test_a_table_tells_its_mistakes(table, place):
    assert [problem.place for problem in table.problems(None)] == [place]


def test_a_fleet_tells_its_mistakes():
    table = data.Table("t", columns={"x": "kW"})
    assert [p.place for p in data.Fleet("m", None, ()).problems(None)] == ["tables"]
    assert [p.place for p in data.Fleet("m", None, (table, table)).problems(None)] == ["tables"]
    fleet = data.Fleet("m", None, (table,), expect=(data.Missing("t.y", at_most=0.1),))
    assert [p.place for p in fleet.problems(None)] == ["expect[0]"]
