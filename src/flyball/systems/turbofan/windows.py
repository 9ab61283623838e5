"""What the turbofan page asks about and sees: sums of sensors over windows, condition by condition, nothing fitted.

Why by condition: a sensor's level depends on the operating condition, and what is usual there is learned.  Sums per
condition are all that any later standardisation, linear within each condition, needs: it can be fitted in the model
and applied to the window instead of to every row, and the features stay free of what was learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage, values, view
from flyball.systems.turbofan import conditions

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats, Ints

#: The first so many cycles are what an engine was like when it was new.
NEW = 20
#: A fall of the damage sensors by more than `LIMIT` spreads between `AROUND` cycles and the next: a spliced record.
LIMIT, AROUND = 1.0, 12


class Inspected(stage.Asked):
    """Asked at the rows of a table in which a bool column holds, when they were seen.

    >>> rows = data.Rows.of(["a", "a"], at=[1, 2], columns={"inspected": [0.0, 1.0]})
    >>> Inspected("cycles.inspected").moments({"cycles": rows}).at.tolist()
    [2]
    """

    column: str

    def moments(
        self, tables: data.Tables, since: int | None = None, until: int | None = None
    ) -> stage.Moments:
        import numpy as np

        table, name = stage.split(self.column)
        rows = stage.arrived(tables, table)
        rows = rows.take(values.holds(rows, name))
        at = np.maximum(rows.at, rows.seen)
        inside = np.ones(len(at), dtype=bool)
        inside &= True if since is None else at >= since
        inside &= True if until is None else at < until
        codes, at = rows.segments()[inside], at[inside]
        order = np.lexsort((at, codes))
        codes, at = codes[order], at[order]
        new = np.ones(len(at), dtype=bool)
        new[1:] = (codes[1:] != codes[:-1]) | (at[1:] != at[:-1])
        return stage.Moments(rows.keys, codes[new], at[new])

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for problem in data.unknown(page.data, self.column):
            yield problem._replace(place="column")
        yield from stage.kind_problems(page, self.column, "bool")


class Windows(stage.Feature):
    """Mean and slope of sensors over the last cycles, split by operating condition, and how many cycles there are.

    A column is (n, 6, sensors + 1), float32: for every condition the sum of weight times value over the window's
    rows in that condition, and last the sum of the weights.  The weights of "mean.W" are one over the rows in the
    window, those of "slope.W" the least-squares slope per row, shrunk by (rows / W)^1.5 while there are fewer than
    W.  "mean.all" reaches back to the beginning, "mean.new" is of the first 20 rows.  "history" is the number of rows.
    Rows with a missing sensor or setting are passed over.

    Damage does not heal: where the sensors that rise with it fall by more than a spread between twelve rows and the
    next twelve, two records were spliced, and the history begins anew (from twelve rows after the jump on).

    `name` stands before the columns' names.
    """

    sensors: tuple[str, ...]
    settings: tuple[str, ...]
    means: tuple[int, ...] = (5, 10, 20, 30, 40, 80)
    slopes: tuple[int, ...] = (20, 50)
    name: str = "cycles"

    def reads(self) -> tuple[str, ...]:
        return (*self.sensors, *self.settings)

    def names(self) -> tuple[str, ...]:
        windows = (
            *(f"mean.{w}" for w in self.means),
            "mean.all",
            "mean.new",
            *(f"slope.{w}" for w in self.slopes),
        )
        return (*(f"{self.name}.{window}" for window in windows), f"{self.name}.history")

    def compute(self, tables: data.Tables, moments: stage.Moments) -> dict[str, data.Column]:
        import numpy as np

        rows = tables[self.tables()[0]]
        kinds = len(conditions.CENTRES)
        out: dict[str, Any] = {
            name: np.zeros((len(moments), kinds, len(self.sensors) + 1), dtype=np.float32)
            for name in self.names()[:-1]
        }
        out[self.names()[-1]] = np.zeros(len(moments))
        sensors = np.stack([values.floats(rows, stage.split(name)[1]) for name in self.sensors], axis=1)
        settings = np.stack([values.floats(rows, stage.split(name)[1]) for name in self.settings], axis=1)
        for piece in view.View(rows, moments).windows(None):
            if len(piece.index):
                self._fill(out, piece.index, piece.of(sensors), piece.of(settings), piece.lo, piece.hi)
        return out

    def keeps(self, table: str, rows: data.Rows, moment: int) -> Any:
        """Keep every row: an engine has some hundred, and the windows reach back to the first."""
        import numpy as np

        return np.ones(len(rows), dtype=bool)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if len(self.tables()) != 1:
            yield errors.Problem(
                "sensors", "sensors and settings are not of one table", "name one table's columns"
            )
        for place in ("sensors", "settings"):
            for column in getattr(self, place):
                yield from stage.kind_problems(page, column, "number", place)
        if len(self.settings) != len(conditions.SCALE):
            yield errors.Problem(
                "settings", f"{len(self.settings)} settings", "name altitude, Mach number, throttle"
            )
        missing = [name for name in conditions.DAMAGE if name not in self._short()]
        if missing:
            yield errors.Problem("sensors", f"no {', '.join(missing)}", "name the sensors that tell damage")
        if min((*self.means, *self.slopes), default=1) < 1:
            yield errors.Problem("means", "a window of no row", "give 1 or more")

    def _short(self) -> tuple[str, ...]:
        return tuple(stage.split(name)[1] for name in self.sensors)

    def _fill(
        self, out: dict[str, Any], index: Ints, sensors: Array, settings: Array, lo: Ints, hi: Ints
    ) -> None:
        """Fill the columns of some moments from their windows `lo:hi` of some rows."""
        import numpy as np

        whole = np.isfinite(sensors).all(axis=1) & np.isfinite(settings).all(axis=1)
        count = np.append(0, np.cumsum(whole))
        lo, hi = count[lo], count[hi]
        sensors, condition = sensors[whole], conditions.of(settings[whole])
        # Rows counted from the engine's first, so that the sums behind slopes stay small.
        firsts, every = np.unique(lo), np.arange(len(sensors))
        place = every - firsts[np.maximum(np.searchsorted(firsts, every, "right") - 1, 0)]
        worn = conditions.damage(condition, sensors[:, [self._short().index(s) for s in conditions.DAMAGE]])
        lo = _begin(worn, lo, hi)
        out[f"{self.name}.history"][index] = hi - lo
        for kind in range(len(conditions.CENTRES)):
            mine = (condition == kind)[:, None]
            told = np.where(mine, np.append(sensors, np.ones((len(sensors), 1)), axis=1), 0.0)
            total, timed = _Sums(told, firsts), _Sums(told * place[:, None], firsts)
            for window in self.means:
                start = np.maximum(lo, hi - window)
                out[f"{self.name}.mean.{window}"][index, kind] = _mean(total, start, hi)
            out[f"{self.name}.mean.all"][index, kind] = _mean(total, lo, hi)
            out[f"{self.name}.mean.new"][index, kind] = _mean(total, lo, np.minimum(hi, lo + NEW))
            for window in self.slopes:
                start = np.maximum(lo, hi - window)
                middle = np.append(place, 0)[start] + (hi - start - 1) / 2
                out[f"{self.name}.slope.{window}"][index, kind] = _slope(
                    total, timed, start, hi, middle, window
                )


class _Sums:
    """Sums over ranges of rows, added up engine by engine: other engines do not change a digit."""

    def __init__(self, told: Floats, firsts: Ints) -> None:
        import numpy as np

        self.sums = np.zeros((len(told) + 1, told.shape[1]))
        for begin, end in zip(firsts.tolist(), [*firsts[1:].tolist(), len(told)], strict=True):
            np.cumsum(told[begin:end], axis=0, out=self.sums[begin:end])
        self.starts = np.zeros(len(told) + 1, dtype=bool)
        self.starts[firsts] = True

    def over(self, lo: Ints, hi: Ints) -> Floats:
        """Return (m, d) the sums of rows lo to hi - 1 of one engine each; zero for no row."""
        import numpy as np

        filled = hi > lo
        before = np.where(filled & ~self.starts[np.minimum(lo, len(self.starts) - 1)], lo - 1, -1)
        return np.asarray(self.sums[np.where(filled, hi - 1, -1)] - self.sums[before])


def _mean(total: _Sums, lo: Ints, hi: Ints) -> Floats:
    import numpy as np

    return np.asarray(total.over(lo, hi) / np.maximum(hi - lo, 1)[:, None])


def _slope(total: _Sums, timed: _Sums, lo: Ints, hi: Ints, middle: Floats, window: int) -> Floats:
    """Return the sums weighted by (row - middle) / sum of its squares, times (rows / window)^1.5."""
    import numpy as np

    n = (hi - lo).astype(np.float64)
    spread = np.maximum(n * (n * n - 1) / 12, 1e-9)
    told = timed.over(lo, hi) - middle[:, None] * total.over(lo, hi)
    return np.asarray(np.where(n[:, None] > 1, told * ((n / window) ** 1.5 / spread)[:, None], 0.0))


def _begin(damage: Floats, lo: Ints, hi: Ints) -> Ints:
    """Return (m,) where each moment's history begins: at `lo`, or at the largest visible fall above the limit."""
    import numpy as np

    n = len(damage)
    if n < 2 * AROUND:
        return lo
    total = np.append(0.0, np.cumsum(damage))
    at = np.arange(AROUND, n - AROUND + 1)
    fall = (2 * total[at] - total[at - AROUND] - total[at + AROUND]) / AROUND
    best, begin = np.full(len(lo), LIMIT), lo.copy()
    for place in np.flatnonzero(fall > LIMIT).tolist():
        row = place + AROUND
        better = (lo + AROUND <= row) & (row + AROUND <= hi) & (fall[place] > best)
        best[better], begin[better] = fall[place], row
    return begin
