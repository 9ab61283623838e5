import io
import pathlib

import polars as pl
import pytest

from flyball.data.formats import parquet

PATH = pathlib.Path("a.parquet")


def packed():
    sink = io.BytesIO()
    pl.DataFrame({"a": [1, 2], "b": ["x", None]}).write_parquet(sink)
    return sink.getvalue()


def test_columns_keep_their_types_and_rows_their_numbers():
    raw = parquet.read(PATH, packed())
    assert raw.frame.schema == {"a": pl.Int64, "b": pl.String} and raw.lines.tolist() == [1, 2]


def test_a_cut_file_is_set_apart_whole_with_the_byte():
    content = packed()
    for cut in range(4, len(content), 7):
        raw = parquet.read(PATH, content[:cut])
        assert raw.frame.height == 0 and f"incomplete at byte {cut}" in raw.bad[0].reason


@pytest.mark.parametrize("content", [b"", b"hello, this is text", b"PAR1" + bytes(40) + b"PAR1"])
def test_what_is_no_parquet_is_told(content):
    raw = parquet.read(PATH, content)
    assert raw.frame.height == 0 and (raw.bad or raw.note == "empty file")
