"""One test for each fault of the list, with a seed; all seeds are `flyball torture ingest --tier minutes`."""

import pytest

from flyball.torture import ingest, storage


@pytest.mark.parametrize("trial", ingest.TRIALS, ids=lambda trial: f"{trial.row} {trial.fault}")
def test_row(trial, tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "STRIDE", 48)  # a third of the calls that a seed tries there
    told = trial.run(5, tmp_path)
    assert told.passed, told.why
    assert told.lost_bytes == 0 and told.recovery_s < storage.OPEN_S
