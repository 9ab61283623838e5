import gzip
import os

import pytest

from flyball import data, errors, units
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"})
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    (folder / "telemetry").mkdir(parents=True)
    (folder / "telemetry" / "2025-01-01.csv").write_text(
        "machine,at,power\nm1,2025-01-01,1\nm1,2025-01-02,x\n"
    )
    (folder / "events-1.csv.gz").write_bytes(gzip.compress(b"machine,at,code\nm1,2025-01-01,A\n"))
    (folder / "notes.csv").write_text("a,b\n")
    (folder / "readme.txt").write_text("hello")
    return folder


def test_the_receipt_adds_up_and_names_what_nobody_claims(store, inbox):
    receipt = store.ingest([inbox], now=NOW)
    assert receipt.good == {"telemetry": 1, "events": 1} and receipt.files == 2 and receipt.changed
    assert receipt.quarantined["telemetry"] == {"power: no number": 1}
    assert receipt.unclaimed == ["notes.csv", "readme.txt"]
    assert any("belongs to no table" in line for line in receipt.lines())
    assert receipt.json()["files"] == 2
    sources = store.sources()
    assert (sources["sent"] == sources["good"] + sources["quarantined"] + sources["duplicates"]).all()


def test_a_single_file_and_progress(store, inbox):
    told = []
    store.ingest([inbox / "telemetry" / "2025-01-01.csv"], now=NOW, progress=lambda *step: told.append(step))
    assert told == [("ingest", 1, 1)] and len(store.rows("telemetry")) == 1


def test_a_path_that_is_not_there_is_an_error(store, tmp_path):
    with pytest.raises(errors.DataError, match="give the place"):
        store.ingest([tmp_path / "nowhere"])


def test_a_binding_out_of_its_days_is_refused(store, inbox):
    with pytest.raises(errors.DataError, match="holds from"):
        store.ingest([inbox], data.Binding("north", until="2020-01-01"), now=NOW)


def test_live_rows_are_seen_when_they_came(store, inbox):
    store.ingest([inbox], now=NOW, live=True)
    assert store.rows("telemetry").seen.tolist() == [NOW]


def test_many_small_files_are_one_commit_and_few_data_files(store, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"events-{number}.csv").write_text(f"machine,at,code\nm{number},2025-01-01,A\n")
    receipt = store.ingest([folder], now=NOW)
    assert receipt.files == 300 and receipt.commit == 1
    assert len(list((store.folder / "tables" / "events").glob("*.parquet"))) == 1


def test_names_that_are_not_utf8_are_taken_and_shown(store, tmp_path):
    folder = tmp_path / "in" / "telemetry"
    folder.mkdir(parents=True)
    with open(os.fsencode(folder) + b"/\xff.csv", "wb") as file:
        file.write(b"machine,at,power\nm1,2025-01-01,1\nm1,2025-01-02,x\n")
    os.symlink("x", os.fsencode(folder) + b"/\xfe.csv")
    receipt = store.ingest([tmp_path / "in"], now=NOW)
    assert receipt.good == {"telemetry": 1} and store.sources()["name"].to_list()[-1] == "telemetry/?.csv"
    assert "?.csv is a symbolic link: send a regular file" in receipt.quarantined["telemetry"]
