"""Sites that cannot be trusted when many train together: one whose labels are often wrong, one that works against.

A work order is what it is; what a site makes of it when it is asked for labels is another matter.  These are the
labels as such sites would hand them out, for trying a federated training that should bear it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.fab import fleet, injected
from flyball.fab import truth as lives

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

#: Share of the labels of the careless site that are wrong.
FLIPPED = 0.15
MODES = ("honest", "careless", "poisoned")


def careless(fab: fleet.Fab) -> int:
    """Return the index of the site whose labels are often wrong; as "poisoned" it is the one that works against.

    >>> careless(fleet.Fab("tiny")) in (0, 1)
    True
    """
    return int(fleet.stream(fab, "clients").integers(fab.size().sites))


def labels(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    y: NDArray[Any],
    mode: str = "careless",
) -> NDArray[Any]:
    """Return binary labels [n] as their sites hand them out; `keys` are machines, `moments_us` microseconds.

    "careless": 15 % of one site's labels are flipped, always the same ones.  "poisoned": all of that site's are.
    "honest": none.  Labels that are neither 0 nor 1 stay.  Raises DataError for another mode or an unknown machine.

    >>> import numpy as np
    >>> small, names, at = fleet.Fab("tiny"), np.repeat(["A-001", "B-001"], 500), np.arange(1000) + fleet.START_US
    >>> flipped = labels(small, names, at, np.zeros(1000))
    >>> sorted(float(flipped[who].mean().round(1)) for who in (slice(0, 500), slice(500, 1000)))
    [0.0, 0.1]
    """
    import numpy as np

    if mode not in MODES:
        raise errors.DataError(f"fab.clients: no mode {mode!r}: {errors.did_you_mean(mode, MODES)}")
    y = np.asarray(y)
    if mode == "honest":
        return y.copy()
    machine = lives.numbers(fab, keys)
    mine = (fleet.plan(fab).site[machine] == careless(fab)) & ((y == 0) | (y == 1))
    share = 1.0 if mode == "poisoned" else FLIPPED
    return np.where(mine & (_chance(fab, machine, moments_us) < share), 1 - y, y).astype(y.dtype)


def _chance(fab: fleet.Fab, machine: NDArray[np.int64], moments_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each row that depends on nothing but seed, machine and moment (splitmix64)."""
    import numpy as np

    mixed = np.asarray(moments_us, dtype=np.int64).astype(np.uint64)
    for salt in (machine, np.full(len(machine), fab.seed)):
        mixed = mixed + (salt.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2.0**53)


def truth(fab: fleet.Fab) -> list[injected.Table]:
    """Return the truth: which site's labels are wrong, and how many; only `labels` shows it."""
    end = 24.0 * fab.size().days
    return [
        injected.table(
            fab, "flipped labels", site=careless(fab), start=0.0, end=end, magnitude=FLIPPED,
            note="only in labels that fab.client_labels hands out",
        )
    ]  # fmt: skip
