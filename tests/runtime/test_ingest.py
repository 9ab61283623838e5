import gzip
import io
import os
import pathlib
import tarfile
import zipfile

import numpy as np
import polars as pl
import pytest

from flyball import data, errors, units
from flyball.runtime import ingest
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


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("telemetry/2025.csv", "telemetry"), ("x/events/2025.csv", "events"), ("events-2025.csv.gz", "events"),
        ("telemetry.parquet", "telemetry"), ("telemetry/events-1.csv", "events"), ("eventsful.csv", None),
        ("a.csv", None),
    ],
)  # fmt: skip
def test_a_file_is_claimed_by_its_folder_or_its_beginning(name, table):
    found = ingest.claim(FLEET, pathlib.Path("in") / name, pathlib.Path(name))
    assert (found.name if found else None) == table


def test_a_page_of_one_table_claims_every_data_file():
    one = data.Fleet("machine", None, (TELEMETRY,))
    assert ingest.claim(one, pathlib.Path("in/a.csv"), pathlib.Path("a.csv")) is TELEMETRY


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


def test_memory_is_bounded_by_writing_in_pieces_of_one_commit(store, tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "CELLS", 100)
    folder = tmp_path / "pieces"
    folder.mkdir()
    for number in range(9):
        frame = pl.DataFrame({"machine": ["m"] * 10, "at": [NOW - number] * 10, "code": [str(number)] * 10})
        frame.write_parquet(folder / f"events-{number}.parquet")
    store.ingest([folder], now=NOW)
    files = store.journal.files("tables/events")
    assert len(files) > 3 and {file.commit for file in files} == {1}
    assert len(store.rows("events")) == 90


def bundle(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in files.items():
                made.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as made:
            for name, content in files.items():
                told = tarfile.TarInfo(name)
                told.size = len(content)
                made.addfile(told, io.BytesIO(content))
    return path


DAY = b"machine,at,power\nm1,2025-01-01,1\nm1,2025-01-02,x\n"


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz"])
def test_a_file_loose_or_in_bundles_is_taken_once(store, tmp_path, kind):
    files = {
        "telemetry/1.csv": DAY,
        "events-1.csv": b"machine,at,code\nm1,2025-01-01,A\n",
        "readme.txt": b"x",
    }
    receipt = store.ingest([bundle(tmp_path / "in" / f"drop{kind}", files)], now=NOW)
    assert receipt.good == {"telemetry": 1, "events": 1} and receipt.files == 2
    assert receipt.quarantined["telemetry"] == {"power: no number": 1}
    assert receipt.unclaimed == [f"drop{kind}/readme.txt"]
    assert store.sources()["name"].to_list() == [f"drop{kind}/telemetry/1.csv", f"drop{kind}/events-1.csv"]
    (tmp_path / "in" / "telemetry").mkdir()
    (tmp_path / "in" / "telemetry" / "loose.csv").write_bytes(DAY)
    bundle(tmp_path / "in" / "again.zip", files)
    again = store.ingest([tmp_path / "in"], now=NOW)
    assert (again.files, again.known, len(store.rows("telemetry"))) == (0, 5, 1)


def test_members_are_claimed_by_their_name_their_folder_or_the_bundle(store, tmp_path):
    rows = [DAY.replace(b"m1", b"m%d" % n) for n in range(4)]
    bundle(tmp_path / "in" / "a.zip", {"x/telemetry/1.csv": rows[0], "telemetry-2.csv": rows[1]})
    bundle(tmp_path / "in" / "telemetry-2025.zip", {"3.csv": rows[2]})
    bundle(tmp_path / "in" / "telemetry" / "b.tar", {"4.csv": rows[3]})
    receipt = store.ingest([tmp_path / "in"], now=NOW)
    assert receipt.good == {"telemetry": 4} and receipt.unclaimed == []


def test_what_a_bundle_must_not_hold_is_refused_by_name_once_and_the_rest_taken(store, tmp_path):
    path = bundle(tmp_path / "in" / "drop.zip", {"../telemetry-1.csv": DAY, "telemetry-2.csv": DAY})
    for _ in range(2):
        receipt = store.ingest([path], now=NOW)
        assert store.quarantine()["bundles"] == {"'../telemetry-1.csv' in drop.zip leads out of it": 1}
        assert len(store.rows("telemetry")) == 1
    assert receipt.files == 0 and store.holds()["files"] == 1
    assert not (tmp_path / "telemetry-1.csv").exists()


def test_a_bundle_beyond_the_limits_is_refused_whole(store, tmp_path):
    path = bundle(tmp_path / "in" / "drop.tar.gz", {"telemetry-1.csv": DAY, "telemetry-2.csv": bytes(2**26)})
    receipt = store.ingest([path], now=NOW)
    assert receipt.good == {} and "drop.tar.gz unpacks to" in next(iter(receipt.quarantined["bundles"]))


def test_a_cut_bundle_gives_its_whole_members_and_says_where(store, tmp_path):
    many = {f"telemetry-{n}.csv": DAY.replace(b"m1", b"m%d" % n) for n in range(5)}
    path = bundle(tmp_path / "in" / "drop.tar", many)
    whole, cut = path.read_bytes(), "telemetry-2.csv"
    path.write_bytes(whole[: 2 * 1024 + 512 + 20])
    receipt = store.ingest([path], now=NOW)
    assert receipt.good == {"telemetry": 2}
    assert (
        receipt.quarantined["telemetry"][f"{cut!r} in drop.tar is cut off: 20 of {len(many[cut])} bytes"] == 1
    )
    assert next(iter(receipt.quarantined["bundles"])).startswith("incomplete at byte 2580")
    path.write_bytes(whole)
    assert store.ingest([path], now=NOW).good == {"telemetry": 3}


@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_rows_of_a_bundle_name_its_images_and_an_archive_of_images_is_none(tmp_path, kind):
    maps = data.Table("maps", columns={"map": "image"})
    fleet = data.Fleet("machine", data.WallClock(), (TELEMETRY, maps))
    store = Store.open(tmp_path / "store", fleet)
    sink = io.BytesIO()
    np.save(sink, np.ones((3, 4), np.uint8))
    rows = b"machine,at,map\nm1,2025-01-01,w/1.npy\nm1,2025-01-02,../../1.npy\nm1,2025-01-03,\n"
    bundle(tmp_path / "in" / f"lot{kind}", {"maps/a.csv": rows, "maps/w/1.npy": sink.getvalue()})
    bundle(tmp_path / "in" / f"only{kind}", {"1.npy": sink.getvalue()})
    receipt = store.ingest([tmp_path / "in"], now=NOW)
    assert receipt.good == {"maps": 2} and receipt.unclaimed == [] and "bundles" not in receipt.quarantined
    assert "leads out of" in next(iter(receipt.quarantined["maps"]))
    assert [image.shape for image in store.rows("maps").columns["map"].load()] == [(3, 4), (0, 0)]


def test_a_binding_is_chosen_by_the_day_in_a_members_name(store, tmp_path):
    old = data.Binding("north", until="2025-01-02", names={"power": "p_old"})
    new = data.Binding("north", since="2025-01-02", names={"power": "p_new"})
    files = {
        f"telemetry/2025-01-0{n}.csv": f"machine,at,{name}\nm1,2025-01-0{n},{n}\n".encode()
        for n, name in ((1, "p_old"), (2, "p_new"))
    }
    receipt = store.ingest([bundle(tmp_path / "in" / "drop.zip", files)], data.Bindings((old, new)), now=NOW)
    assert receipt.good == {"telemetry": 2} and receipt.absent == {}
    assert store.rows("telemetry").floats("power").tolist() == [1, 2]


def test_a_bundle_named_after_its_site_and_day_is_read_by_that_sites_binding(store, tmp_path):
    sites = data.Bindings((
        data.Binding("north", until="2025-01-02", names={"power": "p_old"}),
        data.Binding("north", since="2025-01-02", names={"power": "p_new"}),
        data.Binding("south", names={"power": "watt"}),
    ))  # fmt: skip
    rows = "machine,at,{}\nm1,2025-01-01T00:00:0{},{}\n"
    bundle(tmp_path / "in" / "south.zip", {"telemetry.csv": rows.format("watt", 1, 1).encode()})
    bundle(
        tmp_path / "in" / "north" / "2025-01-01.tar", {"telemetry.csv": rows.format("p_old", 2, 2).encode()}
    )
    receipt = store.ingest([tmp_path / "in"], sites, now=NOW)
    assert receipt.absent == {} and store.rows("telemetry").floats("power").tolist() == [1, 2]


def test_names_that_are_not_utf8_are_taken_and_shown(store, tmp_path):
    folder = tmp_path / "in" / "telemetry"
    folder.mkdir(parents=True)
    with open(os.fsencode(folder) + b"/\xff.csv", "wb") as file:
        file.write(DAY)
    os.symlink("x", os.fsencode(folder) + b"/\xfe.csv")
    receipt = store.ingest([tmp_path / "in"], now=NOW)
    assert receipt.good == {"telemetry": 1} and store.sources()["name"].to_list()[-1] == "telemetry/?.csv"
    assert "?.csv is a symbolic link: send a regular file" in receipt.quarantined["telemetry"]
