"""The bindings of several sites, or of one site over several times: which of them a file is read by.

A site calls things otherwise after an upgrade, and history is taken in long after it was written.  So a file goes by
the site in whose folder it lies and by its day: the ISO date in its name, or the day on which it is taken in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flyball import errors
from flyball.data import binding as one
from flyball.data.binding import Binding

DAY = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
#: What a file with a binding is called in a folder of them.
ENDING = ".binding"


@dataclass(frozen=True)
class Bindings:
    """Bindings of sites, each for its days; `general` where they speak of more than one page reads.

    >>> old = Binding("north", until="2025-03-01", names={"power": "P"})
    >>> new = Binding("north", since="2025-03-01", names={"power": "P_OUT"})
    >>> both = Bindings((old, new))
    >>> both.of(Path("north/telemetry/2025-02-28.csv"), now_us=0).names["power"]
    'P'
    """

    each: tuple[Binding, ...]
    general: bool = True

    def of(self, file: Path, now_us: int) -> Binding | None:
        """Return the binding for a file, named as it lies below what is taken in, that comes in now (microseconds).

        None where there are several sites and the file lies in the folder of none of them.  Raises DataError where
        none of its site holds on its day.
        """
        sites = {binding.site for binding in self.each}
        if len(sites) > 1:
            sites &= set(file.parts[:-1])
        mine = [binding for binding in self.each if binding.site in sites]
        if not mine:
            return None
        day = one.day(now_us) if (named := DAY.search(file.name)) is None else named.group()
        for binding in mine:
            if binding.holds_on(day):
                return binding
        spans = ", ".join(binding.span() for binding in mine)
        raise errors.DataError(
            f"{file}: binding {mine[0].site!r} {spans}, not on {day}: give the site's binding for that day"
        )

    def check(self, page: Any) -> list[str]:
        """Raise one DataError for every problem; return what to note: names that this page does not read.

        `page` is the data stage.  General bindings serve other pages too, so a name that this one has not is no
        mistake in them; in the binding of a single page it is.
        """
        notes = []
        for binding in self.each:
            problems = list(binding.problems(page))
            unknown = [problem for problem in problems if problem.what == one.UNKNOWN] if self.general else []
            Binding.refuse(binding.site, [problem for problem in problems if problem not in unknown])
            if unknown:
                names = ", ".join(problem.place for problem in unknown)
                notes.append(f"binding {binding.site!r} {binding.span()}: not on this page: {names}")
        for problem in self._overlaps():
            raise errors.DataError(problem)
        return notes

    def _overlaps(self) -> Iterator[str]:
        for place, first in enumerate(self.each):
            for second in self.each[place + 1 :]:
                apart = (first.until or "9") <= (second.since or "") or (second.until or "9") <= (
                    first.since or ""
                )
                if first.site == second.site and not apart:
                    yield (
                        f"binding {first.site!r}: one {first.span()} and one {second.span()}: give each day one, "
                        "`until` is the first day on which it holds no longer"
                    )


def several(given: Binding | Bindings | None) -> Bindings:
    """Return what was given as bindings: none, those of sites, or the one of a page.

    >>> several(None).each, several(Binding("north")).general
    ((), False)
    """
    if isinstance(given, Bindings):
        return given
    return Bindings(() if given is None else (given,), general=False)


def read(path: Path) -> Binding | Bindings:
    """Read a binding from a file, or all *.binding of a folder; nothing in them is run.

    Raises DeclarationError for a text that is no binding and for a folder without any.
    """
    if path.is_file():
        return one.read(path)
    files: Iterable[Path] = sorted(path.glob(f"*{ENDING}"))
    each = tuple(one.read(file) for file in files)
    if not each:
        raise errors.DeclarationError(
            f"no *{ENDING} in {path}: give the file or the folder with the sites' bindings"
        )
    return Bindings(each)
