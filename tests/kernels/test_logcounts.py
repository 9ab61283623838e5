"""The counts as arrays, and as a frame of another library."""

import datetime

import numpy as np
import pandas
import polars

from flyball import kernels

LINES = b"2026-03-01T12:34:56Z M1 INFO E-1 a\n2026-03-01T13:34:56Z M2 ERROR E-1 a\n"


def counts(*by):
    return kernels.scan_log(LINES, kernels.LogLayout(), by=("hour", "code", *by))


def test_columns_are_what_was_asked_for():
    assert list(counts().columns()) == ["hour", "code", "count"]
    assert list(counts("level", "machine").columns()) == ["hour", "code", "machine", "level", "count"]
    told = counts("machine", "level")
    assert (told.machine.tolist(), told.level.tolist()) == (["M1", "M2"], ["INFO", "ERROR"])
    assert told.hour.dtype == np.int64 and told.hour[0] == 1_772_366_400_000_000


def test_frames():
    told = counts("machine", "level")
    frame = told.to_polars()
    assert isinstance(frame, polars.DataFrame)
    assert frame.row(0) == (datetime.datetime(2026, 3, 1, 12), "E-1", "M1", "INFO", 1)
    assert pandas.DataFrame(told.columns())["count"].sum() == 2


def test_nothing_counted():
    told = kernels.scan_log(b"", kernels.LogLayout(), by=("hour", "code", "level", "machine"))
    assert [len(column) for column in told.columns().values()] == [0] * 5
    assert (told.lines, told.bytes, told.malformed, told.kept) == (0, 0, {}, ())
    assert told.to_polars().height == 0
