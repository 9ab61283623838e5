"""A fleet as it lives: every row once, in the order of its leaving, silent in an outage, closed when interrupted."""

import collections
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tests.fab.brokers import Consumer, needs_broker, running

from flyball import errors, fab
from flyball.fab import fleet, live, mess, mqtt

FEW = fab.Fab("tiny", seed=4, machines=3, days=10)


class Clock:
    """A clock that moves by what is slept, and by a little with every look."""

    def __init__(self, look=0.0):
        self.now, self.look = 100.0, look

    def __call__(self):
        self.now += self.look
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Kept:
    """An outlet that notes what it is told."""

    def __init__(self, until=None, raises=None):
        self.moments, self.until, self.raises, self.closed = [], until, raises, 0

    def due(self, until_us, elapsed_s):
        self.moments.append((until_us, elapsed_s))
        if self.raises is not None and len(self.moments) == 3:
            raise self.raises
        return self.until is None or len(self.moments) < self.until

    def close(self):
        self.closed += 1
        return {"kept": len(self.moments)}


def test_messages_are_the_tables_row_by_row_in_the_order_of_leaving():
    found = list(live.messages(FEW))
    tables = fab.tables(FEW, *live.TABLES)
    assert len(found) == sum(len(columns["at"]) for columns in tables.values())
    assert (np.diff([message.leaves for message in found]) >= 0).all()
    by_source = collections.defaultdict(list)
    for message in found:
        by_source[message.source].append(message)
    for source, sent in by_source.items():
        machine, name = source.split("/")
        assert [message.sequence for message in sent] == list(range(len(sent)))
        assert {message.topic for message in sent} == {f"fab/{machine[0]}/{machine}/{name}"}
        mine = tables[name]["machine"] == machine
        assert [message.values["time"] for message in sent] == tables[name]["at"][mine].tolist()
    row = next(message.values for message in found if message.source.endswith("telemetry"))
    assert set(row) <= {"time", *fab.tables(FEW)["telemetry"]} and "machine" not in row


def test_a_later_beginning_leaves_out_what_left_before():
    late = list(live.messages(FEW, ("telemetry",), begin_h=100.0))
    assert late and late[0].leaves >= fleet.START_US + 100 * fleet.HOUR_US
    assert len(late) < len(list(live.messages(FEW, ("telemetry",))))


def test_an_outage_holds_messages_back_and_they_drain_afterwards():
    fleets = (fab.Fab("tiny", seed=seed, machines=2, days=100) for seed in range(20))
    long = next(one for one in fleets if len(mess.outages(one)[0]))
    site, start, end = (column[0] for column in mess.outages(long))
    machine = fleet.plan(long).names[int(np.flatnonzero(fleet.plan(long).site == site)[0])]
    down, up = fleet.to_us(np.array([start, end])).tolist()
    sent = [m for m in live.messages(long, ("telemetry",)) if m.source.startswith(machine)]
    assert not [message for message in sent if down <= message.leaves < up]
    held = [m for m in sent if down + fleet.HOUR_US <= m.values["time"] < up - fleet.HOUR_US]
    assert all(up <= message.leaves < up + fleet.HOUR_US for message in held)


def test_the_clock_of_the_fleet_runs_as_fast_as_asked():
    clock, kept = Clock(), Kept()
    told = live.go(FEW, [kept], speed=86_400.0, begin_h=24.0, clock=clock, sleep=clock.sleep)
    assert kept.moments[0][0] == fleet.START_US + 24 * fleet.HOUR_US
    assert kept.moments[-1][0] == fleet.START_US + 240 * fleet.HOUR_US
    assert 9.0 <= told["seconds"] < 9.2 and told["lived_h"] == 216.0 and kept.closed == 1
    moved = np.diff([at for at, _ in kept.moments[:-1]])
    assert np.allclose(moved, live.TICK * 86_400e6, rtol=1e-6)


def test_it_ends_when_nothing_more_is_taken_or_the_seconds_are_over():
    clock = Clock()
    assert live.go(FEW, [Kept(until=5)], clock=clock, sleep=clock.sleep)["kept"] == 5
    told = live.go(FEW, [Kept()], seconds=2.0, clock=clock, sleep=clock.sleep)
    assert 2.0 <= told["seconds"] < 2.1


def test_outlets_that_are_too_slow_are_told():
    clock = Clock(look=0.4)
    assert live.go(FEW, [Kept(until=3)], clock=clock, sleep=clock.sleep)["behind_s"] == pytest.approx(0.4)


def test_an_interrupt_closes_everything_and_a_failure_too():
    clock, kept = Clock(), [Kept(), Kept(raises=KeyboardInterrupt())]
    told = live.go(FEW, kept, clock=clock, sleep=clock.sleep)
    assert told["interrupted"] and [outlet.closed for outlet in kept] == [1, 1]
    kept = [Kept(), Kept(raises=OSError("full"))]
    with pytest.raises(OSError, match="full"):
        live.go(FEW, kept, clock=clock, sleep=clock.sleep)
    assert [outlet.closed for outlet in kept] == [1, 1]


@pytest.mark.parametrize(
    "wrong", [{"speed": 0.0}, {"speed": -1.0}, {"speed": float("nan")}, {"begin_h": 240.0}]
)
def test_a_speed_or_beginning_that_cannot_be_is_refused(wrong):
    with pytest.raises(errors.DeclarationError, match="give a speed above 0"):
        live.go(FEW, [], **wrong)


@needs_broker
def test_a_fleet_comes_through_a_broker_that_is_restarted_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(mqtt, "BACK_OFF", (0.05, 0.2))
    with running(tmp_path) as broker:
        consumer = Consumer(broker)
        outlet = live.Broker(FEW, mqtt.Publisher(broker.address), wait=10.0)
        looks = iter(range(1000))

        def sleep(seconds):
            time.sleep(seconds)
            if next(looks) == 5:
                broker.end()
                broker.start()

        told = live.go(FEW, [outlet], speed=10 * 86_400.0, sleep=sleep)
        wanted = list(live.messages(FEW))
        assert consumer.wait(lambda: len(consumer.rows) == len(wanted))
        consumer.close()
    assert told["messages"] == told["acknowledged"] == len(wanted) and not told["dropped"] + told["unsent"]
    assert not dict(consumer.ledger.missing())
    sent = {(m.source, m.sequence): {"source": m.source, "epoch": told["epoch"], **m.values} for m in wanted}
    for topic, row in consumer.rows:
        assert topic.startswith(f"fab/{row['source'][0]}/")
        assert sent.pop((row["source"], row.pop("sequence"))) == row
    assert not sent


#: A program in a background shell is started deaf to Ctrl-C, and so is all that it starts.
HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


@needs_broker
def test_ctrl_c_ends_the_command_with_a_summary(tmp_path):
    with running(tmp_path) as broker:
        command = [
            sys.executable, "-c", HEARS + "from flyball.cli import main; main()", "fab", "--live", "--days", "30",
            "--broker", broker.address, "--speed", "3600",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        consumer = Consumer(broker)
        assert consumer.wait(lambda: len(consumer.rows) > 5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        consumer.close()
    assert process.returncode == 0 and err == "" and ", interrupted" in out
    assert " 0 dropped, 0 unsent, 1 connect(s)" in out
