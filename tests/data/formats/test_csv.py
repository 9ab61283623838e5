import csv as standard
import io
import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest

from flyball.data.formats import csv

PATH = pathlib.Path("a.csv")


def rows_of(raw):
    return list(
        zip(raw.lines.tolist(), *(raw.frame[name].to_list() for name in raw.frame.columns), strict=True)
    )


def test_the_fast_way_reads_what_the_slow_way_reads():
    text = b"machine,at,x\nm1,2025-01-01,1.5\nm2,2025-01-02,\n"
    names = ["machine", "at", "x"]
    fast, slow = csv._fast(text, names, b",", frozenset()), csv._slow(text, names, ",")
    assert fast is not None and rows_of(fast) == rows_of(slow)


cell = st.text(st.sampled_from('ab ,"\n;é1.'), max_size=5)


@hypothesis.given(st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=8))
def test_what_a_standard_writer_writes_is_read_back(rows):
    sink = io.StringIO()
    writer = standard.writer(sink, lineterminator="\n")
    writer.writerows([("a", "b", "c"), *rows])
    raw = csv.read(PATH, sink.getvalue().encode())
    assert not raw.bad
    expected = [tuple(value or None for value in row) for row in rows]
    assert [row[1:] for row in rows_of(raw)] == expected


@hypothesis.given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_told(content):
    raw = csv.read(PATH, b"a,b\n" + content + b"\n")
    lines = [line for line in (content + b"\n").replace(b"\r\n", b"\n").split(b"\n")[:-1] if line.strip()]
    assert raw.frame.height + len(raw.bad) <= len(lines)
    if b'"' not in content:
        assert raw.frame.height + len(raw.bad) == len(lines)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("m1,2025-01-01", "2 fields, 3 expected"),
        ("m1,2025-01-01,1,2", "4 fields, 3 expected"),
        ('m1,"2025-01-01,1', "damaged quotes"),
    ],
)
def test_a_row_of_another_length_is_set_apart_and_its_neighbours_stay(line, why):
    raw = csv.read(PATH, f"machine,at,x\nm1,2025-01-01,1\n{line}\nm1,2025-01-03,3\n".encode())
    assert [(bad.line, bad.text) for bad in raw.bad] == [(3, line)]
    assert raw.bad[0].reason.startswith(why)
    assert raw.lines.tolist() == [2, 4]


def test_a_short_and_a_long_row_do_not_even_out():
    raw = csv.read(PATH, b"a,b,c\n1,2\n3,4,5,6\n7,8,9\n")
    assert len(raw.bad) == 2 and raw.lines.tolist() == [4]


def test_a_last_line_without_end_may_be_cut_in_a_value():
    raw = csv.read(PATH, b"a,b\n1,2.5\n3,4.")
    assert raw.lines.tolist() == [2]
    assert raw.bad[0].text == "3,4." and raw.note.startswith("incomplete at byte 14")


def test_a_line_that_is_not_text_spoils_itself_alone():
    raw = csv.read(PATH, b"a,b\n1,\xff\n3,4\n")
    assert raw.bad[0].reason == "not UTF-8" and raw.lines.tolist() == [3]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(content):
    raw = csv.read(PATH, content)
    assert raw.note == "empty file" and not raw.frame.height and not raw.bad


def test_a_byte_order_mark_windows_lines_and_other_separators_are_read():
    raw = csv.read(PATH, b"\xef\xbb\xbfa;b\r\n1;2,5\r\n")
    assert rows_of(raw) == [(2, "1", "2,5")]


def test_two_columns_of_one_name_are_refused_with_every_row():
    raw = csv.read(PATH, b"a,a\n1,2\n3,4\n")
    assert [bad.reason for bad in raw.bad] == ["two columns are called 'a'"] * 2


def test_numbers_come_parsed_when_all_are_numbers():
    raw = csv.read(PATH, b"a,b\nx,1.5\ny,\n", numbers=("b",))
    assert raw.frame["b"].to_list() == [1.5, None]
    raw = csv.read(PATH, b"a,b\nx,1.5\ny,much\n", numbers=("b",))
    assert raw.frame["b"].to_list() == ["1.5", "much"]
