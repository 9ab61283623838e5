"""How wrong one answer was, once its truth is known: the streams that concept detectors watch.

Why one value per outcome: a metric over many rows (average precision, RMSE) needs a window to be defined at all; a
stream of losses shows a change as soon as there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from flyball import evidence
from flyball.labels import stage as labels


def _log_loss(answer: float, truth: float) -> float:
    said = min(max(answer, 1e-6), 1 - 1e-6)
    return -math.log(said if truth else 1 - said)


_LOSSES: Mapping[type[labels.Kind], Mapping[str, Callable[[float, float], float]]] = {
    labels.Probability: {"log_loss": _log_loss, "squared_error": lambda answer, truth: (answer - truth) ** 2},
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
