"""What one page on a machine holds in memory: the rows it has seen, features that step on them, answers that wait.

Rows are cleaned as they come, and kept as long as a feature, a label or a cleaner looks back at them.  All of it is
made from a note and written to one, in plain JSON: `site.scoring` decides when.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import stream as streams
from flyball.site import arriving

if TYPE_CHECKING:
    from flyball.data.binding import Binding
    from flyball.system import System

#: Of so many answers the outcome is waited for.
MOST_KEPT = 20_000
#: Marks the rows that came just now among those that are held for cleaning.
NEW = "#new"


class Seen:
    """What is held in memory for one page, made from a note (`state`) and written to one (`state()`).

    `text` is the page as text; `files`, `ring` and `binding` are where rows come from and what this site calls things.
    Raises DeclarationError for a page whose cleaners compare machines.
    """

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
        """Let go of the place at the ring."""
        if self.ring is not None:
            self.ring.close()

    def taken(self, now: int, machine: str) -> Iterator[arriving.Came]:
        """Yield what came since the last call."""
        if self.files is not None:
            yield from self.files.read(now, machine)
        if self.ring is not None:
            yield from self.ring.read(now, machine)

    def passed(self) -> dict[str, str]:
        """Return what was not read, by name, and why."""
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
        else [v if math.isfinite(v) else None for v in rows.floats(name).tolist()]
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
