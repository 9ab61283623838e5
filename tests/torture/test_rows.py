import pytest

from flyball import data
from flyball.data.formats import csv, raw
from flyball.torture import rows


def test_rows_that_came_again_and_were_not_dropped_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr("flyball.runtime.store.once", lambda frame, table: frame)
    assert not rows.resent(1, tmp_path).passed


@pytest.mark.parametrize("trial", [rows.late, rows.corrected], ids=lambda one: one.__name__)
def test_rows_known_before_they_were_seen_are_noticed(tmp_path, monkeypatch, trial):
    real = rows.store

    def blind(*given, **more):
        kept = real(*given, **more)
        known = kept.rows
        kept.rows = lambda name, as_of=None: known(name)
        return kept

    monkeypatch.setattr(rows, "store", blind)
    monkeypatch.setattr(data.Rows, "known", lambda self, as_of: self)
    assert not trial(1, tmp_path).passed


def test_windows_that_take_rows_as_they_come_are_noticed(tmp_path, monkeypatch):
    real = rows.asked
    monkeypatch.setattr(
        rows, "asked", lambda kept, cut: {**real(kept, cut), "came": kept.folder.name.encode()}
    )
    assert rows.disordered(1, tmp_path).why == "features differ"


def test_a_unit_that_nobody_judges_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(data.SameUnit, "_other", lambda self, ratio: None)
    assert rows.changed(1, tmp_path).why == "another unit is not told"


def test_a_reader_that_trusts_the_last_line_is_noticed(tmp_path, monkeypatch):
    from flyball.data.formats import read

    real = csv.read

    def trusting(path, content, numbers=(), *limits):
        return real(path, content + (b"" if content.endswith(b"\n") else b"\n"), numbers)

    monkeypatch.setitem(read.READERS, ".csv", trusting)
    told = rows.cut(1, tmp_path)
    assert not told.passed and "csv cut at byte" in told.why


def test_a_damaged_gzip_whose_rows_are_kept_is_noticed(tmp_path, monkeypatch):
    import zlib

    def trusting(path, content, limits=raw.PLAIN):
        if path.suffix != ".gz":
            return content, ""
        try:
            return zlib.decompressobj(wbits=-15).decompress(content[10:]), "incomplete at byte 10"
        except zlib.error:
            return b"", "damaged"

    monkeypatch.setattr(csv, "unpacked", trusting)
    assert any(not rows.cut(seed, tmp_path / str(seed)).passed for seed in range(3))
