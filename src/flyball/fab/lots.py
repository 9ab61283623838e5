"""Measured lots of every machine: their true overlay, and the built-in controller that corrects it.

A machine's overlay is the sum of what its tool, the product and the reticle do; the tool wanders, jumps when somebody
has worked on it, and warms wafers up.  The built-in controller is an EWMA per product on each machine (threaded), fed
as late as the site's metrology is behind.  What it applied is logged: a measured overlay is what is left, and only
with the applied corrections taken off it tells what the tool does.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball.fab import dynamics, fleet, overlay, windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Columns = dict[str, NDArray[Any]]

#: Every so many lots are measured, and of those every so many are sent mark by mark; wafers measured of a lot.
MEASURED, IN_FULL, WAFERS = 12, 8, (8, 17)
#: Weight of the built-in controller.
WEIGHT = 0.35
#: One sigma by parameter: of the tool's walk between measured lots, of a jump with work on it, from wafer to wafer.
WALK = (0.15, 0.15, *(0.0008,) * 4, *(0.004,) * 4)
JUMP = (1.2, 1.2, *(0.008,) * 4, *(0.03,) * 4)
WAFER = (0.35, 0.35, *(0.002,) * 4, *(0.008,) * 4)
#: And of what belongs to products and reticles.
PRODUCT = (1.5, 1.5, *(0.008,) * 4, *(0.03,) * 4)
RETICLE = (0.6, 0.6, *(0.002,) * 4, *(0.02,) * 4)
#: Nanometres: third-order fingerprint, random, metrology, tool-induced shift, half between chucks; and the share of
#: flyers, ten times as far.
FINGERPRINT, RANDOM, METROLOGY, SHIFT, CHUCK, FLYERS = 0.35, 0.30, 0.12, 0.05, 0.2, 0.02
#: Least and most ppm by which a lot's wafers expand as the table warms up, wafers after which most of it is there, and
#: the share that the machine's own feed-forward leaves.
WARMTH, WARM_UP, UNTOLD = (0.05, 0.30), 8.0, 0.15
#: Share of lots logged with the wrong sign or in micrometres, without context, and of wafers under a wrong slot.
WRONG, NO_CONTEXT, WRONG_SLOT = 0.01, 0.03, 0.005
FAULTS = ("", "sign", "unit", "context")


@dataclasses.dataclass(frozen=True)
class Lots:
    """Measured lots of one machine: N lots with W wafers of n marks each.

    `started`, `at`, `seen` [N] hours of the first and last exposure and of the measurement; `lot`, `product`, `reticle`
    [N]; `theta` [N, 10] what tool, product, reticle, heating and pupil did; `static` [N, 10] the part of it that is
    fixed or known; `jumped` [N] how often somebody worked on the machine since the lot before; `applied` [N, 10] the
    correction; `noise` [N / 8, W * n, 2] all that is not in theta, of the lots that are sent mark by mark; `value`,
    `error` [N, 10] the fit of what is left, `spread` [N, 2] its |mean| + 3 sigma, `dropped` [N] marks.  `fault` [N] is
    an index into FAULTS, `misplaced` [N / 8, W] tells wafers under a wrong slot.
    """

    machine: int
    started: Floats
    at: Floats
    seen: Floats
    lot: NDArray[np.int64]
    product: NDArray[np.int64]
    reticle: NDArray[np.int64]
    theta: Floats
    static: Floats
    jumped: NDArray[np.int64]
    applied: Floats
    noise: NDArray[np.float32]
    value: Floats
    error: Floats
    spread: Floats
    dropped: NDArray[np.int64]
    fault: NDArray[np.int64]
    misplaced: NDArray[np.bool_]


@functools.lru_cache(maxsize=64)
def measured(fab: fleet.Fab, machine: int) -> Lots:
    """Return the measured lots of one machine."""
    import numpy as np

    rng = fleet.stream(fab, f"lots of {machine}")
    plan, made = fleet.plan(fab), fleet.production(fab)
    lot, started, at = _exposed(fab, machine)
    hour = np.minimum(at.astype(np.int64), made.product.shape[1] - 1)
    product, reticle = (
        made.product[machine, hour].astype(np.int64),
        made.reticle[machine, hour].astype(np.int64),
    )
    late = int(plan.delay[plan.site[machine]])
    theta, static, jumped = _true(fab, machine, at, product, reticle, rng)
    noise = _noise(len(at), warmth(fab, machine), rng)
    alone = overlay.fit(_marks(), noise)
    applied = -_controlled(theta + alone.value, product, late)
    left = theta + applied
    return Lots(
        machine, started, at, _seen(started, at, late), lot, product, reticle, theta, static, jumped, applied,
        noise=noise[::IN_FULL].copy(),
        value=left + alone.value,
        error=alone.error,
        spread=_spread(noise, left, alone.kept),
        dropped=(~alone.kept).sum(axis=1),
        fault=_faults(len(at), rng) * fab.mess,
        misplaced=(rng.random((len(at[::IN_FULL]), len(WAFERS))) < WRONG_SLOT) & fab.mess,
    )  # fmt: skip


def _exposed(fab: fleet.Fab, machine: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return the numbers of the measured lots of a machine and the hours of their first and last exposures."""
    import numpy as np

    lot = np.arange(0, int(windows.made(fab, machine)[-1]) // windows.LOT, MEASURED)
    first, last = (windows.exposed(fab, machine, lot * windows.LOT + wafer) for wafer in (0, windows.LOT - 1))
    return lot, first, last


def _seen(started: Floats, at: Floats, late: int) -> Floats:
    """Return when each measurement is there: just before the lot so many further starts, which is corrected by it."""
    import numpy as np

    pace = np.diff(at).mean() if len(at) > 1 else 24.0
    ahead = np.concatenate([started[late:], at[-1:] + pace * np.arange(1, late + 1)])[: len(at)]
    return np.asarray(np.maximum(ahead - 0.05, at + 0.01))


def warmth(fab: fleet.Fab, machine: int) -> Floats:
    """Return by how many ppm each measured wafer of a lot is larger, after the machine's feed-forward, [W].

    >>> grown = warmth(fleet.Fab("tiny"), 0)
    >>> bool(0.0 < grown[0] < grown[1] < 0.15 * 0.30)
    True
    """
    import numpy as np

    most = fleet.stream(fab, f"warmth of {machine}").uniform(*WARMTH)
    return np.asarray(UNTOLD * most * (1.0 - np.exp(-np.array(WAFERS) / WARM_UP)))


@functools.cache
def _marks() -> Floats:
    import numpy as np

    return np.tile(overlay.marks(), (len(WAFERS), 1))


def _true(
    fab: fleet.Fab, machine: int, at: Floats, product: NDArray[np.int64], reticle: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Floats, Floats, NDArray[np.int64]]:  # fmt: skip
    """Return the true parameters of lots [N, 10], what of it is no walk, and the jumps since the lot before [N]."""
    import numpy as np

    past, own = dynamics.history(fab), fleet.stream(fab, "overlay of products")
    upkeep = past.journal.read("maintenance")
    worked = np.sort(upkeep["at"][upkeep["row"] == machine])
    jumped = np.diff(np.searchsorted(worked, at), prepend=np.searchsorted(worked, at[:1]))
    walk = rng.normal(0.0, WALK, (len(at), 10))
    walk += rng.normal(0.0, JUMP, (len(at), 10)) * np.sqrt(jumped)[:, None]
    walk[:1] = rng.normal(0.0, JUMP, (len(walk[:1]), 10))
    products = own.normal(0.0, PRODUCT, (fleet.PRODUCTS, 10))
    reticles = own.normal(0.0, RETICLE, (fleet.PRODUCTS * fleet.LAYERS, 10))
    static = products[product] + reticles[reticle]
    static[:, 2:4] += warmth(fab, machine).mean()
    static[:, 0] += 0.4 * (1.0 - past.at(np.full(len(at), machine), at).reflectance)
    return static + np.cumsum(walk, axis=0), static, jumped


def _noise(many: int, warm: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what marks show beyond the lot's parameters, [lots, marks, 2] in nm.

    From wafer to wafer, which grow by `warm` ppm within the lot, the fingerprint of the tool (third order, beyond the
    ten parameters), random, metrology with the shift of its own tool, and flyers.
    """
    import numpy as np

    at = overlay.marks()
    shape = (many, len(WAFERS), len(at), 2)
    out = rng.standard_normal(shape, dtype="f4") * np.float32(np.hypot(RANDOM, METROLOGY))
    out *= np.where(rng.random(shape[:3], dtype="f4") < FLYERS, np.float32(10.0), np.float32(1.0))[..., None]
    wafer, tool_shift = rng.normal(0.0, WAFER, (*shape[:2], 10)), rng.normal(0.0, SHIFT, 2)
    wafer[..., :2] += np.array([1.0, -1.0])[:, None] * rng.normal(
        0.0, CHUCK, 2
    )  # the two lie on different chucks
    wafer[..., 2:4] += (warm - warm.mean())[:, None]
    X, Y = at[:, :2].T / overlay.RADIUS_MM
    cubes = np.stack([X**3, X**2 * Y, Y**3], axis=1)
    for axis, (d, places) in enumerate(zip(overlay.design(at), (overlay.OF_X, overlay.OF_Y), strict=True)):
        beyond = cubes - d @ np.linalg.lstsq(d, cubes, rcond=None)[0]
        beyond /= np.maximum(np.abs(beyond).max(axis=0), 1e-12)
        out[..., axis] += (wafer[..., places] @ d.T).astype("f4")
        out[..., axis] += (beyond @ rng.normal(0.0, FINGERPRINT, 3) + tool_shift[axis]).astype("f4")
    return out.reshape(many, -1, 2)


def _controlled(told: Floats, product: NDArray[np.int64], late: int) -> Floats:
    """Return what the built-in controller expects of each lot [N, 10], fed with what was told of lots `late` before.

    A product that it has not measured is expected as the last lot of the machine.
    """
    import numpy as np

    expected, last = np.zeros_like(told), np.zeros(10)
    threads: dict[int, Floats] = {}
    for lot in range(len(told)):
        known = lot - late
        if known >= 0:
            before = threads.get(int(product[known]))
            last = told[known] if before is None else before + WEIGHT * (told[known] - before)
            threads[int(product[known])] = last
        expected[lot] = threads.get(int(product[lot]), last)
    return expected


def _spread(noise: NDArray[np.float32], left: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Return |mean| + 3 sigma of the kept marks of each lot, [N, 2] in nm."""
    import numpy as np

    out = np.empty((len(left), 2))
    for axis, (d, places) in enumerate(
        zip(overlay.design(_marks()), (overlay.OF_X, overlay.OF_Y), strict=True)
    ):
        moved = (noise[..., axis] + (left[:, places] @ d.T))[..., None]
        out[:, axis] = overlay.spread(moved, kept)[:, 0]
    return out


def _faults(many: int, rng: np.random.Generator) -> NDArray[np.int64]:
    import numpy as np

    drawn = rng.random(many)
    return np.select([drawn < WRONG / 2, drawn < WRONG, drawn < WRONG + NO_CONTEXT], [1, 2, 3], 0)


def ceiling(fab: fleet.Fab, machine: int) -> Floats:
    """Return what the best controller would leave of a machine's lots, [N, 10].

    It knows all that is fixed (product, reticle, heating, pupil), when somebody worked on the machine, and the true
    variances; the wandering tool it estimates by Kalman's filter from measurements as late as the site's.  No honest
    controller leaves less, in expectation.
    """
    import numpy as np

    lots, plan = measured(fab, machine), fleet.plan(fab)
    late = int(plan.delay[plan.site[machine]])
    told = lots.value - lots.applied - lots.static
    true, left = lots.theta - lots.static, np.empty_like(lots.theta)
    walk, jump = np.square(WALK), np.square(JUMP)
    seen = np.square(lots.error).mean(axis=0) + np.square(WAFER) / len(WAFERS)
    level, spread = np.zeros(10), jump.copy()
    for lot in range(len(true)):
        known = lot - late
        if known >= 0:
            spread = spread + (walk + lots.jumped[known] * jump if known else 0.0)
            gain = spread / (spread + seen)
            level, spread = level + gain * (told[known] - level), (1.0 - gain) * spread
        left[lot] = true[lot] - level
    return left
