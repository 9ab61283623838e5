"""How a line of a raw log reads, declared: which fields stand where, how a time is written, what goes on."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from flyball import errors, part

#: Fields that hold a time.
TIMES = ("time", "at", "seen")
#: What each directive of a time's format matches; `datetime.strptime` then says whether it is a time.
_DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d\d", "m": r"\d{1,2}", "d": r" ?\d{1,2}", "b": "[A-Za-z]{3}", "a": "[A-Za-z]{3}",
    "B": "[A-Za-z]{3,9}", "H": r"\d{1,2}", "I": r"\d{1,2}", "M": r"\d{1,2}", "S": r"\d{1,2}", "f": r"\d{1,6}",
    "p": "[AaPp][Mm]", "j": r"\d{3}", "z": r"(?:Z|[+-]\d\d:?\d\d)", "%": "%",
}  # fmt: skip
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d(?::?\d\d)?)?"
_EPOCH = r"-?\d{1,19}(?:\.\d{1,9})?"


class Layout(part.Part):
    r"""How a line of a site's log reads: text with fields in braces, the last of which takes the rest of the line.

    `line` is one such text, or several, tried in their order.  A space stands for one or more; a field is one or more
    letters without a space, as few as fit, or what its regular expression in `fields` says (Rust's kind, without
    groups that capture).  Fields are named as the site's columns are: `Binding.names` maps the page's names to them.

    The fields `time`, `at` and `seen` are times: "iso", "epoch" (what it counts is the binding's `epoch`), or a
    format of `datetime.strptime`.  One without a year has that of the date in the file's name, nearest to it where
    the name tells a day; a file whose name tells none is refused line by line.

    A line that fits none and matches the regular expression `continues` belongs to the line before it, whose last field
    it lengthens behind a line feed: a stack trace is one message.  Lines and messages end at `longest` bytes.

    >>> syslog = Layout("{time} {host} {unit}[{pid}]: {text}", time="%b %d %H:%M:%S")
    >>> syslog.names()
    ('time', 'host', 'unit', 'pid', 'text')
    >>> re.match(syslog.patterns()[0], "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass")["f2"]
    'sshd(pam_unix)'
    """

    line: str | tuple[str, ...]
    time: str = "iso"
    fields: Mapping[str, str] = part.field(default_factory=dict)
    continues: str = ""
    longest: int = 65536

    def lines(self) -> tuple[str, ...]:
        """Return the texts that a line may read as."""
        return (self.line,) if isinstance(self.line, str) else tuple(self.line)

    def names(self) -> tuple[str, ...]:
        """Return the fields of all lines, in their order."""
        return tuple(dict.fromkeys(name for line in self.lines() for _, name in _pieces(line) if name))

    def shape(self, name: str, last: bool = False) -> str:
        """Return the regular expression of a field."""
        if name in self.fields:
            return self.fields[name]
        if name in TIMES:
            return {"iso": _ISO, "epoch": _EPOCH}.get(self.time) or _of_format(self.time)
        return ".*" if last else r"\S+?"

    def patterns(self) -> tuple[str, ...]:
        """Return a regular expression for each line; group `f0` is the first of `names`, and so on."""
        place = {name: number for number, name in enumerate(self.names())}
        found = []
        for line in self.lines():
            pieces, out = _pieces(line), "^"
            for number, (plain, name) in enumerate(pieces):
                out += "[ \t]+".join(re.escape(word) for word in plain.split(" "))
                if name:
                    out += f"(?P<f{place[name]}>{self.shape(name, number == len(pieces) - 1)})"
            found.append(out + r"[ \t]*$")
        return tuple(found)

    def yearless(self) -> bool:
        """Say whether times are written without a year."""
        return self.time not in ("iso", "epoch") and not re.search("%[Yy]", self.time)

    def moment(self, text: str, name: str) -> str | None:
        """Return a time as ISO 8601, without a zone where it has none; None where it is none.

        `name` is the file's, for the year that the text may lack.

        >>> Layout("{time} {text}", time="%b %d %H:%M:%S").moment("Dec 31 23:59:58", "a-2026-01-01.log")
        '2025-12-31T23:59:58'
        """
        if self.time == "iso":
            return text.replace(",", ".")
        if self.time == "epoch":
            return text
        if not self.yearless():
            return _parsed(text, self.time)
        told = day_of(name)
        if told is None:
            return None
        years = [told] if isinstance(told, int) else [told.year, told.year - 1, told.year + 1]
        found = [_parsed(f"{year} {text}", f"%Y {self.time}") for year in years]
        there = [one for one in found if one is not None]
        if not there or isinstance(told, int):
            return there[0] if there else None
        return min(there, key=lambda one: abs(datetime.fromisoformat(one).date() - told))

    def problems(self, page: object) -> Iterator[errors.Problem]:
        import polars as pl

        if not self.lines():
            yield errors.Problem("line", "no line", "give a text such as '{time} {machine} {code} {text}'")
        for line in self.lines():
            try:
                names = [name for _, name in _pieces(line) if name]
            except ValueError as error:
                yield errors.Problem("line", f"{line!r}: {error}", "write fields as {name}, braces twice")
                return
            if not names or len(set(names)) < len(names) or not all(name.isidentifier() for name in names):
                yield errors.Problem(
                    "line", f"{line!r} needs fields, each named once", "write {time} {code} {text}"
                )
        for name, shape in {**self.fields, "": self.continues}.items():
            place = f"fields[{name!r}]" if name else "continues"
            try:
                captures = re.compile(shape).groups
                pl.Series([""]).str.contains(f"(?:{shape})")
            except (re.error, pl.exceptions.PolarsError):
                fix = "mend it; what looks ahead or back is not understood"
                yield errors.Problem(place, f"{shape!r} is no regular expression", fix)
                continue
            if captures:
                yield errors.Problem(place, f"{shape!r} captures", "write (?:...) for (...)")
            if name and name not in self.names():
                fix = errors.did_you_mean(name, self.names())
                yield errors.Problem(place, f"no line has a field {name!r}", fix)
        if self.time not in ("iso", "epoch"):
            known = [letter in _DIRECTIVES for letter in re.findall("%(.?)", self.time.replace("%%", ""))]
            if not known or not all(known):
                yield errors.Problem(
                    "time", f"{self.time!r} is no format of times", "give 'iso', 'epoch', '%b %d %H:%M:%S'"
                )
        if not 64 <= self.longest <= 2**24:
            yield errors.Problem("longest", f"{self.longest} bytes", "give 64 to 16777216")


def day_of(name: str) -> date | int | None:
    """Return the day that a file's name tells, or the year if it tells no more, or None.

    >>> day_of("m1-20260131.log.gz"), day_of("syslog-2026.log"), day_of("m20.log")
    (datetime.date(2026, 1, 31), 2026, None)
    """
    for found in re.finditer(r"(?<!\d)((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)(?!\d)", name):
        try:
            return date(int(found[1]), int(found[3]), int(found[4]))
        except ValueError:
            continue
    year = re.search(r"(?<!\d)((?:19|20)\d\d)(?!\d)", name)
    return int(year[1]) if year else None


def _pieces(line: str) -> list[tuple[str, str]]:
    """Return (text, the field after it) of a line; the last field may be none."""
    return [(plain, name or "") for plain, name, _, _ in string.Formatter().parse(line)]


def _of_format(form: str) -> str:
    out = ""
    for piece in re.findall("%.|[^%]+", form):
        if piece[0] == "%":
            out += _DIRECTIVES.get(piece[1], r"\S+?")
        else:
            out += "[ \t]+".join(re.escape(word) for word in piece.split(" "))
    return out


def _parsed(text: str, form: str) -> str | None:
    try:
        return datetime.strptime(text, form).isoformat()
    except ValueError:
        return None
