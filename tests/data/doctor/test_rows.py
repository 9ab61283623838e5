"""Rows that are the same, or nearly, within a table and across its splits."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import polars as pl

from flyball.data.doctor import rows

RNG = np.random.default_rng(9)


def table(count=300, width=8):
    return pl.DataFrame(RNG.normal(size=(count, width)), schema=[f"x{place}" for place in range(width)])


def test_rows_that_repeat_are_counted():
    frame = table()
    assert rows.repeated(frame) == 0
    assert rows.repeated(pl.concat([frame, frame.head(7)])) == 7


def test_twins_across_splits_and_near_ones():
    frame = table()
    near = frame[10].with_columns(x3=pl.lit(99.0))
    frame = pl.concat([frame, frame[5], near, frame[20] * 1.01])
    told = rows.twins(frame, frame.columns, ["train"] * 300 + ["test"] * 3)
    assert [(one["of"], one["in"], one["rows"], one["example"]) for one in told["across"]] == [
        ("test", "train", 1, [300, 5])
    ]
    assert [(one["of"], one["in"], one["pairs"]) for one in told["near"]["across"]] == [("test", "train", 1)]
    assert told["near"]["example"] == [10, 301]


def test_equal_rows_with_different_truths_contradict():
    frame = pl.concat([table(), table()]).with_columns(y=pl.lit(0))
    again = frame.head(4).with_columns(y=pl.Series([0, 0, 1, 1]).cast(pl.Int32))
    frame = pl.concat([frame, again])
    content = [name for name in frame.columns if name != "y"]
    assert rows.twins(frame, content, [""] * frame.height, "y")["contradict"] == 2


def test_rows_that_repeat_by_nature_are_not_judged():
    frame = pl.DataFrame({"a": [0, 1] * 100, "b": ["x"] * 200})
    assert rows.twins(frame, ["a", "b"], ["train"] * 100 + ["test"] * 100)["natural"]
    assert rows.twins(table(), ["x0"], [""] * 300)["natural"], "one column tells no rows apart"
    assert rows.twins(table(), table().columns, [""] * 300, alone=False)["natural"], (
        "one after another on one machine"
    )


def test_empty_rows_are_no_twins():
    frame = pl.concat(
        [table(), pl.DataFrame({name: [None, None] for name in table().columns}, schema=table().schema)]
    )
    assert rows.twins(frame, frame.columns, ["train"] * 301 + ["test"])["across"] == []


def test_many_alike_stay_bounded_and_are_said(monkeypatch):
    frame = pl.concat(
        [table(400, 8).with_columns(pl.lit(1.0).alias(f"x{place}") for place in range(0, 8, 2))]
    )
    told = rows.twins(frame, frame.columns, ["train"] * 200 + ["test"] * 200)
    assert told["near"]["crowded"] > 0


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(5, 12), st.integers(2, 3))
@hypothesis.settings(max_examples=30)
def test_near_pairs_are_those_of_comparing_all_with_all(seed, width, values):
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, values, (40, width))
    frame = pl.DataFrame(cells, schema=[f"x{place}" for place in range(width)])
    splits = rng.choice(["train", "test"], 40).tolist()
    digests = frame.hash_rows(seed=1).to_numpy()
    told = rows._near(frame, digests, splits)
    kept = list(
        {
            (tuple(row), split): place
            for place, (row, split) in reversed(list(enumerate(zip(cells.tolist(), splits, strict=True))))
        }.values()
    )
    wanted = sum(
        0 < int((cells[one] != cells[other]).sum()) <= told["at_most"]
        for one in kept
        for other in kept
        if one < other
    )
    assert told["pairs"] == wanted
