"""Rough edges of lines: how they are drawn, and how their roughness is measured without the noise of the picture.

The spectrum is Palasantzas': PSD(f) ~ 1 / (1 + (2 pi f xi)**2) ** (H + 1/2), with sigma, correlation length xi and
Hurst exponent H (Phys. Rev. B 48, 14472, 1993).  An edge found in a noisy picture is rough by the noise too, which is
white along the edge: its level is read off the highest frequencies and taken away (unbiased roughness).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from flyball import errors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Where an edge is looked for around its line's usual place, and the width of its bright rim, in nm.
REACH_NM, RIM_NM = 6.0, 2.2
#: The share of the frequencies, from the top, at which there is nothing but noise.
TOP = 0.4


@dataclasses.dataclass(frozen=True)
class Edge:
    """How rough an edge is: one sigma in nm, correlation length in nm, Hurst exponent."""

    sigma: float
    length: float
    hurst: float


def spectrum(edge: Edge, rows: int, pixel: float) -> Floats:
    """Return the variance in nm2 at each frequency of an edge, [rows // 2 + 1]; they add up to sigma squared."""
    import numpy as np

    f = np.fft.rfftfreq(rows, pixel)
    shape = (1.0 + (2.0 * np.pi * f * edge.length) ** 2) ** -(edge.hurst + 0.5)
    shape[0] = 0.0
    return np.asarray(edge.sigma**2 * shape / shape.sum())


def edges(edge: Edge, many: int, rows: int, pixel: float, rng: np.random.Generator) -> Floats:
    """Draw edges, [many, rows] in nm off their lines; longer ones are drawn and cut, so that ends do not meet.

    >>> import numpy as np
    >>> drawn = edges(Edge(0.8, 20.0, 0.6), 200, 512, 0.8, np.random.default_rng(0))
    >>> drawn.shape, bool(0.75 < drawn.std() < 0.85)
    ((200, 512), True)
    """
    import numpy as np

    whole = 4 * rows
    variance = spectrum(edge, whole, pixel)
    drawn = rng.normal(size=(many, len(variance), 2)) @ np.array([1.0, 1.0j])
    drawn *= np.sqrt(variance / 2.0) * whole / np.sqrt(2.0)
    return np.fft.irfft(drawn, whole, axis=1)[:, :rows]


def find(picture: NDArray[np.generic], lines: Floats, pixel: float) -> Floats:
    """Return where the edges lie in a picture, [edges, rows] in nm, given their usual places `lines` [edges] in nm.

    Row by row the best match with a bright rim within 6 nm of the line, between pixels by a parabola.  Raises
    DataError for a line so close to the border that it cannot be looked for.
    """
    import numpy as np

    reach = int(np.ceil(REACH_NM / pixel))
    wide = int(np.ceil(2.0 * RIM_NM / pixel)) + 2
    middle = np.rint(lines / pixel).astype(int)
    if len(middle) == 0 or middle.min() < reach + wide or middle.max() > picture.shape[1] - 1 - reach - wide:
        raise errors.DataError("roughness.find: a line lies too close to the border, or there is none")
    x = np.arange(-wide, wide + 1) * pixel
    rim = np.exp(-((x / (1.4 * RIM_NM)) ** 2))
    rim -= rim.mean()
    values = picture.astype(np.float64)
    match = _along(values, rim)
    out = np.empty((len(lines), len(values)))
    row = np.arange(len(values))
    for number, at in enumerate(middle):
        near = match[:, at - reach : at + reach + 1]
        best = np.clip(near.argmax(axis=1), 1, 2 * reach - 1)
        left, top, right = (near[row, best + step] for step in (-1, 0, 1))
        bend = left - 2.0 * top + right
        shift = np.where(bend < 0.0, 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0), 0.0)
        out[number] = (at - reach + best + np.clip(shift, -0.5, 0.5)) * pixel
    return out


def _along(values: Floats, kernel: Floats) -> Floats:
    """Return every row's correlation with a symmetric kernel, as long as the row."""
    import numpy as np

    size = values.shape[1] + len(kernel) - 1
    spectrum_ = np.fft.rfft(values, size, axis=1) * np.fft.rfft(kernel, size)
    half = len(kernel) // 2
    return np.fft.irfft(spectrum_, size, axis=1)[:, half : half + values.shape[1]]


@dataclasses.dataclass(frozen=True)
class Roughness:
    """Three sigma of edges in nm, as it is seen, and without the noise of the picture."""

    biased: float
    unbiased: float


def measure(found: Floats) -> Roughness:
    """Return the roughness (3 sigma) of edges [edges, rows], biased and unbiased.

    The mean spectrum of all edges, less the level of its top frequencies.  Rows must be many enough for a spectrum.
    Raises DataError for fewer than 32 rows.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> true = edges(Edge(0.8, 20.0, 0.6), 50, 512, 0.8, rng)
    >>> told = measure(true + 0.6 * rng.normal(size=true.shape))
    >>> bool(told.biased > 2.9), bool(abs(told.unbiased - 2.4) < 0.1)
    (True, True)
    """
    import numpy as np

    rows = found.shape[1]
    if rows < 32:
        raise errors.DataError(f"roughness.measure: edges of {rows} rows: give 32 or more")
    from_mean = found - found.mean(axis=1, keepdims=True)
    each = (np.abs(np.fft.rfft(from_mean, axis=1)) ** 2).mean(axis=0) * 2.0 / rows**2
    each[0] = 0.0
    if rows % 2 == 0:
        each[-1] /= 2.0
    floor = each[int(len(each) * (1.0 - TOP)) : len(each) - 1].mean()
    seen, true = each.sum(), max(each.sum() - floor * (len(each) - 1.5), 0.0)
    return Roughness(3.0 * float(np.sqrt(seen)), 3.0 * float(np.sqrt(true)))
