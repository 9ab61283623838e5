"""Separators, files without a line of names, and files that are one table."""

import pytest

from flyball.data.doctor import folder, layout

ROWS = [["m1", "20.5", "run"], ["m2", "20.7", "idle"], ["m1", "21.0", "run"]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_usual_separators_are_taken_as_they_are(separator):
    text = "\n".join(separator.join(row) for row in [["machine", "temp", "state"], *ROWS]).encode() + b"\n"
    assert layout.tabulated(text) == layout.Layout(text, ())


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_file_without_names_gets_some_and_loses_no_row(separator):
    text = "\n".join(separator.join(row) for row in ROWS).encode() + b"\n"
    found = layout.tabulated(text)
    assert found.content == separator.join(["c1", "c2", "c3"]).encode() + b"\n" + text
    assert "names no columns" in found.unfit[0]


def test_blanks_part_fields_but_not_within_quotes():
    found = layout.tabulated(b'-1 "19/07/2008 11:55:00"\n1 "19/07/2008 12:32:00"\n')
    assert found.content.splitlines()[1] == b'-1\t"19/07/2008 11:55:00"'
    assert layout.tabulated(b"  1.0  NaN 2\n 3 4   5\n").content.splitlines()[1:] == [
        b"1.0\tNaN\t2",
        b"3\t4\t5",
    ]


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([[b"a", b"b"], [b"1", b"2"]], False),
        ([[b"1", b"2"], [b"3", b"4"]], True),
        ([[b"0", b"1", b"2"], [b"7", b"8", b"9"]], False),  # as tables without names are written by pandas
        ([[b"2026-01-01", b"x"], [b"2026-01-02", b"y"]], True),
        ([[b"run", b"m1"], [b"run", b"m2"], [b"idle", b"m3"]], True),
        ([[b"state", b"machine"], [b"run", b"m2"]], False),
    ],
)
def test_whether_a_first_line_names_columns(rows, wanted):
    assert layout.nameless(rows) is wanted


def test_prose_is_no_table():
    assert layout.tabulated(b"This is prose.\nIt goes on for\nsome lines of it, yes.\n", strict=True) is None
    assert layout.tabulated(b"", strict=True) is None


def test_utf_16_is_looked_at_and_told():
    found = layout.tabulated("machine,ort\nm1,Köln\n".encode("utf-16"))
    assert found.content == "machine,ort\nm1,Köln\n".encode()
    assert "write it as UTF-8" in found.unfit[0]


def tables(place, **texts):
    out = {}
    for name, text in texts.items():
        path = place / f"{name}.csv"
        path.write_text(text)
        out[name] = [folder.File(path, path.name, len(text), ".csv")]
    return out


HEAD = "time,temp\n" + "2026-01-01,1\n" * 5


def test_files_with_the_same_columns_are_one_table_of_a_name_that_finds_them(tmp_path):
    found, notes = layout.together(
        tables(tmp_path, scanner_a=HEAD, scanner_b=HEAD, orders="id,part\n" + "1,x\n" * 5)
    )
    assert {name: len(files) for name, files in found.items()} == {"scanner": 2, "orders": 1}
    assert "scanner_a, scanner_b have the same 2 columns" in notes[0]


def test_without_a_common_name_they_are_the_folders_only_where_they_lie_alone(tmp_path):
    alone = tables(tmp_path, north=HEAD, south=HEAD)
    assert list(layout.together(alone)[0]) == [tmp_path.name]
    found, notes = layout.together(alone | tables(tmp_path, orders="id,part\n" + "1,x\n" * 5))
    assert sorted(found) == ["north", "orders", "south"]
    assert "one table?" in notes[0]


def test_folders_of_machines_are_one_table_named_by_the_folder_above(tmp_path):
    found = {}
    for machine in ("A-001", "A-002"):
        place = tmp_path / "telemetry" / machine
        place.mkdir(parents=True)
        for day in ("2026-01-01", "2026-01-02"):
            (place / f"{day}.csv").write_text(HEAD)
    (tmp_path / "orders.csv").write_text("id,part\n" + "1,x\n" * 5)
    found, notes = layout.together(folder.look(tmp_path).tables)
    assert {name: len(files) for name, files in found.items()} == {"telemetry": 4, "orders": 1}
    assert "A-001, A-002 have the same 2 columns" in notes[0], (notes, found)


def test_splits_are_never_joined(tmp_path):
    assert sorted(layout.together(tables(tmp_path, train=HEAD, test=HEAD))[0]) == ["test", "train"]
