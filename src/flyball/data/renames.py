"""Renames that nobody declared: one code's end is another's begin, in the same words, on machine after machine."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flyball import errors
from flyball.data import templates

if TYPE_CHECKING:
    import polars as pl

#: Microseconds by which the clocks of a machine's modules may differ.
SLACK = 10_000_000
#: A code is taken to have stopped, or not to have begun, when chance leaves such a silence less often than this.
CHANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class Rename:
    """A code that seems to be called otherwise, or to have become several, since a moment on each of some machines.

    `at` (microseconds) lies between the last row of the former name and the first of a new one, as near as all renames
    of that moment tell; `rows` are those under the former name and under the new ones.
    """

    old: str
    new: tuple[str, ...]
    sentence: str
    at: Mapping[str, int]
    rows: tuple[int, int]

    def told(self) -> str:
        """Return it as a person reads it.

        >>> Rename("A", ("B",), "pump at <*> C", {"m1": 0, "m2": 0}, (7, 9)).told()
        "A (7 rows) stopped where B (9 rows) began on 2 machines, both saying 'pump at <*> C'"
        """
        many = f"{len(self.at)} machine{'s' if len(self.at) > 1 else ''}"
        return (
            f"{self.old} ({self.rows[0]} rows) stopped where {' and '.join(self.new)} ({self.rows[1]} rows) began on "
            f"{many}, both saying {self.sentence!r}"
        )


@dataclasses.dataclass(frozen=True)
class _Span:
    """When a machine says a code: first, last (microseconds), and how often."""

    first: int
    last: int
    rows: int


def proposed(
    key: Sequence[str], at: Sequence[int], code: Sequence[str], text: Sequence[str | None]
) -> tuple[Rename, ...]:
    """Return the renames that events show: key, at (microseconds), code and text, row by row in any order.

    Two codes are compared when they say the same sentence (`templates`), for at an upgrade many codes stop and begin at
    once.  Where one falls silent and the other begins, and chance explains neither silence (events taken as a Poisson
    process), the machine had an upgrade between.  At such moments every pair counts that keeps to them on all machines,
    however rare.  A code that is still said later, or a new name that was said earlier, speaks against the pair.

    Raises DataError when the columns are not of one length.

    >>> at = [*range(0, 40_000_000_000, 1_000_000_000)]
    >>> proposed(["m"] * 40, at, ["A"] * 20 + ["B"] * 20, ["pump at 3 C"] * 40)[0].new
    ('B',)
    """
    import polars as pl

    if len({len(key), len(at), len(code), len(text)}) > 1:
        raise errors.DataError("renames: key, at, code and text are not of one length: give them row by row")
    rows = pl.DataFrame(
        {"key": key, "at": at, "code": code, "text": text},
        schema={"key": pl.String, "at": pl.Int64, "code": pl.String, "text": pl.String},
    ).drop_nulls(["key", "at", "code"])
    spans = _spans(rows)
    bounds = {one: (low, high) for one, low, high in rows.group_by("key").agg(
        pl.col("at").min().alias("low"), pl.col("at").max().alias("high")
    ).iter_rows()}  # fmt: skip
    sentences = _sentences(rows)
    alike = collections.defaultdict(list)
    for name, sentence in sentences.items():
        alike[sentence].append(name)
    pairs = [(old, new) for names in alike.values() for old in names for new in names if old != new]
    moments = _moments(spans, bounds, pairs)
    found = [(old, new, where) for old, new in pairs if (where := _kept(spans, moments, old, new))]
    return tuple(_gathered(found, spans, sentences))


def _spans(rows: pl.DataFrame) -> dict[str, dict[str, _Span]]:
    """Return by machine and code when it is said."""
    import polars as pl

    spans: dict[str, dict[str, _Span]] = collections.defaultdict(dict)
    told = rows.group_by("key", "code").agg(
        pl.col("at").min().alias("first"), pl.col("at").max().alias("last"), pl.len().alias("rows")
    )
    for key, code, first, last, count in told.sort("key", "code").iter_rows():
        spans[key][code] = _Span(first, last, count)
    return spans


def _sentences(rows: pl.DataFrame) -> dict[str, str]:
    """Return the sentence that each code says most often; a code without a text is not told apart by it."""
    counts = rows.drop_nulls("text").group_by("code", "text").len().sort("code", "text")
    said: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for code, text, count in counts.iter_rows():
        said[code][" ".join(templates.words(text))] += count
    return {code: sentence for code, found in said.items() if (sentence := found.most_common(1)[0][0])}


def _moments(
    spans: Mapping[str, Mapping[str, _Span]],
    bounds: Mapping[str, tuple[int, int]],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, list[int]]:
    """Return by machine when it was upgraded, as pairs show that chance does not explain."""
    moments = {}
    for key, said in spans.items():
        begin, end = bounds[key]
        between = []
        for old, new in pairs:
            if old in said and new in said and said[old].last <= said[new].first + SLACK:
                stopped = _missing(said[old].rows, said[old].last - begin, end - said[old].last)
                began = _missing(said[new].rows, end - said[new].first, said[new].first - begin)
                if min(stopped, began) > -math.log(CHANCE):
                    between.append((said[old].last, said[new].first))
        moments[key] = _narrowed(between)
    return moments


def _missing(rows: int, spoken: int, silent: int) -> float:
    """Return how many rows a silence should have had."""
    # One less: a single row, or the first of a burst, tells no rate.
    return (rows - 1) * silent / max(spoken, 1)


def _narrowed(between: list[tuple[int, int]]) -> list[int]:
    """Return the middle of what intervals that overlap have in common, for each such group."""
    found: list[tuple[int, int]] = []
    for low, high in sorted(between):
        if found and low <= found[-1][1] + SLACK:
            found[-1] = (low, min(high, found[-1][1]))
        else:
            found.append((low, high))
    return [(low + high) // 2 for low, high in found]


def _kept(
    spans: Mapping[str, Mapping[str, _Span]], moments: Mapping[str, Sequence[int]], old: str, new: str
) -> dict[str, int]:
    """Return the moment on each machine that says both or either and was upgraded; none where one speaks against it."""
    where, both = {}, [0, 0]
    for key, said in spans.items():
        if old not in said and new not in said:
            continue
        before, after = said.get(old), said.get(new)
        fits = [
            moment
            for moment in moments[key]
            if (before is None or before.last <= moment + SLACK)
            and (after is None or after.first >= moment - SLACK)
        ]
        if not fits:
            # A machine that was not upgraded may say the former name for ever, and not the new one.
            if new in said:
                return {}
            continue
        where[key] = fits[0]
        both[0] += old in said
        both[1] += new in said
    return where if all(both) else {}


def _gathered(
    found: Sequence[tuple[str, str, dict[str, int]]],
    spans: Mapping[str, Mapping[str, _Span]],
    sentences: Mapping[str, str],
) -> list[Rename]:
    """Return one rename for each former name, with all the names that it became."""
    news = collections.defaultdict(list)
    for old, new, where in found:
        news[old].append((new, where))
    out = []
    for old, became in sorted(news.items()):
        at = {key: moment for _, where in became for key, moment in where.items()}
        names = tuple(sorted(new for new, _ in became))
        counts = [
            sum(said[code].rows for said in spans.values() for code in codes if code in said)
            for codes in ((old,), names)
        ]
        out.append(Rename(old, names, sentences[old], dict(sorted(at.items())), (counts[0], counts[1])))
    return out
