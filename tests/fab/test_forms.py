"""Rows as bytes: what is written is read back by the house's own readers, to the millisecond."""

import gzip
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.data.formats import read
from flyball.fab import forms

US = 1_735_689_600_000_000
MOMENTS = st.integers(0, 10**9).map(lambda ms: US + 1000 * ms)
WORDS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f\x85"), max_size=20
)
ROW = st.tuples(
    MOMENTS, MOMENTS, st.sampled_from(["INFO", "WARN"]), st.sampled_from(["DG-W1", "VA-F2"]), WORDS
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_raw_log_lines_are_read_back(rows):
    at, seen, level, code, text = map(np.array, zip(*rows, strict=True))
    machine = np.full(len(rows), "A-001")
    frame = forms.frame(
        {"machine": machine, "at": at, "seen": seen, "level": level, "code": code, "text": text}
    )
    raw = read.read(Path("a.log.gz"), forms.content(frame, "log.gz"))
    assert not raw.bad
    for name, wanted in (("level", level), ("code", code), ("machine", machine)):
        assert raw.frame[name].to_list() == wanted.tolist()
    assert [t or "" for t in raw.frame["text"]] == text.tolist()
    for name, wanted in (("time", at), ("seen", seen)):
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
