"""Defects in pictures of lines and holes: what each kind does to the signal, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flyball.fab import sem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Box = tuple[int, int, int, int]

#: All kinds; the first three are of lines only, the last of holes only.
KINDS = ("bridge", "break", "pinch", "particle", "residue", "missing contact")
_OF_LINES, _OF_HOLES = ("bridge", "break", "pinch"), ("missing contact",)


def fitting(kind: str, holes: bool) -> str:
    """Return the kind itself where the pattern can show it, else the pattern's own kind.

    >>> fitting("bridge", holes=True), fitting("missing contact", holes=False), fitting("", holes=True)
    ('missing contact', 'bridge', '')
    """
    if holes:
        return "missing contact" if kind in _OF_LINES else kind
    return "bridge" if kind in _OF_HOLES else kind


def on_lines(signal: Floats, found: Floats, kind: str, rng: np.random.Generator) -> tuple[Floats, Box]:
    """Return the signal [side, side] with a defect among edges at found [edges, side] nm, and its box in pixels."""
    import numpy as np

    if not kind:
        return signal, (0, 0, 0, 0)
    side, lines = len(signal), len(found) // 2
    row, long = int(rng.integers(60, side - 60)), float(rng.uniform(10.0, 22.0))
    line = int(rng.integers(1, lines - 1))
    if kind in ("particle", "residue"):
        space = kind == "residue"
        between = (found[2 * line + 1, row] + found[2 * line + 2, row]) / 2.0
        middle = between if space else float(rng.uniform(40.0, side * sem.PIXEL - 40.0))
        return _blob(signal, middle, row * sem.PIXEL, kind, rng)
    first = 2 * line + (kind == "bridge")
    left, right = np.asarray(found[first], dtype=np.float64), np.asarray(found[first + 1], dtype=np.float64)
    rows = np.arange(side) * sem.PIXEL - row * sem.PIXEL
    if kind == "pinch":
        waist = 0.35 * (right - left) * np.exp(-((rows / long) ** 2))
        moved = found.copy()
        moved[2 * line] += waist
        moved[2 * line + 1] -= waist
        return sem.signal(moved, side), _box(left[row], right[row], row, 3.0 * long, side)
    value = sem.LINE if kind == "bridge" else sem.SPACE
    x: Floats = np.arange(side) * np.float64(sem.PIXEL)
    across = _soft(x[None, :], left[:, None] - 2.5, right[:, None] + 2.5)
    along = _soft(np.asarray(rows, dtype=np.float64), np.full(1, -long / 2.0), np.full(1, long / 2.0))[
        :, None
    ]
    share = across * along
    rim = sem.RIM * np.exp(-(((np.abs(rows) - long / 2.0) / 2.2) ** 2))[:, None] * across
    return signal * (1.0 - share) + value * share + rim * (1.0 - along), _box(
        left[row], right[row], row, long, side
    )


def on_holes(signal: Floats, holes: Floats, kind: str, rng: np.random.Generator) -> tuple[Floats, Box]:
    """Return the signal with a defect among holes [holes, 3] (x, y, radius in nm), and its box in pixels."""
    import numpy as np

    if not kind:
        return signal, (0, 0, 0, 0)
    side = len(signal)
    inner = holes[(np.abs(holes[:, :2] - side * sem.PIXEL / 2.0) < side * sem.PIXEL / 2.0 - 50.0).all(axis=1)]
    x, y, radius = inner[rng.integers(len(inner))]
    if kind in ("particle", "residue"):
        off = 20.0 if kind == "residue" else 0.0
        return _blob(signal, x + off, y + off, kind, rng)
    grid = np.arange(side) * sem.PIXEL
    away = np.hypot(grid[None, :] - x, grid[:, None] - y)
    share = 1.0 / (1.0 + np.exp((away - radius - 6.0) / 0.8))
    return signal * (1.0 - share) + sem.LINE * share, _box(
        x - radius, x + radius, y / sem.PIXEL, 2.0 * radius, side
    )


def _blob(signal: Floats, x: float, y: float, kind: str, rng: np.random.Generator) -> tuple[Floats, Box]:
    """Return the signal with a particle (bright, round) or a residue (dull, ragged) at x, y in nm."""
    import numpy as np

    side = len(signal)
    grid = np.arange(side) * sem.PIXEL
    dx, dy = grid[None, :] - x, grid[:, None] - y
    radius, waves = (
        rng.uniform(6.0, 14.0) if kind == "particle" else rng.uniform(4.0, 8.0),
        rng.normal(size=4),
    )
    angle = np.arctan2(dy, dx)
    ragged = 0.05 if kind == "particle" else 0.25
    edge = radius * (
        1.0 + ragged * (waves[0] * np.cos(2 * angle + waves[1]) + 0.5 * waves[2] * np.cos(3 * angle))
    )
    away = np.hypot(dx, dy) - np.maximum(edge, 2.0)
    share = 1.0 / (1.0 + np.exp(np.clip(away / 0.8, -50.0, 50.0)))
    value = 0.9 if kind == "particle" else 0.36
    rim = (0.5 if kind == "particle" else 0.15) * np.exp(-((away / 2.2) ** 2))
    return signal * (1.0 - share) + value * share + rim, _box(
        x - radius, x + radius, y / sem.PIXEL, 2.0 * radius, side
    )


def _soft(x: Floats, low: Floats, high: Floats) -> Floats:
    """Return 1 between low and high and 0 outside, over about a nanometre."""
    import numpy as np

    rise = 1.0 / (1.0 + np.exp(np.clip((low - x) / 0.5, -50.0, 50.0)))
    return np.asarray(rise / (1.0 + np.exp(np.clip((x - high) / 0.5, -50.0, 50.0))))


def _box(left: float, right: float, row: float, long: float, side: int) -> Box:
    """Return the pixels of a box from left to right nm that is so many nm long about a row."""
    half = long / 2.0 / sem.PIXEL

    def within(pixel: float) -> int:
        return int(min(max(pixel, 0), side))

    return (
        within(left / sem.PIXEL),
        within(row - half),
        within(right / sem.PIXEL + 1.0),
        within(row + half + 1.0),
    )
