"""Overlay of a wafer: fields and marks, and the ten parameters that the machine can correct.

    dx = Tx + Mx X - Ry Y + mx x - ry y        dy = Ty + My Y + Rx X + my y + rx x

X, Y is a field's centre and x, y a mark in it, in mm; offsets in nm, so scales and rotations are in nm/mm (ppm and
urad).  Six of the ten are the wafer's, four the field's.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from flyball import errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: The ten parameters, in the order of all arrays here: nm, then ppm of the wafer, then ppm of the field.
PARAMETERS = (
    "translation_x", "translation_y", "scale_x", "scale_y", "rotation_x", "rotation_y",
    "field_scale_x", "field_scale_y", "field_rotation_x", "field_rotation_y",
)  # fmt: skip
#: Which of them move dx, and which dy, in the order of the columns of `design`.
OF_X, OF_Y = (0, 2, 5, 6, 9), (1, 3, 4, 7, 8)
#: Field size, radius of the wafer and edge exclusion in mm; a mark further off than so
#: many robust sigmas is left out.
FIELD_MM, RADIUS_MM, EDGE_MM, OUTLIER = (26.0, 33.0), 150.0, 3.0, 3.5


@functools.cache
def fields() -> Floats:
    """Return the centres of the full fields of a wafer, [57, 2] in mm."""
    import numpy as np

    columns, rows = np.arange(-6, 7) * FIELD_MM[0], np.arange(-5, 6) * FIELD_MM[1]
    centre = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    corner = np.hypot(np.abs(centre[:, 0]) + FIELD_MM[0] / 2, np.abs(centre[:, 1]) + FIELD_MM[1] / 2)
    return np.asarray(centre[corner <= RADIUS_MM - EDGE_MM], dtype=np.float64)


@functools.cache
def marks() -> Floats:
    """Return where a wafer is measured, [180, 4]: field X, Y and mark x, y in mm; 20 fields with 9 marks each.

    Four fields of a quadrant, each in all four, and the outermost on both axes: so no parameter hides behind another.
    """
    import numpy as np

    every = fields()
    quadrant = every[(every > 0).all(axis=1)]
    quadrant = quadrant[np.argsort(np.hypot(*quadrant.T).round(6), kind="stable")]
    chosen = quadrant[np.linspace(0, len(quadrant) - 1, 4).round().astype(int)]
    mirrored = [chosen * (right, up) for right in (1.0, -1.0) for up in (1.0, -1.0)]
    far = every.max(axis=0, where=(every == 0.0)[:, ::-1], initial=0.0)
    axes = np.array([[far[0], 0.0], [-far[0], 0.0], [0.0, far[1]], [0.0, -far[1]]])
    centre = np.concatenate([*mirrored, axes])
    mark = np.stack(np.meshgrid([-11.0, 0.0, 11.0], [-14.5, 0.0, 14.5]), axis=-1).reshape(-1, 2)
    return np.hstack([np.repeat(centre, len(mark), axis=0), np.tile(mark, (len(centre), 1))])


def design(at: Floats) -> tuple[Floats, Floats]:
    """Return what a unit of each parameter does to dx and to dy at marks [n, 4], [n, 5] each.

    The columns are those of `OF_X` and `OF_Y`.
    """
    import numpy as np

    X, Y, x, y = at.T
    one = np.ones(len(at))
    return np.stack([one, X, -Y, x, -y], axis=1), np.stack([one, Y, X, y, x], axis=1)


@dataclasses.dataclass(frozen=True)
class Fit:
    """Ten parameters of each of L lots and what is left: `value` [L, 10], `error` [L, 10] one sigma, `kept` [L, n].

    The error is that of the marks alone: what differs from wafer to wafer comes on top.

    `condition` is that of the scaled design: near 1, no parameter hides behind another.
    """

    value: Floats
    error: Floats
    kept: NDArray[np.bool_]
    condition: float


def fit(at: Floats, offset: NDArray[np.floating[Any]]) -> Fit:
    """Return the ten parameters of lots by least squares, without marks beyond 3.5 robust sigmas.

    `at` [n, 4] are the marks of all wafers of a lot, `offset` [L, n, 2] the measured dx, dy in nm, NaN where a mark
    was not found.  The robust sigma is 1.4826 times the median distance from the median, of what a first fit leaves.
    Raises DataError where fewer marks are left than parameters, or where they lie so that a parameter is not told.

    >>> import numpy as np
    >>> x, y = design(marks())
    >>> told = fit(marks(), np.stack([x[:, 0] * 2.0, y[:, 0] * -1.0], axis=-1)[None])
    >>> told.value[0, :2].round(6).tolist(), round(told.condition, 1)
    ([2.0, -1.0], 1.0)
    """
    import numpy as np

    designs, kept = design(at), np.asarray(~np.isnan(offset).any(axis=2))
    condition = max(float(np.linalg.cond(d / np.sqrt((d**2).mean(axis=0)))) for d in designs)
    if not condition < 1e6:
        raise errors.DataError(
            "overlay.fit: the marks lie so that not all parameters are told: measure more fields"
        )
    each = [np.where(kept, offset[:, :, axis], 0.0) for axis in (0, 1)]
    left = [one - _solve(d, one, kept)[0] @ d.T for d, one in zip(designs, each, strict=True)]
    kept = kept & _within(left[0], kept) & _within(left[1], kept)
    value, error = np.empty((len(offset), 10)), np.empty((len(offset), 10))
    free = np.maximum(kept.sum(axis=1) - 5, 1)
    for places, d, one in zip((OF_X, OF_Y), designs, each, strict=True):
        found, inverse = _solve(d, one, kept)
        value[:, places] = found
        sigma = np.sqrt((np.where(kept, one - found @ d.T, 0.0) ** 2).sum(axis=1) / free)
        error[:, places] = sigma[:, None] * np.sqrt(np.einsum("lii->li", inverse))
    return Fit(value, error, kept, condition)


def _solve(d: Floats, offset: Floats, kept: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return each lot's parameters [L, 5] and the inverse of its normal equations [L, 5, 5]."""
    import numpy as np

    if (kept.sum(axis=1) <= 5).any():
        raise errors.DataError("overlay.fit: a lot with five marks or fewer left: measure more marks")
    pairs = (d[:, :, None] * d[:, None, :]).reshape(len(d), -1)
    normal = (kept.astype(np.float64) @ pairs).reshape(-1, d.shape[1], d.shape[1])
    inverse = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    return np.einsum("lij,lj->li", inverse, np.where(kept, offset, 0.0) @ d), inverse


def _within(left: Floats, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which marks are within so many robust sigmas, [L, n]."""
    import numpy as np

    median = np.median if kept.all() else np.nanmedian
    there = left if kept.all() else np.where(kept, left, np.nan)
    off = np.abs(left - median(there, axis=1, keepdims=True))
    sigma = 1.4826 * median(np.where(kept, off, np.nan), axis=1, keepdims=True)
    return np.asarray(off <= OUTLIER * sigma + 1e-9)


def spread(left: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Return |mean| + 3 sigma of the kept marks' offsets of each lot and axis, [L, 2] in nm, for `left` [L, n, 2]."""
    import numpy as np

    there = np.where(kept[:, :, None], left, 0.0)
    many = kept.sum(axis=1)[:, None]
    mean = there.sum(axis=1) / many
    return np.asarray(np.abs(mean) + 3.0 * np.sqrt(np.maximum((there**2).sum(axis=1) / many - mean**2, 0.0)))
