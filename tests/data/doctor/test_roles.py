"""Which column is what, each with the reason."""

from datetime import datetime, timedelta

import polars as pl

from flyball.data.doctor import clocks, columns, roles


def told(frame):
    return [columns.profile(frame[name]) for name in frame.columns]


TIMES = [datetime(2026, 1, 1) + timedelta(hours=hour) for hour in range(50)]


def test_a_machine_is_known_by_its_name():
    frame = pl.DataFrame({"x": [1.5] * 4, "MachineID": ["a", "a", "b", "b"]})
    assert roles.key(frame, told(frame), None)[0] == "MachineID"


def test_a_machine_is_known_by_having_one_row_at_every_moment():
    frame = pl.DataFrame(
        {
            "where": ["n", "s", "w"] * 50,
            "other": ["p", "q", "q"] * 50,
            "t": [t for t in TIMES for _ in range(3)],
        }
    )
    key, why = roles.key(frame, told(frame), "t")
    assert key == "where"
    assert "no two rows of one 'where' have the same 't'" in why
    assert roles.key(frame.drop("where"), told(frame.drop("where")), "t")[0] is None
    assert "without a clock" in roles.key(frame, told(frame), None)[1]


def test_when_it_happened_goes_before_when_it_was_seen():
    frame = pl.DataFrame({"received_at": TIMES, "time": TIMES})
    found = {name: clocks.read(frame[name]) for name in frame.columns}
    assert roles.moment(told(frame), found) == "time"
    assert roles.moment(told(frame), {}) is None


def test_a_split_is_known_by_its_values():
    frame = pl.DataFrame({"a": ["train_1", "train_2", "test"] * 9, "b": ["train", "bus", "car"] * 9})
    assert roles.split(frame, told(frame))[0] == "a"
    assert roles.split(frame.drop("a"), told(frame.drop("a"))) == (None, "")


def test_a_truth_needs_a_name_and_two_values():
    frame = pl.DataFrame(
        {"failure": [0] * 60, "label": ["ok", "bad", "ok"] * 20, "target": range(60), "z": [0, 1, 1] * 20}
    )
    found, why = roles.truth(frame, told(frame), ())
    assert (found, "the rarest 'bad' in 20 of 60 rows" in why) == ("label", True)
    found, why = roles.truth(frame.drop("label"), told(frame.drop("label")), ())
    assert found is None
    assert "'failure' has 1 value(s)" in why and "'target' has 60 different values" in why
    frame = pl.DataFrame({"y": [0.5, 1.25, 2.5] * 20, "label": [1.0, -1.0, 1.0] * 20})
    assert roles.truth(frame.select("y"), told(frame.select("y")), ())[0] is None, "a coordinate"
    assert roles.truth(frame, told(frame), ())[0] == "label"


def test_no_truth_is_said_with_what_is_missing():
    frame = pl.DataFrame({"z": [0, 1, 1] * 20})
    assert "say which one it is" in roles.truth(frame.select("z"), told(frame.select("z")), ())[1]


def test_identifiers_only_name_rows():
    frame = pl.DataFrame(
        {
            "id": range(1, 41),
            "uuid": [f"u{n}" for n in range(40)],
            "steps": range(40),
            "x": [0.5 * n for n in range(40)],
        }
    )
    assert roles.identifiers(told(frame), 40) == ["id", "uuid"]


def test_a_counter_counts():
    frame = pl.DataFrame({"cycle": [1, 2, 3], "step": [0.5, 1.5, 2.5]})
    assert roles.counter(told(frame)) == "cycle"
    assert roles.counter(told(frame.drop("cycle"))) is None
