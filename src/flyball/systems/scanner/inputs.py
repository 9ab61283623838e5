"""The input of the scanner page: the daily files of a simulated fleet, and the ceiling that its truth gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flyball import fab
from flyball.units import DAY, WEEK

if TYPE_CHECKING:
    from flyball.data.stage import Array
    from flyball.features.stage import Moments

FLEET = fab.Fab("laptop", seed=0, machines=40, every_h=4)


def prepare(folder: Path) -> None:
    """Write the daily files that the simulated fleet would send."""
    fab.write(FLEET, folder, only=("telemetry", "events", "repairs"), with_truth=False)


def ceiling() -> tuple[str, object]:
    """Return the probability of a failure given everything hidden, and a key that tells the fleet.

    The page's label is censored by planned swaps, so it is the probability where the answer will be known.
    """

    def probability(moments: Moments) -> Array:
        return fab.ceiling_where_known(FLEET, moments.names(), moments.at, int(DAY), int(WEEK))

    return repr(FLEET), probability


def severity() -> Callable[[Moments], Array]:
    """Return the highest true severity of a part: what a perfect sensor of wear would show."""

    def highest(moments: Moments) -> Array:
        return fab.severity_oracle(FLEET, moments.names(), moments.at)

    return highest


def machines() -> dict[str, str]:
    """Return the machines of the simulated sites, each with its type."""
    from flyball.fab import fleet

    drawn = fleet.plan(FLEET)
    return {name: fleet.TYPES[kind].name for name, kind in zip(drawn.names, drawn.kind, strict=True)}
