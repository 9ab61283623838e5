"""Has the model got worse at one customer, on one kind of machine?  Losses of slices against their own reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import data, errors, part, units
from flyball.features import stage as features
from flyball.monitoring import means

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints

#: The name of the slice that holds everything.
ALL = "all"


class Performance(part.Part):
    """Judge the losses of every slice, in windows `over`, against the slice's own losses on the test rows.

    Slices are those of the contest (`model.Contest(slices=...)`) and of the columns in `by` (categories among the
    features, or "machine" for each machine alone); the fleet as a whole is one of them.  A window is alarmed when any
    of its slices lost more than before: one-sided tests of means that resample nothing, clustered by machine and by
    time, with Holm's correction over the slices of the window.  At most `false_alarms` windows `per` period may alarm
    for nothing.  Without a wall clock everything that came after the test rows is one window.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).

    >>> round(Performance(over=units.days(7), false_alarms=1, per=units.YEAR).share(), 4)
    0.0192
    """

    over: units.Duration = units.WEEK
    false_alarms: float = 1.0
    per: units.Duration = units.YEAR
    by: tuple[str, ...] = ()

    def share(self) -> float:
        """Return the share of windows that may alarm although nothing happened."""
        return self.false_alarms * int(self.over) / int(self.per)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield windows and a budget that cannot be held, and columns that are no slices."""
        if self.over <= 0 or self.per <= 0 or not 0 < self.share() <= 0.5:
            what = f"{self.false_alarms} false alarms per {self.per!r} in windows of {self.over!r}"
            yield errors.Problem("false_alarms", what, "let fewer than half of the windows alarm for nothing")
        for column in self.by:
            if column != "machine" and column not in page.features.names():
                hint = errors.did_you_mean(column, (*page.features.names(), "machine"))
                yield errors.Problem("by", f"no column {column!r} among the features", hint)


@dataclass(frozen=True, eq=False)
class Lost:
    """Losses of rows whose truth is known: `moments` (n,), `value` (n,), and the slices that they are parts of."""

    moments: features.Moments
    value: Floats
    slices: Mapping[str, data.Words]

    def take(self, rows: Any) -> Lost:
        """Return some of the rows."""
        slices = {name: words[rows] for name, words in self.slices.items()}
        return Lost(self.moments[rows], self.value[rows], slices)

    def spans(self, block: int) -> Ints:
        """Return the number of every row's span of time."""
        import numpy as np

        return np.asarray(self.moments.at // max(block, 1))

    def rows(self, block: int, machines: Mapping[str, int], weight: Floats | None = None) -> means.Rows:
        """Return them as rows in clusters: machines by those numbers, and spans of so long."""
        import numpy as np

        codes = np.array([machines[name] for name in self.moments.keys], dtype=np.int64)
        return means.Rows(self.value, codes[self.moments.codes], self.spans(block), weight)

    def named(self) -> dict[str, Ints]:
        """Return the rows of every slice by its name, the fleet's first."""
        import numpy as np

        found = {ALL: np.arange(len(self.value))}
        for column, words in self.slices.items():
            for code, label in enumerate(words.labels):
                rows = np.flatnonzero(words.codes == code)
                if len(rows):
                    found[f"{column}={label}"] = rows
        return found


@dataclass(frozen=True)
class Slice:
    """One slice in one window: what it lost, what it lost before, and how sure it is that this is more.

    `p` is corrected over the slices of the window.
    """

    name: str
    since: int
    until: int
    machines: int
    before: means.Mean
    now: means.Mean
    rise: means.Mean
    p: float
    alarm: bool


def judge(part_: Performance, reference: Lost, now: Lost, block: int, windows: Ints) -> list[Slice]:
    """Return every slice of every window, oldest window first and worst first in it.

    `windows` (n,) number the windows of the new rows; `block` is how long losses of one machine are alike (the
    label's horizon).  A slice that the reference does not hold, or whose spread cannot be told, has p = 1.

    >>> import numpy as np
    >>> def rows(n, level):
    ...     keys = [f"m{i % 20:02d}" for i in range(n)]
    ...     moments = features.Moments.of(keys, np.arange(n))
    ...     site = data.Words.of(["A" if name < "m10" else "B" for name in moments.names()])
    ...     lost = np.where(site.codes == 0, 0.3, level) + np.arange(n) % 7 * 0.01
    ...     return Lost(moments, lost, {"site": site})
    >>> found = judge(Performance(), rows(400, 0.3), rows(200, 0.6), 1, np.zeros(200, dtype=int))
    >>> [one.name for one in found if one.alarm]
    ['site=B', 'all']
    """
    import numpy as np

    numbers = numbered(reference.moments, now.moments)
    before = {name: reference.take(rows).rows(block, numbers) for name, rows in reference.named().items()}
    nothing = reference.take(np.arange(0)).rows(block, numbers)
    event, machines = _event(reference), len(np.unique(reference.moments.codes))
    out: list[Slice] = []
    for window in np.unique(windows):
        here = now.take(np.flatnonzero(windows == window))
        since, until = int(here.moments.at.min()), int(here.moments.at.max())
        found = []
        for name, rows in here.named().items():
            some, was = here.take(rows).rows(block, numbers), before.get(name, nothing)
            found.append(
                (
                    name,
                    len(np.unique(some.machine)),
                    was.mean(),
                    some.mean(),
                    _at_least(means.apart(some, was), some, was, event, machines),
                )
            )
        held = holm([means.above(rise) for *_, rise in found])
        slices = [Slice(name, since, until, n, was, is_, rise, p, p <= part_.share())
                  for p, (name, n, was, is_, rise) in zip(held, found, strict=True)]  # fmt: skip
        out += sorted(slices, key=lambda one: (one.p, -_rise(one)))
    return out


def _event(lost: Lost) -> float:
    """Return what one thing that goes wrong costs: the variance within machines over the mean (1 for counts)."""
    import numpy as np

    if not len(lost.value) or lost.value.mean() <= 0:
        return 0.0
    count = np.bincount(lost.moments.codes)
    mean = np.bincount(lost.moments.codes, weights=lost.value) / np.maximum(count, 1)
    free = max(len(lost.value) - int((count > 0).sum()), 1)
    return float(((lost.value - mean[lost.moments.codes]) ** 2).sum()) / free / float(lost.value.mean())


def _at_least(
    rise: means.Mean, now: means.Rows, before: means.Rows, event: float, machines: int
) -> means.Mean:
    """Return a rise whose variance is at least that of counts, as if one more thing had gone wrong on each side.

    Why: where failures are rare, a slice in which none happened shows no spread, and its mean looks sure.
    """
    if math.isnan(rise.variance):
        return rise
    least = sum(event * (float(rows.value.sum()) + event) / len(rows.value) ** 2 for rows in (now, before))
    if least <= rise.variance:
        return rise
    return means.Mean(rise.value, least, max(rise.freedom, machines - 1), rise.n)


def numbered(*moments: features.Moments) -> dict[str, int]:
    """Return a number for every machine of some rows, the same in all of them."""
    return {name: place for place, name in enumerate(dict.fromkeys(k for m in moments for k in m.keys))}


def _rise(one: Slice) -> float:
    return one.rise.value if math.isfinite(one.rise.value) else -math.inf


def holm(raw: list[float]) -> list[float]:
    """Return p-values corrected for their number, in their order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(raw)), key=lambda place: raw[place])
    out, most = [1.0] * len(raw), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(raw) - rank) * raw[place]))
        out[place] = most
    return out


def began(lost: Lost, before: float, after: float) -> int | None:
    """Return when the mean loss most likely rose from one level to another (None: it was so from the first moment on).

    The moment after which a cumulated sum, each mean less the level halfway, was least.

    >>> import numpy as np
    >>> moments = features.Moments.of(["a"] * 6, [1, 2, 3, 4, 5, 6])
    >>> began(Lost(moments, np.array([0.1, 0.2, 0.1, 0.9, 0.8, 0.9]), {}), 0.1, 0.9)
    4
    """
    import numpy as np

    if not len(lost.value):
        return None
    at, place, count = np.unique(lost.moments.at, return_inverse=True, return_counts=True)
    sums = np.bincount(place, weights=lost.value) - count * (before + after) / 2
    path = np.concatenate([[0.0], np.cumsum(sums)])
    least = int(path[:-1].argmin())
    return None if least == 0 else int(at[least])
