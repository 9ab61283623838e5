"""What a site's overlay metrology sends: a row per measured lot, some lots mark by mark, and the truth of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flyball.fab import fleet, lots, overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Columns = dict[str, NDArray[Any]]


def overlays(fab: fleet.Fab) -> Columns:
    """Return a row per measured lot: context, applied corrections, and the fit of what was left.

    `started` and `at` are its first and last exposure; its correction knows what was seen before `started`.
    `applied_*` and `fitted_*` are ten parameters each, nm and nm/mm (`overlay.PARAMETERS`); `spread_x` and `spread_y`
    |mean| + 3 sigma in nm; `dropped` the marks left out.  What the tool does is fitted - applied.  One lot in a hundred
    is logged with the wrong sign or with translations in micrometres, three lack their context.
    """
    return _join(fab, _lot)


def _lot(one: lots.Lots) -> Columns:
    import numpy as np

    logged = one.applied.copy()
    logged[one.fault == lots.FAULTS.index("sign")] *= -1.0
    logged[one.fault == lots.FAULTS.index("unit"), :2] /= 1000.0
    told = one.fault != lots.FAULTS.index("context")
    product = np.array([f"P{number:02d}" for number in range(fleet.PRODUCTS)])[one.product]
    layer = np.array([f"L{number}" for number in range(fleet.LAYERS)])[one.reticle % fleet.LAYERS]
    reticle = np.array([f"R{number:02d}" for number in range(fleet.PRODUCTS * fleet.LAYERS)])[one.reticle]
    return {
        "started": one.started,
        "at": one.at,
        "seen": one.seen,
        "lot": one.lot,
        "product": np.where(told, product, ""),
        "layer": np.where(told, layer, ""),
        "reticle": np.where(told, reticle, ""),
        **{f"applied_{name}": logged[:, place].round(5) for place, name in enumerate(overlay.PARAMETERS)},
        **{f"fitted_{name}": one.value[:, place].round(5) for place, name in enumerate(overlay.PARAMETERS)},
        "spread_x": one.spread[:, 0].round(3),
        "spread_y": one.spread[:, 1].round(3),
        "dropped": one.dropped,
    }


def marks(fab: fleet.Fab) -> Columns:
    """Return every mark of one measured lot in eight, 180 on each of two wafers: dx, dy in nm as measured.

    `slot` is the wafer's in the lot and `chuck` the one on which it lay; one wafer in two hundred is under a
    wrong slot.
    """
    return _join(fab, _mark)


def _mark(one: lots.Lots) -> Columns:
    import numpy as np

    place = overlay.marks()
    full, wafers, many = np.arange(len(one.at))[:: lots.IN_FULL], len(lots.WAFERS), len(place)
    left = one.theta[full] + one.applied[full]
    shape = (len(full), wafers * many)
    every = np.tile(place, (wafers, 1))
    out: Columns = {name: np.repeat(getattr(one, name)[full], shape[1]) for name in ("at", "seen", "lot")}
    slot = np.where(one.misplaced, np.array(lots.WAFERS) + 1, np.array(lots.WAFERS))
    out["slot"] = np.repeat(slot, many, axis=1).ravel()
    out["chuck"] = np.tile(np.repeat(np.arange(wafers), many), len(full))
    for column, name in enumerate(("field_x", "field_y", "mark_x", "mark_y")):
        out[name] = np.tile(every[:, column], len(full)).astype("f4")
    for axis, (d, places) in enumerate(zip(overlay.design(every), (overlay.OF_X, overlay.OF_Y), strict=True)):
        out[("dx", "dy")[axis]] = (one.noise[..., axis] + left[:, places] @ d.T).round(3).astype("f4").ravel()
    return out


def truth(fab: fleet.Fab) -> Columns:
    """Return the true ten parameters of each measured lot, what was really applied, what the best controller leaves.

    `fault` tells what is wrong in the lot's row ("", "sign", "unit", "context"), `misplaced` whether a wafer of it
    is under a wrong slot.
    """
    import numpy as np

    def one(mine: lots.Lots) -> Columns:
        misplaced = np.zeros(len(mine.at), dtype=bool)
        misplaced[:: lots.IN_FULL] = mine.misplaced.any(axis=1)
        best = lots.ceiling(fab, mine.machine)
        return {
            "at": mine.at,
            "lot": mine.lot,
            **{f"true_{name}": mine.theta[:, place] for place, name in enumerate(overlay.PARAMETERS)},
            **{f"applied_{name}": mine.applied[:, place] for place, name in enumerate(overlay.PARAMETERS)},
            **{f"best_{name}": best[:, place] for place, name in enumerate(overlay.PARAMETERS)},
            "fault": np.array(lots.FAULTS)[mine.fault],
            "misplaced": misplaced,
        }

    return _join(fab, one)


def _join(fab: fleet.Fab, rows: Any) -> Columns:
    """Join the rows of all machines under their index."""
    import numpy as np

    every = [rows(lots.measured(fab, machine)) for machine in range(fab.size().machines)]
    many = [len(columns["at"]) for columns in every]
    out: Columns = {"machine": np.repeat(np.arange(len(every)), many)}
    for name in list(every[0]):
        out[name] = np.concatenate([columns.pop(name) for columns in every])
    return out
