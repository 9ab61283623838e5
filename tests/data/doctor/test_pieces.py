"""Rows of a table's files: typed by what they are, bounded, with everything left out said."""

import gzip
import os

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import folder, pieces


def read(place, *args, **contents):
    files = []
    for name, content in contents.items():
        path = place / name.replace("__", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        files.append(folder.File(path, path.name, path.stat().st_size, folder._ending(path.name)))
    return pieces.read(files, *args)


def test_text_is_what_all_its_cells_are(tmp_path):
    got = read(tmp_path, a__csv='id,x,ok,n,none,komma\n007,1.5,true,3,NA,"1,5"\n008,,false,4,,"2"\n')
    kinds = dict(got.frame.schema)
    assert kinds == {
        "id": pl.String, "x": pl.Float64, "ok": pl.Boolean, "n": pl.Int64, "none": pl.Null, "komma": pl.Float64,
    }  # fmt: skip
    assert got.frame["komma"].to_list() == [1.5, 2.0]
    assert got.unfit == ["'komma' has decimal commas: write points"]


@pytest.mark.parametrize(
    "cells", [["1.5", "2.5", "err"], ["1.5", "", "2"], ["0.5", "01.5", "2.5"], ["1", "2", "3.5"]]
)
def test_a_long_column_is_cast_as_a_short_one(tmp_path, cells):
    short, long = (
        read(tmp_path, a__csv="x,y\n" + "".join(f"{cell},1\n" for cell in cells * times)).frame["x"]
        for times in (1, 9_000)
    )
    if "err" not in cells:
        assert short.dtype == long.dtype
        assert long.head(3).to_list() == short.to_list()


def test_a_few_cells_that_are_no_number_are_counted_with_an_example(tmp_path):
    got = read(tmp_path, a__csv="x,y\n" + "1.5,a\n" * 200 + "err,a\n")
    assert got.strays == {"x": (1, "err")}
    assert got.frame["x"].null_count() == 1


def test_bad_lines_are_counted_and_what_cannot_be_read_is_named(tmp_path):
    cut = gzip.compress(b"a,b\n" + b"".join(b"%d,2\n" % n for n in range(5_000)))[:-300]
    got = read(
        tmp_path, a__csv="a,b\n1,2\n1\n3,4\n", cut__csv__gz=cut, noise__parquet=os.urandom(500),
        deep__jsonl=b"[" * 10_000 + b"\n", prose__txt="Words, words.\nAnd\nmore of them\n",
    )  # fmt: skip
    assert got.bad["1 fields, 2 expected"] == 1
    assert {name for name, _ in got.unread} == {"noise.parquet", "deep.jsonl", "prose.txt"}
    assert any(f"incomplete at byte {len(cut)}" in note for note in got.notes)
    assert got.files == ["a.csv", "cut.csv.gz"]
    assert got.frame.height == len(got.origin) > 2


def test_a_file_of_bad_lines_only_is_named(tmp_path):
    got = read(tmp_path, nul__csv=b"n,u\n" + b"\x00,\x00\n" * 5)
    assert got.unread == [("nul.csv", "no row in it (5 lines, the first: a NUL byte)")]


def test_a_large_text_is_sampled_and_said(tmp_path):
    text = "a,b\n" + "".join(f"{n},2\n" for n in range(100_000))
    got = read(tmp_path, pieces.CELLS, 60_000, a__csv=text)
    assert got.frame.height < 12_000
    rows, _, about = got.sampled[0].split()[:3]
    assert rows == str(got.frame.height) and about == "about"
    assert abs(int(got.sampled[0].split()[3]) - 100_000) < 10_000
    assert "at its beginning, middle and end" in got.sampled[0]


def test_short_lines_make_no_more_cells_than_fit(tmp_path):
    got = read(tmp_path, 1_000, a__csv__gz=gzip.compress(b"a,b\n" + b"1,2\n" * 100_000))
    assert got.frame.height * got.frame.width <= 1_500
    assert "of about" in got.sampled[0]


def test_a_large_parquet_is_sampled_and_said(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": np.arange(30_000.0), "b": np.arange(30_000.0)}).write_parquet(path)
    got = pieces.read([folder.File(path, "a.parquet", path.stat().st_size, ".parquet")], 3_000)
    assert got.frame.height <= 1_600
    assert "of 30000 rows of a.parquet" in got.sampled[0]
    assert got.frame["a"].max() == 29_999 or "first" in got.sampled[-1]


def test_files_that_differ_in_columns_are_told(tmp_path):
    got = read(tmp_path, a__csv="a,b\n1,2\n", b__csv="a,c\n1,x\n")
    assert "2 are not in all (b, c)" in got.notes[0]
    assert got.frame.height == 2


def test_columns_of_one_name_that_no_type_holds_together(tmp_path):
    for name, values in (("a", [[1, 2], [3]]), ("b", ["x", "y"])):
        pl.DataFrame({"n": values, "m": [1, 2]}).write_parquet(tmp_path / f"{name}.parquet")
    files = [
        folder.File(path, path.name, path.stat().st_size, ".parquet") for path in sorted(tmp_path.iterdir())
    ]
    got = pieces.read(files)
    assert (got.frame.columns, got.frame.height) == (["m"], 4)
    assert got.notes == ["nested in some files and not in others, left out: n"]


def test_times_of_no_calendar_are_passed_over_and_said(tmp_path):
    times = pl.Series([10**15, 10**18, -(10**18), None]).cast(pl.Datetime("us"))
    days = pl.Series([20_000, 2 * 10**8, 0, None], dtype=pl.Int32).cast(pl.Date)
    pl.DataFrame({"t": times, "d": days}).write_parquet(tmp_path / "a.parquet")
    size = (tmp_path / "a.parquet").stat().st_size
    got = pieces.read([folder.File(tmp_path / "a.parquet", "a.parquet", size, ".parquet")])
    assert (got.frame["t"].null_count(), got.frame["d"].null_count()) == (3, 2)
    assert [note[:12] for note in got.notes] == ["'t': 2 times", "'d': 1 times"]


def test_spans_are_seconds(tmp_path):
    pl.DataFrame({"wait": pl.Series([1_500, 2_000]).cast(pl.Duration("ms"))}).write_parquet(
        tmp_path / "a.parquet"
    )
    size = (tmp_path / "a.parquet").stat().st_size
    got = pieces.read([folder.File(tmp_path / "a.parquet", "a.parquet", size, ".parquet")])
    assert got.frame["wait"].to_list() == [1.5, 2.0]


def test_a_format_that_is_not_taken_in_is_told(tmp_path):
    assert "are not taken in: write them as .csv" in read(tmp_path, a__tsv="a\tb\n1\t2\n").unfit[0]
