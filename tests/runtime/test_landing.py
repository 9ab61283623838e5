import os
import threading
import time
import zipfile

import pytest

from flyball import data, durable, errors, units
from flyball.data import arrivals, bundles
from flyball.runtime import ingest, landing
from flyball.runtime.store import Store

TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"}, arrives=units.hours(1))
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))
HEAD = "machine,at,power\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """What fsync is for is tested under tests/faults; here it would only take time."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    (folder / "telemetry").mkdir(parents=True)
    return folder


@pytest.fixture
def watch(tmp_path, inbox):
    """A watch whose clock stands still until it is told: `settle()` makes what was seen whole."""
    store = Store.open(tmp_path / "store", FLEET)
    return landing.Watch(store, landing.Folder(inbox, settled_s=0.0))


def drop(inbox, name, text):
    (inbox / name).write_text(text)


def powers(watch):
    return sorted(watch.store.rows("telemetry").floats("power").tolist())


def test_a_file_is_taken_once_it_is_as_it_was_for_a_while(tmp_path, inbox, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(landing.time, "monotonic", lambda: now[0])
    watch = landing.Watch(Store.open(tmp_path / "s", FLEET), landing.Folder(inbox, settled_s=1.0))
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    assert list(watch.once()) == [] and watch.unsettled == 1
    now[0] += 0.9
    assert list(watch.once()) == []
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\nm1,2025-01-02,2\n")  # its sender was not done
    now[0] += 0.9
    assert list(watch.once()) == []
    now[0] += 1.0
    (told,) = watch.once()
    assert told["good"] == {"telemetry": 2} and watch.unsettled == 0
    now[0] += 100
    assert list(watch.once()) == [] and watch.total.commits == 1


def test_files_that_are_still_being_written_and_hidden_ones_are_let_be(inbox, watch):
    for name in ("telemetry/.a.csv.Xy3", "telemetry/a.csv.part", "telemetry/b.csv.TMP"):
        drop(inbox, name, HEAD + "m1,2025-01-01,1\n")
    (inbox / ".rsync").mkdir()
    drop(inbox, ".rsync/telemetry-c.csv", HEAD + "m1,2025-01-01,1\n")
    assert list(watch.once()) == [] and watch.total.unclaimed == 0
    os.rename(inbox / "telemetry/a.csv.part", inbox / "telemetry/a.csv")
    assert [told["files"] for told in watch.once()] == [1]
    assert (inbox / "telemetry/a.csv").exists(), "what was taken is left where it lies"


def test_files_are_taken_in_the_order_in_which_they_landed(inbox, watch):
    """The later of two versions that claim the same knowledge holds, whatever they are called."""
    drop(inbox, "telemetry/z.csv", HEAD + "m1,2025-01-01,1\n")
    time.sleep(0.02)
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,2\n")
    list(watch.once())
    names = watch.store.sources()["name"].to_list()
    assert names == ["telemetry/z.csv", "telemetry/a.csv"]
    rows = watch.store.rows("telemetry")
    assert rows.floats("power").tolist()[-1] == 2


def test_known_content_under_another_name_and_a_new_watch_change_nothing(tmp_path, inbox, watch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    list(watch.once())
    drop(inbox, "telemetry/b.csv", HEAD + "m1,2025-01-01,1\n")
    (told,) = watch.once()
    assert (told["files"], told["known"]) == (0, 1)
    again = landing.Watch(Store.open(tmp_path / "store", FLEET), landing.Folder(inbox, settled_s=0.0))
    (told,) = again.once()
    assert (told["files"], told["known"]) == (0, 2) and powers(again) == [1.0]


def test_late_doubled_corrected_and_disordered_rows_change_what_is_known_later_only(inbox, watch):
    """R10 to R13: a cut of what was seen before gives the same rows after all of that landed."""
    head = "machine,at,seen,power\n"
    drop(inbox, "telemetry/1.csv", head + "m1,2025-01-02,2025-01-02,2\nm1,2025-01-01,2025-01-01,1\n")
    list(watch.once())
    cut = 1_735_862_400_000_000  # 2025-01-03
    before = watch.store.rows("telemetry", as_of=cut)
    drop(inbox, "telemetry/2.csv", head + "m1,2025-01-02,2025-01-02,2\nm2,2025-01-01,2025-01-20,9\n")
    drop(inbox, "telemetry/3.csv", head + "m1,2025-01-01,2025-01-05,7\n")
    told = list(watch.once())
    assert told[0]["late"] == {"telemetry": 2}
    after = watch.store.rows("telemetry", as_of=cut)
    assert after.at.tolist() == before.at.tolist() and after.seen.tolist() == before.seen.tolist()
    assert after.floats("power").tolist() == before.floats("power").tolist() == [1, 2]
    assert powers(watch) == [1, 2, 7, 9]


def test_live_rows_were_seen_when_they_were_taken(tmp_path, inbox):
    watch = landing.Watch(
        Store.open(tmp_path / "live", FLEET), landing.Folder(inbox, settled_s=0.0), live=True
    )
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    begun = time.time_ns() // 1000
    list(watch.once())
    assert begun <= watch.store.rows("telemetry").seen.tolist()[0] <= time.time_ns() // 1000


def test_a_lot_is_one_commit_and_bounded(tmp_path, inbox):
    text = HEAD + "".join(f"m1,2025-01-01T00:00:{n:02d},{n}\n" for n in range(60))
    for number in range(6):
        drop(inbox, f"telemetry/{number}.csv", text.replace("m1", f"m{number}"))
    store = Store.open(tmp_path / "lots", FLEET)
    watch = landing.Watch(store, landing.Folder(inbox, settled_s=0.0), lot=2 * len(text))
    assert [told["files"] for told in watch.once()] == [2, 2, 2]
    assert store.sources()["taken"].to_list() == [1, 1, 2, 2, 3, 3] and len(store.rows("telemetry")) == 360


def test_a_file_that_changes_while_it_is_read_is_named_and_tried_again(inbox, watch, monkeypatch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    drop(inbox, "telemetry/b.csv", HEAD + "m2,2025-01-01,2\n")
    real = arrivals.read

    def growing(path, *more):
        if path.name == "a.csv":
            with path.open("a") as file:
                file.write("m1,2025-01-02,3\n")
        return real(path, *more)

    with monkeypatch.context() as context:
        context.setattr(arrivals, "read", growing)
        (told,) = watch.once()
    assert told["waiting"] == {"telemetry/a.csv": "a.csv has changed since it was seen"}
    assert told["files"] == 1 and powers(watch) == [2]
    assert list(watch.total.waiting) == ["telemetry/a.csv"] and not watch.store.quarantine()
    assert "telemetry/a.csv waits" in "\n".join(landing.lines(told))
    (told,) = watch.once()
    assert powers(watch) == [1, 2, 3] and watch.total.waiting == {}


def test_a_file_that_goes_before_it_is_read_does_not_hold_up_the_others(inbox, watch, monkeypatch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    drop(inbox, "telemetry/b.csv", HEAD + "m2,2025-01-01,2\n")
    real = arrivals.read

    def reading(path, *more):
        (inbox / "telemetry/a.csv").unlink(missing_ok=True)
        return real(path, *more)

    monkeypatch.setattr(arrivals, "read", reading)
    (told,) = watch.once()
    assert "cannot be read" in told["waiting"]["telemetry/a.csv"] and powers(watch) == [2]
    assert list(watch.once()) == [] and watch.total.waiting == {}


def test_what_stays_bad_is_quarantined_once_and_not_each_round(tmp_path, inbox, watch):
    (inbox / "telemetry/link.csv").symlink_to("/etc/hostname")
    os.mkfifo(inbox / "telemetry/pipe.csv")
    drop(inbox, "telemetry/cut.csv", HEAD + "m1,2025-01-01,1\nm1,2025-0")
    (inbox / "telemetry/damaged.parquet").write_bytes(b"PAR1 and no more")
    (told,) = watch.once()
    whole = told["quarantined"]["telemetry"]
    assert whole["link.csv is a symbolic link: send a regular file"] == 1
    assert whole["pipe.csv is a pipe: send a regular file"] == 1
    assert whole["incomplete at byte 42 (the last line has no line end)"] == 1
    assert sum(whole.values()) == 4 and powers(watch) == [1]
    for _ in range(3):
        assert list(watch.once()) == []
    again = landing.Watch(Store.open(tmp_path / "store", FLEET), landing.Folder(inbox, settled_s=0.0))
    (told,) = again.once()
    assert told["files"] == 0 and again.store.quarantine() == {"telemetry": whole}


def test_a_file_larger_than_declared_is_refused_and_never_in_memory(tmp_path, inbox):
    with (inbox / "telemetry/huge.csv").open("wb") as file:
        file.truncate(2**40)
    watch = landing.Watch(
        Store.open(tmp_path / "s", FLEET), landing.Folder(inbox, settled_s=0.0), limits=arrivals.Limits(2**20)
    )
    (told,) = watch.once()
    assert told["quarantined"] == {
        "telemetry": {"huge.csv has 1099511627776 bytes, at most 1048576 are read": 1}
    }


def test_what_belongs_to_no_table_is_named_once(inbox, watch):
    drop(inbox, "notes.csv", "a,b\n")
    (told,) = watch.once()
    assert told["unclaimed"] == ["notes.csv"] and watch.total.unclaimed == 1
    drop(inbox, "notes.csv", "a,b,c\n")
    assert list(watch.once()) == [] and watch.total.unclaimed == 1


def test_a_file_of_no_binding_waits_and_the_others_do_not(tmp_path, inbox):
    sites = data.Bindings((data.Binding("north", until="2025-02-01"),))
    drop(inbox, "telemetry/2025-01-01.csv", HEAD + "m1,2025-01-01,1\n")
    drop(inbox, "telemetry/2025-03-01.csv", HEAD + "m1,2025-03-01,3\n")
    watch = landing.Watch(Store.open(tmp_path / "b", FLEET), landing.Folder(inbox, settled_s=0.0), sites)
    (told,) = watch.once()
    assert list(told["waiting"]) == ["telemetry/2025-03-01.csv"] and powers(watch) == [1]


def test_another_writer_is_named_and_the_files_wait(tmp_path, inbox, watch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    watch.store.wait_s = 0.05
    with Store.open(tmp_path / "store", FLEET).writing():
        (told,) = watch.once()
        assert f"is being written to by process {os.getpid()}: wait for it or stop it" in told["trouble"]
        assert list(watch.once()) == [], "the same trouble is told once"
        assert "it is tried again" in next(landing.lines(told)) and watch.total.trouble
    assert [told["files"] for told in watch.once()] == [1] and not watch.total.trouble


def test_a_full_disk_is_told_and_the_watch_goes_on_when_it_is_freed(inbox, watch, monkeypatch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")

    def full(operation, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(durable, "hook", full)
    (told,) = watch.once()
    assert "free space and run again" in told["trouble"]
    monkeypatch.setattr(durable, "hook", None)
    assert [told["files"] for told in watch.once()] == [1] and powers(watch) == [1]


def test_a_place_that_goes_and_comes_again_is_trouble_and_no_end(tmp_path, inbox, watch):
    inbox.rename(tmp_path / "unmounted")
    (told,) = watch.once()
    assert "cannot be read (No such file or directory)" in told["trouble"]
    (tmp_path / "unmounted").rename(inbox)
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    assert [told["files"] for told in watch.once()] == [1]


def test_a_folder_that_cannot_be_looked_into_is_named_and_the_others_are_taken(inbox, watch, monkeypatch):
    real = os.scandir
    (inbox / "closed").mkdir()

    def scan(path):
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(landing.os, "scandir", scan)
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    told = list(watch.once())
    assert "Permission denied" in told[0]["waiting"]["closed/"] and told[1]["files"] == 1
    assert list(watch.once()) == [] and list(watch.total.waiting) == ["closed/"]
    monkeypatch.undo()
    assert list(watch.once()) == [] and watch.total.waiting == {}


def test_the_store_itself_is_not_taken_in(tmp_path, inbox):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    store = Store.open(inbox / "var", FLEET)
    watch = landing.Watch(store, landing.Folder(inbox, but=inbox / "var", settled_s=0.0))
    assert [told["files"] for told in watch.once()] == [1]
    assert list(watch.once()) == []


def test_a_watch_goes_until_it_is_stopped(inbox, watch):
    stop = threading.Event()
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")
    told = []
    for one in watch.go(0.01, stop=stop):
        told.append(one)
        if len(told) == 1:
            drop(inbox, "telemetry/b.csv", HEAD + "m2,2025-01-01,2\n")
        else:
            stop.set()
    assert [one["files"] for one in told] == [1, 1]
    assert list(watch.go(0.01, for_s=0.05)) == [] and watch.total.rounds > 3
    total = {"ended": "interrupted", **vars(watch.total)}
    assert next(landing.total_lines(total)).startswith(
        "interrupted: 2 file(s) in 2 commit(s), 0 known already, 2 rows"
    )


def test_what_cannot_mend_itself_ends_the_watch(inbox, watch, monkeypatch):
    drop(inbox, "telemetry/a.csv", HEAD + "m1,2025-01-01,1\n")

    def damaged(*_, **__):
        raise errors.StoreError("the store is damaged")

    monkeypatch.setattr(ingest, "take", damaged)
    with pytest.raises(errors.StoreError, match="is damaged"):
        list(watch.once())


def test_a_bundle_lands_as_a_file_does(tmp_path, inbox, watch, monkeypatch):
    for name, files in (("a", {"telemetry-1.csv": HEAD + "m1,2025-01-01,1\n"}), ("b", {"../x.csv": "y"})):
        with zipfile.ZipFile(inbox / f"{name}.zip", "w") as made:
            for inner, text in files.items():
                made.writestr(inner, text)
    real = bundles.opened

    def changing(path, limits, seen=None):
        if path.name == "a.zip":
            os.utime(path)
        return real(path, limits, seen)

    with monkeypatch.context() as context:
        context.setattr(bundles, "opened", changing)
        (told,) = watch.once()
    assert told["waiting"] == {"a.zip": "a.zip has changed since it was seen"}
    assert told["quarantined"] == {"bundles": {"'../x.csv' in b.zip leads out of it": 1}}
    (told,) = watch.once()
    assert told["good"] == {"telemetry": 1} and list(watch.once()) == []
