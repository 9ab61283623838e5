import dataclasses

import numpy as np
import pytest

from flyball import data
from flyball.data import stage

PAGE = data.Fleet(
    "wafer", None, (data.Table("maps", columns={"map": "image", "split": "category", "label": "category"}),)
)
TWINS = data.Twins("maps.map", split="maps.split", label="maps.label")


def rows_of(table):
    """Rows of (image, split, label), in order; an image is told by a letter."""
    rows = stage.Rows.of(
        ["w"] * len(table),
        range(len(table)),
        columns={"split": [s for _, s, _ in table], "label": [x for *_, x in table]},
    )
    late = data.Frames(None, [name and name * 64 for name, *_ in table])  # type: ignore[arg-type]
    return dataclasses.replace(rows, columns={**rows.columns, "map": late})


TABLE = [
    ("a", "test", "ring"), ("a", "val", "ring"), ("a", "train_1", "ring"),
    ("b", "val", "ring"), ("b", "train_10", "ring"),
    ("c", "train_1", "ring"), ("c", "train_10", "spot"),
    ("d", "test", "ring"), ("d", "test", "spot"),
    ("", "train_1", "ring"), ("", "test", "ring"), ("e", "train_1", None), ("e", "train_1", "spot"),
]  # fmt: skip


def test_the_twin_in_the_weaker_split_goes_and_contradictions_too():
    kept = TWINS.clean("maps", rows_of(TABLE))
    assert kept.at.tolist() == [0, 3, 7, 8, 9, 10, 11, 12]


def test_everything_is_counted():
    found = {finding.why.partition(",")[0]: finding.figure for finding in TWINS.found("maps", rows_of(TABLE))}
    assert found == {
        "val rows with a twin in test": 1, "train rows with a twin in test": 1, "train rows with a twin in val": 1,
        "groups of one image with different labels": 2,
    }  # fmt: skip


def test_the_slow_reference_agrees():
    rng = np.random.default_rng(0)
    splits = ["test", "val", "train"]
    for _ in range(20):
        table = [
            (chr(97 + rng.integers(6)), splits[rng.integers(3)], "xy"[rng.integers(2)]) for _ in range(15)
        ]
        expected = []
        for i, (name, split, _) in enumerate(table):
            twins = [(s, x) for n, s, x in table if n == name]
            stronger = any(splits.index(s) < splits.index(split) for s, _ in twins)
            conflict = len({x for _, x in twins}) > 1 and split != "test"
            if not stronger and not conflict:
                expected.append(i)
        assert TWINS.clean("maps", rows_of(table)).at.tolist() == expected


def test_another_table_is_left_alone_and_the_input_untouched():
    rows = rows_of(TABLE)
    assert TWINS.clean("other", rows) is rows and not list(TWINS.found("other", rows))
    TWINS.clean("maps", rows)
    assert len(rows) == len(TABLE) and TWINS.fleetwide()


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (data.Twins("maps.split", split="maps.split"), "column"),
        (data.Twins("maps.map", split="lots.split"), "split"),
        (data.Twins("maps.map", split="maps.split", keep=("test",)), "keep"),
    ],
)
def test_mistakes_are_told(wrong, place):
    page = type("Page", (), {"data": PAGE})
    assert [problem.place for problem in wrong.problems(page)] == [place]
