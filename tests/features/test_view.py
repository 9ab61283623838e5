import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.features import plain

from flyball import data, features
from flyball.features import view


def rows_of(piece):
    where = np.arange(10_000) if piece.take is None else piece.take
    return {
        int(moment): where[lo:hi].tolist()
        for moment, lo, hi in zip(piece.index, piece.lo, piece.hi, strict=True)
    }


@given(plain.rows(), plain.moments(), st.none() | plain.spans())
def test_windows_are_what_the_moment_may_use(table, asked, over):
    found = {}
    for piece in view.View(table, asked).windows(over):
        assert not set(found) & set(rows_of(piece))
        found |= rows_of(piece)
    wanted = plain.ask(
        table, asked, lambda key, m: plain.window(table, key, m, 10**6 if over is None else over)
    )
    assert [found[place] for place in range(len(asked))] == wanted


@given(plain.rows(), plain.moments(), plain.spans())
def test_written_out_windows_hold_the_same_rows(table, asked, over):
    found = {}
    for piece in view.View(table, asked).windows(over):
        for index, sizes, rows in piece.rows():
            parts = np.split(rows, np.cumsum(sizes)[:-1])
            found |= {int(moment): part.tolist() for moment, part in zip(index, parts, strict=True)}
    wanted = plain.ask(table, asked, lambda key, m: plain.window(table, key, m, over))
    assert [found[place] for place in range(len(asked))] == wanted


@given(plain.rows(), plain.moments(), st.integers(0, 6), st.randoms(use_true_random=False))
def test_last_first_and_previous(table, asked, back, random):
    valid = np.array([random.random() < 0.7 for _ in range(len(table))], dtype=bool)
    seen = view.View(table, asked)

    def rows(key, m):
        return [row for row in plain.visible(table, key, m) if valid[row]]

    def last(key, m):
        return [-1, *(row for row in rows(key, m) if table.at[row] <= m - back)][-1]

    assert seen.last(valid, before=asked.at - back).tolist() == plain.ask(table, asked, last)
    assert seen.last(valid).tolist() == plain.ask(table, asked, lambda key, m: [-1, *rows(key, m)][-1])
    assert seen.first(valid).tolist() == plain.ask(table, asked, lambda key, m: [*rows(key, m), -1][0])
    second = seen.previous(seen.last(valid), valid).tolist()
    assert second == plain.ask(table, asked, lambda key, m: [-1, -1, *rows(key, m)][-2])


def test_big_windows_are_picked_in_parts(monkeypatch):
    monkeypatch.setattr(view, "_AT_ONCE", 3)
    table = data.Rows.of(["a"] * 6, at=range(6), seen=[9, 1, 2, 3, 4, 5])
    asked = features.Moments.of(["a"] * 3, [3, 4, 5])
    pieces = list(view.View(table, asked).windows(None))
    assert len(pieces) == 4
    found = {}
    for piece in pieces:
        found |= rows_of(piece)
    assert found == {0: [1, 2, 3], 1: [1, 2, 3, 4], 2: [1, 2, 3, 4, 5]}


def test_a_table_without_rows():
    asked = features.Moments.of(["a"], [3])
    seen = view.View(data.Rows.of([], []), asked)
    assert seen.last().tolist() == [-1] and seen.first().tolist() == [-1]
    assert sum(int((piece.hi - piece.lo).sum()) for piece in seen.windows(5)) == 0
