"""A fleet as it lives: its rows sent in the order in which they leave the sites, in real or accelerated time.

During a network outage of the fleet's truth a site is silent; what it held back follows when the line is up again.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any, Protocol

from flyball import errors
from flyball.fab import files, fleet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

#: The tables that machines send by themselves, each under its own topic.
TABLES = ("telemetry", "events", "repairs")
#: Seconds between two looks at the clock.
TICK = 0.05


@dataclasses.dataclass(frozen=True)
class Message:
    """One row on its way: when it leaves (microseconds), its topic, source, number within the source, and values."""

    leaves: int
    topic: str
    source: str
    sequence: int
    values: Mapping[str, Any]

    def payload(self, epoch: int) -> bytes:
        """Return the message as compact JSON, under the number of the sender's start.

        >>> Message(5, "fab/A/A-001/events", "A-001/events", 0, {"time": 1, "code": "VA-W1"}).payload(7)
        b'{"source":"A-001/events","epoch":7,"sequence":0,"time":1,"code":"VA-W1"}'
        """
        head = {"source": self.source, "epoch": epoch, "sequence": self.sequence}
        return json.dumps({**head, **self.values}, separators=(",", ":")).encode()


def messages(fab: fleet.Fab, names: Sequence[str] = TABLES, begin_h: float = 0.0) -> Iterator[Message]:
    """Yield a fleet's rows as messages in the order in which they leave, from an hour of its life on.

    The topic is fab/SITE/MACHINE/TABLE; `time` and all moments are microseconds, missing values are left out; the
    numbers of a source (a machine's table) begin with 0 and have no gaps.

    >>> first = next(messages(fleet.Fab("tiny", machines=1, days=2), ["telemetry"]))
    >>> first.topic, first.sequence, sorted(first.values)[:3]
    ('fab/A/A-001/telemetry', 0, ['air_pressure', 'air_temp', 'align_residual'])
    """
    import numpy as np

    tables = files.tables(fab, *names)
    begin = fleet.START_US + round(begin_h * fleet.HOUR_US)
    leaves = np.concatenate([columns["seen"] for columns in tables.values()])
    which = np.repeat(np.arange(len(tables)), [len(columns["seen"]) for columns in tables.values()])
    place = np.concatenate([np.arange(len(columns["seen"])) for columns in tables.values()])
    order = np.argsort(leaves, kind="stable")
    order = order[leaves[order] >= begin]
    found, numbers = list(tables.items()), collections.Counter[str]()
    for row in order.tolist():
        name, columns = found[which[row]]
        source = f"{columns['machine'][place[row]]}/{name}"
        site, machine = source.partition("-")[0], source.partition("/")[0]
        yield Message(
            int(leaves[row]),
            f"fab/{site}/{machine}/{name}",
            source,
            numbers[source],
            _values(columns, place[row]),
        )
        numbers[source] += 1


def _values(columns: Mapping[str, NDArray[Any]], row: int) -> dict[str, Any]:
    """Return a row as plain values without what is missing."""
    out = {}
    for name, column in columns.items():
        value = column[row].item()
        if name not in ("machine", "seen") and value == value and value != "":
            out["time" if name == "at" else name] = value
    return out


class Outlet(Protocol):
    """Where something of the fleet goes: it is told how far the fleet's life has come, and takes what is due."""

    def due(self, until_us: int, elapsed_s: float) -> bool:
        """Take what is due up to a moment of the fleet's life, `elapsed_s` after the start; say if more will come."""

    def close(self) -> dict[str, int]:
        """Finish, and return what was done as counts."""


def check(fab: fleet.Fab, speed: float, begin_h: float) -> None:
    """Raise DeclarationError for a speed that is not above zero or a beginning outside of the fleet's life.

    >>> check(fleet.Fab("tiny", days=2), 3600.0, 47.0)
    """
    hours = 24.0 * fab.size().days
    if not speed > 0.0 or not 0.0 <= begin_h < hours:
        raise errors.DeclarationError(
            f"fab: speed {speed:g} from hour {begin_h:g}: give a speed above 0 and an hour below {hours:g}"
        )


def go(
    fab: fleet.Fab, outlets: Sequence[Outlet], *, speed: float = 1.0, begin_h: float = 0.0, seconds: float = 0.0,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:  # fmt: skip
    """Let a fleet live before the outlets, `speed` times as fast as the clock; return what came of it.

    It ends with the fleet's last day, after `seconds` (0: without limit), when no outlet takes more, or when it is
    interrupted: then too everything is closed and told.  `behind_s` is the longest that the outlets made it late.
    Raises what `check` raises.
    """
    check(fab, speed, begin_h)
    hours = 24.0 * fab.size().days
    start, begin_us, behind = clock(), fleet.START_US + round(begin_h * fleet.HOUR_US), 0.0
    end_us, elapsed, interrupted = fleet.START_US + round(hours * fleet.HOUR_US), 0.0, False
    try:
        while True:
            elapsed = clock() - start
            now_us = min(begin_us + round(elapsed * speed * 1e6), end_us)
            more = [outlet.due(now_us, elapsed) for outlet in outlets]
            took = clock() - start - elapsed
            behind = max(behind, took)
            if now_us >= end_us or not any(more) or 0.0 < seconds <= elapsed:
                break
            sleep(max(TICK - took, 0.0))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        done = [outlet.close() for outlet in outlets]
    told = {
        "speed": speed, "interrupted": interrupted, "seconds": round(elapsed, 3), "behind_s": round(behind, 3),
        "lived_h": round(min(elapsed * speed / 3600.0, hours - begin_h), 3),
    }  # fmt: skip
    for counts in done:
        told |= counts
    return told


class Broker:
    """Sends a fleet's rows to a broker; `epoch` tells this start from others, by default by the clock."""

    def __init__(
        self, fab: fleet.Fab, publisher: Any, *, names: Sequence[str] = TABLES, begin_h: float = 0.0,
        epoch: int | None = None, wait: float = 5.0,
    ) -> None:  # fmt: skip
        """Stand at the fleet's first message."""
        self.epoch = time.time_ns() // 1_000_000 if epoch is None else epoch
        self.publisher, self.wait = publisher, wait
        self._messages = messages(fab, names, begin_h)
        self._next = next(self._messages, None)

    def due(self, until_us: int, elapsed_s: float) -> bool:
        """Send the messages that leave up to a moment."""
        while self._next is not None and self._next.leaves <= until_us:
            self.publisher.put(self._next.topic, self._next.payload(self.epoch))
            self._next = next(self._messages, None)
        return self._next is not None

    def close(self) -> dict[str, int]:
        """Send what is held and tell what became of all messages."""
        self.publisher.close(self.wait)
        counts = self.publisher.counts
        return {
            "epoch": self.epoch, "messages": counts.put, "acknowledged": counts.acknowledged,
            "dropped": counts.dropped, "unsent": self.publisher.held, "connects": counts.connects,
        }  # fmt: skip
