"""Turns the models inside chains, blends and intervals into another form and leaves what stands around them."""

from __future__ import annotations

from collections.abc import Callable

from flyball.features import stage as features
from flyball.model import blend, chain, conformal
from flyball.model.stage import Predictor

#: Turns one model, given the rows as it sees them, into its other form; None where it has none.
Turn = Callable[[Predictor, features.Matrix], Predictor | None]


def through(predictor: Predictor, rows: features.Matrix, turn: Turn) -> Predictor | None:
    """Return the predictor with every model inside it turned, or None when none of them has another form.

    The rows reach an inner model as the steps before it leave them.
    """
    if isinstance(predictor, chain.Chained):
        inner = through(predictor.last, predictor.prepared(rows), turn)
        return None if inner is None else chain.Chained(predictor.steps, inner)
    if isinstance(predictor, conformal.Interval):
        inner = through(predictor.inner, rows, turn)
        if inner is None:
            return None
        return conformal.Interval(inner, predictor.knots, predictor.widths, predictor.bounds)
    if isinstance(predictor, blend.Blended):
        members = [through(member, rows, turn) for member in predictor.members]
        if all(member is None for member in members):
            return None
        kept = tuple(new or old for new, old in zip(members, predictor.members, strict=True))
        return blend.Blended(kept, predictor.weights, predictor.geometric)
    return turn(predictor, rows)
