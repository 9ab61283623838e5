"""Rows that no file brings: messages and queries, each taken in once by (source, epoch, sequence).

A sender numbers what it sends: `sequence` grows within an `epoch` and begins anew with the next one (a restart, a
birth, another query).  What a commit took stands in the same commit as its rows, so after a crash both are there or
neither is: whoever sends again what was not acknowledged sends nothing twice.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flyball import data, durable
from flyball.data import bindings
from flyball.runtime.receipt import Receipt
from flyball.runtime.taking import Taking

if TYPE_CHECKING:
    from flyball.data.formats.raw import Raw
    from flyball.runtime.store import Store

#: What is wrong with a message that belongs to no table is told as if of a table of this name.
STREAM = data.Table("streams", columns={})


class Span(NamedTuple):
    """What of a source's epoch was sent: the sequence numbers `first` to `last`, both of them too."""

    source: str
    epoch: str
    first: int
    last: int


class Sent(NamedTuple):
    """What came of one table: its rows as a file's reader would give them, and the spans they came in.

    `table` is None for messages without rows (a birth, a death) and for bad ones that belong to no table; `name` says
    where they are from, as a file's name does, and chooses the site's binding.
    """

    table: str | None
    name: str
    raw: Raw
    spans: tuple[Span, ...]


class Marks:
    """Which sequence numbers of which sources are in the store.

    >>> marks = Marks([Span("A-001", "7", 0, 4), Span("A-001", "7", 6, 6), Span("A-001", "7", 5, 5)])
    >>> marks.has("A-001", "7", 3), marks.has("A-001", "7", 7), marks.last("A-001", "7"), marks.last("A-002", "7")
    (True, False, 6, None)
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Note a span; what touches is joined, so that a stream without gaps is one span however long it runs."""
        known = self._spans.setdefault((span.source, span.epoch), [])
        first, last = span.first, span.last
        low = bisect.bisect_left(known, (first,))
        if low and known[low - 1][1] >= first - 1:
            low -= 1
        high = low
        while high < len(known) and known[high][0] <= last + 1:
            first, last = min(first, known[high][0]), max(last, known[high][1])
            high += 1
        known[low:high] = [(first, last)]

    def has(self, source: str, epoch: str, sequence: int) -> bool:
        """Say whether a message is in the store."""
        known = self._spans.get((source, epoch), [])
        place = bisect.bisect_right(known, (sequence, sequence)) - 1
        found = known[max(place, 0) : place + 2]
        return any(first <= sequence <= last for first, last in found)

    def last(self, source: str, epoch: str) -> int | None:
        """Return the greatest sequence number that is in the store, None without one."""
        known = self._spans.get((source, epoch))
        return known[-1][1] if known else None

    def epochs(self, source: str) -> list[str]:
        """Return the epochs of a source, in the order in which they were first seen."""
        return [epoch for name, epoch in self._spans if name == source]

    def missing(self, source: str, epoch: str) -> int:
        """Return how many sequence numbers between the first and the last are not in the store."""
        known = self._spans.get((source, epoch), [])
        return sum(after[0] - before[1] - 1 for before, after in itertools.pairwise(known))


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans with those joined that touch.

    >>> joined([Span("a", "1", 2, 2), Span("a", "1", 0, 1)])
    (Span(source='a', epoch='1', first=0, last=2),)
    """
    marks = Marks(spans)
    return tuple(
        Span(source, epoch, first, last)
        for (source, epoch), found in sorted(marks._spans.items())
        for first, last in found
    )


def receive(
    store: Store, build: Callable[[Marks], Iterable[Sent]], binding: data.Binding | data.Bindings | None = None,
    now: int | None = None, live: bool = False,
) -> Receipt:  # fmt: skip
    """Take in what `build` yields as one commit; durable when this returns, and only then to be acknowledged.

    `build` is called while nobody else writes, with the marks of all that is in the store: it leaves out what they
    have.  `now` (microseconds; the clock's time by default) is when it came; with `live` rows were seen then.
    Raises DataError for a binding that does not fit, StoreError when the store cannot be written; nothing of it is
    then in the store.
    """
    import time

    came = time.time_ns() // 1000 if now is None else now
    sites = bindings.several(binding)
    receipt = Receipt(notes=sites.check(store.fleet))
    with store.writing(), durable.guard(f"take messages into {store.folder}"):
        taking = Taking(store, receipt, came, live)
        try:
            for sent in build(store.marks()):
                _take(taking, sent, sites)
            taking.commit()
        except BaseException:
            taking.drop()
            raise
    return receipt


def _take(taking: Taking, sent: Sent, sites: data.Bindings) -> None:
    table = STREAM if sent.table is None else taking.store.fleet.table(sent.table)
    if table is None:
        raise ValueError(f"no table {sent.table!r}")
    marks = json.dumps([list(span) for span in sent.spans])
    # What came is known by its marks; the digest only has to be another one each time.
    place = f"{taking.number} {len(taking.sources)}"
    source = hashlib.sha256(f"{table.name} {sent.name} {marks} {place}".encode()).hexdigest()
    site = sites.of(Path(sent.name), taking.came) if sent.table is not None else None
    taking.receive(table, sent.name, sent.raw, site, source, marks)


def marks(told: Iterable[str]) -> Marks:
    """Return the marks that commits noted.

    >>> marks(['[["A-001", "7", 0, 4]]', '[["A-001", "7", 5, 9]]']).last("A-001", "7")
    9
    """
    found = Marks()
    for one in told:
        for source, epoch, first, last in json.loads(one):
            found.add(Span(source, epoch, first, last))
    return found
