"""Message templates mined from event logs that nobody documented: what is the same in many lines, and what varies.

An error code is often no field of its own but a sentence with numbers, paths and names in it.  Lines are cut into
words; a word that is plainly a value (number, address, path, host, time) becomes a gap; then words that vary at one
place while the rest of the line stays become a gap as well.  One setting serves all logs.

The first step is what Drain and its kin call masking (He et al., "Drain: an online log parsing approach with fixed
depth tree", ICWS 2017); the second is the idea of SLCT (Vaarandi, 2003) applied place by place.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flyball import errors

#: What stands in a template for a value, and for a word (or a few, with values among them) that varies.
GAP, ANY = "<*>", "<word>"
#: So many words at most stand for one that varies.
LONGEST = 6
#: A line is cut after so many words: nobody writes templates longer than that.
WORDS = 256

_ENDS = "(?:com|org|net|edu|gov|mil|info|biz|asia|io|local|lan|[a-z]{2})"
#: Values without a digit that are told by their form alone: addresses, names of hosts, paths.
_VALUES = re.compile(
    "|".join(
        (
            r"\b[a-z][a-z0-9+.\-]*://[^,;\"')\]>]+",
            r"(?<!\w)(?:[0a-fA-F]{2}[:\-]){3,}[0a-fA-F]{2}(?!\w)",
            rf"(?<![\w.\-])(?:[A-Za-z0_\-]+\.)+{_ENDS}(?![\w.\-])",
            r"(?<!\w)(?:/[\w.\-@+:$%~?&=]+){2,}/?",
            r"(?<!\w)[A-Za-z]:\\\S+",
        )
    )
)
_MARKS = re.compile(r"([=:,;()\[\]{}|\"'])")
#: Behind a number these belong to it, and so does a day or a month before it.
_UNITS = frozenset(("B", "KB", "MB", "GB", "TB", "kB", "KiB", "MiB", "GiB", "TiB", "ms", "us", "sec", "%"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATES = frozenset((*_MONTHS, "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
#: One digit is as good as another: so that words with numbers in them are known already.
_DIGITS = str.maketrans("123456789", "000000000")


@dataclasses.dataclass(frozen=True)
class Templates:
    """Templates of a log, most frequent first, each a line of words and gaps, and how often each was seen.

    >>> found = mine(["pump 3 lost prime", "pump 7 lost prime", "door open"])
    >>> found.texts, found.counts
    (('pump <*> lost prime', 'door open'), (2, 1))
    >>> found.match("pump 12 lost prime")
    'pump <*> lost prime'
    >>> found.match("pump exploded") is None
    True
    """

    texts: tuple[str, ...]
    counts: tuple[int, ...]

    def match(self, line: str) -> str | None:
        """Return the template of a line, None when it has none; of several the one with the earliest literal words."""
        return self._find(words(line))

    def count(self, lines: Iterable[str]) -> tuple[Mapping[str, int], tuple[str, ...]]:
        """Return how often each template is met, and the lines that have none.

        >>> mine(["a 1", "b 2"]).count(["a 7", "c 7", "a 8"])
        ({'a <*>': 2}, ('c 7',))
        """
        found: collections.Counter[str] = collections.Counter()
        strange = []
        for line in lines:
            text = self.match(line)
            if text is None:
                strange.append(line)
            else:
                found[text] += 1
        return dict(found), tuple(strange)

    @functools.cached_property
    def _tree(self) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for text in self.texts:
            node = tree
            for word in text.split(" "):
                node = node.setdefault(word, {})
            node[""] = text
        return tree

    @functools.cached_property
    def _known(self) -> dict[tuple[str, ...], str | None]:
        return {}

    def _find(self, line: tuple[str, ...]) -> str | None:
        if line not in self._known:
            if len(self._known) > 100_000:  # a log in which every line is new must not fill the memory
                self._known.clear()
            self._known[line] = _walk(self._tree, line, 0, set())
        return self._known[line]


def name(text: str) -> str:
    """Return a template's name: the same on every machine and in every run, as long as its text is.

    >>> name("pump <*> lost prime")
    'T-3ba31aa7'
    """
    return "T-" + hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def words(line: str) -> tuple[str, ...]:
    """Return a line's words and marks with a gap for every value that is plainly one; lists of values are one gap.

    >>> words("link 10.0.0.7:80 down (12.5 ms), retry=3")
    ('link', '<*>', 'down', ',', 'retry', '=', '<*>')
    """
    out: list[str] = []
    for word in line.translate(_DIGITS).split(None, WORDS)[:WORDS]:
        for piece in _pieces(word):
            last = out[-1] if out else ""
            if piece == GAP:
                if last in (",", ":") and len(out) > 1 and out[-2] == GAP:
                    out.pop()
                while out and out[-1] in _DATES:
                    out.pop()
                if not out or out[-1] != GAP:
                    out.append(GAP)
            elif last != GAP or piece not in _UNITS:
                out.append(piece)
                # A value in brackets behind other words annotates them, and is not always there.
                if piece == ")" and len(out) > 3 and last == GAP and out[-3] == "(":
                    del out[-3:]
    return tuple(out)


@functools.lru_cache(maxsize=1 << 16)
def _pieces(word: str) -> tuple[str, ...]:
    """Return a word cut at its marks, with a gap for every piece that is a value."""
    cut = _MARKS.sub(r" \1 ", _VALUES.sub(GAP, word.replace("()", f"({GAP})"))).split()
    return tuple(GAP if GAP in piece or "0" in piece else piece for piece in cut)


def mine(lines: Iterable[str], vary: int = 5) -> Templates:
    """Return the templates of some lines: at a place with `vary` or more different words stands "<word>".

    The first word is never one: it names what speaks.  Lines in the same words make one template, in whatever order
    they come.  Raises DataError when there is no line, DeclarationError for a `vary` below 2.

    >>> mine([f"door opened by {who}" for who in ("ann", "bob", "cid", "dee", "eve")]).texts
    ('door opened by <word>',)
    """
    if vary < 2:
        raise errors.DeclarationError(f"templates.mine: vary={vary}: a word that varies has at least 2 forms")
    seen = collections.Counter(words(line) for line in lines)
    seen.pop((), None)
    if not seen:
        raise errors.DataError("templates.mine: no line to mine: is the log empty, or packed?")
    texts = {" ".join(line) for line in _merged(set(seen), vary)}
    # Told again by matching, so that a line counts where it will be found from now on.
    every = Templates(tuple(sorted(texts)), (0,) * len(texts))
    counts = dict.fromkeys(every.texts, 0)
    for line, times in seen.items():
        text = every._find(line)
        assert text is not None, line
        counts[text] += times
    ranked = sorted(((text, times) for text, times in counts.items() if times), key=lambda t: (-t[1], t[0]))
    return Templates(tuple(text for text, _ in ranked), tuple(times for _, times in ranked))


def changes(old: Templates, new: Templates) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the templates that only the newer log has, and those that only the older one had.

    What a software release changed: a sentence that was reworded is one of either.
    """
    return tuple(t for t in new.texts if t not in old.texts), tuple(
        t for t in old.texts if t not in new.texts
    )


def _merged(live: set[tuple[str, ...]], vary: int) -> set[tuple[str, ...]]:
    """Return lines in which every place that varies is a gap, until nothing changes any more."""
    while True:
        groups = sorted(_varying(live, vary), key=lambda group: (-len(group[1]), group[0]))
        if not groups:
            return live
        gone: set[tuple[str, ...]] = set()
        for line, members in groups:
            if not gone & members:
                gone |= members
                live = (live - members) | {line}


def _varying(live: set[tuple[str, ...]], vary: int) -> Iterator[tuple[tuple[str, ...], set[tuple[str, ...]]]]:
    """Yield (line with a gap, the lines that differ at that place alone) where enough of them do.

    A line that has a value there belongs to them, and counts as one more form.
    """
    slots: dict[tuple[int, tuple[str, ...]], set[tuple[str, ...]]] = collections.defaultdict(set)
    for line in live:
        for place in range(1, len(line)):
            if line[place] == GAP or any(letter.isalpha() for letter in line[place]):
                slots[place, (*line[:place], ANY, *line[place + 1 :])].add(line)
    for (_, line), members in slots.items():
        if len(members) >= vary and any(word.isalpha() for word in line):
            yield _joined(line), members


def _joined(line: tuple[str, ...]) -> tuple[str, ...]:
    """Return the line with gaps side by side made one."""
    out: list[str] = []
    for word in line:
        if out and word in (GAP, ANY) and out[-1] in (GAP, ANY):
            out[-1] = ANY
        else:
            out.append(word)
    return tuple(out)


def _walk(
    node: dict[str, Any], line: tuple[str, ...], place: int, failed: set[tuple[int, int]]
) -> str | None:
    """Return the template that the rest of a line leads to: the same words first, then those that may vary.

    `failed` keeps where nothing was found, so that a line costs at most its words times the templates' words.
    """
    if place == len(line):
        text: str | None = node.get("")
        return text
    if (id(node), place) in failed:
        return None
    found = None
    if line[place] in node:
        found = _walk(node[line[place]], line, place + 1, failed)
    if found is None and ANY in node:
        for end in range(place + 1, min(place + LONGEST, len(line)) + 1):
            found = _walk(node[ANY], line, end, failed)
            if found is not None:
                break
    if found is None:
        failed.add((id(node), place))
    return found
