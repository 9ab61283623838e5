"""The machines of some rows, each against itself, told in words: what alarms, since when, of what kind, and from what.

`own` says how far every figure lies from its machine's baseline; here that becomes the rows that a person reads.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flyball.monitoring import bins, causes, own, stage
from flyball.monitoring import cells as cells_
from flyball.monitoring.standard import Standard

if TYPE_CHECKING:
    from flyball.data.stage import Floats, Ints
    from flyball.features import stage as features

#: So many columns of one machine's window are told, worst first; so many machines of a fleet's.
TOLD, NAMED = 12, 40


def figures(
    parts: Sequence[stage.Multivariate], kept: Mapping[str, Mapping[str, Any]], rows: Standard
) -> list[Floats]:
    """Return the figures (cells, m) of every part of which something was learned."""
    return [one.figures(kept[repr(one)], rows) for one in parts if kept.get(repr(one))]


class Machines:
    """The machines of some rows, each against itself: their alarms, and who is behind one of the fleet's."""

    def __init__(
        self, kept: Mapping[str, Any], found: Mapping[str, Any], moments: features.Moments, window: Ints,
        resets: stage.Resets, settle: int, parts: Sequence[stage.Multivariate], spans: Mapping[int, tuple[int, int]],
    ) -> None:  # fmt: skip
        import numpy as np

        self.kept, self.found, self.moments, self.spans = kept, found, moments, spans
        self.names = tuple(kept["columns"])
        self.figures: dict[str, tuple[stage.Multivariate, Mapping[str, Any], tuple[str, ...]]] = {}
        self.judged = bool(kept["own"])
        self.moved: dict[int, Floats] = {}
        if not self.judged:
            return
        # What lies before the reference's end is in its baselines already.
        newer = {
            key: tuple(at for at in when if at > kept["until"])
            if key in kept["own"]["machines"]
            else tuple(when)
            for key, when in resets.items()
        }
        cells = cells_.of(found, kept["columns"], kept["usual"], moments, window, newer)
        self.rows = Standard.of(found, kept["columns"], kept["usual"], cells)
        learned = kept.get("multivariate", {})
        for one in parts:
            settings = learned.get(repr(one))
            told = one.told(settings) if settings else {}
            self.figures |= {name: (one, settings, columns) for name, columns in told.items()}
        self.names += tuple(self.figures)
        self.cells = cells_.joined(cells, figures(parts, learned, self.rows))
        self.apart, self.now, self.base, self.many = own.judge(self.cells, kept["own"], settle)
        self.limit = own.limit(kept["own"], kept["shares"][1])
        # In limits, those of a machine against itself or against the fleet: beyond 1 is an alarm.
        limits = np.full((len(self.many), 1, len(cells_.FAMILIES)), self.limit)
        limits[self.many[:, 0] < 0, :, own.OWN] = own.GROSS
        self.each = np.nan_to_num(np.abs(self.apart), nan=0.0, posinf=1e300) / limits
        self.far = self.each.max(axis=2)
        fleet = kept["own"]["together"]
        if fleet:
            settled = np.where(self.many[:, [0, 0, 0, 1]][:, None, :] > 0, self.now, np.nan)
            self.moved = own.judge_together(self.cells, settled, fleet)
            self.fleet_limit = own.limit(fleet, kept["shares"][0])

    def alarms(self) -> Iterator[stage.Watched]:
        """Yield the alarmed columns of every alarmed cell, oldest window first, then by machine, worst first."""
        import numpy as np

        if not self.judged:
            return
        alarmed = np.flatnonzero(self.far.max(axis=1, initial=0.0) > 1)
        for cell in alarmed[np.argsort(-self.cells.window[alarmed], kind="stable")].tolist():
            order = np.argsort(-self.far[cell], kind="stable")
            columns = [place for place in order[:TOLD].tolist() if self.far[cell, place] > 1]
            for place in columns:
                yield self._told(cell, place, len(self._alarmed(cell)))

    def _alarmed(self, cell: int) -> set[str]:
        """Return the columns of a cell that alarm, whatever of them does."""
        import numpy as np

        return {bins.bare(self.names[place]) for place in np.flatnonzero(self.far[cell] > 1).tolist()}

    def _told(self, cell: int, place: int, columns: int) -> stage.Watched:
        import numpy as np

        family = int(self.each[cell, place].argmax())
        name, machine = self.names[place], self.cells.keys[self.cells.unit[cell]]
        began = self._began(cell, place, family)
        pattern, partner = self._pattern(cell, place, began)
        young = family < cells_.MISSING and self.many[cell, 0] < 0
        figure = float(np.nan_to_num(np.abs(self.apart[cell, place, family]), posinf=1e300))
        limit = own.GROSS if young else self.limit
        since, until = self.spans[int(self.cells.window[cell])]
        # So many machines are looked at in this window.
        looked = len(self.cells.keys)
        sure = None if young else min(1.0, looked * own.chance(self.kept["own"], figure))
        shown = {
            kind: float(value)
            for kind, value in zip(cells_.FAMILIES, self.apart[cell, place].tolist(), strict=True)
            if math.isfinite(value)
        }
        of = self._of(name, cell)
        if name in self.figures:
            shown, columns = {"relation": shown["level"]}, max(columns, len(of))
        if family == cells_.MISSING:
            shown["share"] = cells_.share(float(self.cells.stats[cell, place, family]))
        shown["baseline_windows"] = float(max(self.many[cell, int(family == cells_.MISSING)], 0))
        return stage.Watched(
            name if family != cells_.MISSING else name + bins.MISSING,
            since, until, int(self.cells.stop[cell] - self.cells.first[cell]), figure, limit, shown, True, machine,
            (machine,), began, sure, causes.cause(pattern, columns, 1),
            pattern + (f" with {self.names[partner]}" if partner >= 0 else ""), self._series(cell, place, family),
            of,
        )  # fmt: skip

    def _of(self, name: str, cell: int) -> tuple[str, ...]:
        """Return the columns behind a figure of many; () where it is of one column."""
        if name not in self.figures:
            return ()
        one, kept, columns = self.figures[name]
        return one.behind(kept, self.rows, cell)[:TOLD] if len(columns) > 1 else ()

    def _pattern(self, cell: int, place: int, began: int) -> tuple[str, int]:
        """Return the pattern of a column, and of a swap the other one; by what came since it began in this window."""
        import numpy as np

        if self.names[place] in self.figures:
            return causes.RELATION, -1
        if self.names[place].endswith(bins.CLOCK):
            return causes.CLOCK, -1
        values = self.found.get(self.names[place])
        if values is None or not hasattr(values, "dtype"):
            return "missing", -1
        first, stop = int(self.cells.first[cell]), int(self.cells.stop[cell])
        late = max(first, min(first + int(np.searchsorted(self.moments.at[first:stop], began)), stop - 3))
        levels = np.full(len(self.names), np.nan)
        for other in np.flatnonzero(self.far[cell] > 0.5).tolist():
            shows = self.found.get(self.names[other])
            if shows is not None and hasattr(shows, "dtype"):
                there = shows[late:stop][np.isfinite(shows[late:stop])]
                levels[other] = float(np.median(there)) if len(there) else math.nan
        base = self.base[cell]
        partner = causes.swapped(
            place, levels, base[:, cells_.LEVEL], np.exp(base[:, cells_.SPREAD]), self.far[cell]
        )
        if partner >= 0:
            return "swap", partner
        return causes.kind(values[first:stop], values[late:stop], base[place], self.each[cell, place]), -1

    def _began(self, cell: int, place: int, family: int) -> int:
        """Return when it began: in this window or the one before; of what shows in several, in as many."""
        values = self.found.get(self.names[place])
        first, slow = cell, abs(self.now[cell, place, family]) < abs(self.apart[cell, place, family])
        while (
            cell - first < (own.SLOW if slow else 1)
            and first > 0
            and self.cells.unit[first - 1] == self.cells.unit[cell]
        ):
            first -= 1
        rows = slice(self.cells.first[first], self.cells.stop[cell])
        at = self.moments.at[rows]
        if values is None or not hasattr(values, "dtype"):
            return int(self.moments.at[self.cells.first[cell]])
        return causes.began(at, values[rows], family, float(self.base[cell, place, cells_.LEVEL]))

    def _series(self, cell: int, place: int, family: int) -> dict[str, Any]:
        """Return the figure of every window of the machine so far, and the band that its baseline allows."""
        import numpy as np

        mine = np.flatnonzero(self.cells.unit[: cell + 1] == self.cells.unit[cell])[-26:]
        base = float(self.base[cell, place, family])
        many = int(self.many[cell, int(family == cells_.MISSING)])
        if many < 0:
            wide = own.GROSS * float(self.kept["own"]["fleet"]["between"][place][family] or 0.0)
        else:
            wide = (
                self.limit * float(self.kept["own"]["unit"][place][family]) * math.sqrt(1 + 1 / max(many, 1))
            )
        return {
            "figure": causes.RELATION if self.names[place] in self.figures else cells_.FAMILIES[family],
            "at": [self.spans[int(self.cells.window[one])][1] for one in mine.tolist()],
            "value": [
                value if math.isfinite(value) else None
                for value in self.cells.stats[mine, place, family].tolist()
            ],
            "low": base - wide,
            "high": base + wide,
        }

    def together(self, one: stage.Watched, window: int) -> stage.Watched:
        """Return the fleet's row judged by how the machines moved together from their own baselines.

        Where that cannot be told (a category, too few machines or windows) it stays judged by its index of stability.
        """
        import numpy as np

        name = one.column.removesuffix(bins.MISSING)
        if window not in self.moved or self.kept["columns"][name]["kind"] != "number":
            return one
        figures = np.abs(self.moved[window][self.names.index(name)])
        figure = figures[cells_.MISSING] if one.column != name else figures[: cells_.MISSING].max()
        return dataclasses.replace(
            one, statistic=float(figure), limit=self.fleet_limit, alarm=bool(figure > self.fleet_limit)
        )

    def related(self, window: int, when: tuple[int, int, int]) -> list[stage.Watched]:
        """Return the fleet's rows of the figures of many columns: how they moved on all machines together."""
        import numpy as np

        if window not in self.moved:
            return []
        moved = self.moved[window][len(self.kept["columns"]) :, cells_.LEVEL]
        return [
            stage.Watched(
                name, *when, float(np.abs(figure)), self.fleet_limit, {causes.RELATION: float(figure)},
                bool(np.abs(figure) > self.fleet_limit),
            )
            for name, figure in zip(self.figures, moved.tolist(), strict=True)
        ]  # fmt: skip

    def behind(self, columns: list[str], window: int) -> list[int]:
        """Return the cells of the machines behind the fleet's alarmed columns of a window, the furthest first."""
        import numpy as np

        if not self.judged or not columns:
            return []
        here = np.flatnonzero(self.cells.window == window)
        figures = [
            self.each[here, self.names.index(name.removesuffix(bins.MISSING)), cells_.MISSING]
            if name.endswith(bins.MISSING)
            else self.each[here, self.names.index(name), : cells_.MISSING].max(axis=1)
            for name in columns
        ]
        far = np.sqrt(np.mean(np.square(np.minimum(figures, 1e6)), axis=0))
        order = np.argsort(-far, kind="stable")[:NAMED]
        return [int(here[place]) for place in order.tolist() if far[place] >= 0.5 * far[order[0]]]

    def explained(self, one: stage.Watched, who: list[int], share: float) -> stage.Watched:
        """Return an alarm of the fleet with the machines behind it, and since when the worst of them moved."""
        name = bins.bare(one.column)
        missing = one.column.endswith(bins.MISSING)
        began = one.since
        if who and name in self.found and one.column not in self.figures:
            began = self._began(who[0], self.names.index(name), cells_.MISSING if missing else cells_.LEVEL)
        return dataclasses.replace(
            one,
            machines=tuple(self.cells.keys[self.cells.unit[cell]] for cell in who),
            began=began,
            sure=share,
            cause=causes.DATA if len(who) != 1 else causes.SENSOR,
            kind="missing" if missing else causes.RELATION if one.column in self.figures else "shift",
            columns=self._of(one.column, who[0]) if who else (),
        )
