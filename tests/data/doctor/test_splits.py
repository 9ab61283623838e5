"""What parts of a table share: machines, and times."""

import numpy as np
import polars as pl

from flyball.data.doctor import clocks, pieces, splits


def test_splits_come_from_the_column_or_from_the_names_of_files():
    frame = pl.DataFrame({"part": ["train", None, "test"]})
    got = pieces.Pieces(frame, ["train/a.csv", "test/a.csv"], np.array([0, 0, 1]))
    assert splits.of(frame, "part", got) == ["train", "", "test"]
    assert splits.of(frame, None, got) == ["train", "train", "test"]
    got.files = ["a.csv", "b.csv"]
    assert splits.of(frame, None, got) == ["", "", ""]


def test_machines_in_both_and_rows_from_before_are_counted():
    parts = ["train_1"] * 4 + ["test"] * 4
    codes = np.array([0, 0, 1, 1, 1, 1, 2, 2], np.int32)
    clock = clocks.Clock("t", np.array([1, 2, 3, 4, 3, 5, 6, 7]), np.ones(8, bool), "", "")
    assert splits.shared(parts, codes, clock) == [
        {"of": "test", "in": "train", "machines": 1, "out_of": 2, "earlier": 0.25}
    ]


def test_without_splits_machines_or_clock_nothing_is_made_up():
    assert splits.shared([""] * 3, None, None) == []
    assert splits.shared(["train", "test"], None, None) == [
        {"of": "test", "in": "train", "machines": None, "out_of": None, "earlier": None}
    ]
