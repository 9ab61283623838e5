"""What only the simulator knows: the latent state of any moment, and lives and failures as they were.

Never an input of a page: it is what answers are compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball import errors
from flyball.fab import dynamics, fleet, wear

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray


def latent(
    fab: fleet.Fab, keys: Sequence[str] | NDArray[np.str_], moments_us: NDArray[np.int64]
) -> wear.State:
    """Return the latent state of asked rows; raises DataError for a machine or a moment the fleet has not."""
    import numpy as np

    machine = numbers(fab, keys)
    hours, days = fleet.to_hours(np.asarray(moments_us, dtype=np.int64)), fab.size().days
    if len(hours) and not (hours.min() >= 0.0 and hours.max() <= 24.0 * days):
        raise errors.DataError(f"fab: a moment lies outside the {days} days of {fab!r}: ask within them")
    return dynamics.history(fab).at(machine, hours)


def numbers(fab: fleet.Fab, keys: Sequence[str] | NDArray[np.str_]) -> NDArray[np.int64]:
    """Return the indexes of machines by name; raises DataError for one that the fleet has not.

    >>> numbers(fleet.Fab("tiny"), ["A-002", "A-001"]).tolist()
    [2, 0]
    """
    import numpy as np

    number = {name: i for i, name in enumerate(fleet.plan(fab).names)}
    unknown = sorted({str(key) for key in keys} - set(number))
    if unknown:
        raise errors.DataError(
            f"fab: no machine {unknown[0]!r} in {fab!r}: they are named like {next(iter(number))!r}"
        )
    return np.array([number[str(key)] for key in keys], dtype=np.int64)


def occurs(
    fab: fleet.Fab,
    keys: Sequence[str] | NDArray[np.str_],
    moments_us: NDArray[np.int64],
    gap_us: int,
    horizon_us: int,
    *,
    parts: Collection[str] | None = None,
) -> NDArray[np.bool_]:
    """Return whether a failure of the parts (all hard ones) truly came within (m + gap, m + gap + horizon], [n]."""
    import numpy as np

    failed, asked = failures(fab), np.array(wear.NAMES)[wear.chosen(parts)]
    counts = np.isin(failed["part"], asked)
    came = np.zeros(len(keys), dtype=bool)
    opens = np.asarray(moments_us, dtype=np.int64) + gap_us
    for name in np.unique(np.asarray(keys)):
        mine = np.asarray(keys) == name
        times = failed["at"][(failed["machine"] == name) & counts]
        after, by = (np.searchsorted(times, opens[mine] + late, side="right") for late in (0, horizon_us))
        came[mine] = by > after
    return came


def failures(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return every failure as it was: machine, at, until (microseconds), part, hard, sorted by time."""
    import numpy as np

    past = dynamics.history(fab)
    failed = past.journal.read("failure")
    keep = failed["at"] >= 0.0
    row, at, comp, hours = (failed[name][keep] for name in ("row", "at", "comp", "value"))
    return {
        "machine": np.array(past.plan.names)[row],
        "at": fleet.to_us(at),
        "until": fleet.to_us(at + hours),
        "part": np.array(wear.NAMES)[comp],
        "hard": wear.hard()[comp],
    }


def swaps(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return every part that maintenance replaced in time: machine, at, part, and when it would have failed.

    `would_fail` assumes that the machine had gone on running: the end that censoring hides.
    """
    import numpy as np

    past = dynamics.history(fab)
    swap = past.journal.read("swap")
    keep = swap["at"] >= 0.0
    row, at, comp, left = (swap[name][keep] for name in ("row", "at", "comp", "value"))
    return {
        "machine": np.array(past.plan.names)[row],
        "at": fleet.to_us(at),
        "part": np.array(wear.NAMES)[comp],
        "would_fail": fleet.to_us(at + left),
    }


def onsets(fab: fleet.Fab) -> dict[str, NDArray[Any]]:
    """Return when each degradation truly began: machine, at (microseconds), part."""
    import numpy as np

    past = dynamics.history(fab)
    onset = past.journal.read("onset")
    keep = onset["at"] >= 0.0
    return {
        "machine": np.array(past.plan.names)[onset["row"][keep]],
        "at": fleet.to_us(onset["at"][keep]),
        "part": np.array(wear.NAMES)[onset["comp"][keep]],
    }


def states(fab: fleet.Fab, every_h: float = 24.0) -> dict[str, NDArray[Any]]:
    """Return the latent state on a grid: machine, at, up, reflectance, duty and each component's severity."""
    import numpy as np

    past, size = dynamics.history(fab), fab.size()
    hours = np.arange(0.0, 24.0 * size.days, every_h)
    machine, hour = np.repeat(np.arange(size.machines), len(hours)), np.tile(hours, size.machines)
    state = past.at(machine, hour)
    severity = state.severity()
    return {
        "machine": np.array(past.plan.names)[machine],
        "at": fleet.to_us(hour),
        "up": state.down <= 0.0,
        "reflectance": state.reflectance,
        "duty": past.plan.duty[machine, state.week],
        **{name: severity[:, k] for k, name in enumerate(wear.NAMES)},
    }
