"""What a machine met, column by column and span by span, in a few kB that can be merged and compared.

Why: rows may not leave a site, and a fleet of four hundred is watched as one.  A sketch holds no row: of a number the
quantiles to half a percent, of a category how often each value came.  Sketches of machines, days and sites are
merged, and held against the sketch of the rows that a model learned from.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import data, errors, evidence, kernels, units
from flyball.features import stage as features
from flyball.labels import stage as labels
from flyball.monitoring import bins, null, stage

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats

#: The column in which what was answered stands, and that of the class which was answered.
ANSWER, ANSWERED = "answer", "answer: class"
#: So many values of a category are kept by name; the rest are counted together.
MOST_CATEGORIES = bins.MOST_CATEGORIES
#: While rows come in, so many values of a category are counted before the first are counted together.
MOST_LIVE = 10_000
#: A value of a category is kept with so many bytes; a longer one as its beginning and a digest.
LONGEST = 48
#: What a column takes at most in bytes beside its name: a number, and a category.
NUMBER_BYTES, CATEGORY_BYTES = 4200, 8192
#: Up to so many values a number's sketch is exact.
EXACT = 496
#: No sketch is larger.
MOST_BYTES = 2**26

_MAGIC = b"flyball sketch 1\n"
_BEFORE = len(_MAGIC) + 32 + 4
_HELD = ("columns", "unit", "since", "until", "begun", "rows")
_NAMED = 12


@dataclass(frozen=True)
class Numbers:
    """The values of a number that were there, by their quantiles: a rank is within 0.5 % in 99 of 100 sketches.

    What is not finite is missing.  Up to `EXACT` values nothing is lost.
    """

    sent: bytes

    @functools.cached_property
    def sketch(self) -> kernels.QuantileSketch:
        """The quantiles; not to be pushed into."""
        return kernels.QuantileSketch.from_bytes(self.sent)

    @property
    def count(self) -> int:
        """How many values were there."""
        return int(self.sketch.count[0])

    @property
    def error(self) -> float:
        """How far a share at or below a value may be off."""
        return 0.0 if self.count <= EXACT else kernels.QuantileSketch.ERROR

    def steps(self) -> tuple[Floats, Floats]:
        """Return the values at which the share at or below steps up, rising, and those shares."""
        return next(self.sketch.steps())

    def shares(self, edges: Floats) -> tuple[Floats, Floats]:
        """Return the share of the values in each bin (an edge belongs to the bin above it), and how far it may be off.

        >>> import numpy as np
        >>> Numbers(kernels.QuantileSketch(1).push(np.arange(4.0)).to_bytes()).shares(np.array([1.0, 3.0]))[0]
        array([0.25, 0.5 , 0.25])
        """
        import numpy as np

        values, reached = self.steps()
        below = np.concatenate([[0.0], reached])[np.searchsorted(values, edges, side="left")]
        shares = np.diff(np.concatenate([[0.0], below, [1.0 if len(values) else 0.0]]))
        off = np.full(len(shares), 2 * self.error)
        off[[0, -1]] = self.error if len(edges) else 0.0
        return shares, off


@dataclass(frozen=True)
class Categories:
    """How often each value of a category came; `other` rows had values that are not listed.

    As long as no more than `MOST_CATEGORIES` values are met every count is exact and `other` is 0.  Beyond, the most
    frequent are listed.  `short` is how many rows a listed value may have more than is told, `beyond` how many a
    value that is not listed may have: what merging sketches costs that listed different values, and never more.

    Source: Agarwal et al., Mergeable Summaries, ACM Transactions on Database Systems 38 (2013).
    """

    counts: Mapping[str, int]
    other: int = 0
    short: int = 0
    beyond: int = 0

    @property
    def count(self) -> int:
        """How many values were there."""
        return sum(self.counts.values()) + self.other

    def shares(self, names: Iterable[str]) -> tuple[Floats, Floats]:
        """Return the share of each named value among those that are named, and how far it may be off.

        >>> Categories({"a": 3, "b": 1}).shares(["a", "b", "c"])[0].tolist()
        [0.75, 0.25, 0.0]
        """
        import numpy as np

        asked = [shortened(name) for name in names]
        counts = np.array([self.counts.get(name, 0) for name in asked], np.float64)
        more = np.array([self.short if name in self.counts else self.beyond for name in asked], np.float64)
        total = max(counts.sum(), 1.0)
        # More rows of this value, or more of all the others.
        most = min(more.sum(), self.other)
        off = np.maximum(more / total, counts / total * most / (total + most))
        return counts / total, np.minimum(off, 1.0)

    def cut(self) -> Categories:
        """Return the most frequent values by name, ties by name, and the rest counted together."""
        order = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        kept, rest = order[:MOST_CATEGORIES], order[MOST_CATEGORIES:]
        if not rest:
            return dataclasses.replace(self, counts=dict(sorted(kept)))
        beyond = max(self.beyond, rest[0][1] + self.short)
        other = self.other + sum(count for _, count in rest)
        return Categories(dict(sorted(kept)), other, self.short, min(beyond, other))


Column = Numbers | Categories


@dataclass(frozen=True)
class Sketch:
    """What a unit (a machine, a group, a fleet) met in [since, until): `rows` questions, column by column.

    `begun` tells sketches of one unit and span apart: when whoever made it had begun to, by their own clock.  Values
    of a column that are not among `rows` were missing.  Two of the same content are equal and have the same bytes.

    >>> import numpy as np
    >>> found = of({"jitter": np.array([1.0, np.nan])}, "s1", 0, 86_400_000_000)
    >>> found.rows, found.missing("jitter"), Sketch.from_bytes(found.to_bytes()) == found
    (2, 0.5, True)
    """

    unit: str
    since: int
    until: int
    begun: int
    rows: int
    columns: Mapping[str, Column]

    @property
    def exact(self) -> bool:
        """Whether it holds every value that was met, so that it can grow on and lose nothing."""
        few = self.rows <= EXACT
        return few and not any(isinstance(one, Categories) and one.other for one in self.columns.values())

    def missing(self, name: str) -> float:
        """Return the share of the rows in which a column had no value."""
        column = self.columns.get(name)
        return 1.0 - (0 if column is None else column.count) / self.rows if self.rows else 0.0

    def to_bytes(self) -> bytes:
        """Return what is sent and kept: a mark with a version, a digest, then the columns by name.

        At most 4200 bytes a number and 8192 a category, beside its name, and 256 beside the name of the unit.
        """
        numbers, told = [], []
        for name, column in sorted(self.columns.items()):
            if isinstance(column, Numbers):
                numbers.append(column.sent)
                told.append({"name": name, "bytes": len(column.sent)})
            else:
                told.append({"name": name, **dataclasses.asdict(column)})
        head = _json({name: getattr(self, name) for name in _HELD} | {"columns": told})
        body = b"".join([struct.pack("<I", len(head)), head, *numbers])
        return _MAGIC + hashlib.sha256(body).digest() + body

    @staticmethod
    def from_bytes(sent: bytes) -> Sketch:
        """Return what was sent.  Raises DataError for what is none, of another version, cut or damaged."""
        if not isinstance(sent, bytes) or not sent.startswith(_MAGIC):
            what = "of another version" if bytes(sent[:15]) == _MAGIC[:15] else "no sketch"
            raise errors.DataError(f"{what}: give what Sketch.to_bytes of this version returned")
        body = sent[_BEFORE - 4 :]
        if len(sent) > MOST_BYTES or hashlib.sha256(body).digest() != sent[len(_MAGIC) : _BEFORE - 4]:
            raise errors.DataError(
                "a sketch that is damaged or was cut: its digest is another one, send it again"
            )
        try:
            return _read(body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
            raise errors.DataError(
                f"a sketch that does not fit together ({error}): make it again from its rows"
            ) from None


@dataclass(frozen=True)
class Apart:
    """How a column lies now, beside how it lay: figures with the bounds that the sketches' errors leave.

    `psi`, `kl`, `js` over the values that were there, in deciles of the reference or its listed categories; `ks` and
    `wasserstein` (in the column's unit) of numbers; `missing`, the share of rows without a value, and `was_missing`;
    `new`, the share of values of a category that the reference does not list, of which `names` lists some.

    A figure lies between `low` and `high`, wherever the ranks of both sketches keep their stated error; sketches
    that hold every value have figures that are exact.
    """

    column: str
    rows: int
    figures: Mapping[str, evidence.Measurement]
    names: tuple[str, ...] = ()


class Sketches:
    """Sketches that grow: rows are pushed as they come, and what is finished is taken away.

    A sketch holds one machine in one span of `every` (days, in UTC; or steps of a counter).  It is the same to the last
    byte however the machine's rows were cut, as long as they come in the same order.  While it grows, a number takes
    up to 25 kB.

    >>> import numpy as np
    >>> from flyball.features import stage as features
    >>> moments = features.Moments.of(["s1", "s1", "s2"], [0, 86_400_000_000, 0])
    >>> growing = Sketches().push(features.Matrix(moments, {"jitter": np.array([1.0, 2.0, 3.0])}))
    >>> [(found.unit, found.since, found.rows) for found in growing.closed()]
    [('s1', 0, 1), ('s1', 86400000000, 1), ('s2', 0, 1)]
    """

    def __init__(self, every: int = units.days(1), begun: int = 0) -> None:
        if int(every) <= 0:
            raise errors.DeclarationError(
                f"every: {every!r} is no span, give a day, or what a day of drift is"
            )
        self.every, self.begun = int(every), begun
        self._growing: dict[tuple[str, int], _Growing] = {}
        self._over: list[Sketch] = []

    def resume(self, found: Iterable[Sketch]) -> Sketches:
        """Go on from what `held` gave before a restart; return self.

        What is no longer exact would lose a little with every restart: it is as good as closed, and what comes next
        begins another sketch of the same span.
        """
        for one in found:
            if one.exact and one.until - one.since == self.every:
                self._growing[one.unit, one.since] = _Growing.of(one)
            else:
                self._over.append(one)
        return self

    def held(self) -> list[Sketch]:
        """Return all that is not taken away yet, as it is now: to be kept for `resume`."""
        growing = (self._growing[key].closed(*key, key[1] + self.every) for key in sorted(self._growing))
        return [*self._over, *growing]

    def push(
        self, x: features.Matrix, answers: Array | None = None, kind: labels.Kind | None = None
    ) -> Sketches:
        """Take in rows, what was answered to them and of which kind that is; return self."""
        import numpy as np

        columns = bins.watched(x, None) | answered(answers, kind)
        number = x.moments.at // self.every
        moved = (np.diff(number) != 0) | (np.diff(x.moments.codes) != 0)
        ends = [*(np.flatnonzero(moved) + 1).tolist(), len(x)]
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            if first < last:
                key = x.moments.keys[int(x.moments.codes[first])], int(number[first]) * self.every
                found = self._growing.setdefault(key, _Growing(self.begun))
                found.push({name: column[first:last] for name, column in columns.items()}, last - first)
        return self

    def closed(self, now: int | None = None) -> list[Sketch]:
        """Return the sketches whose span is over (None: all), machine by machine, and begin them anew."""
        out, self._over = self._over, []
        for unit, since in sorted(self._growing):
            until = since + self.every
            if now is None or until <= now:
                out.append(self._growing.pop((unit, since)).closed(unit, since, until))
        return out


def of(columns: Mapping[str, Any], unit: str = "", since: int = 0, until: int = 0, begun: int = 0) -> Sketch:
    """Return the sketch of rows given as columns: NumPy numbers (n,), or Words."""
    rows = {len(column) for column in columns.values()}
    if len(rows) > 1:
        raise errors.DataError(f"columns of {sorted(rows)} rows: give the same rows of every column")
    growing = _Growing(begun)
    growing.push(columns, rows.pop() if rows else 0)
    return growing.closed(unit, since, until)


def answered(answers: Array | None, kind: labels.Kind | None = None) -> dict[str, Any]:
    """Return what was answered as columns: a number, or how sure the class was and which.

    Without a kind the answers are watched as `monitoring.Drift` does, by their shape.

    >>> import numpy as np
    >>> told = answered(np.array([[0.1, 0.9]]), labels.Classes(("good", "bad")))
    >>> told["answer"].tolist(), told["answer: class"].texts()
    ([0.9], ['bad'])
    """
    import numpy as np

    if answers is None:
        return {}
    if isinstance(kind, labels.Quantity) and answers.ndim == 2:
        return {ANSWER: answers[:, 0]}
    if isinstance(kind, labels.Classes) and answers.ndim == 2:
        codes = np.where(np.isfinite(answers).all(axis=1), answers.argmax(axis=1), -1).astype(np.int32)
        return {ANSWER: answers.max(axis=1), ANSWERED: data.Words(codes, tuple(kind.names))}
    return {ANSWER: bins.watched(features.Matrix(features.Moments.of((), ()), {}), answers)["answer"]}


def merged(found: Iterable[Sketch], unit: str = "") -> Sketch:
    """Return one sketch of many, of other machines or spans: the same bytes in whatever order they are given.

    What is given twice, to the last byte, is taken once.  Give the sketches of machines, never merged ones again and
    again: then the result depends on nothing but their set, and the stated error holds for the whole.

    Raises DataError where there is none, and where a column is a number in one and a category in another.
    """
    parts = {one.to_bytes(): one for one in found}
    if not parts:
        raise errors.DataError("no sketch to merge: nothing was met")
    ordered = [
        one
        for _, one in sorted(
            parts.items(), key=lambda p: (p[1].unit, p[1].since, p[1].until, p[1].begun, p[0])
        )
    ]
    columns: dict[str, Column] = {}
    for name in sorted({name for one in ordered for name in one.columns}):
        held = [one.columns[name] for one in ordered if name in one.columns]
        if all(isinstance(one, Numbers) for one in held):
            columns[name] = _numbers([one for one in held if isinstance(one, Numbers)])
        elif all(isinstance(one, Categories) for one in held):
            columns[name] = _categories([one for one in held if isinstance(one, Categories)])
        else:
            raise errors.DataError(
                f"column {name!r}: a number on one machine and a category on another: mend its binding"
            )
    since, until = min(one.since for one in ordered), max(one.until for one in ordered)
    return Sketch(unit, since, until, 0, sum(one.rows for one in ordered), columns)


def apart(reference: Sketch, current: Sketch) -> tuple[Apart, ...]:
    """Return how every column of the reference lies now, columns by name.

    >>> import numpy as np
    >>> before, now = (of({"x": np.arange(100.0) + shift}) for shift in (0, 50))
    >>> {name: round(one.value, 3) for name, one in apart(before, now)[0].figures.items() if name in ("ks", "js")}
    {'js': 0.264, 'ks': 0.5}
    """
    return tuple(_apart(name, reference, current) for name in sorted(reference.columns))


def watch(
    kept: Mapping[str, Any], current: Sketch, reference: Sketch | None = None
) -> tuple[stage.Watched, ...]:
    """Return one row per column of what `monitoring.Drift` keeps: how it lies in a sketch, and whether that alarms.

    The statistic, its bins and its limits are the detector's: the population stability index over the bins of the
    rows that were learned from, and that of the share of missing or new values; a sketch with too few rows to be
    judged is shown, its limit is infinite.  With the sketch of those rows `ks` and `wasserstein` are shown, and
    `ks_error`, how far `ks` may be off.
    """
    limits = null.chosen(kept["limits"], current.rows)
    beside = {one.column: one for one in apart(reference, current)} if reference is not None else {}
    return tuple(
        one
        for name, told in kept["columns"].items()
        for one in _watched(name, told, current, limits, beside.get(name))
    )


def shortened(name: str) -> str:
    """Return a value of a category as it is kept: a long one as its beginning and a digest.

    >>> shortened("E-1204"), len(shortened("E-1204 " * 50))
    ('E-1204', 46)
    """
    if len(_json(name)) <= LONGEST:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    told = (f"{name[:kept]}~{digest}" for kept in range(LONGEST, -1, -1))
    return next(one for one in told if len(_json(one)) <= LONGEST)


def _watched(
    name: str, told: Mapping[str, Any], current: Sketch, limits: Mapping[str, float], beside: Apart | None
) -> Iterator[stage.Watched]:
    import numpy as np

    before, now = bins.parted(np.array(told["shares"])), bins.parted(_binned(told, current, name))
    for suffix, p, q in zip(("", bins.MISSING), before, now, strict=True):
        if (suffix and q[1] == p[1] == 0) or (not suffix and (q.sum() == 0 or p.sum() == 0)):
            continue
        shown = bins.divergences(p, q)
        if suffix:
            shown["share"] = float(q[1])
        elif beside is not None and "ks" in beside.figures:
            ks, moved = beside.figures["ks"], beside.figures["wasserstein"]
            shown |= {"ks": ks.value, "ks_error": max(ks.high - ks.value, ks.value - ks.low)}
            shown["wasserstein"] = moved.value
        psi, limit = shown["psi"], limits.get(name + suffix, math.inf)
        yield stage.Watched(
            name + suffix, current.since, current.until, current.rows, psi, limit, shown, bool(psi > limit)
        )


def _binned(told: Mapping[str, Any], current: Sketch, name: str) -> Floats:
    """Return the share of the rows in each bin of a column, as `bins.describe` has them: missing or new comes last."""
    import numpy as np

    column, out = current.columns.get(name), np.zeros(len(told["shares"]))
    rows = max(current.rows, 1)
    if isinstance(column, Numbers) and told["kind"] == "number":
        out[:-1] = column.shares(np.array(told["edges"], np.float64))[0] * column.count / rows
    elif isinstance(column, Categories) and told["kind"] == "category":
        out[:-1] = [column.counts.get(shortened(label), 0) / rows for label in told["labels"]]
    out[-1] = max(0.0, 1.0 - out[:-1].sum())
    return out


class _Growing:
    """One sketch while rows come in."""

    def __init__(self, begun: int) -> None:
        self.begun, self.rows = begun, 0
        self.numbers: dict[str, kernels.QuantileSketch] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.overflow: dict[str, int] = {}

    @classmethod
    def of(cls, found: Sketch) -> _Growing:
        """Return one that goes on from a sketch that is exact."""
        growing = cls(found.begun)
        growing.rows = found.rows
        for name, column in found.columns.items():
            if isinstance(column, Numbers):
                growing.numbers[name] = kernels.QuantileSketch.from_bytes(column.sent)
            else:
                growing.counts[name] = dict(column.counts)
        return growing

    def push(self, columns: Mapping[str, Any], rows: int) -> None:
        import numpy as np

        for name, column in columns.items():
            words = isinstance(column, data.Words)
            if name in (self.numbers if words else self.counts):
                raise errors.DataError(
                    f"column {name!r}: once a number and once a category: mend its binding"
                )
            if words:
                self._count(name, column)
                continue
            values = np.asarray(column, np.float64)
            there = np.isfinite(values)
            values = values if there.all() else values[there]
            self.numbers.setdefault(name, kernels.QuantileSketch(1)).push(values)
        self.rows += rows

    def closed(self, unit: str, since: int, until: int) -> Sketch:
        columns: dict[str, Column] = {
            name: Numbers(sketch.to_bytes()) for name, sketch in self.numbers.items()
        }
        for name, counts in self.counts.items():
            over = self.overflow.get(name, 0)
            columns[name] = Categories(counts, over, 0, over).cut()
        return Sketch(unit, since, until, self.begun, self.rows, dict(sorted(columns.items())))

    def _count(self, name: str, column: data.Words) -> None:
        """Count values; a new one is admitted in the order in which they come, so that no cut of the rows matters."""
        import numpy as np

        counts = self.counts.setdefault(name, {})
        codes, first, many = np.unique(column.codes[column.codes >= 0], return_index=True, return_counts=True)
        for place in np.argsort(first, kind="stable").tolist():
            label = shortened(column.labels[int(codes[place])])
            if label in counts or len(counts) < MOST_LIVE:
                counts[label] = counts.get(label, 0) + int(many[place])
            else:
                self.overflow[name] = self.overflow.get(name, 0) + int(many[place])


def _numbers(found: list[Numbers]) -> Numbers:
    if len(found) == 1:
        return found[0]
    together = kernels.QuantileSketch(1)
    for one in found:
        together.merge(one.sketch)
    return Numbers(together.to_bytes())


def _categories(found: list[Categories]) -> Categories:
    counts: dict[str, int] = {}
    for one in found:
        for name, many in one.counts.items():
            counts[name] = counts.get(name, 0) + many
    short = sum(
        one.short if one.counts.keys() >= counts.keys() else max(one.short, one.beyond) for one in found
    )
    other, beyond = sum(one.other for one in found), sum(one.beyond for one in found)
    return Categories(counts, other, min(short, other), min(beyond, other)).cut()


def _apart(name: str, reference: Sketch, current: Sketch) -> Apart:
    before, now = reference.columns[name], current.columns.get(name)
    rows = 0 if now is None else now.count
    figures = {}
    for figure, share in (("missing", current.missing(name)), ("was_missing", reference.missing(name))):
        figures[figure] = evidence.Measurement(figure, share, share, share, current.rows)
    names: tuple[str, ...] = ()
    if isinstance(before, Numbers) and isinstance(now, Numbers) and before.count and rows:
        edges = _edges(before)
        figures |= _divergences(*before.shares(edges), *now.shares(edges), rows)
        figures |= _distances(before, now)
    elif isinstance(before, Categories) and isinstance(now, Categories) and before.count and rows:
        listed = list(before.counts)
        if any(label in now.counts for label in listed):
            figures |= _divergences(*before.shares(listed), *now.shares(listed), rows)
        names = tuple(label for label in now.counts if label not in before.counts)
        unknown = sum(now.counts[label] for label in names)
        # What the reference counted together is not new, what is counted together here may be.
        low, high = 0 if before.other else unknown, min(unknown + now.other + now.short, rows)
        figures["new"] = evidence.Measurement("new", unknown / rows, low / rows, high / rows, rows)
        names = tuple(sorted(names, key=lambda label: (-now.counts[label], label))[:_NAMED])
    elif rows and type(before) is not type(now):
        figures["new"] = evidence.Measurement("new", 1.0, 1.0, 1.0, rows)  # a number that became a category
    return Apart(name, rows, figures, names)


def _edges(found: Numbers) -> Floats:
    """Return where bins begin: the deciles, and right above a value that many rows have; as `bins.describe` does."""
    import numpy as np

    values, reached = found.steps()
    last = np.append(values[1:] != values[:-1], True)
    values, weights = values[last], np.diff(np.concatenate([[0.0], reached[last]]))
    edges = np.unique(found.sketch.quantile(np.linspace(0, 1, bins.BINS + 1)[1:-1])[0])
    alone = edges[weights[np.searchsorted(values, edges)] > 0.5 / bins.BINS]
    return np.unique(np.concatenate([edges, np.nextafter(alone, np.inf)]))


def _divergences(
    p: Floats, p_off: Floats, q: Floats, q_off: Floats, rows: int
) -> dict[str, evidence.Measurement]:
    """Return psi, kl and js of shares, and the least and most that they are where each share is as far off as it may.

    Each is a sum over the bins of a term that is 0 where both shares are equal, and grows as either moves away: so the
    bounds of a bin lie at the corners.
    """
    import numpy as np

    def lifted(shares: Floats) -> Floats:
        return np.asarray((np.clip(shares, 0, 1) + bins.FLOOR) / (1 + len(shares) * bins.FLOOR))

    low_p, high_p, low_q, high_q = map(lifted, (p - p_off, p + p_off, q - q_off, q + q_off))
    values = bins.divergences(p, q)
    out = {}
    for name, term in (("psi", _psi), ("kl", _kl), ("js", _js)):
        corners = [term(a, b) for a in (low_p, high_p) for b in (low_q, high_q)]
        most = float(np.max(corners, axis=0).sum())
        near = np.where(high_p < low_q, term(high_p, low_q), np.where(high_q < low_p, term(low_p, high_q), 0))
        least = float(near.sum())
        value = max(values[name], 0.0)
        out[name] = evidence.Measurement(name, value, min(least, value), max(most, value), rows)
    return out


def _psi(p: Floats, q: Floats) -> Floats:
    import numpy as np

    return np.asarray((q - p) * np.log(q / p))


def _kl(p: Floats, q: Floats) -> Floats:
    import numpy as np

    return np.asarray(
        q * np.log(q / p) - q + p
    )  # what is added sums to nothing, and makes every term 0 or more


def _js(p: Floats, q: Floats) -> Floats:
    import numpy as np

    middle = (p + q) / 2
    return np.asarray((p * np.log(p / middle) + q * np.log(q / middle)) / 2)


def _distances(before: Numbers, now: Numbers) -> dict[str, evidence.Measurement]:
    """Return the distances of Kolmogorov and Smirnov, and of Wasserstein, between two sketches."""
    import numpy as np

    (values, reached), (others, further) = before.steps(), now.steps()
    points = np.unique(np.concatenate([values, others]))
    gap = np.abs(_reached(points, values, reached) - _reached(points, others, further))
    with np.errstate(over="ignore", invalid="ignore"):
        moved = float((gap[:-1] * np.diff(points)).sum())
        ranges = [
            float((one.sketch.max - one.sketch.min)[0]) * one.error for one in (before, now) if one.error
        ]
    ks, off, far = float(gap.max(initial=0.0)), before.error + now.error, math.fsum(ranges)
    return {
        "ks": evidence.Measurement("ks", ks, max(0.0, ks - off), min(1.0, ks + off), now.count),
        "wasserstein": evidence.Measurement(
            "wasserstein", moved, max(0.0, moved - far), moved + far, now.count
        ),
    }


def _reached(points: Floats, values: Floats, reached: Floats) -> Floats:
    import numpy as np

    return np.concatenate([[0.0], reached])[np.searchsorted(values, points, side="right")]


def _read(body: bytes) -> Sketch:
    """Return the sketch in a body whose digest is right; raises what reading it raises where it is none."""
    (size,) = struct.unpack_from("<I", body)
    told, at = json.loads(body[4 : 4 + size]), 4 + size
    if set(told) != set(_HELD) or not isinstance(told["unit"], str):
        raise ValueError("no head")
    since, until, begun, rows = (_whole(told[name]) for name in ("since", "until", "begun", "rows"))
    columns: dict[str, Column] = {}
    for one in told["columns"]:
        name = one.pop("name")
        if not isinstance(name, str) or name in columns:
            raise ValueError("a column without a name of its own")
        columns[name] = column = _column(one, body, at)
        at += len(column.sent) if isinstance(column, Numbers) else 0
        if column.count > rows:
            raise ValueError(f"more values of {name!r} than rows")
    if at != len(body) or rows < 0 or list(columns) != sorted(columns):
        raise ValueError("more or less than its head says")
    return Sketch(told["unit"], since, until, begun, rows, columns)


def _column(told: dict[str, Any], body: bytes, at: int) -> Column:
    if set(told) == {"bytes"}:
        found = Numbers(body[at : at + _whole(told["bytes"])])
        ends = float(found.sketch.min[0]), float(found.sketch.max[0])
        if found.sketch.columns != 1 or (found.count and not all(map(math.isfinite, ends))):
            raise ValueError("a sketch of many numbers, or of values that are none")
        return found
    counts = {str(name): _whole(many) for name, many in told.pop("counts").items()}
    rest = {name: _whole(many) for name, many in told.items()}
    if len(counts) > MOST_CATEGORIES or any(many < 0 for many in (*counts.values(), *rest.values())):
        raise ValueError("counts that are none")
    return Categories(counts, **rest)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no whole number")
    return value


def _json(told: Any) -> bytes:
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
