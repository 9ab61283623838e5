"""One tree of errors: each says what is wrong, where, and what to do.

```
FlyballError
├── DeclarationError      the page is wrong: every problem listed at once
├── DataError             the world is wrong: a file, a row, a clock, a store
│   ├── StoreError        the store is damaged, locked or full
│   └── RingError         a ring in shared memory is foreign, damaged or taken
│       ├── RingFullError      no reader made room in time
│       ├── RingClosedError    this end was closed
│       └── WriterGoneError    the writer died, and all that it left is read
│           └── WriterClosedError  the writer closed, and all that it left is read
├── GateError             a gate cannot be judged (a failed gate is a value, not an error)
│   └── LeakError         something knew the future: better than the ceiling, or a planted column
├── TrustError            what was signed is not what is here
│   ├── TamperedError     a digest does not match its content
│   ├── FormatError       a file of a kind that can run code, or that leads out of its folder
│   ├── SignatureError    unsigned, signed by a wrong key, or by too few
│   ├── RollbackAttackError   older than what is here, though signed
│   ├── FreezeAttackError     what is signed has expired, or nothing new came for too long
│   ├── MixAndMatchError      parts that were never signed as one set
│   ├── EndlessDataError      more bytes than were announced or allowed
│   ├── SlowRetrievalError    bytes that come too slowly to be an update
│   └── WrongTargetError  rightly signed, for another kind of machine or other features
├── RolloutError          a release cannot go where it was sent
│   └── UnreachableError  nobody answers where updates come from
└── MissingExtraError     an optional library is not installed
```

A failed gate or an alarm in normal operation is a value (`flyball.evidence`), never an exception.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One mistake on a page: its place, what is wrong, and what would mend it.

    >>> print(Problem("labels", "no column 'repairs.fialed'", "did you mean 'repairs.failed'?"))
    labels: no column 'repairs.fialed', did you mean 'repairs.failed'?
    """

    place: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f", {self.fix}" if self.fix else "")


class FlyballError(Exception):
    """The root of every error that Flyball raises on purpose."""


class DeclarationError(FlyballError, ValueError):
    """The page is wrong; `problems` holds every mistake, not only the first."""

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        lines = [message, *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class DataError(FlyballError, ValueError):
    """The world is wrong: a file, a row, a clock or a store is not what the page declares."""


class StoreError(DataError):
    """The store is damaged, locked by somebody else, or full."""


class RingError(DataError):
    """A ring in shared memory is foreign, damaged, or taken by others."""


class RingFullError(RingError, TimeoutError):
    """No reader made room in the time that the writer waits."""


class RingClosedError(RingError):
    """This end of the ring was closed."""


class WriterGoneError(RingError):
    """The writer of the ring died, and all that it committed is read."""


class WriterClosedError(WriterGoneError):
    """The writer closed the ring, and all that it committed is read."""


class GateError(FlyballError, RuntimeError):
    """A gate cannot be judged, so nothing may pass."""


class LeakError(GateError):
    """Something on the page knew the future."""


class TrustError(FlyballError, RuntimeError):
    """What was signed or sealed is not what is here."""


class TamperedError(TrustError):
    """The content of a file does not match its recorded digest."""


class FormatError(TrustError):
    """A file of a kind that can run code when it is read, or that leads out of its folder."""


class SignatureError(TrustError):
    """Not signed, signed by a key that may not, or by fewer than must (arbitrary software attack)."""


class RollbackAttackError(TrustError):
    """Rightly signed, but older than what this machine already knows."""


class FreezeAttackError(TrustError):
    """What is signed has expired: somebody holds back what is newer, or a clock is wrong."""


class MixAndMatchError(TrustError):
    """Each part is signed, but they were never signed as one set."""


class EndlessDataError(TrustError):
    """More bytes came than were announced or allowed."""


class SlowRetrievalError(TrustError):
    """Bytes come more slowly than any link in use: somebody keeps an update from ending."""


class WrongTargetError(TrustError):
    """Rightly signed, but for another kind of machine, other features, or another site."""


class RolloutError(FlyballError, RuntimeError):
    """A release cannot go where it was sent."""


class UnreachableError(RolloutError):
    """Nobody answers where updates come from; what runs goes on."""


class MissingExtraError(FlyballError, ImportError):
    """An optional library is needed here and is not installed."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion for a word that is not among the known ones, or the known ones.

    >>> did_you_mean("repairs.fialed", ["repairs.failed", "repairs.part"])
    "did you mean 'repairs.failed'?"
    >>> did_you_mean("x", [])
    'there is none to choose from'
    """
    import difflib

    names = sorted(known)
    # Case first: 'kw' is nearer to 'kW' than any count of letters says.
    near = [name for name in names if name.casefold() == word.casefold()]
    near = near or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + ", ".join(names[:12]) if names else "there is none to choose from"
