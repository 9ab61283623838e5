"""What a scan of a log found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flyball import extras
from flyball.kernels.loglayout import KeptLine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["LogCounts"]


@dataclass(frozen=True, eq=False)
class LogCounts:
    """How many lines each group has, what was malformed, and what came in.

    `hour` (n,) int64 is the begin of the hour in microseconds since 1970-01-01 UTC, `code` (n,) str, `machine`
    (n,) str and `level` (n,) str or None where not asked for, `count` (n,) int64; sorted by hour, code, machine
    and the declared order of levels. `malformed` counts lines by reason; `kept` are the first of them. Every
    line is counted in a group, `unselected`, `blank` or malformed, and once only: `lines` is their sum.
    `incomplete` says where a compressed input broke off, and is empty where it did not.
    """

    hour: NDArray[np.int64]
    code: NDArray[np.str_]
    machine: NDArray[np.str_] | None
    level: NDArray[np.str_] | None
    count: NDArray[np.int64]
    malformed: dict[str, int]
    kept: tuple[KeptLine, ...]
    lines: int
    blank: int
    unselected: int
    bytes: int
    incomplete: str = ""

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the groups as a dict of arrays, which a DataFrame of any library takes; hours as datetime64."""
        told = {"hour": self.hour.view("datetime64[us]"), "code": self.code}
        told |= {} if self.machine is None else {"machine": self.machine}
        told |= {} if self.level is None else {"level": self.level}
        return told | {"count": self.count}

    def to_polars(self) -> Any:
        """Return the groups as a Polars DataFrame; MissingExtraError where Polars is not installed."""
        polars = extras.need("polars", "lab", "to hand the groups over as a DataFrame")
        return polars.DataFrame({name: _listed(values) for name, values in self.columns().items()})


def _listed(values: NDArray[Any]) -> Any:
    return values.tolist() if values.dtype.kind == "U" else values
