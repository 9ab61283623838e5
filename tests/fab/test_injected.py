"""One table of truth: one schema, sorted, machines and sites by name."""

import numpy as np

from flyball import fab
from flyball.fab import fleet, injected

FLEET = fab.Fab("tiny", seed=2)


def test_a_machine_brings_its_site_and_a_site_stands_for_its_machines():
    one = injected.table(FLEET, "drift", machine=[3, 0], channel="jitter", start=[5.0, 1.0], end=9.0)
    two = injected.table(FLEET, "outage", site=[1], start=3.0, end=4.0, magnitude=1.0)
    three = injected.table(FLEET, "redesign", start=2.0, end=9.0, note="all")
    whole = injected.join([one, two, three])
    assert tuple(whole) == injected.COLUMNS
    assert whole["start"].tolist() == [1.0, 2.0, 3.0, 5.0]
    assert whole["machine"].tolist() == ["A-001", "", "", "B-002"]
    assert whole["site"].tolist() == ["A", "", "B", "B"]
    assert np.isnan(whole["magnitude"][[0, 1, 3]]).all()


def test_it_is_written_with_the_truth(tmp_path):
    import polars as pl

    small = fab.Fab("tiny", seed=2, machines=2, days=60)
    fab.write(small, tmp_path, only=("repairs",))
    found = pl.read_parquet(tmp_path / "truth" / "truth-mess.parquet")
    assert tuple(found.columns) == injected.COLUMNS
    assert found["start"].dtype == pl.Datetime("us", "UTC") and found["start"].null_count() == 0
    assert found["machine"].null_count() > 0
    assert found["end"].dt.epoch("us").max() > fleet.START_US
