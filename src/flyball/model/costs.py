"""What a stop costs: the prices by which a maintenance page counts what its alerts save."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flyball import errors, part


class Costs(part.Part):
    """What one unscheduled stop, one scheduled repair and one needless inspection cost, in one currency.

    The defaults are dollars of a lithography scanner: 10 h at $72,000 of lost output an hour, 4 h at $20,000 of
    planned time, and 2 h at $20,000 to look at a machine that turns out well.  Every figure made with them is only
    as good as they are: state your own.

    >>> Costs().saved()
    640000.0
    """

    unscheduled: float = 720_000.0
    scheduled: float = 80_000.0
    inspect: float = 40_000.0

    def saved(self) -> float:
        """Return what one failure saves when it is found in time: its repair is then a scheduled one."""
        return self.unscheduled - self.scheduled

    def problems(self, page: Any) -> Iterator[errors.Problem]:
        for name in ("unscheduled", "scheduled", "inspect"):
            if not getattr(self, name) >= 0:
                yield errors.Problem(name, f"a cost of {getattr(self, name):g}", "give zero or more")
        if self.unscheduled <= self.scheduled:
            what = f"a stop of {self.unscheduled:g} and a repair of {self.scheduled:g}: no alert could save"
            yield errors.Problem(
                "unscheduled", what, "give what an unscheduled stop costs beyond a planned one"
            )
