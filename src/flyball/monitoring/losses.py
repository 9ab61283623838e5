"""How wrong one answer was, once its truth is known: the streams that concept detectors watch.

Why one value per outcome: a metric over many rows (average precision, RMSE) needs a window to be defined at all; a
stream of losses shows a change as soon as there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flyball import errors, evidence
from flyball.labels import stage as labels

if TYPE_CHECKING:
    from flyball.data.stage import Array, Floats


def _log_loss(answer: float, truth: float) -> float:
    said = min(max(answer, 1e-6), 1 - 1e-6)
    return -math.log(said if truth else 1 - said)


_LOSSES: Mapping[type[labels.Kind], Mapping[str, Callable[[float, float], float]]] = {
    labels.Probability: {
        "log_loss": _log_loss,
        "squared_error": lambda answer, truth: (answer - truth) ** 2,
        "error": lambda answer, truth: float((answer >= 0.5) != (truth >= 0.5)),
    },
    labels.Quantity: {
        "absolute_error": lambda answer, truth: abs(answer - truth),
        "squared_error": lambda answer, truth: (answer - truth) ** 2,
    },
    labels.Classes: {"error": lambda answer, truth: float(answer != truth)},
}


def names(kind: labels.Kind) -> tuple[str, ...]:
    """Return the losses that answers of a kind have.

    >>> names(labels.Quantity())
    ('absolute_error', 'squared_error')
    """
    return tuple(_LOSSES.get(type(kind), {}))


def of(kind: labels.Kind, outcome: evidence.Outcome) -> dict[str, float]:
    """Return every loss of one outcome; none while its truth is not known.

    The answer of Classes is the index of the class that was named.

    >>> of(labels.Probability(), evidence.Outcome("a", 0, answer=0.5, truth=1.0))["squared_error"]
    0.25
    """
    if outcome.state != "known" or not (math.isfinite(outcome.answer) and math.isfinite(outcome.truth)):
        return {}
    return {name: loss(outcome.answer, outcome.truth) for name, loss in _LOSSES.get(type(kind), {}).items()}


def of_rows(kind: labels.Kind, answers: Array, truth: Any) -> dict[str, Floats]:
    """Return every loss of many answers at once, each (n,).

    `answers` are as the kind has them, (n,), (n, k) or (n, 3); for Classes (n,) indices of classes will do.

    >>> import numpy as np
    >>> of_rows(labels.Probability(), np.array([0.5, 0.9]), [1.0, 1.0])["error"].tolist()
    [0.0, 0.0]
    """
    import numpy as np

    value, told = np.asarray(truth, dtype=np.float64), np.asarray(answers, dtype=np.float64)
    if isinstance(kind, labels.Probability):
        said = np.clip(told, 1e-6, 1 - 1e-6)
        return {
            "log_loss": -np.log(np.where(value > 0, said, 1 - said)),
            "squared_error": (told - value) ** 2,
            "error": ((told >= 0.5) != (value >= 0.5)).astype(np.float64),
        }
    if isinstance(kind, labels.Quantity):
        apart = (told[:, 0] if told.ndim > 1 else told) - value
        return {"absolute_error": np.abs(apart), "squared_error": apart**2}
    if isinstance(kind, labels.Classes):
        named = told.argmax(axis=1) if told.ndim > 1 else told
        return {"error": (named != value).astype(np.float64)}
    return {}


def problems(page: Any, metric: str) -> Iterator[errors.Problem]:
    """Yield a problem when the page's answers have no such loss."""
    known = names(page.labels.kind())
    if metric not in known:
        what = f"no loss {metric!r} of {type(page.labels.kind()).__name__}"
        yield errors.Problem("metric", what, errors.did_you_mean(metric, known))
