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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from flyball import durable, errors, evidence, seals
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.monitoring import sketches
from flyball.site import arriving, seen, terms
from flyball.site.process import RetryError

if TYPE_CHECKING:
    from flyball.data.binding import Binding
    from flyball.site.host import Both
    from flyball.site.spool import Spool
    from flyball.system import System

#: At most so many moments between two notes.
AT_ONCE = 500
#: So many lines that were set aside are told of one piece of a file; the others are counted.
TOLD = 3

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
        self._work: seen.Seen | None = None
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

    def _step(self, work: seen.Seen, now: int) -> int:
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
            met = {
                digest: [base64.b64encode(one.to_bytes()).decode() for one in found.held()]
                for digest, found in growing.items()
            }
            self._save({**work.state(), "met": met}, records)
            self._put()
        return answered

    # What is answered

    def _answered(self, work: seen.Seen, moments: features.Moments, now: int) -> list[Record]:
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
        self, work: seen.Seen, digest: str, said: Any, moments: features.Moments, now: int
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

    def _joined(self, work: seen.Seen, now: int) -> Iterator[Record]:
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

    def _worked(self, page: System | None) -> seen.Seen:
        """Return what is held in memory, made anew from the note where the page is another one."""
        from flyball import system

        text = repr(page) if page is not None else str(self.state["page"])
        if self._work is None or self._work.text != text:
            self.close()
            found = page if page is not None else system.read(text)
            self._work = seen.Seen(found, text, self.state, self._files, self._ring, self.binding)
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

    def _save(self, state: Mapping[str, Any], records: list[Record]) -> None:
        first = {kind: self.spool.number(kind) for kind, _ in records}
        pending = {"epoch": self.spool.epoch, "first": first, "records": records}
        noted = {**state, "pending": pending}
        durable.write(self._note, seals.sealed(noted))
        # Only now: where the disk is full nothing happened, and the next step begins at the note that is there.
        self.state = noted

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


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _listed(answer: Any) -> Any:
    """Return one row's answer as plain JSON: a number, or several."""
    found = answer[0].tolist()
    return _number(found) if isinstance(found, float) else [_number(float(one)) for one in found]
