"""A query that pulls a table's new rows from a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flyball import errors, part, units

#: Where the greatest mark that was read stands in the text of a query.
PLACE = ":mark"
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_TEXT = re.compile(r"'(?:[^']|'')*'")


class Query(part.Part):
    """What of a database is a table's: a site's own SELECT, and the column that tells what is new.

    Why: at many sites work orders, lots and metrology lie in a database and nobody drops files.  `sql` names its
    columns as the site does (the binding translates them) and holds `:mark`, for the greatest value of the column
    `mark` that was read; it must grow: a number that the database counts up, or the time of the last change (then
    `since` is an ISO time, and a row was seen at that time).  `overlap` is read again each time, for rows that were
    committed late under an earlier time; what came already is there once.  One commit takes at most `batch` rows.

    >>> orders = Query("repairs", "select id, tool, done_at, failed from orders where id > :mark", mark="id")
    >>> orders.timed, orders.table
    (False, 'repairs')
    """

    table: str
    sql: str
    mark: str
    since: int | str = 0
    overlap: units.Duration | None = None
    batch: int = 50_000

    @property
    def timed(self) -> bool:
        """Say whether the mark is a time."""
        return isinstance(self.since, str)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        plain = _TEXT.sub("''", _COMMENT.sub(" ", self.sql)).strip().rstrip(";").strip()
        if not re.match(r"(select|with)\b", plain, re.IGNORECASE) or ";" in plain:
            yield errors.Problem(
                "sql", "no single SELECT", "give one SELECT (or WITH ... SELECT): nothing is changed there"
            )
        if PLACE not in plain:
            yield errors.Problem(
                "sql",
                f"{PLACE} is not in it",
                f"say what is new, such as: where {self.mark or 'id'} > {PLACE}",
            )
        if isinstance(self.since, str):
            yield from self._no_time(self.since)
        if self.overlap is not None and not self.timed:
            yield errors.Problem(
                "overlap", "rows are read again by time only", "give since='2020-01-01', or leave it out"
            )
        if self.batch < 1:
            yield errors.Problem("batch", f"{self.batch} rows", "give 1 or more")
        if page is not None and page.table(self.table) is None:
            names = [table.name for table in page.tables]
            yield errors.Problem("table", f"no table {self.table!r}", errors.did_you_mean(self.table, names))

    def _no_time(self, text: str) -> Iterator[errors.Problem]:
        from datetime import datetime

        try:
            datetime.fromisoformat(text)
        except ValueError:
            yield errors.Problem("since", f"{text!r} is no time", "give one like '2020-01-01', or a number")

    def text(self, mark: str, limit: bool) -> str:
        """Return the statement for a database: rows beyond `mark`, in the order of their marks."""
        found, at = [], 0
        for quoted in [*_TEXT.finditer(self.sql), None]:
            end = quoted.start() if quoted is not None else len(self.sql)
            found.append(self.sql[at:end].replace(PLACE, mark))
            found.append(quoted.group() if quoted is not None else "")
            at = quoted.end() if quoted is not None else end
        inner = "".join(found).strip().rstrip(";")
        return f"SELECT * FROM (\n{inner}\n) AS pulled ORDER BY {self.mark}" + (
            f" LIMIT {self.batch}" if limit else ""
        )
