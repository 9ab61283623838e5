import pathlib
import tarfile

import numpy as np
import pytest

from flyball import data, durable, errors, units
from flyball.runtime import look, migration, streams
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000 + 9 * 86_400_000_000
OLD = pathlib.Path(__file__).parent / "stores" / "form-1.tar.gz"
TELEMETRY = data.Table(
    "telemetry", columns={"power": "kW", "picture": "image"}, arrives=units.hours(1), unique=("at",)
)
FLEET = data.Fleet(
    "machine", data.WallClock(), (TELEMETRY, data.Table("events", columns={"code": "category"}))
)
#: What the Flyball that wrote the store said of it.
DIGEST = "6c92cf355a89d5b88e0f8977542aac8b31b2aa089e1aeae85a3498f101c76f94"
POWER = [0.5, 1.5, 2.5, 3.5, 10.0, 11.0, 12.0, 13.0]


@pytest.fixture
def old(tmp_path):
    """A store that was written before stores had a number."""
    with tarfile.open(OLD) as kept:
        kept.extractall(tmp_path / "store", filter="data")
    return tmp_path / "store"


def content(store):
    rows = store.rows("telemetry")
    return (
        rows.keys, rows.at.tolist(), rows.seen.tolist(), rows.columns["power"].tolist(), store.quarantine(),
        [picture.tobytes() for picture in rows.columns["picture"].load()], store.partitions("telemetry"),
        store.rows("events").columns["code"].texts(), store.sources_digest(), store.horizon(),
    )  # fmt: skip


def test_a_store_of_form_1_is_brought_forward_with_all_that_it_holds(old):
    assert migration.number(old) == 1
    store = Store.open(old, FLEET)
    assert store.journal.notes == [
        "form 1 became 2: sources may say which messages they were, and the logs of tables are verified"
    ]
    assert migration.number(old) == 2 and store.sources_digest() == DIGEST
    assert store.rows("telemetry").columns["power"].tolist() == POWER
    assert store.quarantine() == {"telemetry": {"power: no number": 4}}
    assert [picture.shape for picture in store.rows("telemetry").columns["picture"].load()][:4] == [
        (16, 16)
    ] * 4
    before = content(store)
    assert content(Store.open(old, FLEET)) == before and Store.open(old, FLEET).journal.notes == []


def test_a_store_that_was_brought_forward_goes_on(old, tmp_path):
    store = Store.open(old, FLEET)
    (tmp_path / "events.csv").write_text("machine,at,code\nm1,2026-01-06,SS-0200\n")
    assert store.ingest([tmp_path / "events.csv"], now=NOW).good == {"events": 1}
    import polars as pl

    from flyball.data.formats.raw import Raw

    raw = Raw(pl.DataFrame({"machine": ["m3"], "at": [NOW], "code": ["SS-0300"]}), np.zeros(1, np.int64))
    sent = streams.Sent("events", "line", raw, (streams.Span("line", "1", 0, 0),))
    store.receive(lambda marks: [sent], now=NOW)
    assert Store.open(old, FLEET).marks().has("line", "1", 0)
    assert store.rows("events").columns["code"].texts()[-2:] == ["SS-0200", "SS-0300"]


def crashed(folder, at):
    """Open a store and stop at a step; say whether there was one."""
    steps = iter(range(10_000))

    def crash(operation, path):
        if next(steps) == at:
            raise KeyboardInterrupt

    durable.hook = crash
    try:
        Store.open(folder, FLEET)
        return False
    except KeyboardInterrupt:
        return True
    finally:
        durable.hook = None


def test_a_crash_at_any_step_leaves_a_store_that_is_brought_forward_the_next_time(tmp_path):
    at = 0
    while True:
        folder = tmp_path / str(at)
        with tarfile.open(OLD) as kept:
            kept.extractall(folder, filter="data")
        stopped = crashed(folder, at)
        store = Store.open(folder, FLEET)
        assert migration.number(folder) == 2 and store.sources_digest() == DIGEST
        assert store.rows("telemetry").columns["power"].tolist() == POWER
        if not stopped:
            break
        at += 1
    assert at > 5


def test_a_new_store_has_the_present_form(tmp_path):
    Store.open(tmp_path / "store", FLEET)
    assert migration.number(tmp_path / "store") == migration.FORMAT == len(migration.STEPS) + 1


@pytest.mark.parametrize(
    ("told", "what"), [('{"format": 99}', "has form 99"), ("{}", "no form"), ("x", "no form")]
)
def test_a_store_of_a_later_or_no_known_form_is_refused_and_left_as_it_is(old, told, what):
    (old / "state" / "format.json").write_text(told)
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*")}
    for opening in (lambda: Store.open(old, FLEET), lambda: look.opened(old)):
        with pytest.raises(errors.StoreError, match=what):
            opening()
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*")} == before
