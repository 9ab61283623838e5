"""Inspected wafers: where defects lie, which dies they kill, and the pattern that tells where they come from.

One wafer of each lot that is measured mark by mark is inspected.  Most show nothing but strays; patterns have causes:
a worn wafer table leaves a ring at the edge, a worn handler scratches, a damaged reticle repeats in every field.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet, lots, overlay, wear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Columns = dict[str, NDArray[Any]]

PATTERNS = ("none", "edge-ring", "scratch", "cluster", "repeater", "random")
#: Size of a die in mm, the share of defects that kill theirs, and of reticles that get damaged.
DIE_MM, KILLS, DAMAGED = (8.0, 11.0), 0.5, 0.06
#: Strays of a wafer; the share of wafers whose pattern somebody names, and of those named wrongly.
STRAYS, NAMED, MISREAD = 6.0, 0.3, 0.05
#: Hours until a wafer is inspected, and named.
INSPECTED_H, NAMED_H = 6.0, 72.0


@functools.cache
def dies() -> NDArray[np.bool_]:
    """Return which places of the grid of dies lie on the wafer whole, [rows, columns]."""
    import numpy as np

    columns, rows = (int(2 * overlay.RADIUS_MM // size) // 2 * 2 + 1 for size in DIE_MM)
    x = (np.arange(columns) - columns // 2) * DIE_MM[0]
    y = (np.arange(rows) - rows // 2) * DIE_MM[1]
    corner = np.hypot(np.abs(x)[None, :] + DIE_MM[0] / 2, np.abs(y)[:, None] + DIE_MM[1] / 2)
    return np.asarray(corner <= overlay.RADIUS_MM - overlay.EDGE_MM)


@dataclasses.dataclass(frozen=True)
class Wafers:
    """Inspected wafers of a fleet, N of them, with D defects in all.

    `machine`, `at`, `lot`, `slot`, `product`, `reticle`, `pattern` [N], the last an index into PATTERNS; `wafer` [D]
    the wafer of each defect, `place` [D, 2] in mm from the centre, `size` [D] in um, `kills` [D].
    """

    machine: NDArray[np.int64]
    at: Floats
    lot: NDArray[np.int64]
    slot: NDArray[np.int64]
    product: NDArray[np.int64]
    reticle: NDArray[np.int64]
    pattern: NDArray[np.int64]
    wafer: NDArray[np.int64]
    place: Floats
    size: Floats
    kills: NDArray[np.bool_]

    def maps(self) -> NDArray[np.uint8]:
        """Return each wafer's map of dies [N, rows, columns]: 0 no die, 1 good, 2 bad."""
        import numpy as np

        on = dies()
        out = np.repeat(on[None].astype(np.uint8), len(self.at), axis=0)
        column = np.rint(self.place[:, 0] / DIE_MM[0]).astype(int) + on.shape[1] // 2
        row = np.rint(self.place[:, 1] / DIE_MM[1]).astype(int) + on.shape[0] // 2
        hit = self.kills & (row >= 0) & (row < on.shape[0]) & (column >= 0) & (column < on.shape[1])
        which = self.wafer[hit], row[hit], column[hit]
        out[which] = np.where(out[which] > 0, 2, 0)
        return out


@functools.lru_cache(maxsize=4)
def inspected(fab: fleet.Fab) -> Wafers:
    """Return the inspected wafers of a fleet, machine by machine in order of time."""
    import numpy as np

    every = [lots.measured(fab, machine) for machine in range(fab.size().machines)]
    full = [slice(None, None, lots.IN_FULL)] * len(every)
    machine = np.repeat(
        np.arange(len(every)), [len(one.at[mine]) for one, mine in zip(every, full, strict=True)]
    )
    at, lot, product, reticle = (
        np.concatenate([getattr(one, name)[:: lots.IN_FULL] for one in every])
        for name in ("at", "lot", "product", "reticle")
    )
    rng = fleet.stream(fab, "inspected wafers")
    slot = rng.integers(1, 26, len(at))
    pattern = _patterns(fab, machine, at, reticle, rng)
    found = [_defects(fab, PATTERNS[kind], int(r), rng) for kind, r in zip(pattern, reticle, strict=True)]
    wafer = np.repeat(np.arange(len(at)), [len(places) for places, _ in found])
    place = np.concatenate([places for places, _ in found]) if found else np.zeros((0, 2))
    lethal = np.concatenate([chance for _, chance in found]) if found else np.zeros(0)
    size = np.exp(rng.normal(np.log(0.12), 0.6, len(place)))
    return Wafers(
        machine,
        at,
        lot,
        slot,
        product,
        reticle,
        pattern,
        wafer,
        place,
        size,
        kills=rng.random(len(place)) < lethal,
    )


def _patterns(
    fab: fleet.Fab,
    machine: NDArray[np.int64],
    at: Floats,
    reticle: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw each wafer's pattern by what its machine and reticle are like at the time."""
    import numpy as np

    state, plan = dynamics.history(fab).at(machine, at), fleet.plan(fab)
    table, handler = wear.NAMES.index("WSTG"), wear.NAMES.index("HNDL")
    used = np.minimum(state.age[:, table] / plan.life[machine, table], 1.0)
    chance = np.stack(
        [
            0.005 + 0.06 * used,
            0.005 + 0.5 * state.severity()[:, handler],
            np.full(len(at), 0.01),
            0.8 * (at >= damaged(fab)[reticle]),
            np.full(len(at), 0.005),
        ],
        axis=1,
    )
    comes = rng.random(chance.shape) < chance
    return np.where(comes.any(axis=1), comes.argmax(axis=1) + 1, 0)


@functools.lru_cache(maxsize=4)
def damaged(fab: fleet.Fab) -> Floats:
    """Return the hour from which each reticle is damaged, infinite for most, [reticles]."""
    import numpy as np

    rng, many = fleet.stream(fab, "damaged reticles"), fleet.PRODUCTS * fleet.LAYERS
    when = rng.uniform(0.2, 0.9, many) * 24.0 * fab.size().days
    return np.where(rng.random(many) < DAMAGED, when, np.inf)


def _defects(fab: fleet.Fab, pattern: str, reticle: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return where a wafer's defects lie, [n, 2] in mm, and how likely each kills its die, [n]."""
    import numpy as np

    edge = overlay.RADIUS_MM - overlay.EDGE_MM
    strays = _disc(rng.poisson(STRAYS), edge, rng)
    if pattern == "edge-ring":
        angle = rng.uniform(0.0, 2.0 * np.pi) + rng.uniform(0.0, rng.uniform(2.0, 6.3), rng.poisson(70))
        radius = np.minimum(rng.normal(edge - 6.0, 3.0, len(angle)), edge)
        more = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    elif pattern == "scratch":
        start, heading, bend = _disc(1, edge, rng)[0], rng.uniform(0.0, 2.0 * np.pi), rng.normal(0.0, 0.01)
        along = np.linspace(0.0, rng.uniform(40.0, 140.0), 60)
        angle = heading + bend * along
        more = (
            start
            + np.stack([along * np.cos(angle), along * np.sin(angle)], axis=1)
            + rng.normal(0, 0.4, (60, 2))
        )
    elif pattern == "cluster":
        more = _disc(1, 0.8 * edge, rng)[0] + rng.normal(0.0, rng.uniform(4.0, 10.0), (rng.poisson(50), 2))
    elif pattern == "repeater":
        own = fleet.stream(fab, f"damage of reticle {reticle}").uniform(-0.45, 0.45, 2) * overlay.FIELD_MM
        more = overlay.fields() + own + rng.normal(0.0, 0.01, overlay.fields().shape)
        more = more[rng.random(len(more)) < 0.9]
    else:
        more = _disc(rng.poisson(120) if pattern == "random" else 0, edge, rng)
    place = np.concatenate([strays, more])
    lethal = np.concatenate(
        [np.full(len(strays), KILLS), np.full(len(more), 0.95 if pattern == "repeater" else KILLS)]
    )
    on = np.hypot(*place.T) <= overlay.RADIUS_MM
    return place[on], lethal[on]


def _disc(many: int, radius: float, rng: np.random.Generator) -> Floats:
    """Return points spread evenly over a disc, [many, 2]."""
    import numpy as np

    r, angle = radius * np.sqrt(rng.random(many)), rng.uniform(0.0, 2.0 * np.pi, many)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def defects(fab: fleet.Fab) -> Columns:
    """Return a row per defect that inspection found: lot, slot, its number on the wafer, x, y in mm, size in um."""
    import numpy as np

    found = inspected(fab)
    first = np.searchsorted(found.wafer, np.arange(len(found.at)))
    return {
        "machine": found.machine[found.wafer],
        "at": found.at[found.wafer],
        "seen": found.at[found.wafer] + INSPECTED_H,
        "lot": found.lot[found.wafer],
        "slot": found.slot[found.wafer],
        "defect": np.arange(len(found.wafer)) - first[found.wafer] + 1,
        "x": found.place[:, 0].round(4),
        "y": found.place[:, 1].round(4),
        "size": found.size.round(3),
    }


def maps(fab: fleet.Fab) -> Columns:
    """Return a row per inspected wafer: its map of dies as text, and for some the pattern that an engineer named.

    The text has a row of dies per line, from the top, parted by "/": "." no die, "1" good, "0" bad.
    """
    import numpy as np

    found, rng = inspected(fab), fleet.stream(fab, "names of patterns")
    signs = np.array([b".", b"1", b"0"])
    rows = signs[found.maps()[:, ::-1]]
    text = ["/".join(b"".join(row).decode() for row in wafer) for wafer in rows.tolist()]
    told = np.array(PATTERNS)[found.pattern]
    other = np.array(PATTERNS)[rng.integers(0, len(PATTERNS), len(told))]
    told = np.where(rng.random(len(told)) < MISREAD, other, told)
    named = rng.random(len(told)) < NAMED
    return {
        "machine": found.machine,
        "at": found.at,
        "seen": found.at + np.where(named, NAMED_H, INSPECTED_H),
        "lot": found.lot,
        "slot": found.slot,
        "product": np.array([f"P{number:02d}" for number in range(fleet.PRODUCTS)])[found.product],
        "reticle": np.array([f"R{number:02d}" for number in range(fleet.PRODUCTS * fleet.LAYERS)])[
            found.reticle
        ],
        "bad": (found.maps() == 2).sum(axis=(1, 2)),
        "map": np.array(text),
        "pattern": np.where(named, told, ""),
    }


def truth(fab: fleet.Fab) -> Columns:
    """Return each inspected wafer's true pattern."""
    import numpy as np

    found = inspected(fab)
    return {
        "machine": found.machine,
        "at": found.at,
        "lot": found.lot,
        "slot": found.slot,
        "pattern": np.array(PATTERNS)[found.pattern],
    }
