import pathlib

import pytest

from flyball.data.formats import read


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("a.csv", ".csv"),
        ("a.CSV.GZ", ".csv.gz"),
        ("a.ndjson", ".ndjson"),
        ("a.parquet", ".parquet"),
        ("a.txt", ""),
        ("csv", ""),
    ],
)
def test_a_name_says_the_format(name, end):
    assert read.ending(pathlib.Path(name)) == end


def test_each_format_reads_the_same_row():
    found = read.read(pathlib.Path("a.csv"), b"a,b\n1,x\n").frame
    assert found.equals(read.read(pathlib.Path("a.jsonl"), b'{"a": 1, "b": "x"}\n').frame)


def test_a_file_beyond_memory_is_told(monkeypatch):
    def burst(*_):
        raise MemoryError

    monkeypatch.setitem(read.READERS, ".csv", burst)
    assert "memory" in read.read(pathlib.Path("a.csv"), b"").note
