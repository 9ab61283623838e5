"""Sparkplug B: what edge nodes and their devices publish, and what a receiver must remember to read it.

A birth names every metric and may give it a number (alias); data then carry what changed, by that number.  Messages of
a node are numbered 0 to 255 and around; a death that the broker sends names the birth it belongs to (bdSeq).
Source: Eclipse Sparkplug specification 3.0.0 (ISO/IEC 20237:2023), chapters 4 to 6.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flyball import errors, extras

SPACE = "spBv1.0"
BIRTHS, DATA, DEATHS = ("NBIRTH", "DBIRTH"), ("NDATA", "DDATA"), ("NDEATH", "DDEATH")
#: The kind of a metric that holds no number and no text (a template, a data set, bytes).
UNREAD = -1
#: No machine's clock stands beyond the year 2200.
LATEST_MS = 7_258_118_400_000
#: Messages of a node are numbered modulo this.
AROUND = 256

_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = (5, 6, 7, 8)
_FLOAT, _DOUBLE, _BOOLEAN, _TEXTS, _DATE = 9, 10, 11, (12, 14, 15), 13
#: Field numbers of the payload's messages, as the specification has them (6.4.5): name, number, type of protobuf.
_METRIC = (
    ("name", 1, 9), ("alias", 2, 4), ("timestamp", 3, 4), ("datatype", 4, 13), ("is_historical", 5, 8),
    ("is_transient", 6, 8), ("is_null", 7, 8), ("int_value", 10, 13), ("long_value", 11, 4), ("float_value", 12, 2),
    ("double_value", 13, 1), ("boolean_value", 14, 8), ("string_value", 15, 9), ("bytes_value", 16, 12),
)  # fmt: skip
_PAYLOAD = (("timestamp", 1, 4), ("metrics", 2, 11), ("seq", 3, 4), ("uuid", 4, 9), ("body", 5, 12))


class Topic(NamedTuple):
    """Who says what: `kind` is NBIRTH, DDATA and so on; `device` is empty for the node itself."""

    group: str
    kind: str
    node: str
    device: str

    @property
    def source(self) -> str:
        """Return what numbers its messages: the node, for all its devices."""
        return f"{self.group}/{self.node}"


class Metric(NamedTuple):
    """One value: its name ("" when only the alias is given), when it was so (ms), and the value, None for null.

    `kind` is its datatype: 0 when only the birth tells it, UNREAD for one that holds no number and no text.
    """

    name: str
    alias: int | None
    at_ms: int
    value: float | int | bool | str | None
    historical: bool
    kind: int = 0


class Payload(NamedTuple):
    """What a message carries; `seq` is None in a death."""

    at_ms: int
    seq: int | None
    metrics: tuple[Metric, ...]


def topic(text: str) -> Topic | None:
    """Return who says what by a topic, None for one that is not Sparkplug's.

    >>> topic("spBv1.0/fab/DDATA/cell-3/A-001")
    Topic(group='fab', kind='DDATA', node='cell-3', device='A-001')
    >>> topic("fab/north/A-001/telemetry") is None
    True
    """
    pieces = text.split("/")
    if len(pieces) not in (4, 5) or pieces[0] != SPACE or pieces[2] not in (*BIRTHS, *DATA, *DEATHS):
        return None
    return Topic(pieces[1], pieces[2], pieces[3], pieces[4] if len(pieces) == 5 else "")


def payload(content: bytes) -> Payload:
    """Return a message's content.  Raises DataError for one that is cut, damaged or of a type that is not read."""
    message = _messages()["Payload"]()
    try:
        message.ParseFromString(content)
    except Exception as error:  # the library's own, which is not there to be named without it
        raise errors.DataError(
            f"no Sparkplug payload of {len(content)} bytes ({type(error).__name__})"
        ) from None
    if not message.HasField("timestamp") and not message.metrics:
        raise errors.DataError("a Sparkplug payload without time and metrics")
    metrics = tuple(_metric(one, message.timestamp) for one in message.metrics)
    return Payload(message.timestamp, message.seq if message.HasField("seq") else None, metrics)


def packed(told: Payload) -> bytes:
    """Return the bytes of a payload: for senders of one's own, and for tests; numbers go as double or int64.

    >>> told = Payload(1, 3, (Metric("power", 7, 1, 2.5, False, 10),))
    >>> payload(packed(told)) == told
    True
    """
    message = _messages()["Payload"]()
    message.timestamp = told.at_ms
    if told.seq is not None:
        message.seq = told.seq
    for one in told.metrics:
        metric = message.metrics.add()
        if one.name:
            metric.name = one.name
        if one.alias is not None:
            metric.alias = one.alias
        metric.timestamp, metric.is_historical = one.at_ms, one.historical
        if one.value is None:
            metric.is_null = True
        elif isinstance(one.value, bool):
            metric.datatype, metric.boolean_value = _BOOLEAN, one.value
        elif isinstance(one.value, int):
            metric.datatype, metric.long_value = 4, one.value % 2**64
        elif isinstance(one.value, float):
            metric.datatype, metric.double_value = _DOUBLE, one.value
        else:
            metric.datatype, metric.string_value = 12, one.value
    content: bytes = message.SerializeToString()
    return content


def _metric(one: Any, at_ms: int) -> Metric:
    when = one.timestamp if one.HasField("timestamp") else at_ms
    alias = one.alias if one.HasField("alias") else None
    if not 0 < when < LATEST_MS:
        raise errors.DataError(f"metric {one.name!r} says no time that can be ({when} ms)")
    kind = one.datatype if one.datatype <= _TEXTS[-1] and not one.HasField("bytes_value") else UNREAD
    value = None if one.is_null or kind == UNREAD else _value(one)
    return Metric(one.name, alias, when, value, one.is_historical, kind)


def signed(number: int, kind: int) -> int:
    """Return an integer as its datatype means it: signed ones come as the same bits without a sign.

    >>> signed(254, 1), signed(4294967294, 1), signed(254, 5), signed(4294967291, 3)
    (-2, -2, 254, -5)
    """
    bits = _SIGNED.get(kind, 0)
    if not bits:
        return number
    top = 1 << bits
    low = number % top
    return low - top if 2 * low >= top else low


def _value(one: Any) -> float | int | bool | str | None:
    """Return a metric's value by the field that holds it; the datatype, which data may leave out, gives the sign."""
    for name in ("double_value", "float_value"):
        if one.HasField(name):
            found = getattr(one, name)
            return None if found != found else float(found)
    for name in ("boolean_value", "string_value"):
        if one.HasField(name):
            plain: bool | str = getattr(one, name)
            return plain
    for name in ("int_value", "long_value"):
        if one.HasField(name):
            return signed(int(getattr(one, name)), one.datatype)
    return None


@functools.cache
def _messages() -> dict[str, Any]:
    """Return the classes of the payload's messages, made from their field numbers."""
    descriptors, pools, factories = (
        extras.need(f"google.protobuf.{name}", "mqtt", "to read Sparkplug B")
        for name in ("descriptor_pb2", "descriptor_pool", "message_factory")
    )
    file = descriptors.FileDescriptorProto(
        name="sparkplug.proto", package="flyball.sparkplug", syntax="proto2"
    )
    for name, fields in (("Metric", _METRIC), ("Payload", _PAYLOAD)):
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            label = 3 if field_name == "metrics" else 1
            added = message.field.add(name=field_name, number=number, type=kind, label=label)
            if field_name == "metrics":
                added.type_name = ".flyball.sparkplug.Metric"
    pool = pools.DescriptorPool()
    pool.Add(file)
    return {
        name: factories.GetMessageClass(pool.FindMessageTypeByName(f"flyball.sparkplug.{name}"))
        for name in ("Metric", "Payload")
    }


@dataclass
class Node:
    """What is known of an edge node: which birth it is in, what its aliases mean, how far it has counted.

    `last` counts its messages since the birth, without going around; `stale` are devices (and "" for the node) whose
    death was heard.
    """

    epoch: str = ""
    birth: int = -1
    last: int = -1
    last_ms: int = 0
    names: dict[str, dict[int, str]] = field(default_factory=dict)
    kinds: dict[str, dict[str, int]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    missing: int = 0

    def number(self, seq: int, at_ms: int) -> int:
        """Return the count of a message since the birth by its number of 0 to 255.

        One that is not newer than the last by its time, and lies behind it by less than half around, came again.
        """
        ahead = (seq - self.last) % AROUND
        if ahead == 0:
            return self.last if at_ms <= self.last_ms else self.last + AROUND
        behind = self.last + ahead - AROUND
        again = at_ms <= self.last_ms and behind >= 0 and AROUND - ahead < AROUND // 2
        return behind if again else self.last + ahead

    def born(self, told: Payload) -> None:
        """Begin anew with a node's birth."""
        found = [metric.value for metric in told.metrics if metric.name == "bdSeq"]
        self.birth = int(found[0]) if found and isinstance(found[0], (int, float)) else -1
        self.epoch, self.last, self.last_ms = f"{self.birth}@{told.at_ms}", told.seq or 0, told.at_ms
        self.names, self.kinds, self.stale = {}, {}, []

    def learn(self, device: str, told: Payload) -> None:
        """Learn the names that a birth gives to aliases."""
        self.names[device] = {m.alias: m.name for m in told.metrics if m.alias is not None and m.name}
        self.kinds[device] = {m.name: m.kind for m in told.metrics if m.name}
        self.stale = [one for one in self.stale if one != device]

    def named(self, device: str, metric: Metric) -> str:
        """Return a metric's name.  Raises DataError for an alias that no birth named."""
        if metric.name:
            return metric.name
        name = self.names.get(device, {}).get(metric.alias if metric.alias is not None else -1)
        if name is None:
            raise errors.DataError(f"data before its birth: nothing says what alias {metric.alias} means")
        return name

    def value(self, device: str, name: str, metric: Metric) -> float | int | bool | str | None:
        """Return a metric's value; of a whole number without a datatype the birth tells the sign."""
        if isinstance(metric.value, int) and not isinstance(metric.value, bool) and metric.kind == 0:
            return signed(metric.value, self.kinds.get(device, {}).get(name, 0))
        return metric.value

    def dies(self, device: str, told: Payload) -> bool:
        """Note a death; say whether it was of this birth: one of an earlier birth may come late, and means nothing."""
        found = [metric.value for metric in told.metrics if metric.name == "bdSeq"]
        if not device and found and found[0] != self.birth:
            return False
        self.stale = sorted({*self.stale, device})
        return True
