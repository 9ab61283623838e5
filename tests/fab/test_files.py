"""Tables and daily files: the same for the same seed, each row once, on the day it was seen."""

import hashlib

import numpy as np
import polars as pl
import pytest

from flyball import errors, fab

SMALL = fab.Fab("tiny", seed=4, days=40)


def digest(fleet):
    total = hashlib.sha256()
    for name, columns in sorted(fab.tables(fleet).items()):
        for column, values in sorted(columns.items()):
            total.update(f"{name}.{column}".encode() + values.tobytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_tables_and_another_seed_others():
    from flyball.fab import dynamics, files
    from flyball.fab import fleet as plans

    first = digest(SMALL)
    for cache in (files._tables, dynamics.history, plans.plan):
        cache.cache_clear()
    assert digest(SMALL) == first
    assert digest(fab.Fab("tiny", seed=5, days=40)) != first


def test_tables_are_typed_sorted_by_arrival_and_read_only():
    for name, columns in fab.tables(SMALL).items():
        assert list(columns)[:3] == ["machine", "at", "seen"]
        assert columns["at"].dtype == columns["seen"].dtype == np.int64
        assert (np.diff(columns["seen"]) >= 0).all()
        assert columns["seen"].max() < fab.START_US + 40 * 86_400_000_000
        assert not columns["at"].flags.writeable, name
    assert set(fab.UNITS) < set(fab.tables(SMALL)["telemetry"])


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_files_hold_every_row_on_the_day_it_was_seen(tmp_path, form):
    written = fab.write(SMALL, tmp_path, form=form)
    for name, columns in fab.tables(SMALL).items():
        files = sorted((tmp_path / name).iterdir())
        assert len(files) == written[name]["files"] <= 40
        assert sum(f.stat().st_size for f in files) == written[name]["bytes"]
        read = pl.read_csv if form == "csv.gz" else pl.read_parquet
        frames = [read(file) for file in files]
        for file, frame in zip(files, frames, strict=True):
            days = frame["seen"].cast(pl.String).str.slice(0, 10).unique().to_list()
            assert days == [file.name[:10]]
        whole = pl.concat(frames, how="vertical_relaxed")
        assert whole.height == len(columns["at"]) == written[name]["rows"]
        assert whole["machine"].to_list() == columns["machine"].tolist()
        assert "time" in whole.columns and "at" not in whole.columns
    jitter, kept = whole_jitter(tmp_path, form), fab.tables(SMALL)["telemetry"]["jitter"]
    np.testing.assert_array_equal(jitter, kept)


def whole_jitter(folder, form):
    read = pl.read_csv if form == "csv.gz" else pl.read_parquet
    frames = [read(file, columns=["jitter"]) for file in sorted((folder / "telemetry").iterdir())]
    return pl.concat(frames)["jitter"].fill_null(float("nan")).to_numpy()


def test_writing_again_gives_the_same_bytes(tmp_path):
    few = fab.Fab("tiny", machines=2, days=5)
    for folder in ("one", "two"):
        fab.write(few, tmp_path / folder)
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*z")]
    assert files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_truth_lies_apart_and_can_be_left_out(tmp_path):
    fab.write(SMALL, tmp_path / "with")
    fab.write(SMALL, tmp_path / "without", with_truth=False)
    assert {p.stem for p in (tmp_path / "with" / "truth").iterdir()} == {
        "states",
        "failures",
        "swaps",
        "onsets",
        "mess",
    }
    assert not (tmp_path / "without" / "truth").exists()


def test_an_unknown_form_is_refused(tmp_path):
    with pytest.raises(errors.DataError, match="'xlsx'"):
        fab.write(SMALL, tmp_path, form="xlsx")
