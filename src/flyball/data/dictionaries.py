"""Dictionary versions: what a release of the machines' software calls its codes, so that the page sees one name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from flyball import errors, part, units

if TYPE_CHECKING:
    import polars as pl

#: So many unknown codes are named.
NAMED = 5


class Dictionary(part.Part):
    """What a release calls the codes of a column (`of`, "events.code" or "code") since a moment, row by row.

    `renamed` maps a former name to the new one, `split` a former name to those that it became; rows get the former
    name, and what was said of a split code stays in the page's column `child` where that is named.  `since` is an ISO
    moment, local to the binding's zone unless it carries one; `machines` gives those of machines that were upgraded at
    another hour.  With `by` a row is of this release when that column of the files says its `name`, whatever its time.
    The latest release in force at a row's time holds alone, so each is told from the first names on.

    Clocks differ: a new name that meant nothing before is translated up to `slack` before its release.  `codes` are all
    that the release can say: others are kept and told, as is a former name that comes after it was given up.

    >>> v2 = Dictionary("v2", of="code", since="2026-03-01T06:00", renamed={"SS-0101": "SS-1101"})
    >>> v2.former()
    {'SS-1101': 'SS-0101'}
    """

    name: str
    of: str
    since: str = "1970-01-01"
    machines: Mapping[str, str] = part.field(default_factory=dict)
    renamed: Mapping[str, str] = part.field(default_factory=dict)
    split: Mapping[str, tuple[str, ...]] = part.field(default_factory=dict)
    child: str = ""
    by: str = ""
    slack: units.Duration | int = 0
    codes: tuple[str, ...] = ()

    def former(self) -> dict[str, str]:
        """Return {new name: former name}."""
        told = {new: old for old, new in self.renamed.items()}
        return told | {new: old for old, news in self.split.items() for new in news}

    def given_up(self) -> set[str]:
        """Return the former names that the release says no more."""
        return {*self.renamed, *self.split} - set(self.former())

    def problems(self, page: object) -> Iterator[errors.Problem]:
        for place, moment in (
            ("since", self.since),
            *((f"machines[{m!r}]", t) for m, t in self.machines.items()),
        ):
            try:
                instant(moment, "UTC")
            except ValueError:
                yield errors.Problem(place, f"{moment!r} is no moment", "give it as '2026-03-01T06:00'")
        news = [*self.renamed.values(), *(new for news in self.split.values() for new in news)]
        for new in sorted({new for new in news if news.count(new) > 1}):
            yield errors.Problem(
                "renamed", f"two codes became {new!r}", "leave one: nobody can tell them apart"
            )
        for old in sorted(set(self.renamed) & set(self.split)):
            yield errors.Problem("split", f"{old!r} is renamed and split", "leave one")
        for new in sorted(set(news) - set(self.codes) if self.codes else ()):
            yield errors.Problem("codes", f"{new!r} is a new name and none of the codes", "add it")
        if int(self.slack) < 0:
            yield errors.Problem("slack", f"{self.slack!r}", "give 0 or more")

    def about(self, table: str, column: str) -> bool:
        """Say whether it is about a column of the page."""
        return self.of in (column, f"{table}.{column}")


def translated(
    books: tuple[Dictionary, ...], zone: str, code: pl.Series, at: pl.Series, key: pl.Series,
    releases: Mapping[str, pl.Series],
) -> tuple[pl.Series, dict[str, pl.Series], str]:  # fmt: skip
    """Return codes by their first names, what split ones were called (by page's column), and what is unknown.

    `at` (microseconds), `key` and `releases` (by the files' columns) are row by row as `code`; a row without a time is
    of no release.

    >>> import polars as pl
    >>> v2 = Dictionary("v2", of="code", since="1970-01-01T00:00:01", renamed={"A": "B"})
    >>> rows = pl.Series(["A", "B"]), pl.Series([0, 2_000_000]), pl.Series(["m", "m"])
    >>> translated((v2,), "UTC", *rows, {})[0].to_list()
    ['A', 'A']
    """
    import polars as pl

    frame = pl.DataFrame({"code": code, "at": at, "key": key})
    frame = frame.with_columns(
        releases[book.by].cast(pl.String).alias(f"by {n}")
        for n, book in enumerate(books)
        if book.by in releases
    )
    since = [_since(book, zone) for book in books]
    frame = frame.with_columns(since=pl.lit(None, dtype=pl.Int64), book=pl.lit(None, dtype=pl.Int64))
    for number, book in enumerate(books):
        if f"by {number}" in frame.columns:
            force = pl.col(f"by {number}") == book.name
        else:
            force = (pl.col("at") >= since[number]) & (
                pl.col("since").is_null() | (pl.col("since") <= since[number])
            )
            if book.by:
                force = pl.lit(False)
        frame = frame.with_columns(
            since=pl.when(force).then(since[number]).otherwise("since"),
            book=pl.when(force).then(pl.lit(number)).otherwise("book"),
        )
    frame = frame.with_columns(book=_early(books, since))
    first, unknown = pl.col("code"), pl.lit(False)
    children: dict[str, pl.Expr] = {}
    for number, book in enumerate(books):
        mine = pl.col("book") == number
        former = book.former()
        if former:
            first = (
                pl.when(mine & pl.col("code").is_in([*former]))
                .then(pl.col("code").replace(former))
                .otherwise(first)
            )
        parts = [new for news in book.split.values() for new in news]
        if book.child and parts:
            kept = children.get(book.child, pl.lit(None, dtype=pl.String))
            children[book.child] = (
                pl.when(mine & pl.col("code").is_in(parts)).then(pl.col("code")).otherwise(kept)
            )
        # A clock that is slow says a former name a little longer.
        late = pl.lit(True) if book.by else pl.col("at") >= since[number] + int(book.slack)
        strange = pl.col("code").is_in([*book.given_up()]) & late
        if book.codes:
            strange |= ~pl.col("code").is_in([*book.codes])
        unknown |= mine & strange.fill_null(False)
    told = frame.select(
        first.alias("first"), unknown.fill_null(False).alias("unknown"), "code", "key", "book",
        **{f"child {name}": kept for name, kept in children.items()},
    )  # fmt: skip
    return told["first"], {name: told[f"child {name}"] for name in children}, _told(told, books)


def instant(text: str, zone: str) -> int:
    """Return an ISO moment in microseconds UTC; ValueError where it is none.

    >>> instant("1970-01-01T01:00", "Europe/Amsterdam")
    0
    """
    from datetime import UTC, datetime, timedelta
    from zoneinfo import ZoneInfo

    told = datetime.fromisoformat(text)
    told = told if told.tzinfo else told.replace(tzinfo=ZoneInfo(zone))
    return (told - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _since(book: Dictionary, zone: str) -> pl.Expr:
    """Return row by row since when a machine is of a release."""
    import polars as pl

    usual = pl.lit(instant(book.since, zone), dtype=pl.Int64)
    if not book.machines:
        return usual
    own = {machine: instant(moment, zone) for machine, moment in book.machines.items()}
    return pl.col("key").replace_strict(own, default=usual, return_dtype=pl.Int64)


def _early(books: tuple[Dictionary, ...], since: list[pl.Expr]) -> pl.Expr:
    """Return the release of each row, also of a new name that a fast clock or a slow one put before it."""
    import polars as pl

    found = pl.col("book")
    for number, book in enumerate(books):
        if not int(book.slack) or book.by:
            continue
        # A name that was in use before keeps its meaning until the release.
        before = {code for one in books[:number] for code in (*one.codes, *one.former())} | {
            *book.renamed,
            *book.split,
        }
        new = [code for code in book.former() if code not in before]
        near = (pl.col("at") < since[number]) & (pl.col("at") >= since[number] - int(book.slack))
        found = pl.when(near & pl.col("code").is_in(new)).then(pl.lit(number)).otherwise(found)
    return found


def _told(rows: pl.DataFrame, books: tuple[Dictionary, ...]) -> str:
    """Return which codes the release in force does not know, where and how often, as a person reads it."""
    strange = rows.filter("unknown")
    if not strange.height:
        return ""
    sent = dict(rows.group_by("key").len().iter_rows())
    found = (
        strange.group_by("key", "code", "book")
        .len()
        .sort("len", "key", "code", descending=[True, False, False])
    )
    pieces = [
        f"{code} on {key} {count} of {sent[key]} ({count / sent[key]:.1%}, dictionary {books[book].name!r})"
        for key, code, book, count in found.head(NAMED).iter_rows()
    ]
    more = f" and {found.height - NAMED} more" if found.height > NAMED else ""
    return f"{strange.height} rows of unknown codes: " + ", ".join(pieces) + more
