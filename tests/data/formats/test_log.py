"""Raw logs: a line that fits gives a row, a line that does not is told with its number and what it lacks."""

import gzip
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball import kernels
from flyball.data.formats import log, read

LINE = "2025-01-01T00:00:02.500Z 2025-01-01T00:00:01Z A-001 WARN DG-1a2b droplet late, x=3\n"


def parsed(text, name="a.log"):
    return log.read(Path(name), text if isinstance(text, bytes) else text.encode())


def test_a_line_gives_its_fields():
    raw = parsed(LINE)
    assert raw.frame.columns == list(log.COLUMNS) and not raw.bad
    assert raw.frame.rows() == [
        ("2025-01-01T00:00:02.500Z", "2025-01-01T00:00:01Z", "A-001", "WARN", "DG-1a2b", "droplet late, x=3")
    ]
    short = parsed("2025-01-01T00:00:01+01:00 A-001 INFO X\n")
    assert short.frame.rows() == [("2025-01-01T00:00:01+01:00", "A-001", "INFO", "X", None)]


def test_lines_that_do_not_fit_are_told_with_number_and_reason():
    bad = [
        (b"hello", "no ISO 8601 time"),
        (b"2025-01-01T00:00:01Z ", "no machine"),
        (b"2025-01-01T00:00:01Z A-001 warn X", "no level"),
        (b"2025-01-01T00:00:01Z A-001 WARN " + b"X" * 17, "no code"),
        (b"\xff\xfe", "not UTF-8"),
        ("2025-01-01T00:00:01Z ü WARN X".encode(), "no machine"),
    ]
    raw = parsed(b"\n".join([LINE.encode().strip(), *(line for line, _ in bad), b"", LINE.encode()]))
    assert raw.frame.height == 2 and raw.lines.tolist() == [1, 9]
    assert [item.line for item in raw.bad] == [2, 3, 4, 5, 6, 7]
    for item, (_, why) in zip(raw.bad, bad, strict=True):
        assert why in item.reason


def test_a_cut_file_keeps_its_whole_lines():
    raw = parsed((3 * LINE).encode()[:-20])
    assert raw.frame.height == 2 and "incomplete" in raw.note and raw.bad[0].line == 3
    packed = gzip.compress((200 * LINE).encode())[:-10]
    raw = parsed(packed, "a.log.gz")
    assert "gzip" in raw.note and 0 < raw.frame.height <= 200
    assert parsed(b"", "a.log").note == "empty file"


def test_both_endings_have_this_reader():
    for name in ("events-1.log", "EVENTS.LOG.GZ"):
        assert read.READERS[read.ending(Path(name))] is log.read


def test_crlf_and_a_byte_order_mark_are_no_part_of_a_line():
    raw = parsed(b"\xef\xbb\xbf" + LINE.replace("\n", "\r\n").encode())
    assert raw.frame["text"].to_list() == ["droplet late, x=3"] and not raw.bad


PIECES = st.sampled_from(
    ["2025-01-01T00:00:01Z", "2025-02-30T00:00:01Z", "A-001", "WARN", "info", "DG-W1", "", "x" * 40, "é", "-"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=7).map(" ".join), max_size=8))
def test_every_line_is_a_row_or_bad_and_what_the_scan_of_logs_takes_is_a_row(lines):
    text = "".join(f"{line}\n" for line in lines).encode()
    raw = parsed(text)
    told = [*raw.lines.tolist(), *(item.line for item in raw.bad if item.line)]
    assert sorted(told) == [number for number, line in enumerate(lines, 1) if line.strip()]
    layout = kernels.LogLayout(levels=("WARN",))
    for number, line in enumerate(lines, 1):
        scan = kernels.LogScan(layout)
        scan.push(f"{line}\n".encode())
        assert not scan.finish().count.sum() or number in raw.lines
