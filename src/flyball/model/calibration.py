"""Is what is said what happens?  Calibration of a probability in ten groups, and its parts in the Brier score.

The error of ten groups is never zero by chance alone, and a resample adds chance: where it is small, its interval lies
higher than the figure itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flyball.model import figures

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints
    from flyball.model.catalogue import Judged

GROUPS = 10


def groups(answers: Any, many: int = GROUPS) -> Ints:
    """Return (n,) the group of every answer: as many groups of equal size as the answers allow, equal ones together.

    >>> groups([0.1, 0.1, 0.4, 0.9], many=2).tolist()
    [0, 0, 1, 1]
    """
    import numpy as np

    said = np.asarray(answers, dtype=np.float64)
    edges = np.unique(np.quantile(said, np.linspace(0, 1, many + 1)[1:-1])) if len(said) else said
    return np.searchsorted(edges, said, side="left").astype(np.int64)


def _grouped(finish: Callable[[Floats, Floats, Floats], Floats]) -> Callable[[Judged], figures.Figure]:
    """Prepare a figure of weight, happened and said by group; who is in which group is settled once."""

    def prepare(j: Judged) -> figures.Figure:
        import numpy as np

        here = groups(j.answers)
        inside = (here[:, None] == np.arange(GROUPS)) * j.weight[:, None]
        happened = inside * (j.truth > 0.5)[:, None]
        said = inside * j.answers[:, None]
        sums = np.concatenate([inside, happened, said], axis=1)
        return figures.Additive(sums, lambda totals: finish(*np.split(totals, 3, axis=1)))

    return prepare


def _error(weight: Floats, happened: Floats, said: Floats) -> Floats:
    import numpy as np

    return figures.share(np.abs(said - happened).sum(axis=1), weight.sum(axis=1))


def _reliability(weight: Floats, happened: Floats, said: Floats) -> Floats:
    import numpy as np

    squared = np.divide((said - happened) ** 2, weight, out=np.zeros_like(weight), where=weight > 0)
    return figures.share(squared.sum(axis=1), weight.sum(axis=1))


def _resolution(weight: Floats, happened: Floats, said: Floats) -> Floats:
    import numpy as np

    rate = figures.share(happened.sum(axis=1), weight.sum(axis=1))[:, None]
    squared = np.divide((happened - weight * rate) ** 2, weight, out=np.zeros_like(weight), where=weight > 0)
    return figures.share(squared.sum(axis=1), weight.sum(axis=1))


#: The mean distance of said and happened over the groups (expected calibration error, Naeini, Cooper and Hauskrecht
#: 2015), and Murphy's (1973) parts of the Brier score: reliability (less is better) and resolution (more is).
METRICS = {
    "calibration_error": (False, _grouped(_error)),
    "reliability": (False, _grouped(_reliability)),
    "resolution": (True, _grouped(_resolution)),
}
