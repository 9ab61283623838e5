"""Codes by hour and machine: counted as files stream, equal to what the rows of the page count."""

import gzip
import json

import polars as pl
import pytest
import zstandard

from flyball import cli, data
from flyball.data.formats import judge, log

NOW = 1_800_000_000_000_000
PAGE = data.Fleet("machine", data.WallClock(), (data.Table("events", {"code": "category"}, time="time"),))


def called(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return end.value.code, out, err


def events(machine, stamped=False):
    """Return a log of two days in which a code is renamed at noon of the second one."""
    rows = []
    for minute in range(0, 2880, 7):
        code = ("SS-0101", "SS-1101")[minute >= 2160] if minute % 2 else f"AL-{minute % 5}"
        stamp = f"2026-03-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:01"
        text = f"stage slipped by {minute} um" if minute % 2 else f"mark {minute}"
        rows.append(f"{stamp + '.5Z ' if stamped else ''}{stamp}Z {machine} WARN {code} {text}\n")
    return "".join(rows).encode()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs" / "m2").mkdir(parents=True)
    (tmp_path / "logs" / "m1.log").write_bytes(events("m1") + b"noise\n")
    (tmp_path / "logs" / "m2" / "m2.log.gz").write_bytes(gzip.compress(events("m2", stamped=True)))
    (tmp_path / "logs" / "m3.log.zst").write_bytes(zstandard.compress(events("m3")))
    (tmp_path / "logs" / "notes.txt").write_text("nothing")
    return tmp_path / "logs"


def test_counts_are_those_of_the_rows(capsys, tmp_path, folder):
    code, out, err = called(capsys, "codes", folder, "--out", tmp_path / "codes.csv", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["files"] == 3 and sum(told["malformed"].values()) == 1 and not told["incomplete"]
    rows = []
    for file in (path for path in folder.rglob("m*") if path.is_file()):
        site = judge.Judge(PAGE, PAGE.tables[0], None, NOW)
        rows.append(site.judge(log.read(file, file.read_bytes()), file.name).good)
    slow = pl.concat(rows).with_columns(hour=pl.col("at") // 3_600_000_000 * 3_600_000_000)
    slow = slow.group_by("hour", "key", "code").len().sort("hour", "key", "code")
    fast = pl.read_csv(tmp_path / "codes.csv").with_columns(
        pl.col("hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us").dt.epoch("us")
    )
    assert fast.rows() == slow.rows() and fast.height == told["rows"] > 100
    assert told["counted"] == slow["len"].sum() == told["lines"] - 1


def test_renames_are_told_where_asked_for(capsys, folder):
    code, out, _ = called(capsys, "codes", folder, "--renames")
    assert code == 0 and "SS-0101" in out
    assert "began on 3 machines, both saying 'stage slipped by <*>" in out and out.count("renamed?") == 1
    assert "not counted: 1 lines" in out
    code, out, _ = called(capsys, "codes", folder)
    assert code == 0 and "renamed?" not in out


def test_a_cut_file_is_named_and_what_is_no_log_refused(capsys, tmp_path, folder):
    whole = (folder / "m3.log.zst").read_bytes()
    (folder / "m3.log.zst").write_bytes(whole[:-9])
    code, out, _ = called(capsys, "codes", folder / "m3.log.zst")
    assert code == 0 and "incomplete at byte" in out
    for path in (tmp_path / "missing.log", tmp_path / "none"):
        (tmp_path / "none").mkdir(exist_ok=True)
        code, _, err = called(capsys, "codes", path)
        assert code == 3 and path.name in err and "Traceback" not in err
