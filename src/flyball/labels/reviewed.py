"""What reviewers said of questions: several each, and the answer that enough of them agree on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.data import stage as data
from flyball.features import stage as features
from flyball.labels import stage

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints

#: The table of reviews that the store keeps: a row per label, with `label` (0 or 1, the place of a class) and `who`.
TABLE = "reviews"


@dataclass(frozen=True, eq=False)
class Majority:
    """What reviewers say of n questions: the commonest label (NaN: nobody spoke), how many spoke, the share for it."""

    value: Floats
    count: Ints
    share: Floats

    def agreed(self, least: int, agree: float) -> Any:
        """Return (n,) where at least so many spoke and at least that share of them said the same."""
        return (self.count >= least) & (self.share >= agree - 1e-9)


def majority(tables: data.Tables, moments: features.Moments, as_of: int | None) -> Majority:
    """Return what reviewers say of each question at the cut; who said two things is taken at the last word.

    Of two labels that are equally common neither is, and the share is what each has.

    >>> said = data.Rows.of(["a"] * 3, [1, 1, 1], [5, 6, 7], {"label": [1.0, 0.0, 1.0], "who": ["x", "y", "z"]})
    >>> found = majority({"reviews": said}, features.Moments.of(["a", "b"], [1, 1]), as_of=9)
    >>> found.value.tolist(), found.count.tolist(), found.share.round(2).tolist()
    ([1.0, nan], [3, 0], [0.67, 0.0])
    """
    import numpy as np

    said: dict[tuple[str, int], dict[str, float]] = {}
    rows = tables[TABLE].known(as_of) if TABLE in tables else None
    if rows is not None and len(rows):
        names = [rows.keys[code] for code in rows.segments().tolist()]
        who, label = rows.words("who").texts(), rows.floats("label").tolist()
        order = np.argsort(rows.seen, kind="stable").tolist()
        for place in order:
            said.setdefault((names[place], int(rows.at[place])), {})[str(who[place])] = label[place]
    value, count, share = (
        np.full(len(moments), np.nan),
        np.zeros(len(moments), np.int64),
        np.zeros(len(moments)),
    )
    for place, asked in enumerate(zip(moments.names(), moments.at.tolist(), strict=True)):
        if (votes := list(said.get(asked, {}).values())) != []:
            best = max(sorted(set(votes)), key=votes.count)
            value[place], count[place], share[place] = best, len(votes), votes.count(best) / len(votes)
    return Majority(value, count, share)


class Corrected(stage.Labeller):
    """Another label part, with what reviewers agree on in its place.

    A question on which at least `least` reviewers spoke, and at least the share `agree` of them the same, has their
    answer from when the last of them was heard; all others are as `inner` says.

    >>> from flyball.labels import Given
    >>> Corrected(Given("t.good", stage.Probability()), least=2).kind()
    labels.Probability()
    """

    inner: stage.Labeller
    least: int = 1
    agree: float = 0.6

    def kind(self) -> stage.Kind:
        return self.inner.kind()

    def reads(self) -> tuple[str, ...]:
        return self.inner.reads()

    def horizon(self) -> int:
        return self.inner.horizon()

    def window(self) -> tuple[int, int] | None:
        return self.inner.window()

    def label(self, tables: data.Tables, moments: features.Moments, as_of: int | None) -> stage.Answers:
        import numpy as np

        found = self.inner.label(tables, moments, as_of)
        said = majority(tables, moments, as_of)
        agreed = said.agreed(self.least, self.agree)
        why = data.Words(np.where(agreed, -1, found.why.codes).astype(np.int32), found.why.labels)
        return replace(
            found, value=np.where(agreed, said.value, found.value), known=found.known | agreed, why=why
        )

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        yield from agreement_problems(self.least, self.agree)
        if isinstance(self.inner.kind(), stage.Quantity):
            yield errors.Problem(
                "inner", "reviewers choose among answers, a quantity has none", "measure it instead"
            )


def agreement_problems(least: int, agree: float) -> Iterator[errors.Problem]:
    """Yield a number of reviewers that is none, and a share that is no majority."""
    if least < 1:
        yield errors.Problem("least", f"{least} reviewers", "give 1 or more")
    if not 0.5 < agree <= 1:
        yield errors.Problem("agree", f"{agree} of them is no majority", "give a share above 0.5, at most 1")
