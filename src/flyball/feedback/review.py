"""Which questions a person should look at: those from whose answer most is learned, as many as there is time for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import errors, part

if TYPE_CHECKING:
    import numpy as np

    from flyball.data.stage import Floats

#: What makes a question worth a look.
BY = ("suspect", "uncertain", "disagreeing", "rare")


@dataclass(frozen=True)
class Picked:
    """A question that was chosen: its place among those given, why, and how much it is worth (1: the most)."""

    place: int
    why: str
    value: float


class Review(part.Part):
    """At most `per_day` questions a day for reviewers, taken in turn from the best of each reason in `by`.

    - "suspect": the label that was learned from looks wrong (`model.noise`: confident learning);
    - "uncertain": the answer lies near the decision's threshold, as many places of it up or down as others;
    - "disagreeing": what serves and what shadows it (or contestants) answer otherwise;
    - "rare": the question lies far from those that were learned from.

    In turn, because each alone has its blind spot: the uncertain never shows where a model is sure and wrong
    (Settles 2009).

    >>> import numpy as np
    >>> review = Review(per_day=2, by=("uncertain", "rare"))
    >>> values = {"uncertain": np.array([0.9, 0.1, 0.8]), "rare": np.array([0.0, 0.2, 0.7])}
    >>> [(one.place, one.why) for one in review.choose(values)]
    [(0, 'uncertain'), (2, 'rare')]
    """

    per_day: int
    by: tuple[str, ...] = BY

    def choose(self, values: Mapping[str, Floats], left: int | None = None) -> tuple[Picked, ...]:
        """Return which of n questions to show, at most `left` (else `per_day`), each once.

        `values` gives for each reason (n,) what a question is worth, NaN or at most 0 for nothing.
        """
        import numpy as np

        room = self.per_day if left is None else min(left, self.per_day)
        orders = {
            name: list(np.argsort(-np.nan_to_num(values[name]), kind="stable"))
            for name in self.by
            if name in values
        }
        out: list[Picked] = []
        while orders and len(out) < room:
            for name in list(orders):
                place = _next(orders[name], values[name], {one.place for one in out})
                if place is None:
                    del orders[name]
                elif len(out) < room:
                    out.append(Picked(place, name, float(values[name][place])))
        return tuple(out)

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        """Yield a budget that is none, and reasons that there are not."""
        if self.per_day < 1:
            yield errors.Problem("per_day", f"{self.per_day} questions a day", "give 1 or more")
        if not self.by:
            yield errors.Problem("by", "no reason to look at anything", f"give some of {', '.join(BY)}")
        for name in self.by:
            if name not in BY:
                yield errors.Problem("by", f"no reason {name!r}", errors.did_you_mean(name, BY))


def _next(order: list[Any], values: Any, taken: set[int]) -> int | None:
    while order:
        place = int(order.pop(0))
        if not values[place] > 0:
            return None
        if place not in taken:
            return place
    return None


def uncertain(answers: Floats, threshold: float) -> Floats:
    """Return (n,) how near each answer is to the threshold by rank among all answers: 1 is nearest, NaN stays.

    By rank, because probabilities of rare events all lie near 0.

    >>> import numpy as np
    >>> uncertain(np.array([0.01, 0.2, 0.25, 0.9]), 0.22).round(2).tolist()
    [0.5, 1.0, 1.0, 0.5]
    """
    import numpy as np

    given = np.sort(answers[~np.isnan(answers)])
    if not len(given):
        return np.full(len(answers), np.nan)
    cut = np.searchsorted(given, threshold)
    place = np.searchsorted(given, answers)
    away = np.where(place >= cut, place - cut, cut - 1 - place)
    return np.where(np.isnan(answers), np.nan, 1.0 - away / max(len(given) / 2, 1.0))


def disagreeing(answers: Sequence[Floats]) -> Floats:
    """Return (n,) how far apart what several answered is: the greatest difference of ranks among all, 0 to 1.

    >>> import numpy as np
    >>> disagreeing([np.array([0.1, 0.2, 0.9]), np.array([0.9, 0.3, 0.8])]).round(2).tolist()
    [0.67, 0.33, 0.33]
    """
    import numpy as np

    ranks = [np.searchsorted(np.sort(one), one) / max(len(one), 1) for one in answers]
    return np.asarray(np.max(ranks, axis=0) - np.min(ranks, axis=0))


def rare(x: np.ndarray[Any, Any], reference: np.ndarray[Any, Any]) -> Floats:
    """Return (n,) how far each row (n, d) lies from the rows of the reference: the mean distance over columns.

    Each column's distance is from the median in spreads (1.4826 MAD), at most 10; missing values say nothing.  Scaled
    so that the 99th percentile of the reference is 1 and what is no further than its median is 0.

    >>> import numpy as np
    >>> rare(np.array([[0.0], [50.0]]), np.arange(-10.0, 11.0)[:, None]).round(1).tolist()[0]
    0.0
    """
    import numpy as np

    middle = np.nanmedian(reference, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(reference - middle), axis=0)
    useful = np.isfinite(middle) & (spread > 0)
    if not useful.any():
        return np.zeros(len(x))

    def away(rows: Any) -> Any:
        found = np.minimum(np.abs(rows[:, useful] - middle[useful]) / spread[useful], 10.0)
        known = np.isfinite(found)
        return np.where(known, found, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)

    usual = away(reference)
    low, high = np.quantile(usual, (0.5, 0.99))
    return np.asarray(np.maximum((away(x) - low) / max(high - low, 1e-12), 0.0))
