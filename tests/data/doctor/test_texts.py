"""Plain bytes of texts, bounded whatever the file unpacks to."""

import gzip

import pytest

from flyball import errors
from flyball.data.doctor import folder, texts


def file(path, content):
    path.write_bytes(content)
    return folder.File(path, path.name, len(content), ".csv")


LINES = b"".join(b"%06d,x\n" % number for number in range(10_000))


def test_plain_gz_and_zst_give_the_same_bytes(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    packed = {"a.csv": LINES, "a.csv.gz": gzip.compress(LINES), "a.csv.zst": zstandard.compress(LINES)}
    for name, content in packed.items():
        found = texts.plain(file(tmp_path / name, content), 10**6)
        assert (found.content, found.note, found.part) == (LINES, "", False)


def test_a_large_plain_file_gives_whole_lines_of_its_beginning_middle_and_end(tmp_path):
    found = texts.plain(file(tmp_path / "a.csv", LINES), 3_000)
    numbers = [int(line[:6]) for line in found.content.splitlines()]
    assert found.part and found.size == len(LINES) and found.read == len(found.content) <= 3_000
    assert (numbers[0], numbers[-1]) == (0, 9_999)
    assert any(4_500 < number < 5_500 for number in numbers)


def test_a_bomb_is_read_at_its_beginning_only(tmp_path):
    found = texts.plain(file(tmp_path / "a.csv.gz", gzip.compress(b"1,2\n" * 10**6)), 10_000)
    assert found.part and len(found.content) <= 10_000 and found.content.endswith(b"\n")


def test_a_truncated_gzip_is_told_with_its_place(tmp_path):
    content = gzip.compress(LINES)[:-500]
    found = texts.plain(file(tmp_path / "a.csv.gz", content), 10**6)
    assert found.note == f"incomplete at byte {len(content)}: the gz ends early"
    assert LINES.startswith(found.content) and found.content


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    there = file(tmp_path / "a.csv", LINES)
    there.path.unlink()
    with pytest.raises(errors.DataError):
        texts.plain(there, 100)


def test_a_file_that_may_not_be_read_is_an_error_with_the_reason(tmp_path, monkeypatch):
    import os

    there = file(tmp_path / "closed.csv", LINES)

    def refused(path, *args, **more):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(errors.DataError, match=r"closed.csv cannot be read \(Permission denied\)"):
        texts.plain(there, 100)


def test_the_name_of_the_unpacked_file():
    assert str(texts.name(folder.File(None, "b/x.tsv.ZST", 1, ""))) == "b/x.tsv"
