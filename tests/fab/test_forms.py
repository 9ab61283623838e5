"""Rows as bytes: what is written is read back by the house's own readers, to the millisecond."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.data.formats import read
from flyball.fab import codes, forms

US = 1_735_689_600_000_000
MOMENTS = st.integers(0, 10**9).map(lambda ms: US + 1000 * ms)
CODES = st.sampled_from(["DG-2A01", "VA-2107"])
ROW = st.tuples(
    MOMENTS, MOMENTS, st.sampled_from("IWEF"), CODES, st.sampled_from(["", "set"]), st.floats(0.0, 99.0)
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_raw_log_lines_are_read_back(rows):
    names = ("at", "seen", "severity", "code", "set_clear", "value")
    given = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    frame = forms.frame({"machine": np.full(len(rows), "A-001"), **given})
    raw = read.read(Path("a.log.gz"), forms.content(frame, "log.gz"))
    assert not raw.bad
    assert raw.frame["code"].to_list() == given["code"].tolist()
    assert raw.frame["machine"].unique().to_list() == ["A-001"]
    assert raw.frame["level"].to_list() == [codes.LEVELS[letter] for letter in given["severity"]]
    for text, row in zip(raw.frame["text"], rows, strict=True):
        assert text == codes.text(row[3], row[5]) + (f" [{row[4]}]" if row[4] else "")
    for name, wanted in (("time", given["at"]), ("seen", given["seen"])):
        assert raw.frame[name].str.to_datetime(time_unit="us").dt.epoch("us").to_list() == wanted.tolist()


def test_missing_is_empty_and_equal_rows_are_equal_bytes():
    frame = forms.frame({"at": np.array([US]), "x": np.array([np.nan]), "note": np.array([""])})
    text = gzip.decompress(forms.content(frame, "csv.gz")).decode()
    assert text == "at,x,note\n2025-01-01T00:00:00.000Z,,\n"
    for form in ("csv.gz", "parquet"):
        assert forms.content(frame, form) == forms.content(frame.clone(), form)


def test_parquet_keeps_types():
    import io

    frame = forms.frame({"at": np.array([US]), "ok": np.array([True]), "n": np.array([3], dtype=np.int64)})
    back = pl.read_parquet(io.BytesIO(forms.content(frame, "parquet")))
    assert back.schema == frame.schema and back.rows() == frame.rows()


def test_a_time_without_a_zone_is_written_without_one():
    rows = forms.frame({"at": np.array([1_735_689_600_000_000]), "seen": np.array([1_735_689_600_000_000])})
    local = rows.with_columns(rows["at"].dt.replace_time_zone(None))
    text = gzip.decompress(forms.content(local, "csv.gz")).decode().splitlines()[1]
    assert text == "2025-01-01T00:00:00.000,2025-01-01T00:00:00.000Z"
