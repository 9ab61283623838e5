"""Stage 3, labels: what is to be known, and what kind of answer that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, part
from flyball.data import stage as data
from flyball.features import stage as features

if TYPE_CHECKING:
    from flyball.data.stage import Flags, Floats, Ints


class Kind(part.Part):
    """Abstract: what an answer is; metrics, gates, decisions and drift declare the kinds they accept."""


class Probability(Kind):
    """The probability of one event: answers are (n,) in [0, 1]; the truth is 0 or 1."""


class Classes(Kind):
    """One of several classes: answers are (n, k) probabilities; the truth is the index of the class."""

    names: tuple[str, ...]


class Quantity(Kind):
    """A number with an interval: answers are (n, 3) value, low, high (all equal when there is none)."""

    unit: str = "1"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """The truth of n moments as known at one cut.

    `value` (n,) float64 (class index for Classes), `known` (n,) bool: False where the truth is not known,
    with a reason in `why` (Words: "censored", "blackout", "failed", "future", ...; -1 where known).
    `weight` (n,) or None.

    A labeller that follows machines over time also gives `until` (n,), when the event came or, where it did not
    come (`came` (n,) False), until when that is known: the moment itself where there was no question.  So what is
    censored still says for how long nothing happened.
    """

    value: Floats
    known: Flags
    why: data.Words
    weight: Floats | None = None
    until: Ints | None = None
    came: Flags | None = None

    def __len__(self) -> int:
        return len(self.value)

    @staticmethod
    def given(value: Floats) -> Answers:
        """Return answers (n,) all of which are known.

        >>> Answers.given([1.0, 0.0]).known.tolist()
        [True, True]
        """
        import numpy as np

        n = len(value)
        return Answers(np.asarray(value, dtype=np.float64), np.ones(n, dtype=bool), data.Words.of([None] * n))

    def take(self, index: Any) -> Answers:
        """Return some of the rows."""
        weight, until, came = (
            None if column is None else column[index] for column in (self.weight, self.until, self.came)
        )
        return Answers(self.value[index], self.known[index], self.why[index], weight, until, came)


class Labeller(part.Part):
    """Abstract: says for every moment what the true answer is, from rows with `seen <= as_of` alone."""

    def kind(self) -> Kind:
        """Return the kind of answer."""
        raise NotImplementedError

    def reads(self) -> tuple[str, ...]:
        """Return the columns ("table.column") it reads."""
        raise NotImplementedError

    def horizon(self) -> int:
        """Return how long after the moment the truth is settled (microseconds or steps); 0 when given."""
        return 0

    def window(self) -> tuple[int, int] | None:
        """Return after how long the asked window opens and closes, where answers say `until` when; else None."""
        return None

    def label(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> Answers:
        """Return the truth of every moment, as known at the cut (None: all there is)."""
        raise NotImplementedError


def column_problems(page: Any, column: str, wanted: str, place: str) -> Iterator[errors.Problem]:
    """Yield what is wrong with a column that tells the truth: unknown, or of another kind than is wanted."""
    for problem in data.unknown(page.data, column):
        yield problem._replace(place=place)
    yield from features.kind_problems(page, column, wanted, place)


def seen_problems(page: Any, column: str, place: str) -> Iterator[errors.Problem]:
    """Yield a problem when the column that holds the truth is among those that the features read."""
    if column in page.features.reads():
        what = f"the answer itself is among the features: {column!r}"
        yield errors.Problem(place, what, "take the features that read it off the page")
