"""Whether a machine fails within a horizon: known when its window is over, censored when it vanished."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import values, view
from flyball.labels import acted, stage

if TYPE_CHECKING:
    from flyball.data.stage import Ints

#: Why a truth is not known; of several reasons the last one here is told.
REASONS = ("acted", "censored", "future", "gap", "blackout", "failed")

#: When something was that never was.
NEVER = -data.FOREVER


class FailsWithin(stage.Labeller):
    """1 when an event happens in (m + gap, m + gap + within], 0 when the machine is known to outlive it.

    Everything is judged from rows seen by the cut.  The truth is not known, with the reason in `why`:

    - "failed": the machine has shown no row since an event, so at m there is no question;
    - "blackout": m lies within `blackout` after an event (repair, tests);
    - "gap": an event follows within `gap`: too soon to act on, and no sign of health either;
    - "future": the window, and `wait` for rows entered late, are not over at the cut.  An event that was seen
      early does not count before that: near the cut only the failing machines would be known;
    - "censored": no event, but the machine's rows (of table `alive`; of all tables when None) end more than
      `silence` before the window does; or `censored_by` (a planned replacement) came first;
    - "acted": somebody acted on an alert about the machine first, so what would have been is not known.  With
      `acted="found"` the answer is what they found, once they said; "ignored" counts what it looks like.

    Where there is a question, `until` says when the event came, or until when it is known not to have: the first
    of an act, a planned replacement, the end of the machine's rows (and `silence`), the cut (less `wait`).

    >>> from flyball.units import days
    >>> logs = data.Rows.of(["a"] * 3 + ["b"] * 4, at=[days(d) for d in (0, 1, 2, 0, 1, 2, 3)],
    ...                     columns={"failure": [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]})
    >>> asked = features.Moments.of(["a", "a", "b", "b", "b"], [days(d) for d in (0, 2, 0, 1, 2)])
    >>> truth = FailsWithin(days(2), event="logs.failure").label({"logs": logs}, asked, as_of=days(3))
    >>> truth.value.tolist(), truth.why.texts()
    ([1.0, nan, 0.0, 0.0, nan], [None, 'failed', None, None, 'future'])
    """

    within: features.Span
    event: str
    gap: features.Span | int = 0
    blackout: features.Span | int = 0
    alive: str | None = None
    silence: features.Span | int = 0
    wait: features.Span | int = 0
    censored_by: str | None = None
    acted: str = "censored"

    def kind(self) -> stage.Kind:
        return stage.Probability()

    def reads(self) -> tuple[str, ...]:
        return (self.event,) if self.censored_by is None else (self.event, self.censored_by)

    def horizon(self) -> int:
        return int(self.gap) + int(self.within) + int(self.wait)

    def window(self) -> tuple[int, int]:
        return int(self.gap), int(self.gap) + int(self.within)

    def label(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> stage.Answers:
        import numpy as np

        m = moments.at
        opens, closes = m + int(self.gap), m + int(self.gap) + int(self.within)
        alive = [features.arrived(tables, name).known(as_of) for name in self._alive(tables)]
        events = where(tables, self.event, as_of)
        before, event = around(events, moments, m)
        _, inside = around(events, moments, opens)
        shown = np.max([around(rows, moments, m)[0] for rows in alive], axis=0)
        last = np.max([ends(rows, moments) for rows in alive], axis=0)
        positive = inside <= closes
        gone = ~positive & (last < closes - int(self.silence))
        planned = np.full(len(moments), data.FOREVER)
        if self.censored_by is not None:
            _, planned = around(where(tables, self.censored_by, as_of), moments, m)
            gone |= (planned <= closes) & (planned < inside)
        changed, found = np.full(len(moments), data.FOREVER), np.full(len(moments), np.nan)
        if self.acted != "ignored":
            changed, found = acted.following(tables, moments, as_of)
        touched = (changed <= closes) & (changed < np.minimum(inside, planned))
        told = touched & ~np.isnan(found) & (self.acted == "found")
        failed = before != NEVER
        cut = _cut((*alive, events), as_of)
        reasons = (
            touched & ~told,
            gone & ~touched,
            closes + int(self.wait) > cut,
            event <= opens,
            failed & (m - int(self.blackout) <= before) & (int(self.blackout) > 0),
            failed & (shown <= before),
        )
        why = np.full(len(moments), -1, dtype=np.int32)
        for code, reason in enumerate(reasons):
            why[reason] = code
        value = np.where(why < 0, np.where(told, found, positive.astype(np.float64)), np.nan)
        planned = np.minimum(planned, changed)
        asked = why <= REASONS.index("future")
        settled = max(cut - int(self.wait), NEVER)
        shown_until = last + int(self.silence)
        came = asked & (inside <= np.minimum(planned, settled)) & (positive | (inside <= shown_until))
        seen = np.minimum(np.minimum(planned, shown_until), settled)
        until = np.where(came, inside, np.where(asked, np.maximum(seen, m), m))
        return stage.Answers(value, why < 0, data.Words(why, REASONS), None, until, came)

    def _alive(self, tables: data.Tables) -> tuple[str, ...]:
        """Return the tables whose rows show that a machine lives: what was said about it is not from it."""
        if self.alive is not None:
            return (self.alive,)
        return tuple(name for name in tables if name not in data.KEPT)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from features.span_problems(page, self.within, "within", "horizon")
        for name in ("gap", "blackout", "silence", "wait"):
            span = getattr(self, name)
            if not (isinstance(span, int) and span == 0):
                yield from features.span_problems(page, span, name, "span")
        for place, column in (("event", self.event), ("censored_by", self.censored_by)):
            if column is not None:
                yield from stage.column_problems(page, column, "bool", place)
        yield from features.table_problems(page, self.alive, "alive")
        if self.acted not in acted.HOW:
            what = f"an acted-on alert cannot be {self.acted!r}"
            yield errors.Problem("acted", what, errors.did_you_mean(self.acted, acted.HOW))


def where(tables: data.Tables, column: str, as_of: int | None) -> data.Rows:
    """Return the rows known at the cut in which a bool column is true."""
    table, name = features.split(column)
    rows = features.arrived(tables, table).known(as_of)
    return rows.take(values.holds(rows, name))


def around(rows: data.Rows, moments: features.Moments, when: Ints) -> tuple[Ints, Ints]:
    """Return (m,) when the machine's last row at or before `when` was, and its next one after it."""
    import numpy as np

    if not len(rows):
        return np.full(len(when), NEVER), np.full(len(when), data.FOREVER)
    machine, known = view.machines(rows, moments)
    place = view.after(rows.at, rows, when, machine)
    behind = known & (place > rows.starts[machine])
    ahead = known & (place < rows.starts[machine + 1])
    before = np.where(behind, rows.at[np.maximum(place - 1, 0)], NEVER)
    return before, np.where(ahead, rows.at[np.minimum(place, len(rows) - 1)], data.FOREVER)


def ends(rows: data.Rows, moments: features.Moments) -> Ints:
    """Return (m,) when the last row of each moment's machine was."""
    import numpy as np

    return around(rows, moments, np.full(len(moments), data.FOREVER - 1))[0]


def _cut(rows: tuple[data.Rows, ...], as_of: int | None) -> int:
    """Return the cut: as given, or the moment by which everything was seen."""
    if as_of is not None:
        return as_of
    return max((int(max(some.seen.max(), some.at.max())) for some in rows if len(some)), default=NEVER)
