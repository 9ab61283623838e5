"""Messages to a real broker: nothing acknowledged is lost, what comes twice is seen, what is dropped counted."""

import json
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fab.brokers import Consumer, needs_broker, running

from flyball import errors
from flyball.fab import mqtt


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(mqtt, "BACK_OFF", (0.05, 0.2))


def numbered(sequence, epoch=1):
    return json.dumps({"source": "A-001/telemetry", "epoch": epoch, "sequence": sequence}).encode()


@needs_broker
def test_what_is_put_arrives_in_order_and_once(tmp_path):
    with running(tmp_path) as broker:
        consumer, publisher = Consumer(broker), mqtt.Publisher(broker.address)
        for sequence in range(2000):
            publisher.put("fab/A/A-001/telemetry", numbered(sequence))
        publisher.close(wait=60.0)
        assert consumer.wait(lambda: len(consumer.rows) == 2000)
        consumer.close()
    assert [row["sequence"] for _, row in consumer.rows] == list(range(2000))
    assert publisher.counts == mqtt.Counts(put=2000, acknowledged=2000, dropped=0, connects=1)
    assert publisher.held == 0 and consumer.ledger.again == 0


def under_load(broker, how):
    """Send without a pause while the broker is ended and started twice; what the consumer had, put, and acknowledged.

    The last is how many were acknowledged when the broker had just ended, each time.
    """
    consumer, publisher = Consumer(broker), mqtt.Publisher(broker.address)
    stop, put, acknowledged = threading.Event(), 0, []

    def restart():
        for _ in range(2):
            time.sleep(0.15)
            broker.end(how)
            consumer.wait(lambda: not publisher.connected)
            acknowledged.append(publisher.counts.acknowledged)
            broker.start()
            consumer.wait(consumer.client.is_connected)
        stop.set()

    other = threading.Thread(target=restart)
    other.start()
    while not stop.is_set() or put < 3000:
        publisher.put("fab/A/A-001/telemetry", numbered(put))
        put += 1
        time.sleep(0.0002)
    other.join()
    assert publisher.drain(10.0)
    publisher.close()
    assert publisher.counts.connects >= 2
    assert publisher.counts.put == publisher.counts.acknowledged == put and not publisher.counts.dropped
    consumer.wait(lambda: put - 1 in [row["sequence"] for _, row in consumer.rows[-600:]])
    consumer.wait(lambda: len(consumer.rows) == put, seconds=1.0)
    consumer.close()
    return consumer, put, acknowledged


@needs_broker
def test_a_broker_restarted_in_the_middle_loses_nothing_that_it_acknowledged(tmp_path):
    with running(tmp_path) as broker:
        consumer, put, _ = under_load(broker, signal.SIGTERM)
    # All are there: what came twice was told apart by its number.
    assert not dict(consumer.ledger.missing())
    assert sorted(row["sequence"] for _, row in consumer.rows) == list(range(put))


@needs_broker
def test_what_a_killed_broker_had_not_acknowledged_comes_and_what_it_lost_is_seen(tmp_path):
    with running(tmp_path) as broker:
        consumer, put, acknowledged = under_load(broker, signal.SIGKILL)
    missing = dict(consumer.ledger.missing()).get(("A-001/telemetry", 1), [])
    had = [row["sequence"] for _, row in consumer.rows]
    assert sorted(had + missing) == list(range(put))
    # A broker that is killed may lose what it has acknowledged and not yet kept; the sender loses nothing.
    assert all(number < max(acknowledged) for number in missing)


@needs_broker
def test_a_broker_killed_while_all_is_delivered_loses_nothing(tmp_path):
    with running(tmp_path) as broker:
        consumer, publisher = Consumer(broker), mqtt.Publisher(broker.address)
        for sequence in range(500):
            publisher.put("fab/A/A-001/telemetry", numbered(sequence))
        assert publisher.drain(5.0) and consumer.wait(lambda: len(consumer.rows) == 500)
        time.sleep(0.1)
        broker.end(signal.SIGKILL)
        for sequence in range(500, 1000):
            publisher.put("fab/A/A-001/telemetry", numbered(sequence))
        broker.start()
        assert publisher.drain(10.0) and consumer.wait(lambda: len(consumer.rows) == 1000)
        publisher.close()
        consumer.close()
    assert sorted(row["sequence"] for _, row in consumer.rows) == list(range(1000))


@needs_broker
def test_a_full_spool_drops_the_oldest_counts_them_and_the_consumer_sees_the_hole(tmp_path):
    with running(tmp_path) as broker:
        consumer, publisher = Consumer(broker), mqtt.Publisher(broker.address, spool=50)
        publisher.put("fab/A/A-001/telemetry", numbered(0))
        assert publisher.drain(5.0) and consumer.wait(lambda: consumer.rows)
        broker.end()
        assert consumer.wait(lambda: not publisher.connected)
        for sequence in range(1, 101):
            publisher.put("fab/A/A-001/telemetry", numbered(sequence))
        assert publisher.counts.dropped == 50 and publisher.held == 50
        broker.start()
        assert publisher.drain(10.0)
        publisher.close()
        assert consumer.wait(lambda: len(consumer.rows) == 51)
        consumer.close()
    assert dict(consumer.ledger.missing()) == {("A-001/telemetry", 1): list(range(1, 51))}
    assert publisher.counts.acknowledged + publisher.counts.dropped == publisher.counts.put == 101


@needs_broker
def test_what_cannot_be_sent_is_told_as_held(tmp_path):
    with running(tmp_path) as broker:
        publisher = mqtt.Publisher(broker.address)
        broker.end(signal.SIGKILL)
        for sequence in range(20):
            publisher.put("fab/A/A-001/telemetry", numbered(sequence))
        publisher.close(wait=0.2)
    assert publisher.held == 20 and publisher.counts.acknowledged == 0


def test_no_broker_is_told(tmp_path):
    with pytest.raises(errors.DataError, match=r"no broker at 127.0.0.1:9 \(nobody answered"):
        mqtt.Publisher("127.0.0.1:9", wait=0.1)
    with pytest.raises(errors.DeclarationError, match="give 1 or more"):
        mqtt.Publisher("127.0.0.1:9", spool=0)


@pytest.mark.parametrize("broker", ["", ":1", "host:", "host:x", "host:0", "host:70000"])
def test_an_address_that_is_none_is_refused(broker):
    with pytest.raises(errors.DeclarationError, match="is no address"):
        mqtt.address(broker)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1), st.integers(0, 12)), max_size=60))
def test_the_ledger_is_what_sets_say(taken):
    ledger, seen = mqtt.Ledger(), {}
    for source, epoch, sequence in taken:
        had = seen.setdefault((source, epoch), set())
        assert ledger.take(source, epoch, sequence) == (sequence not in had)
        had.add(sequence)
    holes = {mark: [n for n in range(max(had)) if n not in had] for mark, had in seen.items()}
    assert dict(ledger.missing()) == {mark: found for mark, found in holes.items() if found}
    assert ledger.taken == sum(map(len, seen.values())) and ledger.again == len(taken) - ledger.taken
