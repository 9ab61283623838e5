"""Files that are byte for byte the same are found, whatever they are called."""

from flyball.data.doctor import copies, folder


def files(place, **contents):
    out = []
    for name, content in contents.items():
        path = place / name
        path.write_bytes(content)
        out.append(folder.File(path, name, len(content), ""))
    return out


def test_only_equal_contents_are_a_group(tmp_path):
    found = files(tmp_path, b=b"1234", a=b"1234", other=b"1235", longer=b"12345", c=b"99999", d=b"99999")
    assert copies.identical(found) == ([["a", "b"], ["c", "d"]], "")


def test_what_is_too_large_to_compare_is_said(tmp_path):
    found = files(tmp_path, a=b"1", b=b"1", large=b"x" * 100, huge=b"x" * 100)
    assert copies.identical(found, most=50) == (
        [["a", "b"]], "2 files of equal sizes were not compared byte by byte: too large"
    )  # fmt: skip


def test_a_file_that_went_is_left_out(tmp_path):
    found = files(tmp_path, a=b"1", b=b"1", c=b"1")
    (tmp_path / "b").unlink()
    assert copies.identical(found) == ([["a", "c"]], "")
