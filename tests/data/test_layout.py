"""A line reads as declared: real logs give the fields that people wrote down, and what does not fit is told."""

import csv
import io
import os
import zipfile
from pathlib import Path

import polars as pl
import pytest
import zstandard

from flyball import data
from flyball.data import binding, layout
from flyball.data.formats import log, read

SYSLOG = data.Layout(
    ("{time} {machine} {code}[{pid}]: {text}", "{time} {machine} {code}: {text}"),
    time="%b %d %H:%M:%S", continues=r"\s|Caused by",
)  # fmt: skip
#: A layout of each real log, and the columns of its truth that make up a field (joined by a space).
REAL = {
    "Apache": (
        data.Layout("[{time}] [{level}] {text}", time="%a %b %d %H:%M:%S %Y"),
        {"level": ["Level"], "text": ["Content"]},
    ),
    "HDFS": (
        data.Layout("{time} {pid} {level} {code}: {text}", time="%y%m%d %H%M%S"),
        {"pid": ["Pid"], "level": ["Level"], "code": ["Component"], "text": ["Content"]},
    ),
    "Hadoop": (
        data.Layout("{time} {level} [{process}] {code}: {text}", fields={"process": r"[^\]]*"}),
        {"level": ["Level"], "process": ["Process"], "code": ["Component"], "text": ["Content"]},
    ),
    "Spark": (
        data.Layout("{time} {level} {code}: {text}", time="%y/%m/%d %H:%M:%S"),
        {"level": ["Level"], "code": ["Component"], "text": ["Content"]},
    ),
    "OpenSSH": (
        data.Layout("{time} {machine} {code}[{pid}]: {text}", time="%b %d %H:%M:%S"),
        {"machine": ["Component"], "pid": ["Pid"], "text": ["Content"]},
    ),
    "BGL": (
        data.Layout(
            "{label} {time} {day} {machine} {stamp} {again} {kind} {code} {level} {text}", time="epoch"
        ),
        {"time": ["Timestamp"], "machine": ["Node"], "code": ["Component"], "level": ["Level"], "text": ["Content"]},
    ),
    "Linux": (SYSLOG, {"machine": ["Level"], "code": ["Component"], "pid": ["PID"], "text": ["Content"]}),
}  # fmt: skip


def parsed(text, declared=SYSLOG, name="syslog-2026-03-01.log"):
    return log.read(Path(name), text if isinstance(text, bytes) else text.encode(), layout=declared)


@pytest.mark.parametrize("system", REAL)
def test_real_lines_give_the_fields_that_people_wrote_down(system):
    if not os.environ.get("FLYBALL_DATA"):
        pytest.skip("FLYBALL_DATA names no folder: real logs were NOT read")
    declared, truth = REAL[system]
    assert not list(declared.problems(None))
    with zipfile.ZipFile(Path(os.environ["FLYBALL_DATA"], "loghub_2k", "loghub_2k.zip")) as packed:
        content = packed.read(f"{system}/{system}_2k.log")
        told = packed.read(f"{system}/{system}_2k.log_structured.csv").decode()
    raw = parsed(content.rstrip(b"\r\n") + b"\n", declared, f"{system}-2005.log")
    rows = list(csv.DictReader(io.StringIO(told)))
    assert len(rows) == 2000
    joined = sum(text.count("\n") for text in raw.frame["text"].to_list())
    assert raw.frame.height + len(raw.bad) + joined == 2000
    assert len(raw.bad) == (8 if system == "Linux" else 0) and all(
        "does not fit" in bad.reason for bad in raw.bad
    )
    for field, columns in truth.items():
        for line, value in zip(raw.lines.tolist(), raw.frame[field].to_list(), strict=True):
            want = " ".join(rows[line - 1][column] for column in columns).strip()
            assert (value or "").split("\n")[0].strip() == want, (system, line, field)


def test_a_stack_trace_is_one_message_and_no_one_elses():
    raw = parsed(
        "Mar  1 10:00:00 m1 sched[7]: failed\n  at a.b\nCaused by: x\nMar  1 10:00:01 m1 init: up\n"
        "what is this\n  at c.d\nMar  1 10:00:02 m2 init: up\n"
    )
    assert raw.frame["text"].to_list() == ["failed\n  at a.b\nCaused by: x", "up", "up"]
    assert raw.frame["pid"].to_list() == ["7", None, None] and raw.lines.tolist() == [1, 4, 7]
    assert [bad.line for bad in raw.bad] == [5, 6]
    assert "does not fit" in raw.bad[0].reason and "set apart" in raw.bad[1].reason
    plain = data.Layout("{time} {code} {text}")
    assert [bad.line for bad in parsed("2026-01-01T00:00:00Z A x\n at b\n", plain).bad] == [2]


def test_the_year_is_that_of_the_files_name_or_refused():
    line = "Dec 31 23:59:59 m1 init: up\n"
    assert parsed(line, name="a-2026-01-01.log").frame["time"][0] == "2025-12-31T23:59:59"
    assert parsed(line, name="a-2024.log").frame["time"][0] == "2024-12-31T23:59:59"
    assert parsed("Feb 29 01:00:00 m1 init: up\n", name="a-2024-03-01.log").frame.height == 1
    assert "no time" in parsed("Feb 29 01:00:00 m1 init: up\n", name="a-2025.log").bad[0].reason
    refused = parsed(line, name="messages.log")
    assert not refused.frame.height and "no year" in refused.bad[0].reason
    assert layout.day_of("a-20261399.log") is None


def test_a_mess_of_bytes_is_told_line_by_line():
    good = b"Mar  1 10:00:00 m1 init: up\r\n"
    raw = parsed(
        b"\xef\xbb\xbf" + good + b"Mar 1 10:00:00 m1 init: a\0b\n" + b"Mar 1 10:00:00 m1 init: \xff\n"
        + b"Mar 1 10:00:00 m1 init: " + b"x" * 10_000_000 + b"\n\n" + good + b"Mar  1 10:0"
    )  # fmt: skip
    assert raw.lines.tolist() == [1, 6] and raw.frame["text"].to_list() == ["up", "up"]
    told = {bad.line: bad.reason for bad in raw.bad}
    assert "NUL" in told[2] and "UTF-8" in told[3] and "longer than 65536" in told[4]
    assert told[7].startswith("incomplete at byte") and set(told) == {2, 3, 4, 7}
    assert max(len(bad.text) for bad in raw.bad) < 3000


def test_a_trace_without_end_is_no_message():
    raw = parsed("Mar  1 10:00:00 m1 init: up\n" + 900 * (" at " + 96 * "x" + "\n"))
    assert not raw.frame.height and len(raw.bad) == 901
    assert "longer" in raw.bad[0].reason and "set apart" in raw.bad[900].reason


def test_zst_is_read_and_a_cut_one_told():
    text = b"".join(b"Mar  1 10:00:00 m%d init: %d\n" % (i % 7, i * i) for i in range(9_000))
    packed = zstandard.compress(text)
    name = Path("a-2026.log.zst")
    assert read.ending(name) == ".log.zst"
    assert read.read(name, packed, layout=SYSLOG).frame.height == 9_000
    cut = read.read(name, packed[:-3], layout=SYSLOG)
    assert cut.note.startswith("incomplete at byte") and cut.frame.height < 9_000
    bomb = zstandard.compress(bytes(2**26))
    with pytest.raises(Exception, match="unpacks to more than"):
        read.read(name, bomb, layout=SYSLOG)


def test_a_binding_file_holds_layouts_and_its_rows_get_in(tmp_path):
    page = data.Fleet(
        "machine", data.WallClock(),
        (data.Table("events", {"code": "category", "text": "text"}, time="time"),),
    )  # fmt: skip
    site = data.Binding("north", layouts={"events": SYSLOG}, zone="Asia/Taipei").check(page)
    (tmp_path / "a.binding").write_text(repr(site))
    site = binding.read(tmp_path / "a.binding")
    assert site.layouts["events"] == SYSLOG
    from flyball.runtime.store import Store

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "events-2026-03-01.log").write_text(
        "Mar  1 10:00:00 m1 sched[7]: failed\n at a\nnoise\n"
    )
    store = Store.open(tmp_path / "store", page)
    receipt = store.ingest([tmp_path / "in"], binding=site)
    assert receipt.good == {"events": 1} and sum(receipt.quarantined["events"].values()) == 1
    rows = store.rows("events")
    assert rows.words("text").texts() == ["failed\n at a"] and rows.keys == ("m1",)
    assert (
        rows.at.tolist() == pl.Series(["2026-03-01T02:00:00"]).str.to_datetime("%FT%T").dt.epoch().to_list()
    )


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (data.Layout("no field"), "line"),
        (data.Layout("{time} {time}"), "line"),
        (data.Layout("{time"), "line"),
        (data.Layout("{time} {a}", fields={"a": "("}), "fields['a']"),
        (data.Layout("{time} {a}", fields={"a": "(b)"}), "fields['a']"),
        (data.Layout("{time} {a}", fields={"a": "x(?=y)"}), "fields['a']"),
        (data.Layout("{time} {a}", fields={"b": "x"}), "fields['b']"),
        (data.Layout("{time} {a}", time="%Q"), "time"),
        (data.Layout("{time} {a}", time="ISO"), "time"),
        (data.Layout("{time} {a}", continues="*"), "continues"),
        (data.Layout("{time} {a}", longest=1), "longest"),
    ],
)
def test_a_wrong_layout_is_told(wrong, place):
    assert [problem.place for problem in wrong.problems(None)] == [place]
    with pytest.raises(Exception, match="layouts"):
        data.Binding("x", layouts={"events": wrong}).check()
