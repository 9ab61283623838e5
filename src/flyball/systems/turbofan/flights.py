"""Twins among simulated engines: one flight written twice, told by its settings, and kept on one side of a split.

Why: many engines of the data set are the same simulated flight under fresh sensor noise, FD001 in FD003 above all
and FD002 in FD004.  A model that learned from an engine whose twin it is judged on looks better than it is.  The
settings of every cycle carry a jitter of their own, so equal settings are the same flight; no label is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors, features, model
from flyball.data import stage as data

if TYPE_CHECKING:
    from flyball.data.stage import Array, Flags

#: The shortest test record has 19 cycles; so many tell a flight, and no two engines agree in them by chance.
FIRST = 15
DECIMALS = 4


def fingerprints(rows: data.Rows, settings: tuple[str, ...], first: int) -> list[bytes]:
    """Return one text of bytes per machine: its settings in the first cycles; b"" for one with no rows.

    >>> rows = data.Rows.of(["a", "b"], at=[1, 1], columns={"s": [0.1, 0.1]})
    >>> len(set(fingerprints(rows, ("t.s",), 15)))
    1
    """
    import numpy as np

    columns = [rows.floats(name.partition(".")[2]) for name in settings]
    values = np.round(np.stack(columns, axis=1), DECIMALS) + 0.0  # minus zero is zero
    spans = zip(rows.starts[:-1].tolist(), rows.starts[1:].tolist(), strict=True)
    return [values[begin : min(end, begin + first)].tobytes() for begin, end in spans]


class TwinFlights(data.Cleaner):
    """Drops every row of an engine whose flight is that of an engine in a stronger split, and counts the engines.

    `settings` are the columns of the operating point, `split` the category column, `keep` ranks its values,
    strongest first.  Engines with the same settings in the first `first` cycles are the same flight.

    >>> rows = data.Rows.of(["a", "b", "c"], [1] * 3, columns={"s": [.1, .1, .2], "part": ["test", "train", "train"]})
    >>> left = TwinFlights(("t.s",), split="t.part").clean("t", rows)
    >>> [left.keys[code] for code in left.segments()]
    ['a', 'c']
    """

    settings: tuple[str, ...]
    split: str
    keep: tuple[str, ...] = ("test", "train")
    first: int = FIRST

    def reads(self) -> tuple[str, ...]:
        return (*self.settings, self.split)

    def fleetwide(self) -> bool:
        """Twins are found across machines."""
        return True

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if len({name.partition(".")[0] for name in self.reads()}) > 1:
            yield errors.Problem(
                "split", "settings and split are not of one table", "name columns of one table"
            )
        if len(self.keep) < 2:
            yield errors.Problem("keep", f"{self.keep!r} ranks nothing", "name two splits, strongest first")
        if self.first < 1:
            yield errors.Problem("first", f"{self.first} cycles tell no flight", "give 1 or more")

    def clean(self, name: str, rows: data.Rows) -> data.Rows:
        """Return the table's rows without weaker twins."""
        if name != self.split.partition(".")[0]:
            return rows
        weaker, _ = self._weaker(rows)
        return rows.take(~weaker[rows.segments()]) if weaker.any() else rows

    def found(self, name: str, rows: data.Rows) -> Iterator[data.Finding]:
        """Yield how many engines were dropped, by the beginning of their names (the part before the first dash)."""
        if name != self.split.partition(".")[0]:
            return
        weaker, rank = self._weaker(rows)
        fleets = sorted({key.partition("-")[0] for key in rows.keys})
        for fleet in fleets:
            mine = [place for place, key in enumerate(rows.keys) if key.partition("-")[0] == fleet]
            count, of = int(weaker[mine].sum()), int((rank[mine] > 0).sum())
            why = f"{count} of {of} engines of {fleet} fly the flight of an engine in {self.keep[0]}: dropped"
            yield data.Finding("TwinFlights", self.split, float(count), 0.0, count == 0, why)

    def _weaker(self, rows: data.Rows) -> tuple[Flags, Array]:
        """Return (machines,) whether it has a twin in a stronger split, and the rank of its own."""
        import numpy as np

        words = rows.words(self.split.partition(".")[2])
        places = {label: place for place, label in enumerate(self.keep)}
        rank = np.full(len(rows.keys), len(self.keep))
        there = np.diff(rows.starts) > 0
        codes = words.codes[rows.starts[:-1][there]]
        rank[there] = [
            len(self.keep) if code < 0 else places.get(words.labels[code], len(self.keep)) for code in codes
        ]
        best: dict[bytes, int] = {}
        prints = fingerprints(rows, self.settings, self.first)
        for text, mine in zip(prints, rank.tolist(), strict=True):
            best[text] = min(mine, best.get(text, mine))
        weaker = [text != b"" and best[text] < mine for text, mine in zip(prints, rank.tolist(), strict=True)]
        return np.array(weaker, dtype=bool), rank


class Flights(model.Split):
    """Whole flights dealt into folds, twins together; judged at `cuts` random inspections of each engine.

    Why cuts: a test engine is asked once, somewhere on its way.  A cut is drawn at a share of the life between `low`
    and 1, after `seen` cycles at least and before the last one.  With `share`, one fold of about that share of the
    flights.

    >>> rows = data.Rows.of(["a"] * 40 + ["b"] * 40, [*range(1, 41)] * 2, columns={"s": [.1] * 40 + [.2] * 40})
    >>> asked = features.Moments.of(["a", "b"], [30, 30])
    >>> [(f.train.tolist(), f.test.tolist()) for f in Flights(("t.s",), share=0.5).split(asked, {"t": rows})]
    [([1], [0])]
    """

    settings: tuple[str, ...]
    folds: int = 5
    share: float | None = None
    cuts: int = 5
    low: float = 0.3
    seen: int = 20
    first: int = FIRST
    seed: int = 0

    def split(self, moments: features.Moments, tables: data.Tables) -> tuple[model.Fold, ...]:
        """Return the folds."""
        import numpy as np

        rows = tables[self.settings[0].partition(".")[0]]
        prints = dict(zip(rows.keys, fingerprints(rows, self.settings, self.first), strict=True))
        names = [prints.get(key, b"").hex() or key for key in moments.keys]
        words = data.Words.of(names)
        flights = features.Moments(words.labels, words.codes[moments.codes], moments.at)
        dealt = model.ByMachine(self.folds, self.share, self.seed).split(flights, {})
        ends = dict(zip(rows.keys, rows.at[rows.starts[1:] - 1].tolist(), strict=True)) if len(rows) else {}
        life = np.array([ends.get(key, 0) for key in moments.keys], dtype=np.int64)
        rng = np.random.default_rng(self.seed)
        return tuple(model.Fold(fold.train, self._cut(moments, fold.test, life, rng)) for fold in dealt)

    def _cut(self, moments: features.Moments, held: Array, life: Array, rng: Any) -> Array:
        """Return the rows at which the held-out engines are judged."""
        import numpy as np

        out = []
        for code in np.unique(moments.codes[held]).tolist():
            mine = held[moments.codes[held] == code]
            mine = mine[(moments.at[mine] >= self.seen) & (moments.at[mine] < life[code])]
            if len(mine):
                wanted = np.maximum(rng.uniform(self.low, 1.0, self.cuts) * life[code], self.seen)
                place = np.searchsorted(moments.at[mine], wanted)
                out.append(mine[np.minimum(place, len(mine) - 1)])
        return np.unique(np.concatenate(out)) if out else held

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for column in self.settings:
            for problem in data.unknown(page.data, column):
                yield problem._replace(place="settings")
        yield from model.ByMachine(self.folds, self.share, self.seed).problems(page)
        if not 0 <= self.low < 1:
            yield errors.Problem("low", f"{self.low} is no share of a life", "give one from 0 to below 1")
        if self.cuts < 1:
            yield errors.Problem("cuts", f"{self.cuts} cuts judge nothing", "give 1 or more")
