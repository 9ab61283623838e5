"""How much of the past a store keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, part, units


class Retention(part.Part):
    """How much a store may hold, and how long rows are kept; without it nothing is ever let go.

    `at_most` is for the whole store, `rows` is counted back from the newest row.  Beyond either the oldest goes first:
    results that no run needs any more, images that no row names, then rows day by day, in all tables but those of
    `never`, and the images that only they named.  What a release that serves, or the one before it, was trained on
    stays even above the cap, which is then told.  Rows that come in later for days let go of are counted and not kept.

    >>> Retention(at_most=units.MiB(20_480), rows=units.days(800), never=("repairs",)).at_most
    MiB(20480)
    """

    at_most: units.Bytes | None = None
    rows: units.Duration | None = None
    never: tuple[str, ...] = ()

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        if self.at_most is None and self.rows is None:
            yield errors.Problem(
                "", "neither a cap nor a time", "give at_most=units.MiB(...) or rows=units.days(...)"
            )
        if self.at_most is not None and self.at_most <= 0:
            yield errors.Problem("at_most", f"{self.at_most!r} holds nothing", "give more than 0")
        if self.rows is not None and self.rows < units.DAY:
            yield errors.Problem(
                "rows", f"{self.rows!r} is less than a day", "rows go by days: give 1 day or more"
            )
        tables = [table.name for table in page.data.tables] if page is not None else list(self.never)
        for name in self.never:
            if name not in tables:
                yield errors.Problem("never", f"no table {name!r}", errors.did_you_mean(name, tables))
