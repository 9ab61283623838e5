"""Where somebody acted on an alert there is no truth any more: what was prevented is no false alarm.

Why: whoever acts on what a model says changes what happens.  Counted as it looks, every failure that was prevented
is a false alarm, and the model that was believed most looks worst.  From the act on a question is censored, as it is
when a machine vanishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.data import stage as data
from flyball.features import stage as features
from flyball.features import view

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints

#: The table that the store keeps of alerts that were acted on, `at` the act, with the column `found`.
TABLE = "alerts"
#: What becomes of the label of an acted-on alert.
HOW = ("censored", "found", "ignored")


def following(tables: data.Tables, moments: features.Moments, as_of: int | None) -> tuple[Ints, Floats]:
    """Return (m,) when somebody first acted on the machine after the moment (FOREVER: never), and what was found.

    Found is 1 for a fault, 0 for none, NaN while nobody said; both as known at the cut.

    >>> acts = data.Rows.of(["a"], at=[5], seen=[7], columns={"found": [1.0]})
    >>> when, found = following({"alerts": acts}, features.Moments.of(["a", "a"], [3, 6]), as_of=9)
    >>> when.tolist()[0], when.tolist()[1] == data.FOREVER, found.tolist()[0]
    (5, True, 1.0)
    """
    import numpy as np

    rows = tables[TABLE].known(as_of) if TABLE in tables else None
    if rows is None or not len(rows):
        return np.full(len(moments), data.FOREVER), np.full(len(moments), np.nan)
    machine, known = view.machines(rows, moments)
    place = view.after(rows.at, rows, moments.at, machine)
    ahead = known & (place < rows.starts[machine + 1])
    place = np.minimum(place, len(rows) - 1)
    found = rows.floats("found")[place]
    return np.where(ahead, rows.at[place], data.FOREVER), np.where(ahead, found, np.nan)
