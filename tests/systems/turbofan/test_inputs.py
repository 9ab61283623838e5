"""The files of the fleet: the same bytes again, every engine whole, the last flight of test engines asked."""

import hashlib

from flyball.systems.turbofan import inputs


def digests(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_files_are_the_same_bytes_again(files, tmp_path):
    inputs.prepare(tmp_path, engines=6)
    assert digests(tmp_path) == digests(files)
    assert len(digests(files)) == 9


def test_a_training_engine_is_asked_every_third_flight_and_a_test_engine_at_its_last(files):
    import polars as pl

    for file in files.glob("cycles-*.parquet"):
        frame = pl.read_parquet(file)
        last = pl.col("cycle") == pl.col("cycle").max().over("unit")
        wanted = last if "test" in file.name else pl.col("cycle") % 3 == 0
        assert frame.filter(pl.col("inspected") != wanted).is_empty()
        assert frame["unit"].n_unique() == 6 and frame["subset"].unique().to_list() == [file.stem[7:12]]


def test_the_life_left_stands_at_the_last_flight_of_every_test_engine(files):
    """The first of FD001's test engines flew 31 times and had 112 flights left (RUL_FD001.txt, line 1)."""
    import polars as pl

    truth = pl.read_parquet(files / "truth.parquet")
    assert truth.height == 24 and truth.row(0) == ("FD001-test-001", 31, 112.0)
