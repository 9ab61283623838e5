"""What lies in a folder is told by name; nothing is followed out of it and nothing odd is opened."""

import os

import pytest

from flyball import errors
from flyball.data.doctor import folder


def laid(place, *names):
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("a,b\n1,2\n")


def test_files_of_one_table_differ_by_date_and_number_only(tmp_path):
    laid(
        tmp_path,
        "telemetry-2026-01-01.csv",
        "telemetry-2026-01-02.csv",
        "orders_3.jsonl",
        "pump/01.csv",
        "pump/02.csv",
    )
    found = folder.look(tmp_path)
    assert {name: len(files) for name, files in found.tables.items()} == {
        "telemetry": 2,
        "orders": 1,
        "pump": 2,
    }
    assert found.files == 5


def test_what_is_not_read_is_named_with_the_reason(tmp_path):
    laid(tmp_path, "model.pkl", "notes.docx", "all.zip", "old.tar.gz", ".hidden/a.csv", "a.csv")
    (tmp_path / "empty.csv").touch()
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    (tmp_path / "away").symlink_to("/etc")
    found = folder.look(tmp_path)
    passed = dict(found.passed)
    assert "never opened" in passed["model.pkl"]
    assert "no format that is read (.docx)" in passed["notes.docx"]
    assert "cannot be looked into (all.zip is incomplete at byte 8 or damaged" in passed["all.zip"]
    assert "unpack it" in passed["old.tar.gz"]
    assert passed[".hidden/a.csv"] == "hidden"
    assert passed["empty.csv"] == "empty file"
    assert passed["pipe.csv"] == "a pipe"
    assert passed["link.csv"] == passed["away"] == "a symbolic link"
    assert list(found.tables) == ["a"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    laid(tmp_path, "a.csv", "closed/b.csv")
    scan = os.scandir

    def refused(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    assert ("closed", "cannot be read (Permission denied)") in folder.look(tmp_path).passed


def test_no_folder_is_an_error(tmp_path):
    laid(tmp_path, "a.csv")
    with pytest.raises(errors.DataError, match="is not there"):
        folder.look(tmp_path / "none")
    with pytest.raises(errors.DataError, match="is no folder"):
        folder.look(tmp_path / "a.csv")


def test_more_files_than_are_looked_at_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MOST", 3)
    laid(tmp_path, *(f"a{letter}.csv" for letter in "bcdef"))
    found = folder.look(tmp_path)
    assert found.files == 3
    assert "more than 3 files" in found.passed[-1][1]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x/train/a.png", "train"),
        ("TEST_3.csv", "test"),
        ("validation.csv", "val"),
        ("attest.csv", ""),
        ("train/test.csv", "test"),
    ],
)
def test_a_split_is_a_whole_word_of_a_name(name, wanted):
    assert folder.split(name) == wanted


def test_the_larger_table_comes_first(tmp_path):
    laid(tmp_path, "small.csv", "large.csv")
    (tmp_path / "large.csv").write_text("a,b\n" + "1,2\n" * 99)
    assert folder.table_names(folder.look(tmp_path).tables) == ["large", "small"]


def test_members_of_an_archive_are_sorted_like_files(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "week.zip", "w") as archive:
        for name in ("rows/1.csv", "2026-01-01.csv", "test/a.png", "notes.md", "../out.csv", "inner.zip"):
            archive.writestr(name, "a,b\n1,2\n")
    found = folder.look(tmp_path)
    assert sorted(found.tables) == ["week.zip", "week.zip/rows"]
    assert [(file.name, folder.split(file.name)) for file in found.pictures] == [
        ("week.zip/test/a.png", "test")
    ]
    passed = dict(found.passed)
    assert set(passed) == {"week.zip/notes.md", "week.zip/../out.csv", "week.zip/inner.zip"}
    assert "unpack it" in passed["week.zip/inner.zip"]
    assert (found.files, found.bytes) == (1, (tmp_path / "week.zip").stat().st_size)
