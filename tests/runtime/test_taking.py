import polars as pl
import pytest

from flyball import data, units
from flyball.runtime import taking
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"})
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


def test_memory_is_bounded_by_writing_in_pieces_of_one_commit(store, tmp_path, monkeypatch):
    monkeypatch.setattr(taking, "CELLS", 100)
    folder = tmp_path / "pieces"
    folder.mkdir()
    for number in range(9):
        frame = pl.DataFrame({"machine": ["m"] * 10, "at": [NOW - number] * 10, "code": [str(number)] * 10})
        frame.write_parquet(folder / f"events-{number}.parquet")
    store.ingest([folder], now=NOW)
    files = store.journal.files("tables/events")
    assert len(files) > 3 and {file.commit for file in files} == {1}
    assert len(store.rows("events")) == 90
