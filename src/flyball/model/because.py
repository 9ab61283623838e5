"""What drove one answer: how it changes when one column at a time is set to what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flyball.features import stage as features

if TYPE_CHECKING:
    from flyball.model.stage import Predictor

#: So many columns are told of an answer.
MOST = 5
#: Machines beside which a value is usual or not.
LEAST = 3


def because(
    predictor: Predictor, x: features.Matrix, row: int, beside: Sequence[int]
) -> tuple[tuple[str, float, float, float], ...]:
    """Return (column, value, usual value, change) of those that raise an answer most, the greatest first.

    Usual is the median over the rows `beside`; the change is in log-odds for a probability, else in the answer's own
    unit: what the column adds over its usual value, all others as they are (Robnik-Šikonja & Kononenko 2008).  What
    two columns do only together neither of them is given.  Columns that hold no single number are left out; with
    fewer than three rows beside it nothing is usual, and nothing is told.
    """
    import numpy as np

    if len(beside) < LEAST:
        return ()
    usual, value = {}, {}
    for name, column in x.columns.items():
        if isinstance(column, np.ndarray) and column.ndim == 1 and np.isfinite(column[row]):
            here = np.asarray(column, dtype=np.float64)[list(beside)]
            if np.isfinite(here).any() and (median := float(np.nanmedian(here))) != float(column[row]):
                usual[name], value[name] = median, float(column[row])
    if not usual:
        return ()
    many = x.take(np.full(len(usual) + 1, row))
    columns = dict(many.columns)
    for place, (name, median) in enumerate(usual.items()):
        changed = np.array(columns[name])
        changed[place + 1] = median
        columns[name] = changed
    said = np.asarray(
        predictor.predict(features.Matrix(many.moments, columns, many.stopped)), dtype=np.float64
    )
    said = said.reshape(len(said), -1)[:, 0]
    if ((said >= 0) & (said <= 1)).all():
        said = np.clip(said, 1e-9, 1 - 1e-9)
        said = np.log(said / (1 - said))
    change = said[0] - said[1:]
    order = np.argsort(-change, kind="stable")[:MOST]
    names = list(usual)
    return tuple(
        (names[place], value[names[place]], usual[names[place]], float(change[place]))
        for place in order.tolist() if change[place] > 0
    )  # fmt: skip
