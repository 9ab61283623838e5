"""Messages from a real broker: each once, whatever is killed; births, deaths, gaps; what is wrong is set apart."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from tests.fab.brokers import needs_broker, running

from flyball import data, durable, errors
from flyball.data.formats import sparkplug
from flyball.data.formats.sparkplug import Metric, Payload
from flyball.fab import fleet, live, mqtt
from flyball.runtime import messages, streams
from flyball.runtime.store import Store

FLEET = data.Fleet(
    "machine",
    data.WallClock(),
    (
        data.Table("telemetry", columns={"power": "kW", "mode": "category"}, unique=("at",)),
        data.Table("events", columns={"code": "category"}),
    ),
)
NOW = 1_790_000_000_000


def place(broker, topics="#"):
    return messages.Place.read(f"mqtt://{broker.address}/{topics}")


def told(number, table="telemetry", epoch=1, **values):
    head = {
        "source": f"A-001/{table}",
        "epoch": epoch,
        "sequence": number,
        "at": f"2026-01-01T00:{number:02d}:00Z",
    }
    return json.dumps({**head, **values}).encode()


def watched(store, broker, seconds=1.0, until=None, **more):
    """Watch for a while, or until something holds; return what was said."""
    watch = messages.Watch(store, place(broker), patience_s=0.2, **more)
    stop, said = threading.Event(), []
    if until is not None:
        seconds = 15.0
    for one in watch.go(1.0, seconds, stop):
        said.append(one)
        if until is not None and until():
            stop.set()
    return watch, said


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


@pytest.fixture
def broker(tmp_path):
    folder = tmp_path / "broker"
    folder.mkdir()
    with running(folder) as started:
        yield started


def subscribed(store, broker):
    """Let the broker know the watch, so that it keeps what comes while nobody watches."""
    watched(store, broker, 0.3)


def read(*given, nodes=None, marks=None, sites=None):
    """Read messages (topic, content) without a broker; return (rows sent, reader)."""
    reader = messages.Reader(FLEET, sites or data.Bindings((), general=False), nodes or {})
    lot = [messages.Message(topic, content, number, 1, 1) for number, (topic, content) in enumerate(given)]
    return list(reader.sent(lot, marks or streams.Marks(), NOW * 1000)), reader


def bad(sent):
    return [one.reason for each in sent for one in each.raw.bad]


def birth(at_ms=NOW, bd=1, names=(("power", 1), ("mode", 2))):
    node = Payload(at_ms, 0, (Metric("bdSeq", None, at_ms, bd, False),))
    device = Payload(at_ms, 1, tuple(Metric(name, alias, at_ms, None, False) for name, alias in names))
    return [
        ("spBv1.0/north/NBIRTH/cell", sparkplug.packed(node)),
        ("spBv1.0/north/DBIRTH/cell/A-001", sparkplug.packed(device)),
    ]


def changed(seq, *pairs, at_ms=None, historical=False, device="A-001", value=1.5):
    at = at_ms if at_ms is not None else NOW + seq * 1000
    found = tuple(Metric("", alias, at, value, historical) for alias in pairs)
    return f"spBv1.0/north/DDATA/cell/{device}", sparkplug.packed(Payload(at, seq, found))


def test_places_are_read_and_wrong_ones_told():
    assert messages.Place.read("mqtts://h/a/#") == ("h", 8883, "a/#", True)
    for wrong in ("mqtt://h", "mqtt://:1/x", "mqtt://h:x/a", "mqtt://h:99999/a"):
        with pytest.raises(errors.DeclarationError, match="mqtt://"):
            messages.Place.read(wrong)
    with pytest.raises(errors.DeclarationError, match="MQTT_PASSWORD") as error:
        messages.Place.read("mqtt://me:secret@h/a")
    assert "secret" not in str(error.value)
    for wrong in ("mqtt://me:se#cret@h/a", "mqtt://me:se/cret@h/a"):
        with pytest.raises(errors.DeclarationError) as error:
            messages.Place.read(wrong)
        assert "cret" not in str(error.value)


def test_json_rows_by_table_and_machine_and_what_is_none_is_set_apart():
    sent, reader = read(
        ("fab/A/A-001/telemetry", told(0, power=1.5)), ("fab/A/A-001/telemetry", told(0, power=1.5)),
        ("fab/A/A-001/telemetry", b"{"), ("fab/A/A-001/telemetry", b"[1]"), ("fab/A/A-001/telemetry", b'{"power": 1}'),
        ("fab/A/A-001/other", told(1, "other")), ("fab/A/A-001/telemetry", b"x" * (messages.LARGEST + 1)),
        ("fab/A/A-001/telemetry", b"[" * 100_000),
    )  # fmt: skip
    rows, rest = sent
    assert rows.raw.frame.to_dicts() == [{"at": "2026-01-01T00:00:00Z", "power": "1.5", "machine": "A-001"}]
    assert reader.known == 1 and rows.spans == (streams.Span("A-001/telemetry", "1", 0, 0),)
    reasons = bad(sent)
    assert len(reasons) == 6 and sum("no JSON with source" in why for why in reasons) == 4
    assert any("ends in no table" in why for why in reasons) and any("at most" in why for why in reasons)
    assert rest.spans == (streams.Span("A-001/other", "1", 1, 1),)


def test_sparkplug_rows_are_what_changed_and_births_deaths_and_gaps_are_kept_track_of():
    sent, reader = read(
        *birth(), changed(2, 1), changed(3, 1, 2, value="idle", at_ms=NOW + 2000), changed(7, 2, value="run"),
        ("spBv1.0/north/DDEATH/cell/A-001", sparkplug.packed(Payload(NOW + 9000, 8, ()))),
        ("spBv1.0/north/NDEATH/cell", sparkplug.packed(Payload(NOW, None, (Metric("bdSeq", None, NOW, 0, False),)))),
    )  # fmt: skip
    (rows, rest), node = sent, reader.nodes["north/cell"]
    frame = {row["at"]: row for row in rows.raw.frame.to_dicts()}
    assert len(frame) == 3 and all(
        row["machine"] == "A-001" for row in frame.values()
    )  # a birth is a report too
    assert {(row["power"], row["mode"]) for row in frame.values()} == {
        (None, None),
        ("idle", "idle"),
        (None, "run"),
    }
    assert node.missing == 3 and reader.notes["messages missing by their numbers"] == 3
    assert node.stale == ["A-001"] and reader.notes["deaths of an earlier birth, which mean nothing"] == 1
    numbers = [(span.first, span.last) for one in (rows, rest) for span in one.spans]
    assert sorted(numbers) == [(0, 0), (1, 3), (7, 7), (8, 8)] and bad(sent) == []


def test_data_before_a_birth_and_damaged_payloads_are_set_apart():
    sent, _ = read(
        changed(5, 1), *birth(), changed(2, 9), ("spBv1.0/north/DDATA/cell/A-001", b"\xff\xff\xff"),
        ("spBv1.0/north/DDATA/cell/A-001", sparkplug.packed(Payload(NOW, None, ()))),
    )  # fmt: skip
    reasons = sorted(bad(sent))
    assert len(reasons) == 4
    for part in ("was not born", "alias 9", "no Sparkplug payload", "without its number"):
        assert any(part in why for why in reasons), (part, reasons)


def test_one_message_that_cannot_be_stops_no_other():
    late = sparkplug._messages()["Payload"]()
    late.timestamp, late.seq = NOW, 2
    late.metrics.add(name="power", timestamp=2**63, datatype=10).double_value = 1.0
    endless = told(0).replace(b'"sequence": 0', b'"sequence": 1e999')
    born = Payload(NOW, 0, (Metric("bdSeq", None, NOW, float("inf"), False),))
    sent, _ = read(
        *birth(), ("spBv1.0/north/DDATA/cell/A-001", late.SerializeToString()), ("fab/A/A-001/telemetry", endless),
        ("spBv1.0/north/NBIRTH/other", sparkplug.packed(born)),
        ("fab/A/A-001/telemetry", told(1, mode="\ud800")), ("fab/A/A-001/telemetry", told(2, power=2.5)),
    )  # fmt: skip
    assert len(bad(sent)) == 4
    assert any("2.5" in str(one.raw.frame.to_dicts()) for one in sent)


def test_more_than_half_around_is_missing_and_never_taken_for_known():
    sent, reader = read(*birth(), changed(2, 1), changed(202, 1, at_ms=NOW + 60_000))
    assert reader.known == 0 and reader.nodes["north/cell"].missing == 199
    assert len(sent[0].raw.frame) == 3


def test_a_site_without_a_binding_for_today_stops_before_anything_is_acknowledged():
    sites = data.Bindings((data.Binding("north", until="2020-01-01"),))
    with pytest.raises(errors.DeclarationError, match="give the site's binding for that day"):
        read(*birth(), changed(2, 1), sites=sites)


def test_names_of_metrics_are_the_sites():
    site = data.Bindings((data.Binding("north", names={"telemetry.power": "Laser/P1"}),), general=False)
    sent, _ = read(*birth(names=(("Laser/P1", 1),)), changed(2, 1), sites=site)
    assert "Laser/P1" in sent[0].raw.frame.columns


@needs_broker
def test_what_a_fleet_sends_live_comes_in_row_by_row(tmp_path, broker):
    fab = fleet.Fab("tiny", machines=2, days=3, mess=False)
    page = data.Fleet(
        "machine", data.WallClock(),
        (data.Table("events", columns={"code": "category", "level": "category"}, time="time"),),
    )  # fmt: skip
    store = Store.open(tmp_path / "live", page)
    subscribed(store, broker)
    publisher, sent = mqtt.Publisher(broker.address), list(live.messages(fab, ["events"]))
    for one in sent:
        publisher.put(one.topic, one.payload(7))
    publisher.close()
    site = data.Binding("A", epoch="us")
    watch, _ = watched(store, broker, until=lambda: watch_total(store) >= len(sent), binding=site)
    rows = store.rows("events")
    keys = [rows.keys[code] for code in rows.segments().tolist()]
    found = sorted(zip(keys, rows.at.tolist(), rows.columns["code"].texts(), strict=True))
    assert found == sorted((one.topic.split("/")[2], one.values["time"], one.values["code"]) for one in sent)
    assert watch.total.quarantined.get("events", 0) == 0


def watch_total(store):
    return int(Store.open(store.folder, store.fleet).sources()["sent"].sum())


@needs_broker
def test_sparkplug_over_a_broker_that_is_killed_and_a_watch_that_goes_and_comes(store, broker):
    subscribed(store, broker)
    sender = mqtt.Publisher(broker.address)
    for topic, content in [*birth(), *(changed(seq, 1) for seq in range(2, 60))]:
        sender.put(topic, content)
    assert sender.drain(5.0)
    watched(store, broker, until=lambda: store.marks().last("spBv1.0/north/cell", f"1@{NOW}") == 59)
    broker.end(signal.SIGKILL)
    broker.start()
    for seq in range(60, 120):
        sender.put(*changed(seq, 1))
    sender.close(10.0)
    watched(store, broker, until=lambda: store.marks().last("spBv1.0/north/cell", f"1@{NOW}") == 119)
    rows = store.rows("telemetry")
    assert rows.at.tolist() == [NOW * 1000, *(NOW * 1000 + seq * 1_000_000 for seq in range(2, 120))]
    assert store.marks().missing("spBv1.0/north/cell", f"1@{NOW}") == 0 and store.quarantine() == {}


@needs_broker
def test_nothing_is_acknowledged_before_it_is_on_the_disk_and_a_full_disk_is_told(store, broker, monkeypatch):
    subscribed(store, broker)
    sender = mqtt.Publisher(broker.address)
    for number in range(30):
        sender.put("fab/A/A-001/telemetry", told(number, power=1.0))
    sender.close()

    def full(operation, path):
        if operation == "write":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "hook", full)
    _, said = watched(store, broker, 1.0)
    assert next(one["trouble"] for one in said if one["trouble"]).endswith("free space and run again")
    monkeypatch.setattr(durable, "hook", None)
    watched(store, broker, until=lambda: len(store.rows("telemetry")) == 30)
    assert store.rows("telemetry").at.shape == (30,)


@needs_broker
def test_a_kill_in_the_middle_loses_and_doubles_nothing(tmp_path, broker):
    page = tmp_path / "page.txt"
    page.write_text(repr(FLEET))
    folder = tmp_path / "store"
    child = (
        "import sys; from flyball.runtime import messages; from flyball.runtime.store import Store\n"
        "from tests.runtime.test_messages import FLEET\n"
        "watch = messages.Watch(Store.open(sys.argv[1], FLEET), messages.Place.read(sys.argv[2]), batch=20, "
        "patience_s=0.05)\n"
        "for told in watch.go(1.0): print(sum(told['good'].values()), flush=True)"
    )
    command = [sys.executable, "-c", child, str(folder), f"mqtt://{broker.address}/%23"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    store = Store.open(folder, FLEET)
    subscribed(store, broker)
    sender = mqtt.Publisher(broker.address)
    for kill in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as one:
            for number in range(60 * kill, 60 * kill + 60):
                sender.put("fab/A/A-001/telemetry", told(number % 60, epoch=kill, power=float(number)))
            one.stdout.readline()
            time.sleep(0.05 * kill)
            one.send_signal(signal.SIGKILL)
    sender.close()
    fresh = Store.open(folder, FLEET)
    watched(fresh, broker, until=lambda: watch_total(fresh) >= 120)
    rows = fresh.rows("telemetry")
    assert sorted(set(rows.columns["power"].tolist())) == [float(n) for n in range(120)]
    assert [fresh.marks().missing("A-001/telemetry", epoch) for epoch in ("0", "1")] == [0, 0]
    assert fresh.sources()["good"].sum() == 120


@needs_broker
def test_a_broker_that_goes_is_told_once_and_come_back_to(store, broker):
    watch = messages.Watch(store, place(broker), patience_s=0.1)
    stop, said = threading.Event(), []

    def act():
        time.sleep(0.3)
        broker.end()
        time.sleep(0.8)
        broker.start()
        sender = mqtt.Publisher(broker.address)
        sender.put("fab/A/A-001/telemetry", told(0, power=1.0))
        sender.close()

    actor = threading.Thread(target=act)
    actor.start()
    for one in watch.go(1.0, 20.0, stop):
        said.append(one)
        if not one["trouble"]:
            stop.set()
    actor.join()
    assert len([one for one in said if "is gone" in one["trouble"]]) == 1 and watch.total.good == {
        "telemetry": 1
    }


def test_nobody_at_the_address_is_told(store):
    with pytest.raises(errors.DataError, match=r"no broker at 127\.0\.0\.1:1"):
        messages.Watch(store, messages.Place.read("mqtt://127.0.0.1:1/a"))
