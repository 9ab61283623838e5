"""One page on a machine: rows that arrive become features, answers, decisions, and what came of them.

Features step on the rows that came, by the page of the release that serves; its scorer answers, its frozen decision
decides; answers, alerts and outcomes are told with the release they are of.  The release that shadows answers the same
rows, and its losses beside those of what serves are what it is judged by.

Where everything stands is one note, written whole.  What is to be told stands in the note before it is in the spool,
with the numbers that it will have there: a machine that is killed at any moment goes on with nothing answered twice
and nothing lost.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flyball import durable, errors, evidence, seals
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import stream as streams
from flyball.labels import stage as labels
from flyball.monitoring import sketches
from flyball.site import arriving, terms
from flyball.site.process import RetryError

if TYPE_CHECKING:
    from flyball.data.binding import Binding
    from flyball.site.host import Both
    from flyball.site.spool import Spool
    from flyball.system import System

#: At most so many moments between two notes, and so many answers whose outcome is waited for.
AT_ONCE, MOST_KEPT = 500, 20_000
#: So many lines that were set aside are told of one piece of a file; the others are counted.
TOLD = 3
#: Marks the rows that came just now among those that are held for cleaning.
NEW = "#new"

Record = tuple[str, dict[str, Any]]


class Host(Protocol):
    """What answers: scorer processes, or something that stands in for them."""

    def digest(self) -> str:
        """Return the release that serves, "" where none does."""

    def page(self) -> System | None:
        """Return the page of what answers, None where that has none."""

    def terms_of(self, digest: str) -> terms.Terms:
        """Return the terms of a release."""

    def ask(self, x: features.Matrix) -> Both:
        """Return what serves answers, and what shadows."""


class Scoring:
    """Scores what arrives for one page; `step` takes in what is new and returns how many questions were answered.

    `folder` keeps the note; `files` (a folder) and `ring` (a file) are where rows come from; `binding` says what this
    site calls things; `machine` is whose rows they are where they do not say so, `kind` its kind.  `tell` is called
    with ("alarms", record); `sketched` says whether the site lets sketches of features and answers be told, one a day.
    What a sketch that is not finished holds stands in the note: after a restart it goes on, or another one begins.

    Raises StoreError for a note that is damaged.
    """

    def __init__(
        self, folder: Path, page: str, host: Host, spool: Spool, clock: Callable[[], int], machine: str, kind: str = "",
        files: Path | None = None, ring: Path | None = None, binding: Binding | None = None,
        tell: Callable[[str, Mapping[str, Any]], None] | None = None, sketched: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        durable.folder(folder)
        self.page, self.host, self.spool, self.clock = page, host, spool, clock
        self.machine, self.kind, self.binding, self.tell = machine, kind, binding, tell
        self._files, self._ring = files, ring
        self._note, self._told = folder / f"{page}.json", set[str]()
        self._begun, self._new = clock(), list[tuple[str, features.Matrix, Any]]()
        self._sketched: Callable[[], bool] = sketched
        self._sketches: dict[str, sketches.Sketches] | None = None
        #: What kept the last step from being done, and how many questions were answered since the start.
        self.problem, self.answered = "", 0
        #: Whether more waits than one step takes in: the next one need not wait.
        self.more = False
        self._work: _Work | None = None
        self.state = self._read()
        self._put()

    def step(self) -> int:
        """Take in what is new, answer what is due, join what came of it; nothing while no release serves."""
        page, self.more = self.host.page(), False
        if page is None and not self.state["page"]:
            if self.host.digest():
                self._alarm(
                    "what serves has no page that says which rows it is asked about: nothing is scored"
                )
            return 0
        try:
            self._put()
            answered = self._step(self._worked(page), self.clock())
        except RetryError as error:
            self.problem = str(error)  # nobody answers at the moment: from the note again, at the next round
        except errors.FlyballError as error:
            self.problem = f"{type(error).__name__}: {error}"
            self._alarm(self.problem)
        else:
            self.problem, self.answered = "", self.answered + answered
            return answered
        self.close()
        return 0

    def close(self) -> None:
        """Let go of what is held in memory, the place at the ring too: all of it stands in the note."""
        if self._work is not None:
            self._work.close()
            self._work = None
        self._sketches = None

    def _step(self, work: _Work, now: int) -> int:
        came = list(work.taken(now, self.machine))
        for one in came:
            work.push(one)
            self._set_aside(one)
        for name, why in work.passed().items():
            self._alarm(f"{name}: not read: {why}")
        records: list[Record] = []
        answered, self._new = 0, []
        # While a piece of what came before is still to be read, nothing is asked: it may have been seen earlier.
        self.more = any(one.more for one in came)
        if not self.more:
            due = work.due(now)
            self.more = len(due) > AT_ONCE
            for moments in due[:AT_ONCE]:
                records += self._answered(work, moments, now)
                answered += len(moments)
            records += self._joined(work, now)
            records += self._met(now)
        if came or records:
            work.forget(now)
            growing = self._growing()
            for digest, x, served in self._new:
                found = growing.setdefault(digest, sketches.Sketches(begun=self._begun))
                found.push(x, served, work.page.labels.kind())
            self.state = work.state()
            self.state["met"] = {
                digest: [base64.b64encode(one.to_bytes()).decode() for one in found.held()]
                for digest, found in growing.items()
            }
            self._save(records)
            self._put()
        return answered

    # What is answered

    def _answered(self, work: _Work, moments: features.Moments, now: int) -> list[Record]:
        """Answer the machines that are asked at one moment, and decide."""
        import numpy as np

        out: list[Record] = []
        kind = work.page.labels.kind()
        said = np.full(len(moments), np.nan)
        digest = ""
        for place, key in enumerate(moments.names()):
            moment = int(moments.at[place])
            x = work.ask(key, moment)
            record = {"machine": self.machine, "page": self.page, "key": key, "moment": moment, "at": now}
            try:
                both = self.host.ask(x)
            except RetryError:
                raise
            except (
                errors.DataError
            ) as error:  # the question itself: no other answer would come of asking again
                out.append(("answers", {**record, "release": self.host.digest(), "why": str(error)}))
                continue
            digest = both.digest
            said[place] = scalar(kind, both.served)
            if digest and self._sketched():
                self._new.append((digest, x, both.served))
            kept = {"key": key, "moment": moment, "answer": said[place], "release": digest}
            # Before the first release serves, the answer is that of a baseline which nobody may act on.
            record |= {"release": digest, "answer": _listed(both.served) if digest else None}
            if both.shadow is not None:
                record |= {"shadow": both.beside, "shadow_answer": _listed(both.shadow)}
                kept |= {"shadow": both.beside, "other": scalar(kind, both.shadow)}
            if math.isfinite(said[place]):
                work.kept.append(kept)
            out.append(("answers", record))
        out += self._decided(work, digest, said, moments, now)
        return out

    def _decided(
        self, work: _Work, digest: str, said: Any, moments: features.Moments, now: int
    ) -> Iterator[Record]:
        threshold = self.host.terms_of(digest).threshold
        if threshold is None:
            if digest:
                self._alarm(
                    f"{digest[:12]}… answers without a threshold (a baseline): its answers alert nobody"
                )
            return
        decide = work.page.serving.decide
        work.decided, alerts = decide.step(work.decided or decide.start(), said, moments, threshold)
        for alert in alerts:
            yield "alerts", {
                "machine": self.machine, "page": self.page, "release": digest, "key": alert.key,
                "moment": alert.moment, "score": alert.score, "rank": alert.rank, "at": now,
            }  # fmt: skip

    def _met(self, now: int) -> Iterator[Record]:
        """Yield the sketches of days that are over, and all of a release that serves no more."""
        together = self._growing()
        for digest, growing in list(together.items()):
            gone = digest != self.host.digest()
            for found in growing.closed(None if gone else now):
                yield "sketches", {
                    "machine": self.machine, "page": self.page, "release": digest, "key": found.unit,
                    "since": found.since, "until": found.until, "rows": found.rows,
                    "sketch": base64.b64encode(found.to_bytes()).decode(),
                }  # fmt: skip
            if gone:
                del together[digest]

    def _growing(self) -> dict[str, sketches.Sketches]:
        """Return the sketches that grow, by release, made anew from the note where they were let go of."""
        if self._sketches is None:
            self._sketches = {}
            for digest, found in self.state["met"].items():
                try:
                    held = [sketches.Sketch.from_bytes(base64.b64decode(one)) for one in found]
                except errors.DataError as error:  # of another version of flyball: nothing waits for it
                    self._alarm(f"what {digest[:12]}… met so far today is let go of: {error}")
                    continue
                self._sketches[digest] = sketches.Sketches(begun=self._begun).resume(held)
        return self._sketches

    # What came of it

    def _joined(self, work: _Work, now: int) -> Iterator[Record]:
        """Yield the outcomes of kept answers that are settled, and the paired losses of what shadowed."""
        losses: dict[str, list[float]] = {}
        kind = work.page.labels.kind()
        for kept, outcome in work.settled(now):
            if kept["release"]:
                yield "outcomes", {
                    "machine": self.machine, "page": self.page, "release": kept["release"], "key": outcome.key,
                    "moment": outcome.moment, "answer": _number(outcome.answer), "truth": _number(outcome.truth),
                    "state": outcome.state, "until": outcome.until,
                }  # fmt: skip
            if kept.get("shadow") and outcome.state == "known":
                lost = paired(kind, outcome.answer, float(kept["other"]), outcome.truth)
                if lost is not None:
                    losses.setdefault(kept["shadow"], []).append(lost)
        for digest, found in losses.items():
            told = evidence.Exposure(
                self.machine, self.kind, digest, "shadow", now, now, outcomes=len(found), difference=sum(found),
                squares=sum(one * one for one in found),
            )  # fmt: skip
            yield "exposures", dict(vars(told))

    # What is noted

    def _worked(self, page: System | None) -> _Work:
        """Return what is held in memory, made anew from the note where the page is another one."""
        from flyball import system

        text = repr(page) if page is not None else str(self.state["page"])
        if self._work is None or self._work.text != text:
            self.close()
            found = page if page is not None else system.read(text)
            self._work = _Work(found, text, self.state, self._files, self._ring, self.binding)
        return self._work

    def _read(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "page": "", "stream": None, "asked": {}, "first": {}, "recent": None, "held": {}, "facts": {},
            "decided": None, "kept": [], "files": {}, "ring": {}, "lost": 0, "pending": None,
            "met": {},
        }  # fmt: skip
        try:
            return fresh | seals.unsealed(self._note.read_bytes())
        except FileNotFoundError:
            return fresh
        except (OSError, ValueError):
            raise errors.StoreError(
                f"{self._note}: damaged: bring it back from a copy, or move it away: then rows are read anew"
            ) from None

    def _save(self, records: list[Record]) -> None:
        first = {kind: self.spool.number(kind) for kind, _ in records}
        self.state["pending"] = {"epoch": self.spool.epoch, "first": first, "records": records}
        durable.write(self._note, seals.sealed(self.state))

    def _put(self) -> None:
        """Put what the note says into the spool, but for what is there by its number already."""
        pending = self.state["pending"]
        if not pending:
            return
        # A spool whose own note was lost began again: what it held of these is not known, and comes (again).
        same = pending["epoch"] == self.spool.epoch
        numbers = dict(pending["first"])
        for kind, record in pending["records"]:
            number, numbers[kind] = numbers[kind], numbers[kind] + 1
            if not same or number >= self.spool.number(kind):
                self.spool.put(kind, record)
        self.state["pending"] = None

    def _set_aside(self, came: arriving.Came) -> None:
        for bad in came.bad[:TOLD]:
            self._alarm(f"{came.name}: line {bad.line} set aside: {bad.reason}")
        if len(came.bad) > TOLD:
            self._alarm(
                f"{came.name}: {len(came.bad) - TOLD} more lines set aside, line {came.bad[-1].line} the last"
            )

    def _alarm(self, what: str) -> None:
        if what not in self._told and self.tell is not None:
            self._told.add(what)
            self.tell(
                "alarms", {"machine": self.machine, "at": self.clock(), "page": self.page, "what": what}
            )


class _Work:
    """What is held in memory for one page, made from a note and written to one."""

    def __init__(
        self, page: System, text: str, state: Mapping[str, Any], files: Path | None, ring: Path | None,
        binding: Binding | None,
    ) -> None:  # fmt: skip
        self.page, self.text = page, text
        fleet = page.data
        if any(cleaner.fleetwide() for cleaner in fleet.clean):
            raise errors.DeclarationError(
                f"{page.name}: a cleaner compares machines, and here is one machine alone"
            )
        self.wall = isinstance(fleet.clock, data.WallClock)
        self.files = arriving.Files(files, fleet, binding, state["files"]) if files is not None else None
        self.ring = arriving.Ring(ring, fleet, binding, state["ring"]) if ring is not None else None
        if self.ring is not None:
            self.ring.lost = int(state["lost"])
        self.stream = streams.Stream(page.features, fleet)
        if state["stream"] is not None:
            # A new release may look at other columns: what is held of those it knows goes on.
            known = set(self.stream.tables())
            told = state["stream"]
            held = {
                key: {name: rows for name, rows in tables.items() if name in known}
                for key, tables in told["held"].items()
            }
            self.stream = streams.Stream(page.features, fleet, state={**told, "held": held})
        self.asked: dict[str, int] = dict(state["asked"])
        self.first: dict[str, int] = dict(state["first"])
        self.kept: list[dict[str, Any]] = list(state["kept"])
        same = state["decided"] is not None and state["decided"]["by"] == repr(page.serving.decide)
        self.decided: Mapping[str, Any] | None = state["decided"]["state"] if same else None
        asked: Any = page.features.asked
        self.of = getattr(asked, "of", None) or getattr(asked, "table", None) or fleet.tables[0].name
        self.reach = int(getattr(asked, "period", 0)) + int(getattr(asked, "within", None) or 0)
        self.recent = _rows(state["recent"], {}, ()) if state["recent"] else None
        self.back = sum(cleaner.lookback() for cleaner in fleet.clean)
        tables = {table.name: table for table in fleet.tables}
        self.held = {
            name: _rows(told, tables[name].columns, tables[name].unique)
            for name, told in state["held"].items() if name in tables
        }  # fmt: skip
        self.wanted = _wanted(page)
        self.facts = {
            name: _rows(
                {"key": [], "at": [], "seen": [], "columns": dict.fromkeys(columns, ())} | state["facts"].get(name, {}),
                tables[name].columns, tables[name].unique,
            )
            for name, columns in self.wanted.items()
        }  # fmt: skip

    def close(self) -> None:
        if self.ring is not None:
            self.ring.close()

    def taken(self, now: int, machine: str) -> Iterator[arriving.Came]:
        if self.files is not None:
            yield from self.files.read(now, machine)
        if self.ring is not None:
            yield from self.ring.read(now, machine)

    def passed(self) -> dict[str, str]:
        found = dict(self.files.passed) if self.files is not None else {}
        if self.ring is not None and self.ring.lost:
            found[self.ring.file.name] = f"{self.ring.lost} items were overwritten before they could be"
        return found

    def push(self, came: arriving.Came) -> None:
        """Clean the rows that came and let features, labels and questions have them."""
        rows = self._cleaned(came.table, came.rows)
        self.stream.push(came.table, rows)
        for place, key in enumerate(rows.keys):
            mine = rows.seen[rows.starts[place] : rows.starts[place + 1]]
            if len(mine):
                self.first[key] = min(self.first.get(key, int(mine.min())), int(mine.min()))
        if came.table == self.of:
            self.recent = _merged(self.recent, _only(rows, ()))
        if (columns := self.wanted.get(came.table)) is not None:
            self.facts[came.table] = _merged(self.facts[came.table], _only(rows, columns))

    def due(self, now: int) -> list[features.Moments]:
        """Return the questions that are due and were not asked, one group a moment, oldest first."""
        import numpy as np

        if self.recent is None or not len(self.recent):
            return []
        until = now if self.wall else int(self.recent.seen.max())
        found = self.page.features.asked.moments({self.of: self.recent}, until=until + 1)
        after = np.array(
            [max(self.asked.get(key, -1), self.first.get(key, until + 1) - 1) for key in found.keys],
            dtype=np.int64,
        )
        if not len(found):
            return []
        found = found[found.at > after[found.codes]]
        return [found[found.at == moment] for moment in np.unique(found.at)]

    def ask(self, key: str, moment: int) -> features.Matrix:
        self.asked[key] = moment
        return self.stream.ask(key, moment)

    def settled(self, now: int) -> Iterator[tuple[dict[str, Any], evidence.Outcome]]:
        """Yield kept answers with their outcomes, those that are known or never will be; the others stay.

        What is censored now may be known once later rows have come: it is given up a horizon later.
        """
        import numpy as np

        cut = (
            now
            if self.wall
            else max((int(rows.seen.max()) for rows in self.facts.values() if len(rows)), default=-1)
        )
        horizon = self.page.labels.horizon()
        ripe = [one for one in self.kept if one["moment"] + horizon <= cut]
        if not ripe:
            return
        ripe.sort(key=lambda one: (one["key"], one["moment"]))
        answers = data.Rows.of(
            [one["key"] for one in ripe], [one["moment"] for one in ripe],
            columns={"answer": np.array([one["answer"] for one in ripe])},
        )  # fmt: skip
        gone, wait = set[int](), int(getattr(self.page.feedback, "wait", 0))
        outcomes = self.page.feedback.collect(answers, self.facts, self.page.labels, cut)
        for kept, outcome in zip(ripe, outcomes, strict=True):
            patience = outcome.state == "censored" and cut < kept["moment"] + 2 * horizon + wait
            if outcome.state != "pending" and not patience:
                gone.add(id(kept))
                yield kept, outcome
        self.kept = [one for one in self.kept if id(one) not in gone]

    def forget(self, now: int) -> None:
        """Let go of what no later question, row or outcome can need."""
        import numpy as np

        if self.recent is not None:
            last = np.array([self.asked.get(key, -1) for key in self.recent.keys], dtype=np.int64)
            since = last[self.recent.segments()] - self.reach
            self.recent = self.recent.take(np.maximum(self.recent.at, self.recent.seen) > since)
        self.kept = self.kept[-MOST_KEPT:]
        label: Any = self.page.labels
        behind = label.horizon() + int(getattr(label, "blackout", 0))
        oldest = min((one["moment"] for one in self.kept), default=max(self.asked.values(), default=now))
        self.facts = {name: rows.take(rows.at >= oldest - behind) for name, rows in self.facts.items()}

    def state(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        decided = None
        if self.decided is not None:
            decided = {"by": repr(self.page.serving.decide), "state": dict(self.decided)}
        return {
            "page": self.text, "stream": self.stream.state(), "asked": self.asked, "first": self.first,
            "recent": None if self.recent is None else _plain(self.recent),
            "held": {name: _plain(rows) for name, rows in self.held.items()},
            "facts": {name: _plain(rows) for name, rows in self.facts.items()}, "decided": decided,
            "kept": self.kept, "files": self.files.state if self.files is not None else {},
            "ring": self.ring.state if self.ring is not None else {},
            "lost": self.ring.lost if self.ring is not None else 0, "pending": None,
        }  # fmt: skip

    def _cleaned(self, table: str, rows: data.Rows) -> data.Rows:
        """Return the rows cleaned, by what came before them: a cleaner looks back only."""
        import dataclasses

        import numpy as np

        cleaners = self.page.data.clean
        if not cleaners or not len(rows):
            return rows
        fresh = dataclasses.replace(rows, columns={**rows.columns, NEW: np.ones(len(rows))})
        before = self.held.get(table)
        if before is not None:
            old = dataclasses.replace(before, columns={**before.columns, NEW: np.zeros(len(before))})
            fresh = _merged(old, fresh)
        if self.back:
            kept = fresh.at >= _newest(fresh) - self.back
            self.held[table] = _only(fresh.take(kept), [name for name in fresh.columns if name != NEW])
        for cleaner in cleaners:
            fresh = cleaner.clean(table, fresh)
        found = fresh.take(fresh.floats(NEW) == 1)
        return _only(found, [name for name in found.columns if name != NEW])


def scalar(kind: labels.Kind, answer: Any) -> float:
    """Return one answer as one number: the probability, the value, or the index of the class that was named.

    >>> import numpy as np
    >>> scalar(labels.Classes(("a", "b")), np.array([[0.2, 0.8]]))
    1.0
    """
    import numpy as np

    row = np.asarray(answer)[0]
    if isinstance(kind, labels.Classes):
        return float(np.argmax(row))
    return float(row if np.ndim(row) == 0 else row[0])


def paired(kind: labels.Kind, serving: float, shadow: float, truth: float) -> float | None:
    """Return the loss of what shadowed less that of what served, within -1 and 1; None where one is no number.

    Of a probability squared errors (Brier), of classes whether it is wrong; of a quantity, whose errors have no
    bound, only which of the two was nearer.

    >>> round(paired(labels.Probability(), 0.5, 0.9, 1.0), 2)
    -0.24
    """
    if not all(math.isfinite(value) for value in (serving, shadow, truth)):
        return None
    if isinstance(kind, labels.Probability):
        return max(-1.0, min(1.0, (shadow - truth) ** 2 - (serving - truth) ** 2))
    if isinstance(kind, labels.Classes):
        return float(shadow != truth) - float(serving != truth)
    ours, theirs = abs(serving - truth), abs(shadow - truth)
    return float(theirs > ours) - float(theirs < ours)


def _wanted(page: System) -> dict[str, tuple[str, ...]]:
    """Return the tables that the labels need, with the columns that are read of each."""
    label: Any = page.labels
    event = getattr(page.feedback, "event", None)
    reads = {*label.reads()} | ({event} if event else set())
    alive = getattr(label, "alive", "")
    names = {features.split(column)[0] for column in reads} | ({alive} if alive else set())
    found = {}
    for table in page.data.tables:
        if table.name in names or alive is None:
            own = {features.split(column)[1] for column in reads if features.split(column)[0] == table.name}
            found[table.name] = tuple(sorted(own | (set(table.unique) - {"at"})))
    return found


def _only(rows: data.Rows, columns: Iterable[str]) -> data.Rows:
    import dataclasses

    return dataclasses.replace(
        rows, columns={name: rows.columns[name] for name in columns if name in rows.columns}
    )


def _names(rows: data.Rows) -> list[str]:
    return [rows.keys[code] for code in rows.segments().tolist()]


def _merged(old: data.Rows | None, new: data.Rows) -> data.Rows:
    import numpy as np

    if old is None:
        return new
    columns: dict[str, Any] = {}
    for name, column in new.columns.items():
        if isinstance(column, data.Words):
            columns[name] = data.Words.of(old.words(name).texts() + column.texts())
        else:
            columns[name] = np.concatenate([old.floats(name), new.floats(name)])
    at, seen = np.concatenate([old.at, new.at]), np.concatenate([old.seen, new.seen])
    return data.Rows.of(_names(old) + _names(new), at, seen, columns, new.unique)


def _newest(rows: data.Rows) -> Any:
    """Return (n,) when the last row of each row's machine was."""
    import numpy as np

    ends = np.maximum(rows.starts[1:] - 1, 0)
    return rows.at[ends[rows.segments()]]


def _plain(rows: data.Rows) -> dict[str, Any]:
    columns = {
        name: column.texts()
        if isinstance(column, data.Words)
        else [_number(v) for v in rows.floats(name).tolist()]
        for name, column in rows.columns.items()
    }
    return {"key": _names(rows), "at": rows.at.tolist(), "seen": rows.seen.tolist(), "columns": columns}


def _rows(told: Mapping[str, Any], kinds: Mapping[str, str], unique: tuple[str, ...]) -> data.Rows:
    import numpy as np

    columns: dict[str, Any] = {}
    for name, values in told["columns"].items():
        if kinds.get(name) in ("category", "text"):
            columns[name] = data.Words.of(values)
        else:
            columns[name] = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return data.Rows.of(told["key"], told["at"], told["seen"], columns, unique)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _listed(answer: Any) -> Any:
    """Return one row's answer as plain JSON: a number, or several."""
    found = answer[0].tolist()
    return _number(found) if isinstance(found, float) else [_number(float(one)) for one in found]
