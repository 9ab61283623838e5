"""How an electron microscope pictures lines and contact holes: the clean signal, and what every scan adds.

    signal = material + sum of exp(-(distance to an edge / 2.2 nm)**2), blurred, darkened behind what is bright
    picture = Poisson(electrons * signal) + read noise; each line a little off, each scan drifted a little further

A real microscope's noise depends on the dwell time; this one's is that of slow scans.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from flyball.fab import physics, roughness

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Pixels of a side, nm of a pixel.
SIDE, PIXEL = 512, 0.8
#: Signal of space and line, of a rim above them; what scans differ by: nm of jitter per line, of drift per scan.
SPACE, LINE, RIM, JITTER, DRIFT = 0.22, 0.42, 0.55, 0.2, 0.5
#: Electrons of read noise, the tail of charging in nm and what it takes of the signal.
READ, TAIL_NM, CHARGE = 0.8, 60.0, 0.12
#: An edge as rough as such lines' are: 2.4 nm at three sigma.
ROUGH = roughness.Edge(0.8, 20.0, 0.6)
#: Signal that an 8-bit picture shows as white.
WHITE = 1.25


@dataclasses.dataclass(frozen=True)
class Optics:
    """One microscope as it is now: blur in nm along and across the scan, gain, contrast."""

    blur_x: float = 1.6
    blur_y: float = 1.6
    gain: float = 1.0
    contrast: float = 1.0


@dataclasses.dataclass(frozen=True)
class Lines:
    """Vertical lines: pitch and width in nm, roughness of their edges."""

    pitch: float = 32.0
    width: float = 16.0
    edge: roughness.Edge = ROUGH

    def places(self, side: int = SIDE) -> Floats:
        """Return the usual places of the edges in nm, left and right of each line that is whole, ascending."""
        import numpy as np

        margin = roughness.REACH_NM + 3.0 * roughness.RIM_NM
        first = margin + self.pitch / 2.0
        many = int((side * PIXEL - 2.0 * margin - self.width) // self.pitch)
        middle = first + self.pitch * np.arange(many)
        return np.stack([middle - self.width / 2.0, middle + self.width / 2.0], axis=1).ravel()


@dataclasses.dataclass(frozen=True)
class Contacts:
    """Contact holes on a square grid: pitch and width in nm, and the spread of their radii in nm."""

    pitch: float = 40.0
    width: float = 20.0
    spread: float = 0.5


def lines(pattern: Lines, rng: np.random.Generator, side: int = SIDE) -> tuple[Floats, Floats]:
    """Return the unblurred signal of rough lines [side, side], and where their edges lie, [edges, side] in nm."""
    at = pattern.places(side)
    off = roughness.edges(pattern.edge, len(at), side, PIXEL, rng)
    found = at[:, None] + off
    return signal(found, side), found


def signal(found: Floats, side: int = SIDE) -> Floats:
    """Return the signal of lines whose left and right edges lie at found [edges, side], in nm."""
    import numpy as np

    row, steps = np.arange(side), np.zeros((side, side + 2))
    bright = np.zeros((side, side))
    near = np.arange(-9, 10)
    for number, place in enumerate(found / PIXEL):
        pixel = np.clip(place, 0.0, side - 1.0)
        first = pixel.astype(int)
        sign = 1.0 if number % 2 == 0 else -1.0
        np.add.at(steps, (row, first), sign * (1.0 - (pixel - first)))
        np.add.at(steps, (row, first + 1), sign * (pixel - first))
        columns = np.clip(first[:, None] + near, 0, side - 1)
        rim = np.exp(-(((columns - place[:, None]) * PIXEL / roughness.RIM_NM) ** 2))
        bright[row[:, None], columns] = np.maximum(bright[row[:, None], columns], rim)
    inside = np.clip(np.cumsum(steps, axis=1)[:, :side], 0.0, 1.0)
    return np.asarray(SPACE + (LINE - SPACE) * inside + RIM * bright)


def contacts(pattern: Contacts, rng: np.random.Generator, side: int = SIDE) -> tuple[Floats, Floats]:
    """Return the unblurred signal of contact holes [side, side], and each hole's x, y and radius in nm, [holes, 3]."""
    import numpy as np

    many = int(side * PIXEL // pattern.pitch)
    middle = (np.arange(many) + 0.5) * pattern.pitch + (side * PIXEL - many * pattern.pitch) / 2.0
    y, x = np.meshgrid(middle, middle, indexing="ij")
    radius = pattern.width / 2.0 + rng.normal(0.0, pattern.spread, x.size)
    holes = np.stack([x.ravel(), y.ravel(), np.maximum(radius, 1.0)], axis=1)
    return holed(holes, rng, side), holes


def holed(holes: Floats, rng: np.random.Generator, side: int = SIDE) -> Floats:
    """Return the signal of holes [holes, 3] (x, y, radius in nm), each a little out of round."""
    import numpy as np

    out = np.full((side, side), LINE)
    for x, y, radius in holes:
        reach = int((radius + 8.0) / PIXEL) + 1
        left, top = int(x / PIXEL), int(y / PIXEL)
        columns = np.arange(max(left - reach, 0), min(left + reach + 1, side))
        rows = np.arange(max(top - reach, 0), min(top + reach + 1, side))
        dx, dy = columns * PIXEL - x, (rows * PIXEL - y)[:, None]
        angle, waves = np.arctan2(dy, dx), rng.normal(0.0, 0.35, (2, 3))
        rough = sum(
            waves[0, n] * np.cos((n + 2) * angle) + waves[1, n] * np.sin((n + 2) * angle) for n in range(3)
        )
        off = np.hypot(dx, dy) - radius - rough
        mine = SPACE + (LINE - SPACE) * np.clip(off / PIXEL + 0.5, 0.0, 1.0)
        out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = mine + RIM * np.exp(
            -((off / roughness.RIM_NM) ** 2)
        )
    return out


def blurred(clean: Floats, optics: Optics) -> NDArray[np.float32]:
    """Return what an ideal microscope of this blur, gain and contrast would see, with charging, in signal units."""
    import numpy as np

    seen = _smooth(_smooth(clean.astype(np.float32), optics.blur_x).T, optics.blur_y).T
    seen = optics.gain * (seen.mean() + optics.contrast * (seen - seen.mean()))
    keeps = float(np.exp(-PIXEL / TAIL_NM))
    tail = physics.filtered(np.float32(1.0 - keeps) * seen, keeps)
    return np.asarray(np.maximum(seen * (1.0 - CHARGE * tail), 0.02), dtype=np.float32)


def _smooth(values: NDArray[np.float32], blur_nm: float) -> NDArray[np.float32]:
    """Return every row smoothed by a Gaussian of so many nm, mirrored at its ends."""
    import numpy as np

    reach = int(np.ceil(4.0 * blur_nm / PIXEL))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * PIXEL / blur_nm) ** 2)
    kernel /= kernel.sum()
    wide, size = np.pad(values, ((0, 0), (reach, reach)), mode="symmetric"), values.shape[1]
    out = np.zeros_like(values)
    for place, weight in enumerate(kernel.astype(np.float32)):
        out += weight * wide[:, place : place + size]
    return out


def scanned(
    seen: NDArray[np.float32], electrons: float, scans: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return the mean of some scans of a scene, in signal units: electrons, read noise, jitter and drift."""
    import numpy as np

    total = np.zeros(seen.shape, dtype=np.float64)
    drift = np.cumsum(rng.normal(0.0, DRIFT, (scans, 2)), axis=0)
    drift -= drift[0]
    for scan in range(scans):
        moved = _moved(seen, drift[scan, 0] + rng.normal(0.0, JITTER, len(seen)), int(drift[scan, 1] / PIXEL))
        total += rng.poisson(electrons * moved) + rng.normal(0.0, READ, seen.shape)
    return np.asarray(total / (electrons * scans), dtype=np.float32)


def _moved(seen: NDArray[np.float32], by_nm: Floats, down: int) -> NDArray[np.float32]:
    """Return a scene with each line shifted by so many nm, between pixels linearly, and all lines by some rows."""
    import numpy as np

    whole, part = np.divmod(by_nm / PIXEL, 1.0)
    columns = np.arange(seen.shape[1]) - whole.astype(int)[:, None]
    rows = np.clip(np.arange(len(seen)) - down, 0, len(seen) - 1)[:, None]
    right = seen[rows, np.clip(columns, 0, seen.shape[1] - 1)]
    left = seen[rows, np.clip(columns - 1, 0, seen.shape[1] - 1)]
    return np.asarray(right + part[:, None].astype(np.float32) * (left - right))


def grey(picture: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Return a picture in signal units as 8 bits: white is a signal of 1.25."""
    import numpy as np

    return np.asarray(np.clip(np.rint(picture * (255.0 / WHITE)), 0, 255), dtype=np.uint8)
