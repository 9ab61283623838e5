"""Messages to a broker, none lost in silence: what is not acknowledged is kept, what must go is counted.

Every message names its source, the epoch (one start of the sender) and a sequence number without gaps, so a
consumer can tell what is missing and what came twice: at-least-once delivery sends again after a broken line.
"""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

from flyball import errors, extras

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Messages on their way to the broker and not yet acknowledged, at most.
WINDOW = 500
#: Seconds until the first new try after a broken line, and at most; doubled each time.
BACK_OFF = (0.25, 30.0)


@dataclasses.dataclass
class Counts:
    """What became of the messages: put = acknowledged + dropped + what is still held."""

    put: int = 0
    acknowledged: int = 0
    dropped: int = 0
    connects: int = 0


class Publisher:
    """Sends messages to a broker (MQTT 3.1.1, at least once), over broken lines, from a bounded spool in memory.

    `broker` is "host:port". While the line is down up to `spool` messages wait; beyond that the oldest are dropped
    and counted, and their numbers are missing for the consumer to see. Sent again after a broken line is what was
    not acknowledged. DataError: nobody answers at the broker's address within `wait` seconds, or it refuses.
    MissingExtraError without paho-mqtt.

    Source: MQTT 3.1.1, OASIS standard 2014, section 4.3.2.
    """

    def __init__(self, broker: str, *, spool: int = 100_000, name: str = "", wait: float = 10.0) -> None:
        """Connect, and wait until the broker has answered."""
        host, port = address(broker)
        if spool < 1:
            raise errors.DeclarationError(f"spool: {spool} messages, give 1 or more")
        client = extras.need("paho.mqtt.client", "mqtt", "to send to a broker")
        enums = extras.need("paho.mqtt.enums", "mqtt", "to send to a broker")
        self.counts = Counts()
        self._spool: collections.deque[tuple[str, bytes]] = collections.deque()
        self._limit, self._flying, self._up, self._refused = spool, 0, False, ""
        self._changed = threading.Condition()
        self._client = client.Client(enums.CallbackAPIVersion.VERSION2, client_id=name)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.reconnect_delay_set(*BACK_OFF)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.connect_async(host, port, keepalive=15)
        self._client.loop_start()
        with self._changed:
            self._changed.wait_for(lambda: self._up or self._refused, timeout=wait)
            if not self._up:
                why = self._refused or f"nobody answered within {wait:g} s"
                self._stop()
                raise errors.DataError(f"no broker at {broker} ({why}): start one, or give another --broker")

    def put(self, topic: str, payload: bytes) -> None:
        """Take a message over; it is sent as soon as the line and the broker allow.

        With a full spool this waits while the line is up: a slow broker makes the sender slow, and costs nothing.
        """
        self._send()
        with self._changed:
            while self._up and len(self._spool) >= self._limit:
                self._changed.wait(0.05)
            self.counts.put += 1
            if len(self._spool) >= self._limit:
                self._spool.popleft()
                self.counts.dropped += 1
            self._spool.append((topic, payload))
        self._send()

    @property
    def held(self) -> int:
        """Messages that are not acknowledged yet."""
        with self._changed:
            return len(self._spool) + self._flying

    @property
    def connected(self) -> bool:
        """Say whether the line is up."""
        return self._up

    def drain(self, wait: float) -> bool:
        """Wait up to so many seconds until everything is acknowledged; say whether it is."""
        end = time.monotonic() + wait
        while self.held and time.monotonic() < end:
            self._send()
            with self._changed:
                self._changed.wait(0.02)
        return not self.held

    def close(self, wait: float = 5.0) -> None:
        """Send what is held, as far as it goes within `wait` seconds, and part from the broker."""
        self.drain(wait)
        self._stop()

    def _stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self) -> None:
        """Hand messages over to the line while it is up and the window has room."""
        while True:
            with self._changed:
                if not self._up or not self._spool or self._flying >= WINDOW:
                    return
                topic, payload = self._spool.popleft()
                self._flying += 1
            # Where the line breaks right now the library keeps the message, and sends it after the next connect.
            self._client.publish(topic, payload, qos=1)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            self._up = not reason.is_failure
            self._refused = str(reason) if reason.is_failure else ""
            self.counts.connects += self._up
            self._changed.notify_all()

    def _on_disconnect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        with self._changed:
            self._up = False
            self._changed.notify_all()

    def _on_publish(self, client: Any, data: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._changed:
            self._flying -= 1
            self.counts.acknowledged += 1
            self._changed.notify_all()
        self._send()


def address(broker: str) -> tuple[str, int]:
    """Return host and port of "host:port"; the port may be missing (1883).

    >>> address("localhost"), address("[::1]:1884")
    (('localhost', 1883), ('::1', 1884))
    """
    host, mark, port = broker.rpartition(":")
    if not mark or port.endswith("]"):
        host, port = broker, "1883"
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise errors.DeclarationError(f"--broker {broker!r} is no address: give one like localhost:1883")
    return host, int(port)


class Ledger:
    """What a consumer has had of every source and epoch: what is new, what came again, what is missing.

    >>> ledger = Ledger()
    >>> [ledger.take("A-001/telemetry", 7, number) for number in (0, 1, 1, 4)]
    [True, True, False, True]
    >>> ledger.again, dict(ledger.missing())
    (1, {('A-001/telemetry', 7): [2, 3]})
    """

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self.taken = self.again = 0
        self._next: dict[tuple[str, int], int] = {}
        self._holes: dict[tuple[str, int], set[int]] = {}

    def take(self, source: str, epoch: int, sequence: int) -> bool:
        """Note a message; say whether it is new. One that comes late, after later ones, is new too."""
        mark = source, epoch
        expected, holes = self._next.setdefault(mark, 0), self._holes.setdefault(mark, set())
        if sequence >= expected:
            holes.update(range(expected, sequence))
            self._next[mark] = sequence + 1
        elif sequence in holes:
            holes.remove(sequence)
        else:
            self.again += 1
            return False
        self.taken += 1
        return True

    def missing(self) -> Iterator[tuple[tuple[str, int], list[int]]]:
        """Yield each source and epoch with numbers that did not come, though later ones did."""
        for mark, holes in sorted(self._holes.items()):
            if holes:
                yield mark, sorted(holes)
