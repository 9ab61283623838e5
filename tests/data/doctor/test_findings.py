"""Findings: sentences with their evidence, in the order of harm."""

import numpy as np
import polars as pl
import pytest

from flyball.data.doctor import examine, findings


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("messy")
    rng = np.random.default_rng(12)
    n = 400
    times = np.datetime64("2026-01-01T00:00") + np.arange(n // 4).astype("timedelta64[m]") * 10
    failed = rng.random(n) < 0.15
    frame = pl.DataFrame(
        {
            "machine": np.repeat(["a", "b", "c", "d"], n // 4), "time": np.tile(times, 4).astype("datetime64[us]"), 
            "flow": np.where(rng.random(n) < 0.02, -999.0, rng.normal(5, 0.1, n)),
            "code": np.where(failed, "E1", "ok"), "rare": np.where(np.arange(n) < 3, 1, 7), "empty": [None] * n, 
            "half": [None if k % 3 else 1.0 * k for k in range(n)],
            "uptime_hours": rng.uniform(0, 10**6, n), "failed": failed.astype(int),
        }
    )  # fmt: skip
    frame = frame.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    text = frame.write_csv().replace("\nb,2026-01-01T01:40:00Z", "\nb,2026-01-01T00:00:00Z", 1)
    (place / "rows.csv").write_text(text + "short,line\n")
    (place / "old").mkdir()
    (place / "old" / "copy.csv").write_text(text + "short,line\n")
    return examine.folder_of(place)["findings"]


def one(found, words):
    (told,) = [told for told in found if words in told["what"] and told["table"] == "rows"]
    return told


def test_each_has_its_evidence(found):
    assert set(found[0]) == {"kind", "table", "file", "column", "share", "examples", "what"}
    leak = one(found, "'code'")
    assert (leak["kind"], leak["file"], leak["column"], leak["share"]) == ("leak", "rows.csv", "code", 1.0)
    rare = one(found, "nearly constant")
    assert rare["examples"] == ["rare (99.25% 7)"]
    assert one(found, "hold nothing")["examples"] == ["empty"]
    assert one(found, "half the rows")["examples"] == ["empty", "half"][1:]
    assert one(found, "fields")["share"] == pytest.approx(1 / 401)
    assert one(found, "does it mean missing")["column"] == "flow"
    assert one(found, "look at the largest")["kind"] == "unit"


def test_the_worst_come_first(found):
    kinds = [told["kind"] for told in found]
    assert kinds.index("leak") < kinds.index("column")
    assert "2 files are byte for byte the same: old/copy.csv, rows.csv" in found[0]["what"]


def test_pieces_of_a_split_are_told_with_the_whole():
    across = [
        {"of": "test", "in": name, "rows": rows, "out_of": 100, "back": rows, "example": [1, 2]}
        for name, rows in (("train", 9), ("train_10", 3), ("train_2", 6))
    ]
    told = list(findings._shared({"name": "maps"}, {"across": across, "repeated": 0}, "images"))
    assert len(told) == 1
    assert (
        told[0]["what"]
        == "9 of 100 images of 'test' stand in 'train' too, value for value (train_2 6, train_10 3)"
    )
    assert told[0]["share"] == 0.09


def test_nothing_wrong_gives_no_finding():
    assert list(findings.of({"images": [], "tables": [], "families": [], "copies": []})) == []
