import itertools
import os
import signal
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import data, durable, errors, units
from flyball.data.formats.raw import Bad, Raw, nothing
from flyball.runtime import streams
from flyball.runtime.store import Store

NOW = 1_767_225_600_000_000
TELEMETRY = data.Table("telemetry", columns={"power": "kW"}, arrives=units.hours(1), unique=("at",))
FLEET = data.Fleet("machine", data.WallClock(), (TELEMETRY,))


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", FLEET)


def rows(*sequences, power=None):
    """Return rows as a reader of messages gives them, one for each number."""
    import numpy as np

    frame = pl.DataFrame({
        "machine": ["A-001"] * len(sequences), "at": [NOW + one for one in sequences],
        "power": [float(one if power is None else power) for one in sequences],
    })  # fmt: skip
    return Raw(frame, np.array(sequences, dtype=np.int64))


def lot(*sequences, epoch="1"):
    """Return what builds a lot of the messages that are not in the store yet."""

    def build(marks):
        new = [one for one in sequences if not marks.has("A-001", epoch, one)]
        if new:
            spans = tuple(streams.Span("A-001", epoch, one, one) for one in new)
            yield streams.Sent("telemetry", "A-001/telemetry", rows(*new), spans)

    return build


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4)), max_size=20))
def test_marks_are_the_set_of_all_that_was_taken(spans):
    marks, plain = streams.Marks(), set()
    for first, length in spans:
        marks.add(streams.Span("s", "e", first, first + length))
        plain |= {*range(first, first + length + 1)}
    assert [marks.has("s", "e", one) for one in range(40)] == [one in plain for one in range(40)]
    assert marks.last("s", "e") == max(plain, default=None)
    inside = range(min(plain, default=0), max(plain, default=0) + 1)
    assert marks.missing("s", "e") == (len(set(inside) - plain) if plain else 0)
    assert not marks.has("s", "other", min(plain, default=0)) and not marks.has("t", "e", 0)


def test_a_stream_without_gaps_is_one_span(store):
    marks = streams.Marks(streams.Span("s", "e", one, one) for one in range(1000))
    assert marks._spans == {("s", "e"): [(0, 999)]} and marks.epochs("s") == ["e"]


def test_what_is_sent_again_changes_nothing(store):
    first = store.receive(lot(0, 1, 2), now=NOW)
    again = store.receive(lot(1, 2, 3), now=NOW)
    nothing_new = store.receive(lot(0, 3), now=NOW)
    assert first.good == {"telemetry": 3} and again.good == {"telemetry": 1} and not nothing_new.changed
    assert store.rows("telemetry").columns["power"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert store.journal.committed() == 2


def test_another_epoch_begins_anew_and_other_processes_see_the_marks(store):
    store.receive(lot(0, 1, epoch="1"), now=NOW)
    store.receive(lot(0, 1, epoch="2"), now=NOW)
    marks = Store.open(store.folder, FLEET).marks()
    assert marks.epochs("A-001") == ["1", "2"] and marks.last("A-001", "2") == 1


def test_all_orders_of_messages_give_the_same_rows(tmp_path):
    found = []
    for number, order in enumerate(itertools.permutations(range(3))):
        store = Store.open(tmp_path / str(number), FLEET)
        for one in order:
            store.receive(lot(one), now=NOW)
        told = store.rows("telemetry")
        found.append((told.at.tolist(), told.columns["power"].tolist()))
    assert found == [found[0]] * 6


def test_bad_rows_and_messages_of_no_table_are_quarantined_with_their_marks(store):
    def build(marks):
        spans = (streams.Span("A-001", "1", 0, 0),)
        yield streams.Sent("telemetry", "A-001/telemetry", rows(0, power=float("inf")), spans)
        bad = nothing([Bad(1, "no such metric", "x")], "")
        yield streams.Sent(None, "A-009", bad, (streams.Span("A-009", "1", 5, 5),))

    told = store.receive(build, now=NOW)
    assert told.good == {"telemetry": 0, "streams": 0}
    assert told.quarantined == {"telemetry": {"power: not finite": 1}, "streams": {"no such metric": 1}}
    assert store.marks().has("A-001", "1", 0) and store.marks().has("A-009", "1", 5)
    assert store.holds()["good"] == {"telemetry": 0}


def test_a_message_without_rows_leaves_its_mark(store):
    spans = (streams.Span("A-001", "1", 0, 0),)
    told = store.receive(lambda marks: [streams.Sent(None, "birth", nothing([], ""), spans)], now=NOW)
    assert told.changed and store.marks().last("A-001", "1") == 0 and store.quarantine() == {}


def test_the_sites_binding_reads_what_comes(store):
    site = data.Binding("north", units={"telemetry.power": "W"})
    store.receive(lot(2000), site, now=NOW, live=True)
    told = store.rows("telemetry")
    assert told.columns["power"].tolist() == [2.0] and told.seen.tolist() == [NOW + 2000]


def test_what_cannot_be_built_or_written_leaves_the_store_as_it_was(store, monkeypatch):
    store.receive(lot(0), now=NOW)

    def broken(marks):
        yield from lot(1)(marks)
        raise errors.DataError("the line is gone")

    with pytest.raises(errors.DataError, match="the line is gone"):
        store.receive(broken, now=NOW)

    def full(operation, path):
        if operation == "rename":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "hook", full)
    with pytest.raises(errors.StoreError, match="free space"):
        store.receive(lot(2), now=NOW)
    monkeypatch.setattr(durable, "hook", None)
    assert store.marks().last("A-001", "1") == 0 and len(store.rows("telemetry")) == 1


CHILD = """
import sys
from flyball.runtime.store import Store
from tests.runtime import test_streams as told
store = Store.open(sys.argv[1], told.FLEET)
for number in range(1000):
    store.receive(told.lot(number), now=told.NOW)
    print(number, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing_that_was_acknowledged_and_doubles_nothing(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    ) as child:  # fmt: skip
        for line in child.stdout:
            if int(line) >= 6:
                child.send_signal(signal.SIGKILL)
                break
        acknowledged = max([6, *(int(line) for line in child.stdout if line.strip())])
    store = Store.open(tmp_path / "store", FLEET)
    last = store.marks().last("A-001", "1")
    assert last in (acknowledged, acknowledged + 1)
    store.receive(lot(*range(acknowledged + 3)), now=NOW)
    assert store.rows("telemetry").columns["power"].tolist() == [float(n) for n in range(acknowledged + 3)]
