from flyball.runtime import receipt


def test_a_receipt_tells_all_that_came_and_what_waits():
    told = receipt.Receipt(
        files=2, known=1, good={"wear": 3}, duplicates={"wear": 1}, late={"wear": 2},
        quarantined={"wear": {"no machine": 4}}, waiting={"a.csv": "a.csv has changed since it was seen"},
    )  # fmt: skip
    assert told.changed and told.json()["waiting"] == told.waiting
    assert told.lines() == [
        "2 file(s) taken in, 1 known already",
        "  wear: 3 rows, 4 quarantined, 1 duplicates, 2 late",
        "    4 x no machine",
        "  a.csv waits: a.csv has changed since it was seen",
    ]


def test_many_files_of_no_table_are_counted_by_folder():
    names = [f"north/lots/{n}.csv" for n in range(11)] + ["notes.csv"]
    assert receipt.unclaimed(names) == [
        "the folder itself: 1 file belongs to no table", "north/lots/: 11 files belong to no table",
    ]  # fmt: skip
