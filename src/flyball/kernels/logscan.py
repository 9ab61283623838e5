"""Log lines of a declared layout, counted by hour and code."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from flyball import errors
from flyball.kernels import backend, compressed, reference
from flyball.kernels.logcounts import LogCounts
from flyball.kernels.loglayout import (
    CODE_BYTES,
    MACHINE_BYTES,
    REASONS,
    TIMESTAMPS,
    KeptLine,
    LogLayout,
)  # fmt: skip

__all__ = ["BY", "LogScan", "scan_log"]

BY = ("hour", "code", "machine", "level")
CHUNK = 2**18
"""Bytes read at a time: they stay in the second-level cache, and no file is mapped that may shrink meanwhile."""

HOUR = 3_600_000_000
STATE_VERSION = 1
NEVER = 2**63 - 1


class LogScan:
    r"""Counts lines by hour and code as their bytes come, in chunks of any size.

    Why: which machine says what how often is the first thing asked of a fleet's logs, and the logs are the
    largest thing it has. Only the counts are held, so a scan of any length fits in memory: at most `groups` of
    64 bytes each, `keep` malformed lines, and one unfinished line.

    `by` names what tells groups apart: "hour" and "code", and maybe "machine" and "level". `only` names the
    levels that are counted; lines of other levels are judged all the same, and `unselected`. `keep` is how many
    malformed lines are kept whole, the first ones; counted are all. A good line whose group would be one too
    many is malformed for the reason "groups".

    Results do not depend on how the bytes are cut. A scan can be pickled, copied and merged, on any path of the
    kernels. ValueError names the argument that is wrong.

    >>> scan = LogScan(LogLayout(code="A-9"))
    >>> scan.push(b"2026-03-01T12:34:56.789Z SCN0042 ERROR E-4711 stage lost lock\n2026-02-30T")
    >>> scan.push(b"00:00:00Z SCN0042 ERROR E-4711 an impossible date\n")
    >>> counts = scan.finish()
    >>> counts.columns()
    {'hour': array(['2026-03-01T12:00:00.000000'], dtype='datetime64[us]'),
     'code': array(['E-4711'], dtype='<U16'), 'count': array([1])}
    >>> counts.malformed, counts.kept[0].offset
    ({'date': 1}, 62)
    """

    def __init__(
        self,
        layout: LogLayout,
        *,
        by: Iterable[str] = ("hour", "code"),
        only: Iterable[str] = (),
        keep: int = 100,
        groups: int = 2**20,
    ) -> None:
        if not isinstance(layout, LogLayout):
            raise ValueError(f"layout: needs a LogLayout, not {type(layout).__name__}")
        self._layout = layout
        self._by = _names("by", by, BY)
        self._only = _names("only", only, layout.levels if "level" in layout.fields else ())
        for name in ("hour", "code"):
            if name not in self._by:
                raise ValueError(f"by: lines are counted by hour and code at least, {name!r} is missing")
        for name in self._by[2:]:
            if name not in layout.fields:
                raise ValueError(f"by: the layout has no field {name!r}")
        self._keep, self._groups = _count("keep", keep, 0), _count("groups", groups, 1)
        self._finished = False
        self._engine = self._new_engine()
        # While bytes are counted other threads run, and must not look into the same scan.
        self._alone = threading.RLock()

    def push(self, chunk: Any) -> None:
        """Count the lines of the next bytes: bytes, or anything that shows its bytes as memory (mmap, arrays)."""
        if self._finished:
            raise ValueError("chunk: the scan is finished, make a new one and merge the two")
        view = _view("chunk", chunk)
        if view.nbytes:
            with self._alone:
                self._engine.push(view)

    def finish(self, *, broken: bool = False) -> LogCounts:
        """Judge a last line that has no line end, and return the counts.

        Where the input broke off (`broken`), that line is malformed: "cut off".
        """
        with self._alone:
            self._engine.finish(broken)
            self._finished = True
            return self.counts()

    def counts(self) -> LogCounts:
        """Return the counts of all whole lines so far."""
        import numpy as np

        with self._alone:
            lines, blank, unselected, size, _, *malformed = self._engine.tally()
            hours, codes, machines, levels, counts = self._engine.groups()
            kept = self._engine.kept()
        known = np.array(self._layout.levels or ("",))
        return LogCounts(
            hour=np.frombuffer(hours, np.int64) * HOUR,
            code=np.frombuffer(codes, f"S{CODE_BYTES}").astype(str),
            machine=np.frombuffer(machines, f"S{MACHINE_BYTES}").astype(str)
            if "machine" in self._by
            else None,
            level=known[np.frombuffer(levels, np.int64)] if "level" in self._by else None,
            count=np.frombuffer(counts, np.int64),
            malformed={name: many for name, many in zip(REASONS, malformed, strict=True) if many},
            kept=tuple(KeptLine(at, REASONS[reason - 1], line) for at, reason, line in kept),
            lines=lines,
            blank=blank,
            unselected=unselected,
            bytes=size,
        )

    def merge(self, other: LogScan) -> None:
        """Add another scan's counts, as if its bytes had come after these.

        Both must be of one layout and choice, and hold no unfinished line: cut a file behind a line end, or
        finish the parts. Beyond the budget of groups, the other's groups are malformed: "groups".
        """
        if not isinstance(other, LogScan) or other._terms() != self._terms():
            raise ValueError("other: needs a LogScan of the same layout, by, only, keep and groups")
        for name, scan in (("self", self), ("other", other)):
            if scan._engine.open_line()[1]:
                raise ValueError(f"{name}: holds a line that has not ended, finish it first")
        with other._alone:
            tally, kept, columns = other._engine.tally(), other._engine.kept(), other._engine.groups()
        with self._alone:
            self._engine.add_tally(tally, kept)
            self._engine.add_groups(*columns)

    def __getstate__(self) -> dict[str, Any]:
        """Plain numbers and bytes, the same on every path."""
        engine = self._engine
        with self._alone:
            return {
                "version": STATE_VERSION, "terms": self._terms(), "finished": self._finished,
                "tally": engine.tally(), "kept": engine.kept(), "groups": engine.groups(),
                "open": engine.open_line(),
            }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state up on the path that answers here; ValueError where it is not one."""
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"state: version {state.get('version')!r}, this one reads {STATE_VERSION}")
        layout, by, only, keep, groups = state["terms"]
        LogScan.__init__(self, layout, by=by, only=only, keep=keep, groups=groups)
        _check_state(state, layout)
        self._engine.add_tally(list(state["tally"]), list(state["kept"]))
        self._engine.add_groups(*state["groups"])
        self._engine.set_open_line(*state["open"])
        self._finished = state["finished"]

    def _terms(self) -> tuple[Any, ...]:
        return self._layout, self._by, self._only, self._keep, self._groups

    def _new_engine(self) -> Any:
        layout = self._layout
        levels = [level.encode() for level in layout.levels] if "level" in layout.fields else []
        chosen = sum(1 << layout.levels.index(name) for name in self._only) or 2**32 - 1
        columns = len(layout.fields) - ("text" in layout.fields)
        return (backend.compiled or reference).LogScan(
            [columns, *(layout.place(name) for name in ("timestamp", "machine", "level", "code"))],
            "text" in layout.fields, layout.separator.encode(), layout.runs, TIMESTAMPS.index(layout.timestamp), levels,
            layout.code.encode(), -NEVER if layout.since is None else layout.since,
            NEVER if layout.until is None else layout.until, layout.longest,
            ["machine" in self._by, "level" in self._by], chosen, self._keep, self._groups,
        )  # fmt: skip


def scan_log(
    source: Any,
    layout: LogLayout,
    *,
    by: Iterable[str] = ("hour", "code"),
    only: Iterable[str] = (),
    keep: int = 100,
    groups: int = 2**20,
    budget: int = 2**36,
) -> LogCounts:
    r"""Count the lines of a log by hour and code: `LogScan` over a whole source.

    `source` is a path, bytes or memory (mmap, a uint8 array), or an iterable of such chunks; gz and zst are known
    by their first bytes. `budget` bounds the plain bytes that a compressed source may unpack to (64 GiB). A
    compressed source that ends early, is damaged or goes beyond the budget is not an error: what was good is
    counted, and `incomplete` says at which of its bytes it broke off, for damage to within one KiB.

    ValueError names the argument that is wrong; MissingExtraError where zst needs `zstandard`; OSError where a
    path cannot be read.

    >>> counts = scan_log(b"2026-03-01T12:34:56Z SCN0042 ERROR E-4711 stage lost lock\n" * 3, LogLayout())
    >>> counts.count, counts.malformed
    (array([3]), {})
    """
    scan = LogScan(layout, by=by, only=only, keep=keep, groups=groups)
    budget = _count("budget", budget, 0)
    chunks = iter(_chunks(source))
    first = next(chunks, memoryview(b""))
    # Copied before more is asked for: what was given before is good until then.
    while len(first) < 4 and (more := _longer(bytes(first), chunks)):
        first = more
    kind = compressed.kind_of(bytes(first[:4]))
    whole = chain((first,), chunks)
    if kind == "plain":
        for chunk in whole:
            scan.push(chunk)
        return scan.finish()
    plain = compressed.Plain(whole, kind, budget)
    for piece in plain:
        scan.push(piece)
    told = scan.finish(broken=bool(plain.incomplete))
    return LogCounts(**{**vars(told), "incomplete": plain.incomplete})


def _chunks(source: Any) -> Iterator[memoryview]:
    """Give the source's bytes; what is given is good until the next is asked for."""
    if isinstance(source, str | os.PathLike):
        with open(source, "rb", buffering=0) as file:
            room = memoryview(bytearray(CHUNK))
            while many := file.readinto(room):
                yield room[:many]
        return
    try:
        memoryview(source)
    except TypeError:
        if not isinstance(source, Iterable):
            raise ValueError(
                f"source: needs a path, bytes or chunks of bytes, not {type(source).__name__}"
            ) from None
    else:
        yield _view("source", source)
        return
    for number, chunk in enumerate(source):
        yield _view(f"source: chunk {number}", chunk)


def _longer(head: bytes, chunks: Iterator[memoryview]) -> memoryview | None:
    more = next(chunks, None)
    return None if more is None else memoryview(head + more)


def _view(name: str, chunk: Any) -> memoryview:
    try:
        view = memoryview(chunk)
    except TypeError:
        raise ValueError(f"{name}: needs bytes, not {type(chunk).__name__}") from None
    if not view.c_contiguous:
        raise ValueError(f"{name}: its bytes do not lie one behind the other, give a contiguous copy")
    return view.cast("B") if view.nbytes else memoryview(b"")


def _names(name: str, given: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(given, str):
        raise ValueError(f"{name}: give a tuple of names, ({given!r},)")
    wanted = tuple(given)
    for one in wanted:
        if one not in known:
            raise ValueError(f"{name}: {one!r} is unknown, {errors.did_you_mean(str(one), known)}")
    return tuple(one for one in known if one in wanted)


def _count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**62:
        raise ValueError(f"{name}: {value!r} is no whole number from {least} on")
    return value


def _check_state(state: dict[str, Any], layout: LogLayout) -> None:
    """A state that was changed on its way must not reach the C++."""
    import numpy as np

    hours, codes, machines, levels, counts = state["groups"]
    many = len(counts) // 8
    sizes = len(hours), len(codes), len(machines), len(levels), len(counts)
    held, length = state["open"]
    hour, level, count = (np.frombuffer(column, np.int64) for column in (hours, levels, counts))
    good = (
        sizes == (8 * many, CODE_BYTES * many, MACHINE_BYTES * many, 8 * many, 8 * many)
        and bool((count > 0).all() and (abs(hour) < 2**31 - 1).all())
        and bool(((level >= 0) & (level < max(1, len(layout.levels)))).all())
        and all(codes[at] for at in range(0, len(codes), CODE_BYTES))
        and b"\n" not in held
        and len(held) == min(length, layout.longest + 1)
        and len(state["tally"]) == 4 + 1 + len(REASONS)
        and all(
            1 <= reason <= len(REASONS) and len(line) <= layout.longest for _, reason, line in state["kept"]
        )
    )
    if not good:
        raise ValueError("state: damaged, its columns, counts or held line do not fit one another")
