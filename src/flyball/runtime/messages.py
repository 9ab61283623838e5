"""Messages in: what machines publish over MQTT, taken in once, and acknowledged when it is on the disk.

The broker keeps for this client what it has not acknowledged (a session that outlives connections), and sends no more
than a window of messages ahead: so memory is bounded, a slow disk makes the broker wait, and nothing is dropped here.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import queue
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flyball import data, durable, errors, extras, part
from flyball.data import bindings
from flyball.data.formats import jsonl, sparkplug
from flyball.data.formats.raw import Bad, nothing, shorten
from flyball.runtime import landing, streams

if TYPE_CHECKING:
    from flyball.runtime.store import Store

SCHEMES = ("mqtt", "mqtts")
#: The broker sends at most so many messages ahead of what is acknowledged, each of at most so many bytes.
WINDOW, LARGEST = 2_000, 2**20
#: A message beyond this is not sent to us at all (MQTT 5, Maximum Packet Size): memory is WINDOW times this at most.
PACKET = 2**22
#: A session is kept by the broker for so long without us: thirty days.
SESSION_S = 30 * 86_400
#: A commit is made when so many messages wait, or the oldest has waited this long.
BATCH, PATIENCE_S = 2_000, 2.0
#: What a message of JSON says of itself, besides its row.
HEAD = ("source", "epoch", "sequence")
#: What the rows of messages are read as.
LINES = Path("messages.jsonl")


class Message(NamedTuple):
    """A message as it came: `line` tells of which connection, for acknowledging it."""

    topic: str
    content: bytes
    mid: int
    qos: int
    line: int
    retained: bool = False


class Place(NamedTuple):
    """Where messages are: a broker and the topics, as `mqtt://HOST:PORT/TOPIC` says it."""

    host: str
    port: int
    topics: str
    secure: bool

    @staticmethod
    def read(text: str) -> Place:
        """Read a place.  Raises DeclarationError for one that is none, and for a password in it.

        >>> Place.read("mqtt://broker/fab/+/+/telemetry")
        Place(host='broker', port=1883, topics='fab/+/+/telemetry', secure=False)
        """
        scheme, _, rest = text.partition("://")
        if "@" in rest:
            raise errors.DeclarationError(
                f"{scheme}: a name or password does not belong into the address: set MQTT_USERNAME and MQTT_PASSWORD"
            )
        address, _, topics = rest.partition("/")
        told = urllib.parse.urlsplit(f"//{address}")
        try:
            port = told.port or {"mqtt": 1883, "mqtts": 8883}[scheme]
        except (KeyError, ValueError):
            raise errors.DeclarationError(f"{text}: give mqtt://HOST:PORT/TOPIC") from None
        if not told.hostname or not topics:
            raise errors.DeclarationError(
                f"{text}: give mqtt://HOST:PORT/TOPIC, such as mqtt://broker:1883/fab/#"
            )
        return Place(told.hostname, port, urllib.parse.unquote(topics), scheme == "mqtts")


class Line:
    """The connection to a broker: holds at most a window of messages, and acknowledges what it is told to.

    Raises DataError when nobody answers at first; later a line that breaks is `trouble`, and made again.
    """

    def __init__(self, place: Place, name: str, wait_s: float = 10.0) -> None:
        client = extras.need("paho.mqtt.client", "mqtt", "to listen to a broker")
        enums = extras.need("paho.mqtt.enums", "mqtt", "to listen to a broker")
        self._properties = extras.need("paho.mqtt.properties", "mqtt", "to listen to a broker")
        self._packets = extras.need("paho.mqtt.packettypes", "mqtt", "to listen to a broker").PacketTypes
        self.place, self.trouble = place, ""
        self.waiting: queue.Queue[Message] = queue.Queue(WINDOW)
        self.number = 0
        self._up = threading.Event()
        self._client = client.Client(
            enums.CallbackAPIVersion.VERSION2, client_id=name, protocol=client.MQTTv5, manual_ack=True
        )
        if os.environ.get("MQTT_USERNAME"):
            self._client.username_pw_set(os.environ["MQTT_USERNAME"], os.environ.get("MQTT_PASSWORD"))
        if place.secure:
            self._client.tls_set(ca_certs=os.environ.get("MQTT_CA_FILE"))
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect, self._client.on_disconnect = self._connected, self._broken
        self._client.on_message = self._came
        try:
            self._connect(wait_s)
        except (OSError, ValueError) as error:
            where = f"{place.host}:{place.port}"
            raise errors.DataError(f"no broker at {where} ({error}): start it, or mend --watch") from None

    def _connect(self, wait_s: float) -> None:
        told = self._properties.Properties(self._packets.CONNECT)
        told.ReceiveMaximum, told.SessionExpiryInterval, told.MaximumPacketSize = WINDOW, SESSION_S, PACKET
        self._client.connect(
            self.place.host, self.place.port, keepalive=30, clean_start=False, properties=told
        )
        self._client.loop_start()
        if not self._up.wait(wait_s):
            self.close()
            raise OSError(self.trouble or f"it did not answer within {wait_s:g} s")

    def _connected(self, client: Any, kept: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self.trouble = f"the broker at {self.place.host}:{self.place.port} refuses: {reason}"
            return
        self.number += 1
        self.trouble = ""
        client.subscribe(self.place.topics, qos=1)
        self._up.set()

    def _broken(self, client: Any, kept: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.trouble = f"the broker at {self.place.host}:{self.place.port} is gone ({reason})"
        # What is not acknowledged comes again: what waits from this line would be there twice.
        while not self.waiting.empty():
            self.waiting.get_nowait()

    def _came(self, client: Any, kept: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = repr(bytes(message._topic))
        told = Message(topic, message.payload, message.mid, message.qos, self.number, message.retain)
        self.waiting.put(told)  # without acknowledgement (QoS 0) the line itself is held up

    def lot(self, most: int, patience_s: float, stop: threading.Event) -> list[Message]:
        """Return what came, at most so many: when they are there, or the first has waited long enough."""
        found: list[Message] = []
        end = time.monotonic() + patience_s
        while len(found) < most and not stop.is_set() and (left := end - time.monotonic()) > 0:
            try:
                found.append(self.waiting.get(timeout=min(left, 0.2)))
            except queue.Empty:
                continue
        return found

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Say that messages are on the disk; those of a line that broke meanwhile come again and are known then."""
        for one in messages:
            if one.qos and one.line == self.number:
                self._client.ack(one.mid, one.qos)

    def close(self) -> None:
        """Leave; the broker keeps for us what comes."""
        self._client.disconnect()
        self._client.loop_stop()


class Reader:
    """Turns messages into rows: JSON that says its source, epoch and sequence, and Sparkplug B.

    `nodes` is what births told; it is kept in the store, as they are not sent again to who comes back.
    """

    def __init__(self, fleet: data.Fleet, sites: data.Bindings, nodes: Mapping[str, sparkplug.Node]) -> None:
        self.fleet, self.sites = fleet, sites
        self.nodes = {name: copy.deepcopy(node) for name, node in nodes.items()}
        self.known = 0
        self.notes: dict[str, int] = {}
        self._rows: dict[tuple[str, str], dict[Any, dict[str, Any]]] = {}
        self._spans: dict[tuple[str, str], list[streams.Span]] = {}
        self._seen: set[streams.Span] = set()
        self._bad: list[Bad] = []

    def sent(self, messages: Sequence[Message], marks: streams.Marks, now_us: int) -> Iterator[streams.Sent]:
        """Yield the rows of messages that are not known yet, by table and sender, with what is wrong with others."""
        for place, message in enumerate(messages, 1):
            try:
                self._read(message, marks, now_us)
            except errors.DeclarationError:
                raise
            except (errors.DataError, ValueError, ArithmeticError, TypeError, KeyError) as error:
                # Whatever a message says, the others go on; it is set apart with what was wrong.
                told = (
                    str(error) if isinstance(error, errors.DataError) else f"a value that cannot be ({error})"
                )
                text = shorten(f"{message.topic!r} {message.content[:500]!r}")
                self._bad.append(Bad(place, told.encode("utf-8", "replace").decode(), text))
        placed: set[streams.Span] = set()
        for (table, name), found in self._rows.items():
            content = "\n".join(json.dumps(row) for row in found.values()).encode()
            spans = self._spans[table, name]
            placed.update(spans)
            yield streams.Sent(table, name, jsonl.read(LINES, content), streams.joined(spans))
        loose = self._seen - placed
        if self._bad or loose:
            yield streams.Sent(None, "mqtt", nothing(self._bad, ""), streams.joined(loose))

    def _read(self, message: Message, marks: streams.Marks, now_us: int) -> None:
        if len(message.content) > LARGEST:
            raise errors.DataError(f"a message of {len(message.content)} bytes, at most {LARGEST} are read")
        topic = sparkplug.topic(message.topic)
        if topic is not None:
            self._sparkplug(topic, sparkplug.payload(message.content), marks, now_us)
        else:
            self._json(message, marks, now_us)

    def _json(self, message: Message, marks: streams.Marks, now_us: int) -> None:
        try:
            told = json.loads(message.content)
            source, epoch, sequence = (told.pop(name) for name in HEAD)
            span = streams.Span(str(source), str(epoch), int(sequence), int(sequence))
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError, OverflowError):
            raise errors.DataError("no JSON with source, epoch and sequence, and not Sparkplug B") from None
        if self._is_known(span, marks):
            return
        levels = message.topic.split("/")
        ends = (levels[-1], span.source.split("/")[-1])
        table = next((table for table in self.fleet.tables if table.name in ends), None)
        if table is None:
            raise errors.DataError(f"topic {shorten(message.topic)!r} ends in no table of the page")
        key = self._site(message.topic, now_us).site_name(table.name, self.fleet.key)
        if key not in told and len(levels) > 1:
            told[key] = levels[-2]
        self._add(table.name, message.topic, span, told, span)

    def _is_known(self, span: streams.Span, marks: streams.Marks) -> bool:
        """Say whether a message is in the store or came in this lot already; note that it has been seen."""
        known = marks.has(*span[:3]) or span in self._seen
        self.known += known
        if not known:
            self._seen.add(span)
        return known

    def _site(self, name: str, now_us: int) -> data.Binding:
        """Return a sender's binding.  Raises DeclarationError when its site has none for today: nothing is lost."""
        try:
            return self.sites.of(Path(name), now_us) or data.Binding("")
        except errors.DataError as error:
            raise errors.DeclarationError(str(error)) from None

    def _sparkplug(
        self, topic: sparkplug.Topic, told: sparkplug.Payload, marks: streams.Marks, now_us: int
    ) -> None:
        node = self.nodes.setdefault(topic.source, sparkplug.Node())
        if topic.kind == "NDEATH":
            mine = node.dies("", told)
            self._note("deaths heard" if mine else "deaths of an earlier birth, which mean nothing")
            return
        if topic.kind == "NBIRTH":
            node.born(told)
        if topic.kind in sparkplug.BIRTHS:
            node.learn(topic.device, told)
        span = self._counted(topic, node, told)
        if self._is_known(span, marks):
            return
        if topic.kind == "DDEATH":
            node.dies(topic.device, told)
            self._note("deaths heard")
        elif not node.epoch:
            raise errors.DataError(f"data before a birth: {topic.source} was not born since we listen")
        else:
            self._metrics(topic, node, told, span, now_us)

    def _counted(self, topic: sparkplug.Topic, node: sparkplug.Node, told: sparkplug.Payload) -> streams.Span:
        """Return a message's place among its node's, and note what is missing before it."""
        if told.seq is None:
            raise errors.DataError(f"a {topic.kind} without its number (seq)")
        number = 0 if topic.kind == "NBIRTH" else node.number(told.seq, told.at_ms)
        gap = number - node.last - 1
        if gap > 0 and node.epoch:
            node.missing += gap
            self._note("messages missing by their numbers", gap)
        if number > node.last:
            node.last, node.last_ms = number, max(told.at_ms, node.last_ms)
        return streams.Span(f"{sparkplug.SPACE}/{topic.source}", node.epoch or "unborn", number, number)

    def _metrics(
        self, topic: sparkplug.Topic, node: sparkplug.Node, told: sparkplug.Payload, span: streams.Span, now_us: int
    ) -> None:  # fmt: skip
        """Make a row of each moment of each table of what changed: silence is not a missing value, it is no row."""
        key = topic.device or topic.node
        name = f"{topic.group}/{topic.node}/{key}"
        site = self._site(name, now_us)
        found = [(node.named(topic.device, metric), metric) for metric in told.metrics]
        on_page: set[str] = set()
        for table in self.fleet.tables:
            wanted = {site.site_name(table.name, column) for column in table.columns}
            on_page |= wanted
            for metric_name, metric in found:
                if metric_name not in wanted:
                    continue
                when = datetime.fromtimestamp(metric.at_ms / 1000, UTC).isoformat()
                row: dict[str, Any] = {site.site_name(table.name, self.fleet.key): key}
                if table.time is not None:
                    row[site.site_name(table.name, table.time)] = when
                if metric.kind == sparkplug.UNREAD:
                    self._note(f"values of {shorten(metric_name)!r}, which is no number and no text")
                    continue
                value = node.value(topic.device, metric_name, metric)
                self._add(table.name, name, (key, when), row | {metric_name: value}, span)
        if any(metric.historical for _, metric in found):
            self._note("messages with history that was stored")
        for one in sorted({n for n, _ in found} - on_page) if topic.kind in sparkplug.DATA else ():
            self._note(f"values of {shorten(one)!r}, which is not on the page")

    def _add(self, table: str, name: str, at: Any, row: Mapping[str, Any], span: streams.Span) -> None:
        """Put a row (or, of one that is there, what is new of it) among those of a table and sender."""
        json.dumps(
            row, ensure_ascii=False
        ).encode()  # a text that is none is told here, of this message alone
        self._rows.setdefault((table, name), {}).setdefault(at, {}).update(row)
        self._spans.setdefault((table, name), []).append(span)

    def _note(self, what: str, count: int = 1) -> None:
        self.notes[what] = self.notes.get(what, 0) + count


class Watch:
    """Takes in what a broker sends until told to stop; speaks as `landing.Watch` does."""

    def __init__(
        self, store: Store, place: Place, binding: data.Binding | data.Bindings | None = None,
        batch: int = BATCH, patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self.store, self.place, self.binding = store, place, binding
        self.batch, self.patience_s = batch, patience_s
        self.total = landing.Total()
        told = f"{store.folder.resolve()} {part.canonical(store.fleet)} {place}"
        self._name = hashlib.sha256(told.encode()).hexdigest()[:16]
        kept = store.state(f"mqtt-{self._name}")
        self._nodes = {name: _node(one) for name, one in kept.items()}
        self._line = Line(place, f"flyball-{self._name}")

    def go(
        self, every_s: float, for_s: float = 0.0, stop: threading.Event | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield what each lot came to; ends after some seconds, or when told to stop."""
        stop = stop if stop is not None else threading.Event()
        end = time.monotonic() + for_s if for_s else float("inf")
        try:
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                lot = self._line.lot(self.batch, min(self.patience_s, left), stop)
                if self._line.trouble:
                    yield from self._troubled(self._line.trouble)
                if lot:
                    yield from self._take(lot, stop, end)
        finally:
            self._line.close()

    def _take(self, lot: Sequence[Message], stop: threading.Event, end: float) -> Iterator[dict[str, Any]]:
        """Take in a lot; what can mend itself is told, and the same lot tried again."""
        self.total.rounds += 1
        while True:
            try:
                reader, told = self._received(lot)
                break
            except errors.StoreError as error:
                if not isinstance(error, durable.Busy) and not isinstance(error.__cause__, OSError):
                    raise
                yield from self._troubled(str(error))
                if stop.wait(max(0.0, min(1.0, end - time.monotonic()))) or time.monotonic() >= end:
                    return  # not acknowledged: the broker keeps it
        if reader.nodes != self._nodes:
            self.store.state(
                f"mqtt-{self._name}", {name: asdict(node) for name, node in reader.nodes.items()}
            )
        self._nodes = reader.nodes
        self._line.acknowledge(lot)
        told.known += reader.known
        told.notes += [f"{count} {what}" for what, count in sorted(reader.notes.items())]
        self.total.trouble = ""
        self.total.add(told)
        yield {"round": self.total.rounds, "trouble": "", **told.json()}

    def _received(self, lot: Sequence[Message]) -> tuple[Reader, Any]:
        now = time.time_ns() // 1000
        readers: list[Reader] = []

        def build(marks: streams.Marks) -> Iterable[streams.Sent]:
            readers.append(Reader(self.store.fleet, bindings.several(self.binding), self._nodes))
            return readers[-1].sent(lot, marks, now)

        told = self.store.receive(build, self.binding, now, live=True)
        return readers[-1], told

    def _troubled(self, why: str) -> Iterator[dict[str, Any]]:
        told, self.total.trouble = self.total.trouble, why
        if told != why:
            yield {"round": self.total.rounds, "trouble": why}


def _node(told: Mapping[str, Any]) -> sparkplug.Node:
    names = {
        device: {int(alias): name for alias, name in one.items()} for device, one in told["names"].items()
    }
    return sparkplug.Node(**{**told, "names": names})
