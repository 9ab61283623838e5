import io
import tarfile
import zipfile

import numpy as np
import pytest

from flyball import data, units
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"})
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


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
