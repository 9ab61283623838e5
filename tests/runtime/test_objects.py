import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile

import pytest
from tests.runtime.buckets import needs_server, running

from flyball import cli, data, errors, units
from flyball.data import arrivals
from flyball.runtime import landing, objects
from flyball.runtime.store import Store

pytestmark = needs_server
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
EVENTS = data.Table("events", columns={"code": "category"}, arrives=units.hours(1))
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY, EVENTS))
HEAD = "machine,at,power\n"


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    with running(tmp_path_factory.mktemp("storage")) as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch, storage):
    """The server of the test, no pauses, no fsync; every test begins with a line that is sound."""
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr(objects, "PAUSE_S", 0.01)
    storage.line.plan.clear()
    storage.line.gets.clear()


@pytest.fixture
def bucket(storage, request):
    """A bucket of the test's own: `put(key, content)`, `put.name`, `put.url`."""
    name = "b" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    put = storage.bucket(name)
    put.name, put.url = name, f"s3://{name}/drop"
    return put


@pytest.fixture
def watch(tmp_path, bucket):
    def make(limits=None, lot=landing.LOT, folder="store"):
        limits = limits or arrivals.Limits()
        store = Store.open(tmp_path / folder, FLEET)
        place = objects.Bucket(bucket.url, store.folder, FLEET, limits)
        return landing.Watch(store, place, limits=limits, lot=lot)

    return make


def day(number, value=None):
    return HEAD + f"m1,2025-01-{number:02d},{number if value is None else value}\n"


def powers(watch):
    return sorted(watch.store.rows("telemetry").floats("power").tolist())


def test_objects_are_taken_as_files_of_a_folder_are(bucket, watch):
    bucket("drop/telemetry/1.csv", day(1))
    bucket("drop/events-1.csv", "machine,at,code\nm1,2025-01-01,A\n")
    bucket("drop/telemetry/.2.csv", day(2))
    bucket("drop/telemetry/3.csv.part", day(3))
    bucket("drop/folder/", "")
    bucket("dropped/telemetry/4.csv", day(4))
    bucket("drop/notes.txt", "hello")
    one = watch()
    (told,) = one.once()
    assert told["good"] == {"telemetry": 1, "events": 1} and told["unclaimed"] == ["notes.txt"]
    assert sorted(one.store.sources()["name"]) == ["events-1.csv", "telemetry/1.csv"]
    assert list(one.once()) == [] and not list(one.store.folder.glob(".objects*"))


def test_what_is_of_no_table_is_not_fetched_and_what_was_taken_is_not_fetched_again(bucket, watch, storage):
    bucket("drop/telemetry/1.csv", day(1))
    bucket("drop/film.mp4", "large")
    bucket("drop/other-1.csv", "large")
    list(watch().once())
    again = watch()
    assert list(again.once()) == [] or again.total.files == 0
    assert storage.line.gets == [f"/{bucket.name}/drop/telemetry/1.csv"]
    small = arrivals.Limits(file=1000)
    place = objects.Bucket(bucket.url, again.store.folder, FLEET, small)
    another = landing.Watch(again.store, place, limits=small)
    assert another._notes() != again._notes(), "other limits begin a new note"


def test_the_same_content_as_object_file_and_member_is_taken_once(tmp_path, bucket, watch):
    bucket("drop/telemetry/1.csv", day(1))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as made:
        made.writestr("telemetry-1.csv", day(1))
        made.writestr("telemetry-2.csv", day(2))
        made.writestr("../telemetry-3.csv", day(3))
    bucket("drop/days.zip", sink.getvalue())
    one = watch()
    (told,) = one.once()
    assert (told["files"], told["known"], powers(one)) == (3, 1, [1, 2])
    assert told["quarantined"]["bundles"] == {"'../telemetry-3.csv' in days.zip leads out of it": 1}
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "x.csv").write_text(day(2))
    assert one.store.ingest([tmp_path / "telemetry"]).known == 1


def test_listing_goes_on_over_many_pages_in_lots(bucket, watch, storage, monkeypatch):
    for number in range(1, 8):
        bucket(f"drop/telemetry/{number}.csv", day(number))
    one = watch(lot=3 * len(day(1)))
    real = one.place._client.get_paginator
    pages = []

    def paged(name):
        pager = real(name)
        listed = pager.paginate

        def few(**asked):
            for page in listed(**asked, PaginationConfig={"PageSize": 2}):
                pages.append(len(page["Contents"]))
                yield page

        pager.paginate = few
        return pager

    monkeypatch.setattr(one.place._client, "get_paginator", paged)
    assert [told["files"] for told in one.once()] == [3, 3, 1]
    assert pages == [2, 2, 2, 1] and powers(one) == [1, 2, 3, 4, 5, 6, 7]


def test_an_object_that_changes_between_look_and_get_is_noticed_and_taken_next_time(bucket, watch, storage):
    bucket("drop/telemetry/1.csv", day(1))
    bucket("drop/telemetry/2.csv", day(2))
    storage.line.plan.append(lambda: bucket("drop/telemetry/1.csv", day(1, 9)) and "")
    one = watch()
    (told,) = one.once()
    assert told["waiting"] == {"telemetry/1.csv": "telemetry/1.csv has changed since it was seen"}
    assert powers(one) == [2]
    list(one.once())
    assert powers(one) == [2, 9] and one.total.waiting == {}


def test_an_object_that_is_gone_holds_nothing_up(bucket, watch, storage):
    bucket("drop/telemetry/1.csv", day(1))
    bucket("drop/telemetry/2.csv", day(2))
    storage.line.plan.append(
        lambda: storage.client.delete_object(Bucket=bucket.name, Key="drop/telemetry/1.csv") and ""
    )
    one = watch()
    (told,) = one.once()
    assert "has changed" in told["waiting"]["telemetry/1.csv"] and powers(one) == [2]
    assert list(one.once()) == [] and one.total.waiting == {}


@pytest.mark.parametrize("fault", ["503", "cut", "flip"])
def test_a_server_that_stumbles_is_asked_again(bucket, watch, storage, fault):
    bucket("drop/telemetry/1.csv", day(1))
    storage.line.plan.append(fault)
    one = watch()
    (told,) = one.once()
    assert told["good"] == {"telemetry": 1} and powers(one) == [1]
    assert len(storage.line.gets) == 2 and not storage.line.plan


def test_a_server_that_goes_on_stumbling_is_given_up_for_this_round_and_others_are_taken(
    bucket, watch, storage, monkeypatch
):
    bucket("drop/telemetry/1.csv", day(1))
    bucket("drop/telemetry/2.csv", day(2))
    storage.line.plan.extend(["cut"] * objects.TRIES)
    one = watch()
    (told,) = one.once()
    assert "cannot be fetched" in told["waiting"]["telemetry/1.csv"] and powers(one) == [2]
    list(one.once())
    assert powers(one) == [1, 2]


def test_a_server_that_is_not_there_is_trouble_and_no_end(bucket, watch, storage, monkeypatch):
    monkeypatch.setattr(objects, "TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    one = watch()
    (told,) = one.once()
    assert "cannot be listed" in told["trouble"] and "look at AWS_ENDPOINT_URL" in told["trouble"]
    assert list(one.once()) == [] and one.total.trouble


def test_a_line_that_is_silent_is_left(bucket, watch, storage, monkeypatch):
    import time

    monkeypatch.setattr(objects, "SILENT_S", 0.2)
    bucket("drop/telemetry/1.csv", day(1))
    storage.line.plan.append(lambda: time.sleep(0.6))
    one = watch()
    list(one.once())
    assert powers(one) == [1] and len(storage.line.gets) == 2


def test_too_large_an_object_and_a_name_that_leads_out_are_refused_unfetched(bucket, watch, storage):
    bucket("drop/telemetry/large.csv", day(1) + "x" * 3000)
    bucket("drop/telemetry/../../out.csv", day(2))
    bucket("drop/telemetry/3.csv", day(3))
    one = watch(arrivals.Limits(file=1000))
    (told,) = one.once()
    assert told["quarantined"]["telemetry"] == {
        f"telemetry/large.csv has {3000 + len(day(1))} bytes, at most 1000 are read": 1,
        "'telemetry/../../out.csv' is no name of a file": 1,
    }
    assert powers(one) == [3] and storage.line.gets == [f"/{bucket.name}/drop/telemetry/3.csv"]
    assert list(one.once()) == []


def test_room_is_bounded_by_the_lot_and_given_back(bucket, watch, monkeypatch):
    for number in range(1, 7):
        bucket(f"drop/telemetry/{number}.csv", day(number))
    one = watch(lot=2 * len(day(1)))
    held = []
    real = Store.take

    def take(self, files, *more, **named):
        held.append(sum(p.stat().st_size for p in self.folder.glob(".objects*/**/*") if p.is_file()))
        return real(self, files, *more, **named)

    monkeypatch.setattr(Store, "take", take)
    list(one.once())
    assert held == [2 * len(day(1))] * 3 and not list(one.store.folder.glob(".objects*"))


def test_a_place_of_objects_is_spelled_so():
    for wrong in ("s3://", "s3:///x", "http://x"):
        with pytest.raises(errors.DeclarationError, match="give s3://BUCKET/PREFIX"):
            objects.Bucket(wrong, None, FLEET, arrivals.Limits())


KILLED = """
import os, signal, sys
sys.path.insert(0, {home!r})
from flyball.data import arrivals
from flyball.runtime import landing, objects
from flyball.runtime.store import Store
from tests.runtime import test_objects as here
left = [{after}]
real = objects.Bucket._try
def dying(self, seen, target):
    left[0] -= 1
    real(self, seen, target)
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
objects.Bucket._try = dying
store = Store.open({folder!r}, here.FLEET)
list(landing.Watch(store, objects.Bucket({url!r}, store.folder, here.FLEET, arrivals.Limits()), lot={lot}).once())
"""


@pytest.mark.slow
def test_killed_while_it_fetches_and_started_again_nothing_is_lost_or_doubled(tmp_path, bucket, watch):
    for number in range(1, 7):
        bucket(f"drop/telemetry/{number}.csv", day(number))
    lot = 2 * len(day(1))
    home = str(cli.__file__).rpartition("/src/")[0]
    script = KILLED.format(home=home, after=3, folder=str(tmp_path / "store"), url=bucket.url, lot=lot)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = list((tmp_path / "store").glob(".objects*"))
    assert left, "it was killed with objects in its room"
    again = watch(lot=lot)
    assert not list((tmp_path / "store").glob(".objects*")), "what the dead one left is swept"
    list(again.once())
    undisturbed = watch(lot=lot, folder="whole")
    list(undisturbed.once())
    assert powers(again) == powers(undisturbed) == [1, 2, 3, 4, 5, 6] and again.total.files == 4
    columns = ["source", "name", "good"]
    assert again.store.sources().select(columns).rows() == undisturbed.store.sources().select(columns).rows()


def test_the_command_takes_what_is_there_and_says_mistakes(tmp_path, bucket, daily, capsys, monkeypatch):
    bucket("drop/telemetry/1.csv", daily.files[min(daily.files)][0].read_bytes())

    def called(place, *more):
        with pytest.raises(SystemExit) as end:
            cli.main(["ingest", str(daily.file), "--from", place, "--store", str(tmp_path / "store"), *more])
        return end.value.code, *capsys.readouterr()

    code, out, err = called(bucket.url, "--json")
    one, total = map(json.loads, out.splitlines())
    assert (code, err, one["files"], total["ended"], total["good"]) == (0, "", 1, "done", {"telemetry": 12})
    code, out, err = called("s3://no-such-bucket/x")
    assert (code, out) == (3, "") and "name a bucket that is there" in err
    code, out, err = called("s3://")
    assert code == 2 and "give s3://BUCKET/PREFIX" in err
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, out, err = called(bucket.url)
    assert code == 3 and "give AWS_ACCESS_KEY_ID" in err
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, out, err = called(bucket.url)
    assert code == 6 and "pip install 'flyball[s3]'" in err
    assert not re.search("Traceback", err) and os.environ["AWS_ENDPOINT_URL"]
