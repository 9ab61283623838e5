"""What a machine's clock shows: how long after its time the newest row came in.

Rows carry the time of the machine that sent them, and the time at which they were seen by another clock.  The
difference is the way of the row and the error of the machine's clock.  An hour of summer time, a battery that is empty
or a server of time that is gone moves no channel; it moves this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.features import view

if TYPE_CHECKING:
    from flyball.data import stage as data
    from flyball.data.stage import Floats
    from flyball.features import stage as features


def lag(rows: data.Rows, moments: features.Moments, usual: int) -> Floats:
    """Return (m,) seconds from the time of the newest row that each moment sees until it was seen.

    NaN where there is none, and where the lag is exactly the `usual` one (microseconds) that stands in for history of
    which nobody knows when it came.

    >>> from flyball.data import stage as data
    >>> from flyball.features import stage as features
    >>> rows = data.Rows.of(["a"] * 3, at=[0, 60_000_000, 120_000_000], seen=[5_000_000, 67_000_000, 120_000_000])
    >>> lag(rows, features.Moments.of(["a"] * 3, [9_000_000, 70_000_000, 130_000_000]), usual=0).tolist()
    [5.0, 7.0, nan]
    """
    import numpy as np

    row = view.View(rows, moments).last()
    late = (np.append(rows.seen, 0) - np.append(rows.at, 0))[row]
    return np.asarray(np.where((row < 0) | (late == usual), np.nan, late / 1e6))
